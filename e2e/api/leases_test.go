package api

import (
	"fmt"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"functionkey.dev/e2e/kit"
)

const (
	notOver      = "has a holder whose time is not over"
	onlyAsItself = "may hold or release only as"
	manager      = "functionkey-agent"
)

func identity(pod *corev1.Pod, incarnation int) string {
	return fmt.Sprintf("%s_%s_%d", pod.Name, pod.UID, incarnation)
}

// lease is one Lease named fk-<revision> and what may be tried on it.
type lease struct {
	w    *world
	name string
}

func newLease(t *testing.T, w *world) *lease {
	t.Helper()
	l := &lease{w: w, name: "fk-" + revision}
	must(t, l.create(t, w.controller, l.name, ""))
	return l
}

func (l *lease) create(t *testing.T, as *kit.Cluster, name, holder string) error {
	t.Helper()
	// what the controller makes has labels: see TestLeaseWithoutManagedFields
	object := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"functionkey.dev/revision": revision}}}
	if holder != "" {
		object.Spec.HolderIdentity = &holder
	}
	_, err := as.Kube.CoordinationV1().Leases(l.w.ns).Create(kit.Context(t), object, metav1.CreateOptions{})
	return err
}

func (l *lease) get(t *testing.T) *coordinationv1.Lease {
	t.Helper()
	return kit.Must[*coordinationv1.Lease](t)(l.w.c.Kube.CoordinationV1().Leases(l.w.ns).Get(kit.Context(t), l.name, metav1.GetOptions{}))
}

// hold fills in what a candidate by client-go's rules writes.
func hold(object *coordinationv1.Lease, holder string, seconds int32) {
	now := metav1.NewMicroTime(time.Now())
	old, transitions := "", int32(0)
	if object.Spec.HolderIdentity != nil {
		old = *object.Spec.HolderIdentity
	}
	if object.Spec.LeaseTransitions != nil {
		transitions = *object.Spec.LeaseTransitions
	}
	if holder != "" && holder != old {
		transitions++
		object.Spec.AcquireTime = &now
	}
	object.Spec.HolderIdentity, object.Spec.LeaseDurationSeconds = &holder, &seconds
	object.Spec.LeaseTransitions, object.Spec.RenewTime = &transitions, &now
}

func (l *lease) put(t *testing.T, as *kit.Cluster, by string, edit func(object *coordinationv1.Lease)) error {
	t.Helper()
	object := l.get(t)
	edit(object)
	_, err := as.Kube.CoordinationV1().Leases(l.w.ns).Update(kit.Context(t), object, metav1.UpdateOptions{FieldManager: by})
	return err
}

func (l *lease) hold(as *kit.Cluster, holder string, seconds int32) func(t *testing.T) error {
	return func(t *testing.T) error {
		return l.put(t, as, manager, func(object *coordinationv1.Lease) { hold(object, holder, seconds) })
	}
}

func (l *lease) patch(t *testing.T, as *kit.Cluster, kind types.PatchType, by string, edit func(object *coordinationv1.Lease)) error {
	t.Helper()
	object := l.get(t)
	edit(object)
	object.ManagedFields = nil
	object.TypeMeta = metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}
	body := kit.JSON(t, object)
	options := metav1.PatchOptions{FieldManager: by}
	if kind == types.JSONPatchType {
		body = kit.JSON(t, []kit.Map{{"op": "replace", "path": "/spec", "value": object.Spec}})
	}
	if kind == types.ApplyPatchType {
		object.ResourceVersion, object.UID, object.CreationTimestamp = "", "", metav1.Time{}
		force := true
		options.Force, body = &force, kit.JSON(t, object)
	}
	_, err := as.Kube.CoordinationV1().Leases(l.w.ns).Patch(kit.Context(t), l.name, kind, body, options)
	return err
}

// forged puts entries of the writer's own making into managedFields.
func forged(object *coordinationv1.Lease, entries ...metav1.ManagedFieldsEntry) {
	object.ManagedFields = append(object.ManagedFields, entries...)
}

func entry(by string, operation metav1.ManagedFieldsOperationType, at time.Time) metav1.ManagedFieldsEntry {
	when := metav1.NewTime(at)
	return metav1.ManagedFieldsEntry{
		Manager: by, Operation: operation, APIVersion: "coordination.k8s.io/v1", FieldsType: "FieldsV1", Time: &when,
		FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:strategy":{}}}`)},
	}
}

func TestWhoMayWriteLeases(t *testing.T) {
	w := newWorld(t)
	l := newLease(t, w)
	a1, a2, b1 := identity(w.a, 1), identity(w.a, 2), identity(w.b, 1)
	metadata := func(as *kit.Cluster, edit func(m *metav1.ObjectMeta)) func(t *testing.T) error {
		return func(t *testing.T) error {
			return l.put(t, as, manager, func(object *coordinationv1.Lease) { edit(&object.ObjectMeta) })
		}
	}
	takenBy := func(as *kit.Cluster, edit func(object *coordinationv1.Lease)) func(t *testing.T) error {
		return func(t *testing.T) error { return l.put(t, as, manager, edit) }
	}
	rows := []attempt{
		{"made by an agent", func(t *testing.T) error { return l.create(t, w.asA, "fk-new", "") }, "by the controller alone"},
		{"made by an agent, held", func(t *testing.T) error { return l.create(t, w.asA, "fk-new", a1) }, "by the controller alone"},
		{"made by the controller, with a holder", func(t *testing.T) error { return l.create(t, w.controller, "fk-new", b1) }, "not say who holds it"},
		{"taken without field manager", func(t *testing.T) error {
			return l.put(t, w.asA, "", func(object *coordinationv1.Lease) { hold(object, a1, 30) })
		}, "fieldManager=functionkey-agent"},
		{"taken as another manager", func(t *testing.T) error {
			return l.put(t, w.asA, "somebody", func(object *coordinationv1.Lease) { hold(object, a1, 30) })
		}, "fieldManager=functionkey-agent"},
		{"taken under another pod's name", l.hold(w.asB, a1, 30), onlyAsItself},
		{"taken under the own name without UID", l.hold(w.asA, w.a.Name+"_x_1", 30), onlyAsItself},
		{"taken under a name that begins like the own", l.hold(w.asA, w.a.Name+"_"+w.uid(w.a), 30), onlyAsItself},
		{"taken by a pod of another revision", l.hold(w.asStranger, identity(w.stranger, 1), 30), notOfRevision},
		{"taken by a token without pod", l.hold(w.unbound, a1, 30), onlyBound},
		{"taken from another namespace", l.hold(w.foreigner, a1, 30), onlyBound},
		{"taken by the controller for somebody", l.hold(w.controller, b1, 30), "not say who holds it"},
		{"taken for an hour", l.hold(w.asA, a1, 3600), "leaseDurationSeconds is 1 to 60"},
		{"taken for no time", l.hold(w.asA, a1, 0), "leaseDurationSeconds"},
		{"taken without a new transition", takenBy(w.asA, func(object *coordinationv1.Lease) {
			hold(object, a1, 30)
			*object.Spec.LeaseTransitions = 0
		}), "leaseTransitions grows by 1"},
		{"taken with many transitions", takenBy(w.asA, func(object *coordinationv1.Lease) {
			hold(object, a1, 30)
			*object.Spec.LeaseTransitions = 2147483647
		}), "leaseTransitions grows by 1"},
		{"taken by A", l.hold(w.asA, a1, 30), ""},
		{"renewed by A", l.hold(w.asA, a1, 30), ""},
		{"renewed with a transition", takenBy(w.asA, func(object *coordinationv1.Lease) {
			hold(object, a1, 30)
			*object.Spec.LeaseTransitions++
		}), "leaseTransitions grows by 1"},
		{"labelled by its holder", metadata(w.asA, func(m *metav1.ObjectMeta) { m.Labels = map[string]string{"a": "b"} }), "metadata belongs to the controller"},
		{"annotated by its holder", metadata(w.asA, func(m *metav1.ObjectMeta) { m.Annotations = map[string]string{"a": "b"} }), "metadata belongs to the controller"},
		{"given a finalizer", metadata(w.asA, func(m *metav1.ObjectMeta) { m.Finalizers = []string{"x.y/z"} }), "metadata belongs to the controller"},
		{"given an owner", metadata(w.asA, func(m *metav1.ObjectMeta) {
			m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: w.a.Name, UID: w.a.UID}}
		}), "metadata belongs to the controller"},
		{"annotated by the controller", metadata(w.controller, func(m *metav1.ObjectMeta) { m.Annotations = map[string]string{"functionkey.dev/epoch": "3"} }), ""},
		{"deleted by its holder", func(t *testing.T) error {
			return w.asA.Kube.CoordinationV1().Leases(w.ns).Delete(kit.Context(t), l.name, metav1.DeleteOptions{})
		}, "by the controller alone"},
		{"deleted by its holder, with all others", func(t *testing.T) error {
			return w.asA.Kube.CoordinationV1().Leases(w.ns).DeleteCollection(kit.Context(t), metav1.DeleteOptions{}, metav1.ListOptions{})
		}, "by the controller alone"},
		{"stolen", l.hold(w.asB, b1, 30), notOver},
		{"released by another", l.hold(w.asB, "", 1), onlyAsItself},
		{"stolen with managedFields of long ago", takenBy(w.asB, func(object *coordinationv1.Lease) {
			hold(object, b1, 30)
			object.ManagedFields = nil
			forged(object, entry(manager, metav1.ManagedFieldsOperationUpdate, time.Now().Add(-time.Hour)))
		}), notOver},
		{"stolen with managedFields to come", takenBy(w.asB, func(object *coordinationv1.Lease) {
			hold(object, b1, 30)
			object.ManagedFields = nil
			forged(object, entry(manager, metav1.ManagedFieldsOperationUpdate, time.Now().Add(time.Hour)))
		}), notOver},
		{"stolen with an entry to come of another version", takenBy(w.asB, func(object *coordinationv1.Lease) {
			hold(object, b1, 30)
			late := entry(manager, metav1.ManagedFieldsOperationUpdate, time.Now().Add(time.Hour))
			late.APIVersion = "coordination.k8s.io/v1beta1"
			forged(object, late)
		}), notOver + "|fieldManager=functionkey-agent"},
		{"managedFields reset by the holder", takenBy(w.asA, func(object *coordinationv1.Lease) {
			hold(object, a1, 30)
			object.ManagedFields = []metav1.ManagedFieldsEntry{{}}
		}), "fieldManager=functionkey-agent"},
		{"stolen without managedFields", takenBy(w.asB, func(object *coordinationv1.Lease) {
			hold(object, b1, 30)
			object.ManagedFields = []metav1.ManagedFieldsEntry{{}}
		}), notOver + "|fieldManager=functionkey-agent"},
		{"the own next incarnation, at once", l.hold(w.asA, a2, 30), ""},
		{"emptied by the controller", func(t *testing.T) error {
			return l.put(t, w.controller, "functionkey-controller", func(object *coordinationv1.Lease) { hold(object, "", 1) })
		}, ""},
		{"an empty one, taken at once by B", l.hold(w.asB, b1, 30), ""},
		{"held by B, given to A by the controller", l.hold(w.controller, a1, 30), "not say who holds it"},
		{"held by B, renewed by the controller", l.hold(w.controller, b1, 30), ""},
		{"released by B", l.hold(w.asB, "", 1), ""},
		{"released again", l.hold(w.asB, "", 1), ""},
		{"taken by A at once", l.hold(w.asA, a1, 30), ""},
		{"deleted by the controller", func(t *testing.T) error {
			return w.controller.Kube.CoordinationV1().Leases(w.ns).Delete(kit.Context(t), l.name, metav1.DeleteOptions{})
		}, ""},
	}
	var steals []attempt
	for _, kind := range []types.PatchType{types.MergePatchType, types.JSONPatchType, types.StrategicMergePatchType, types.ApplyPatchType} {
		steals = append(steals, attempt{"stolen by " + string(kind), func(t *testing.T) error {
			return l.patch(t, w.asB, kind, manager, func(object *coordinationv1.Lease) { hold(object, b1, 30) })
		}, notOver + "|fieldManager=functionkey-agent"})
	}
	for i, row := range rows {
		if row.name == "stolen" {
			rows = append(rows[:i], append(steals, rows[i:]...)...)
			break
		}
	}
	runAttempts(t, rows)
}

// What is over is over by the API server's clock, to the second, and not
// because somebody says so; nor can a holder make it last for ever.
func TestExpiry(t *testing.T) {
	w := newWorld(t)
	l := newLease(t, w)
	const seconds = 5
	must(t, l.hold(w.asA, identity(w.a, 1), seconds)(t))
	renewed := time.Now()
	must(t, l.put(t, w.asA, manager, func(object *coordinationv1.Lease) {
		hold(object, identity(w.a, 1), seconds)
		forged(object,
			entry("kubectl-edit", metav1.ManagedFieldsOperationUpdate, time.Now().Add(24*time.Hour)),
			entry("functionkey-controller", metav1.ManagedFieldsOperationUpdate, time.Now().Add(24*time.Hour)))
	}))
	kit.Refused(t, l.put(t, w.asA, manager, func(object *coordinationv1.Lease) {
		hold(object, identity(w.a, 1), seconds)
		forged(object, entry(manager, metav1.ManagedFieldsOperationApply, time.Now().Add(24*time.Hour)))
	}), "fieldManager=functionkey-agent")

	kit.Refused(t, l.hold(w.asB, identity(w.b, 1), seconds)(t), notOver)
	kit.Eventually(t, 10*time.Second, "B takes what is over", func() error {
		return l.hold(w.asB, identity(w.b, 1), seconds)(t)
	})
	// times in managedFields are whole seconds: a second early at most
	if waited := time.Since(renewed); waited < (seconds-1)*time.Second {
		t.Errorf("taken after %s, the Lease was good for %ds", waited, seconds)
	}
	kit.Refused(t, l.hold(w.asA, identity(w.a, 1), seconds)(t), notOver)
}

// The API server tracks no managedFields of what was created empty. Nobody may
// be locked out then, and nobody may steal.
func TestLeaseWithoutManagedFields(t *testing.T) {
	w := newWorld(t)
	l := &lease{w: w, name: "fk-" + revision}
	object := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: l.name}}
	kit.Must[*coordinationv1.Lease](t)(w.controller.Kube.CoordinationV1().Leases(w.ns).Create(kit.Context(t), object, metav1.CreateOptions{}))
	if l.get(t).ManagedFields != nil {
		t.Fatal("it has managedFields: this test tests nothing")
	}
	a1, b1 := identity(w.a, 1), identity(w.b, 1)
	runAttempts(t, []attempt{
		{"taken by A", l.hold(w.asA, a1, 1), ""},
		{"renewed by A", l.hold(w.asA, a1, 1), ""},
		{"taken over by B, though its time is over", func(t *testing.T) error {
			time.Sleep(2500 * time.Millisecond)
			return l.hold(w.asB, b1, 1)(t)
		}, notOver},
		{"stolen by B with entries of its own making", func(t *testing.T) error {
			return l.put(t, w.asB, manager, func(object *coordinationv1.Lease) {
				hold(object, b1, 1)
				forged(object, entry(manager, metav1.ManagedFieldsOperationUpdate, time.Now().Add(time.Hour)))
			})
		}, notOver},
		{"emptied by the controller", func(t *testing.T) error {
			return l.put(t, w.controller, "functionkey-controller", func(object *coordinationv1.Lease) { hold(object, "", 1) })
		}, ""},
		{"taken by B", l.hold(w.asB, b1, 1), ""},
	})
}

// Opting in gives no right on Leases that are not ours (docs/adr/0002).
func TestForeignLeases(t *testing.T) {
	c := installed(t)
	ns, far := c.Namespace(t, "shop"), c.Namespace(t, "far")
	c.OptIn(t, ns)
	leases := func(as *kit.Cluster, ns string) func(name, holder string) error {
		return func(name, holder string) error {
			r := as.Kube.CoordinationV1().Leases(ns)
			object, err := r.Get(kit.Context(t), name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			object.Spec.HolderIdentity = &holder
			_, err = r.Update(kit.Context(t), object, metav1.UpdateOptions{FieldManager: manager})
			return err
		}
	}
	for _, in := range []string{ns, far} {
		for _, name := range []string{"other", "operator", "xfk-a"} {
			object := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}
			kit.Must[*coordinationv1.Lease](t)(c.Kube.CoordinationV1().Leases(in).Create(kit.Context(t), object, metav1.CreateOptions{}))
		}
	}
	account := func(ns, name string, rules ...rbacv1.PolicyRule) *kit.Cluster {
		c.ServiceAccount(t, ns, name)
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
		kit.Must[*rbacv1.Role](t)(c.Kube.RbacV1().Roles(ns).Create(kit.Context(t), role, metav1.CreateOptions{}))
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: ns}},
		}
		kit.Must[*rbacv1.RoleBinding](t)(c.Kube.RbacV1().RoleBindings(ns).Create(kit.Context(t), binding, metav1.CreateOptions{}))
		return c.As(t, c.Token(t, ns, name))
	}
	rule := func(names []string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: names, Verbs: verbs}
	}
	pod := c.Pod(t, ns, revision+"-aaaaa")
	agent, unbound := c.Agent(t, pod), c.As(t, c.Token(t, ns, "default"))
	operator := account(ns, "operator", rule(nil, "get", "list", "watch", "create", "update", "patch", "delete"))
	minimal := account(ns, "minimal", rule([]string{"operator"}, "get", "update"), rule(nil, "create"))
	named := account(ns, "named", rule([]string{"operator"}, "get", "update"))
	elsewhere := account(far, "elsewhere", rule(nil, "get", "update"))
	ours := "may update Leases only by the role functionkey-agent"

	runAttempts(t, []attempt{
		{"an agent hijacks another election", func(*testing.T) error { return leases(agent, ns)("other", "me") }, ours},
		{"by a name that only looks like ours", func(*testing.T) error { return leases(agent, ns)("xfk-a", "me") }, ours},
		{"with a token of no pod", func(*testing.T) error { return leases(unbound, ns)("other", "me") }, ours},
		{"an agent makes a Lease", func(t *testing.T) error {
			object := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}
			_, err := agent.Kube.CoordinationV1().Leases(ns).Create(kit.Context(t), object, metav1.CreateOptions{})
			return err
		}, "cannot create resource"},
		{"an agent deletes a Lease", func(t *testing.T) error {
			return agent.Kube.CoordinationV1().Leases(ns).Delete(kit.Context(t), "other", metav1.DeleteOptions{})
		}, "cannot delete resource"},
		{"an operator with rights of its own goes on", func(*testing.T) error { return leases(operator, ns)("operator", "op-1") }, ""},
		{"an operator with the usual minimal rights goes on", func(*testing.T) error { return leases(minimal, ns)("operator", "op-2") }, ""},
		{"an operator that may only update is told what to do", func(*testing.T) error { return leases(named, ns)("operator", "op-3") }, "give it create, patch or delete on lease operator"},
		{"in a namespace that did not opt in nothing changes", func(*testing.T) error { return leases(elsewhere, far)("other", "me") }, ""},
		{"the administrator goes on", func(*testing.T) error { return leases(c, ns)("other", "admin") }, ""},
	})
}
