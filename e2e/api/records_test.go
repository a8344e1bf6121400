package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"functionkey.dev/e2e/kit"
)

const (
	onlyBound      = "token that is bound to a pod of this namespace"
	notOfRevision  = "does not belong to revision"
	onlyOwn        = "may write only the Member record"
	controllerOnly = "created and changed by the controller alone"
	onlyReplicas   = "written by replicas alone"
	namesItself    = "names itself"
	withItsKey     = "written with the first key that is made after it"
	neverForItself = "never for itself"
)

func create(as *kit.Cluster, ns string, record *unstructured.Unstructured) func(t *testing.T) error {
	return func(t *testing.T) error {
		_, err := as.Records(ns).Create(kit.Context(t), record, metav1.CreateOptions{})
		return err
	}
}

func edited(u *unstructured.Unstructured, edit func(u *unstructured.Unstructured)) *unstructured.Unstructured {
	u = u.DeepCopy()
	edit(u)
	return u
}

func withLabels(u *unstructured.Unstructured, labels map[string]string) *unstructured.Unstructured {
	return edited(u, func(u *unstructured.Unstructured) {
		all := u.GetLabels()
		for key, value := range labels {
			if value == "" {
				delete(all, key)
			} else {
				all[key] = value
			}
		}
		u.SetLabels(all)
	})
}

func memberName(pod *corev1.Pod) string { return pod.Name + "." + string(pod.UID)[:8] }

func TestWhoMayCreateRecords(t *testing.T) {
	w := newWorld(t)
	own := kit.Member(w.a, revision)
	owners := func(refs ...metav1.OwnerReference) *unstructured.Unstructured {
		return edited(own, func(u *unstructured.Unstructured) { u.SetOwnerReferences(refs) })
	}
	mine := own.GetOwnerReferences()[0]
	wrongUID, wrongName, wrongKind := mine, mine, mine
	wrongUID.UID, wrongName.Name, wrongKind.Kind = w.b.UID, w.b.Name, "Node"
	runAttempts(t, []attempt{
		{"token without pod", create(w.unbound, w.ns, own), onlyBound},
		{"pod of another namespace, of the same name", create(w.foreigner, w.ns, own), onlyBound},
		{"another pod's record", create(w.asB, w.ns, own), onlyOwn},
		{"a Leader record", create(w.asA, w.ns, kit.Leader(w.ns, revision)), controllerOnly},
		{"the Leader record of another revision", create(w.asA, w.ns, kit.Leader(w.ns, "squatted")), notOfRevision},
		{"joining another revision", create(w.asStranger, w.ns, kit.Member(w.stranger, revision)), notOfRevision},
		{"the own name with another's pod", create(w.asA, w.ns, edited(own, func(u *unstructured.Unstructured) {
			u.Object["spec"].(kit.Map)["pod"] = w.b.Name
		})), "named <pod>"},
		{"no owner: it would never be collected", create(w.asA, w.ns, owners()), "exactly one owner"},
		{"two owners", create(w.asA, w.ns, owners(mine, wrongName)), "exactly one owner"},
		{"another owner's UID", create(w.asA, w.ns, owners(wrongUID)), "exactly one owner"},
		{"another owner's name", create(w.asA, w.ns, owners(wrongName)), "exactly one owner"},
		{"an owner of another kind", create(w.asA, w.ns, owners(wrongKind)), "exactly one owner"},
		{"a finalizer", create(w.asA, w.ns, edited(own, func(u *unstructured.Unstructured) { u.SetFinalizers([]string{"x.y/z"}) })), "it has no finalizers"},
		{"no labels", create(w.asA, w.ns, edited(own, func(u *unstructured.Unstructured) { u.SetLabels(nil) })), "labels of a Member"},
		{"for= the revision: read by all replicas", create(w.asA, w.ns, withLabels(own, map[string]string{"functionkey.dev/for": revision})), "labels of a Member"},
		{"for= another pod", create(w.asA, w.ns, withLabels(own, map[string]string{"functionkey.dev/for": w.uid(w.b)})), "labels of a Member"},
		{"role=leader", create(w.asA, w.ns, withLabels(own, map[string]string{"functionkey.dev/role": "leader"})), "labels of a Member"},
		{"revision of others in the label", create(w.asA, w.ns, withLabels(own, map[string]string{"functionkey.dev/revision": other})), "labels of a Member"},
		{"function label: senders would take it for a recipient", create(w.asA, w.ns, withLabels(own, map[string]string{"functionkey.dev/function": "billing"})), "labels of a Member"},
		{"server-side apply of another's record", func(t *testing.T) error {
			return change(t, w.asB, w.ns, own.GetName(), "apply", "spec", own.Object["spec"].(kit.Map))
		}, onlyOwn},
		{"by generateName", create(w.asA, w.ns, edited(own, func(u *unstructured.Unstructured) { u.SetName(""); u.SetGenerateName(w.a.Name + ".") })), "named <pod>"},
		{"the own record", create(w.asA, w.ns, own), ""},
		{"the own record, with labels of others", create(w.asB, w.ns, withLabels(kit.Member(w.b, revision), map[string]string{"team": "x"})), ""},
		{"the own record of another revision", create(w.asStranger, w.ns, kit.Member(w.stranger, other)), ""},
		{"a Leader record by the controller", create(w.controller, w.ns, kit.Leader(w.ns, revision)), ""},
		{"a Leader record by the administrator", create(w.c, w.ns, kit.Leader(w.ns, other)), ""},
	})
}

// A record's name holds the first eight characters of the UID: the others count too.
func TestUIDIsComparedWhole(t *testing.T) {
	w := newWorld(t)
	wrong := edited(kit.Member(w.a, revision), func(u *unstructured.Unstructured) {
		uid := string(w.a.UID)
		last := "0"
		if strings.HasSuffix(uid, "0") {
			last = "1"
		}
		u.Object["spec"].(kit.Map)["podUID"] = uid[:35] + last
	})
	kit.Refused(t, create(w.asA, w.ns, wrong)(t), onlyOwn)
}

// ready has both members, the Leader record, and A leading with a key.
func ready(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	must(t, create(w.controller, w.ns, kit.Leader(w.ns, revision))(t))
	must(t, create(w.asA, w.ns, kit.Member(w.a, revision))(t))
	must(t, create(w.asB, w.ns, kit.Member(w.b, revision))(t))
	must(t, create(w.asStranger, w.ns, kit.Member(w.stranger, other))(t))
	must(t, kit.MergeStatus(t, w.asA.Records(w.ns), revision, kit.Map{"leader": w.leads(w.a, 1)}))
	must(t, kit.MergeStatus(t, w.asA.Records(w.ns), revision, kit.Map{"epoch": 1, "keys": keys(w.key(1, "Prepared"))}))
	must(t, kit.MergeStatus(t, w.asA.Records(w.ns), revision, kit.Map{"activeEpoch": 1, "keys": keys(w.key(1, "Active"))}))
	return w
}

func (w *world) leads(pod *corev1.Pod, term int64) kit.Map {
	return kit.LeaderStatus(pod.Name, string(pod.UID), 1, term)
}

func (w *world) grants(pod *corev1.Pod, term int64) kit.Map {
	return kit.Granter(pod.Name, string(pod.UID), 1, term)
}

func (w *world) key(epoch int64, state string) kit.Map { return kit.Key(epoch, state, w.a.Name, 1) }

func TestWhoMayChangeSpecs(t *testing.T) {
	w := ready(t)
	own := memberName(w.a)
	meta := func(as *kit.Cluster, record, patch string) func(t *testing.T) error {
		return func(t *testing.T) error {
			_, err := as.Records(w.ns).Patch(kit.Context(t), record, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			return err
		}
	}
	inbox := kit.Map{"inboxKey": kit.Point("mine"), "proof": kit.Signature("mine")}
	rows := []attempt{
		{"the next inbox key", func(t *testing.T) error { return change(t, w.asA, w.ns, own, "merge", "spec", inbox) }, ""},
		{"a new incarnation", func(t *testing.T) error {
			return change(t, w.asA, w.ns, own, "merge", "spec", kit.Map{"incarnation": 2, "receivingKey": kit.Point("r2"), "identityKey": kit.Point("i2")})
		}, ""},
		{"labels taken off", meta(w.asA, own, `{"metadata":{"labels":null}}`), "labels of a Member"},
		{"owner taken off", meta(w.asA, own, `{"metadata":{"ownerReferences":null}}`), "exactly one owner"},
		{"finalizer put on", meta(w.asA, own, `{"metadata":{"finalizers":["x.y/z"]}}`), "it has no finalizers"},
		{"Leader record annotated for deletion", meta(w.asA, revision, `{"metadata":{"annotations":{"functionkey.dev/allow-delete":"true"}}}`), controllerOnly},
		{"Leader record relabelled", meta(w.asA, revision, `{"metadata":{"labels":{"functionkey.dev/function":"billing"}}}`), controllerOnly},
		{"own record deleted", func(t *testing.T) error {
			return w.asA.Records(w.ns).Delete(kit.Context(t), own, metav1.DeleteOptions{})
		}, "agents never delete"},
		{"another's record deleted", func(t *testing.T) error {
			return w.asB.Records(w.ns).Delete(kit.Context(t), own, metav1.DeleteOptions{})
		}, "agents never delete"},
		{"all records deleted", func(t *testing.T) error {
			return w.asB.Records(w.ns).DeleteCollection(kit.Context(t), metav1.DeleteOptions{}, metav1.ListOptions{})
		}, "agents never delete"},
		{"spec of the Leader record by the controller", func(t *testing.T) error {
			return change(t, w.controller, w.ns, revision, "merge", "spec", kit.Map{"revoked": []any{uidA}})
		}, ""},
	}
	rows = append(rows, inEveryWay("another's keys", w.asB, w.ns, own, "spec", inbox, onlyOwn)...)
	rows = append(rows, inEveryWay("keys of a pod of another revision", w.asStranger, w.ns, own, "spec", inbox, notOfRevision)...)
	rows = append(rows, inEveryWay("keys, without pod", w.unbound, w.ns, own, "spec", inbox, onlyBound)...)
	rows = append(rows, inEveryWay("keys, from another namespace", w.foreigner, w.ns, own, "spec", inbox, onlyBound)...)
	rows = append(rows, inEveryWay("spec of the Leader record", w.asA, w.ns, revision, "spec", kit.Map{"revoked": []any{w.uid(w.b)}}, controllerOnly)...)
	runAttempts(t, rows)
}

func TestWhoMayWriteKeys(t *testing.T) {
	w := ready(t)
	merge := func(as *kit.Cluster, status kit.Map) func(t *testing.T) error {
		return func(t *testing.T) error { return kit.MergeStatus(t, as.Records(w.ns), revision, status) }
	}
	next := kit.Map{"epoch": 2, "keys": keys(w.key(1, "Active"), w.key(2, "Prepared"))}
	keyOf := func(pod string, term int64) kit.Map {
		return kit.Map{"epoch": 2, "keys": keys(w.key(1, "Active"), kit.Key(2, "Prepared", pod, term))}
	}
	retired := kit.Map{"keys": keys(w.key(1, "Retired"))}
	counts := kit.Map{"members": kit.Map{"total": 2, "ready": 1, "summary": "1/2"}}
	condition := kit.Map{"conditions": []any{kit.Map{"type": "Ready", "status": "True", "reason": "A", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"}}}
	var rows []attempt
	for _, who := range []struct {
		name string
		as   *kit.Cluster
		says string
	}{
		{"a replica that does not lead", w.asB, namesItself},
		{"a pod of another revision", w.asStranger, notOfRevision + "|" + namesItself},
		{"a token without pod", w.unbound, onlyBound},
		{"a pod of another namespace", w.foreigner, onlyBound},
		{"the controller", w.controller, onlyReplicas},
		{"the administrator", w.c, onlyReplicas},
	} {
		rows = append(rows, inEveryWay("a key by "+who.name, who.as, w.ns, revision, "status", next, who.says)...)
		rows = append(rows, inEveryWay("a key retired by "+who.name, who.as, w.ns, revision, "status", retired, who.says)...)
	}
	for name, as := range map[string]*kit.Cluster{"the controller": w.controller, "the administrator": w.c} {
		rows = append(rows, inEveryWay("the leader named by "+name, as, w.ns, revision, "status", kit.Map{"leader": w.leads(w.b, 2)}, onlyReplicas)...)
		rows = append(rows,
			attempt{"epoch by " + name, merge(as, kit.Map{"epoch": 2}), onlyReplicas},
			attempt{"status taken away by " + name, func(t *testing.T) error {
				_, err := as.Records(w.ns).Patch(kit.Context(t), revision, types.JSONPatchType, []byte(`[{"op":"remove","path":"/status"}]`), metav1.PatchOptions{}, "status")
				return err
			}, "cannot be removed"})
	}
	over := func(pod *corev1.Pod, epoch int64) kit.Map { return kit.Map{"podUID": w.uid(pod), "epoch": epoch} }
	// In a namespace that did not opt in the policy on revoked pods keeps out of it.
	must(t, change(t, w.controller, w.ns, revision, "merge", "spec", kit.Map{"revoked": []any{w.uid(w.a), w.uid(w.b)}}))
	for name, as := range map[string]*kit.Cluster{"the controller": w.controller, "the administrator": w.c} {
		rows = append(rows, attempt{"a revocation noted by " + name, merge(as, kit.Map{"revocations": []any{over(w.b, 1)}}), onlyReplicas})
	}
	rows = append(rows, []attempt{
		{"a revocation noted of a key that is there", merge(w.asA, kit.Map{"revocations": []any{over(w.b, 1)}}), withItsKey},
		{"one of that key beside the next", merge(w.asA, kit.With(next, kit.Map{"revocations": []any{over(w.b, 1)}})), withItsKey},
		{"one without a key", merge(w.asA, kit.Map{"epoch": 2, "revocations": []any{over(w.b, 2)}}), withItsKey},
		{"one of a pod that is not revoked", merge(w.asA, kit.With(next, kit.Map{"revocations": []any{over(w.stranger, 2)}})), withItsKey},
		{"the own one, with the next", merge(w.asA, kit.With(next, kit.Map{"revocations": []any{over(w.b, 2), over(w.a, 2)}})), withItsKey},
		{"another named as leader", merge(w.asA, kit.Map{"leader": w.leads(w.b, 2)}), namesItself},
		{"the own name with another's UID", merge(w.asA, kit.Map{"leader": kit.With(w.leads(w.a, 2), kit.Map{"podUID": w.uid(w.b)})}), namesItself},
		{"a key under another's name", merge(w.asA, keyOf(w.b.Name, 1)), "carries the writer's pod"},
		{"a key under another term", merge(w.asA, keyOf(w.a.Name, 7)), "carries the writer's pod"},
		{"counts by the leader", merge(w.asA, counts), "are the controller's"},
		{"conditions by the leader", merge(w.asA, condition), "are the controller's"},
		{"an epoch that they are of, by the leader", merge(w.asA, kit.Map{"observedEpoch": 1}), "are the controller's"},
		{"a pod of another revision takes the term", merge(w.asStranger, kit.Map{"leader": w.leads(w.stranger, 2)}), notOfRevision},
		{"counts and conditions by the controller", merge(w.controller, kit.With(kit.With(counts, condition), kit.Map{"observedEpoch": 1})), ""},
		{"a key by the leader, and who was revoked before", merge(w.asA, kit.With(next, kit.Map{"revocations": []any{over(w.b, 2)}})), ""},
		// CEL sees one object: whether B holds the Lease is checked by members
		{"B takes the term", merge(w.asB, kit.Map{"leader": w.leads(w.b, 2)}), ""},
		{"late write of the deposed leader, as itself", merge(w.asA, kit.Map{"leader": w.leads(w.a, 1)}), "a new leader needs a higher term"},
		{"late write of the deposed leader", merge(w.asA, kit.Map{"keys": keys(w.key(1, "Retired"), w.key(2, "Prepared"))}), namesItself},
		{"B abandons A's key and adds its own", merge(w.asB, kit.Map{"epoch": 3, "keys": keys(w.key(1, "Active"), w.key(2, "Abandoned"), kit.Key(3, "Prepared", w.b.Name, 2)), "revocations": []any{over(w.b, 2), over(w.a, 3)}}), ""},
		{"and takes revocations away", merge(w.asB, kit.Map{"revocations": nil}), ""},
		{"its own is not put back", merge(w.asB, kit.Map{"revocations": []any{over(w.b, 2)}}), withItsKey},
	}...)
	runAttempts(t, rows)
}

func TestWhoMayGrant(t *testing.T) {
	w := ready(t)
	ofB := memberName(w.b)
	granted := func(by *corev1.Pod, term int64) kit.Map {
		return kit.Map{"leader": w.grants(by, term), "reEncryptionKeys": keys(kit.Grant(1, by.Name, term, 1))}
	}
	opened := kit.Map{"activeEpoch": 1, "opened": kit.Map{"incarnation": 1, "epochs": []any{}}}
	to := func(as *kit.Cluster, status kit.Map) func(t *testing.T) error {
		return func(t *testing.T) error { return kit.MergeStatus(t, as.Records(w.ns), ofB, status) }
	}
	var rows []attempt
	for _, who := range []struct {
		name string
		as   *kit.Cluster
		says string
	}{
		{"a token without pod", w.unbound, onlyBound},
		{"a pod of another namespace", w.foreigner, onlyBound},
		{"the controller", w.controller, onlyReplicas},
		{"the administrator", w.c, onlyReplicas},
		{"the member itself, in the leader's name", w.asB, namesItself},
	} {
		rows = append(rows, inEveryWay("a grant by "+who.name, who.as, w.ns, ofB, "status", granted(w.a, 1), who.says)...)
	}
	rows = append(rows, inEveryWay("a grant by a pod of another revision", w.asStranger, w.ns, ofB, "status", granted(w.stranger, 1), notOfRevision)...)
	rows = append(rows, inEveryWay("a grant by the leader", w.asA, w.ns, ofB, "status", granted(w.a, 1), "")...)
	certified := func(by *corev1.Pod, term int64) kit.Map {
		return kit.Map{"leader": w.grants(by, term), "certificate": kit.Certificate(by.Name, term, 1)}
	}
	for _, who := range []struct {
		name string
		as   *kit.Cluster
		by   *corev1.Pod
		says string
	}{
		{"a token without pod", w.unbound, w.a, onlyBound},
		{"a pod of another namespace", w.foreigner, w.a, onlyBound},
		{"the controller", w.controller, w.a, onlyReplicas},
		{"the administrator", w.c, w.a, onlyReplicas},
		{"the member itself, in the leader's name", w.asB, w.a, namesItself},
		{"the member itself, as if it led", w.asB, w.b, neverForItself},
		{"a pod of another revision", w.asStranger, w.stranger, notOfRevision},
	} {
		rows = append(rows, inEveryWay("a certificate by "+who.name, who.as, w.ns, ofB, "status", certified(who.by, 1), who.says)...)
	}
	rows = append(rows, inEveryWay("a certificate by the leader", w.asA, w.ns, ofB, "status", certified(w.a, 1), "")...)
	rows = append(rows, inEveryWay("opened by the member", w.asB, w.ns, ofB, "status", opened, "")...)
	rows = append(rows, []attempt{
		{"a grant under another's name", to(w.asA, kit.Map{"reEncryptionKeys": keys(kit.Grant(1, w.b.Name, 2, 1))}), "in the writer's own name"},
		{"a grant under another term", to(w.asA, kit.Map{"reEncryptionKeys": keys(kit.Grant(1, w.a.Name, 2, 1))}), "in the writer's own name"},
		{"opened in another's name", to(w.asA, kit.Map{"opened": kit.Map{"incarnation": 1, "epochs": []any{kit.Map{"epoch": 1, "fingerprint": kit.Fingerprint(kit.Point("key1"))}}}}), "may write opened"},
		{"activeEpoch of another", to(w.asA, kit.Map{"activeEpoch": 2}), "may write opened"},
		{"conditions of another", to(w.asA, kit.Map{"conditions": []any{kit.Map{"type": "Ready", "status": "False", "reason": "A", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"}}}), "may write opened"},
		{"a certificate under another's name", to(w.asA, kit.Map{"certificate": kit.Certificate(w.b.Name, 1, 1)}), neverForItself},
		{"a certificate under another term", to(w.asA, kit.Map{"certificate": kit.Certificate(w.a.Name, 2, 1)}), neverForItself},
		{"own certificate taken away", to(w.asB, kit.Map{"certificate": nil}), namesItself},
		{"own grants taken away", to(w.asB, kit.Map{"reEncryptionKeys": nil}), namesItself},
		{"own granter renamed", to(w.asB, kit.Map{"leader": w.grants(w.stranger, 9)}), namesItself},
		{"conditions of the own record", to(w.asB, kit.Map{"conditions": []any{kit.Map{"type": "Ready", "status": "True", "reason": "A", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"}}}), ""},
		{"a later grant replaces the leader's", to(w.asA, granted(w.a, 2)), ""},
	}...)
	runAttempts(t, rows)
}

// Which pods a revision's name admits: what has to join can, by name.
func TestPodNamesAndRevisions(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a", 30)
	rows := []struct {
		pod, revision string
		fits          bool
	}{
		{"orders-6c9f7d5b8-x7k2p", "orders-6c9f7d5b8", true},
		{"orders-6c9f7d5b8x-x7k2p", "orders-6c9f7d5b8", false},
		{"orders-x7k2p", "orders-6c9f7d5b8", true}, // as DaemonSets look
		{"web-0", "web-5d8f7c9b6f", true},
		{"webb-0", "web-5d8f7c9b6f", false},
		{"logs-x7k2p", "logs-77b5c9d4f", true},
		{"once-x7k2p", "once", true},
		{"once-3-x7k2p", "once", true},
		{"once", "once", true},
		{"hello-00001-deployment-5d8f7c9b6f-x7k2p", "hello-00001", true},
		{"hello-00002-deployment-5d8f7c9b6f-x7k2p", "hello-00001", false},
		{"single", "other", false},
		// cut revisions: crds_revision_key keeps the first 30 characters
		{long + "bbbbbbbbbbbbbbbbbbbbbbbbbbbbx7k2p", long + "-3f9a1c0711-6c9f7d5b89", true},
		{"c" + long[1:] + "bbbbbbbbbbbbbbbbbbbbbbbbbbbx7k2p", long + "-3f9a1c0711-6c9f7d5b89", false},
		{"web.shop-6c9f-x7k2p", "web-shop-6c9f-3f9a1c0711--shop-6c9f", true},
		{"web.stop-6c9f-x7k2p", "web-shop-6c9f-3f9a1c0711--shop-6c9f", false},
	}
	for _, row := range rows {
		t.Run(row.pod+" in "+row.revision, func(t *testing.T) {
			pod := w.c.Pod(t, w.ns, row.pod)
			defer func() {
				_ = w.c.Kube.CoreV1().Pods(w.ns).Delete(kit.Context(t), pod.Name, *metav1.NewDeleteOptions(0))
			}()
			err := create(w.c.Agent(t, pod), w.ns, kit.Member(pod, row.revision))(t)
			if row.fits {
				kit.Allowed(t, err)
			} else {
				kit.Refused(t, err, notOfRevision)
			}
		})
	}
}

func TestLeaderRecordsAreNotDeletedByAccident(t *testing.T) {
	w := newWorld(t)
	must(t, create(w.c, w.ns, kit.Leader(w.ns, revision))(t))
	remove := func(as *kit.Cluster) func(t *testing.T) error {
		return func(t *testing.T) error {
			return as.Records(w.ns).Delete(kit.Context(t), revision, metav1.DeleteOptions{})
		}
	}
	runAttempts(t, []attempt{
		{"by the administrator", remove(w.c), "kubectl -n " + w.ns + " annotate functionkey " + revision + " functionkey.dev/allow-delete=true"},
		{"by the administrator, all of them", func(t *testing.T) error {
			return w.c.Records(w.ns).DeleteCollection(kit.Context(t), metav1.DeleteOptions{}, metav1.ListOptions{})
		}, "loses the history"},
		{"by the administrator who said so", func(t *testing.T) error {
			w.c.Kubectl(t, "-n", w.ns, "annotate", "functionkey", revision, "functionkey.dev/allow-delete=true")
			return remove(w.c)(t)
		}, ""},
	})
	t.Run("with their namespace", func(t *testing.T) {
		ns := w.c.Namespace(t, "gone")
		must(t, create(w.c, ns, kit.Leader(ns, revision))(t))
		must(t, w.c.Kube.CoreV1().Namespaces().Delete(kit.Context(t), ns, metav1.DeleteOptions{}))
		kit.Eventually(t, 40*time.Second, "namespace gone", func() error {
			_, err := w.c.Kube.CoreV1().Namespaces().Get(kit.Context(t), ns, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("still there: %v", err)
		})
	})
}

// A record goes with its pod, and so does the pod's token.
func TestRecordsGoWithTheirPods(t *testing.T) {
	w := newWorld(t)
	must(t, create(w.asA, w.ns, kit.Member(w.a, revision))(t))
	must(t, w.c.Kube.CoreV1().Pods(w.ns).Delete(kit.Context(t), w.a.Name, *metav1.NewDeleteOptions(0)))
	kit.Eventually(t, 30*time.Second, "record collected", func() error {
		_, err := w.c.Records(w.ns).Get(kit.Context(t), memberName(w.a), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("still there: %v", err)
	})
	kit.Eventually(t, 30*time.Second, "token dead", func() error {
		_, err := w.asA.Records(w.ns).List(kit.Context(t), metav1.ListOptions{})
		if apierrors.IsUnauthorized(err) {
			return nil
		}
		return fmt.Errorf("still good: %v", err)
	})
}
