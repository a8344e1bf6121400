package api

import (
	"fmt"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"functionkey.dev/e2e/kit"
)

const (
	revision = "orders-6c9f7d5b8"
	other    = "billing-1"
)

// world is an opted-in namespace with pods of two revisions. Its service
// accounts may do everything that RBAC can give on FunctionKeys and Leases, so
// that nothing but the policies stands between an attacker and the records.
type world struct {
	c          *kit.Cluster
	ns         string
	a, b       *corev1.Pod // of one revision
	stranger   *corev1.Pod // of another revision
	asA, asB   *kit.Cluster
	asStranger *kit.Cluster
	unbound    *kit.Cluster // a token of the namespace that is bound to no pod
	foreigner  *kit.Cluster // a bound token of another namespace, with the same rights here
	controller *kit.Cluster
}

const wideRole = "functionkey-test-wide"

func newWorld(t *testing.T) *world {
	t.Helper()
	c := installed(t)
	w := &world{c: c, ns: c.Namespace(t, "shop")}
	far := c.Namespace(t, "far")

	// Not "*": that has the operator's verb, too.
	verbs := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	wide := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: wideRole}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"functionkey.dev"}, Resources: []string{"functionkeys", "functionkeys/status"}, Verbs: verbs},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: verbs},
	}}
	if _, err := c.Kube.RbacV1().ClusterRoles().Create(kit.Context(t), wide, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Kube.RbacV1().ClusterRoles().Delete(kit.Context(t), wideRole, metav1.DeleteOptions{})
	})
	c.Bind(t, w.ns, wideRole,
		rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:" + w.ns},
		rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:" + far},
		rbacv1.Subject{Kind: "ServiceAccount", Namespace: "functionkey-system", Name: "functionkey-controller"})

	w.a, w.b = c.Pod(t, w.ns, revision+"-aaaaa"), c.Pod(t, w.ns, revision+"-bbbbb")
	w.stranger = c.Pod(t, w.ns, other+"-ccccc")
	w.asA, w.asB, w.asStranger = c.Agent(t, w.a), c.Agent(t, w.b), c.Agent(t, w.stranger)
	w.unbound = c.As(t, c.Token(t, w.ns, "default"))
	w.foreigner = c.Agent(t, c.Pod(t, far, revision+"-aaaaa"))
	w.controller = asController(t, c)
	return w
}

func asController(t *testing.T, c *kit.Cluster) *kit.Cluster {
	t.Helper()
	return c.As(t, c.Token(t, "functionkey-system", "functionkey-controller"))
}

func (w *world) uid(pod *corev1.Pod) string { return string(pod.UID) }

// --- the same change, in every way that the API takes changes

// ways are the four kinds of write: merge patch, JSON patch, server-side apply
// and PUT.
var ways = []string{"merge", "json", "apply", "put"}

// change sends fields (spec or status) of a record in one of the ways.
func change(t *testing.T, as *kit.Cluster, ns, name, way, part string, fields kit.Map) error {
	t.Helper()
	ctx, r := kit.Context(t), as.Records(ns)
	var sub []string
	if part == "status" {
		sub = []string{"status"}
	}
	switch way {
	case "merge":
		_, err := r.Patch(ctx, name, types.MergePatchType, kit.JSON(t, kit.Map{part: fields}), metav1.PatchOptions{}, sub...)
		return err
	case "json":
		var ops []kit.Map
		current, err := r.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if current.Object[part] == nil {
			ops = append(ops, kit.Map{"op": "add", "path": "/" + part, "value": kit.Map{}})
		}
		for field, value := range fields {
			ops = append(ops, kit.Map{"op": "add", "path": "/" + part + "/" + field, "value": value})
		}
		_, err = r.Patch(ctx, name, types.JSONPatchType, kit.JSON(t, ops), metav1.PatchOptions{}, sub...)
		return err
	case "apply":
		body := kit.Map{"apiVersion": "functionkey.dev/v1alpha1", "kind": "FunctionKey", "metadata": kit.Map{"name": name, "namespace": ns}, part: fields}
		force := true
		_, err := r.Patch(ctx, name, types.ApplyPatchType, kit.JSON(t, body), metav1.PatchOptions{FieldManager: "functionkey-agent", Force: &force}, sub...)
		return err
	}
	current, err := r.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	old, _ := current.Object[part].(kit.Map)
	if old == nil {
		old = kit.Map{}
	}
	current.Object[part] = kit.With(old, fields)
	if part == "status" {
		_, err = r.UpdateStatus(ctx, current, metav1.UpdateOptions{})
	} else {
		_, err = r.Update(ctx, current, metav1.UpdateOptions{})
	}
	return err
}

// --- probes: one write per policy that it has to refuse

type policyProbe struct {
	name    string
	refused func() bool
}

type prober struct {
	t   *testing.T
	c   *kit.Cluster
	ns  string
	pod *corev1.Pod
	as  *kit.Cluster
}

func newProbe(t *testing.T, c *kit.Cluster) *prober {
	t.Helper()
	p := &prober{t: t, c: c, ns: c.Namespace(t, "probe", "functionkey.dev/inject=enabled")}
	c.OptIn(t, p.ns)
	p.pod = c.Pod(t, p.ns, "probe-1-aaaaa")
	p.as = c.Agent(t, p.pod)
	return p
}

func dryRun() metav1.PatchOptions { return metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}} }

func (p *prober) policies() []policyProbe {
	ctx, records := kit.Context(p.t), p.c.Records(p.ns)
	leases := p.c.Kube.CoordinationV1().Leases(p.ns)
	kit.Eventually(p.t, 10e9, "a record", func() error {
		_, err := records.Create(ctx, kit.Leader(p.ns, "probe-1"), metav1.CreateOptions{})
		return err
	})
	for _, name := range []string{"fk-probe-1", "other"} {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := leases.Create(ctx, lease, metav1.CreateOptions{}); err != nil {
			p.t.Fatal(err)
		}
	}
	opted := kit.BarePod(p.ns, "opted")
	opted.Labels = map[string]string{"functionkey.dev/inject": "true"}
	spoofed := opted.DeepCopy()
	spoofed.Spec.InitContainers = []corev1.Container{spoofed.Spec.Containers[0]}
	spoofed.Spec.InitContainers[0].Name = "functionkey-agent"
	create := func(pod *corev1.Pod) (*corev1.Pod, error) {
		return p.c.Kube.CoreV1().Pods(p.ns).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	}
	updateLease := func(name string) error {
		lease, err := p.as.Kube.CoordinationV1().Leases(p.ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		nobody := "nobody"
		lease.Spec.HolderIdentity = &nobody
		_, err = p.as.Kube.CoordinationV1().Leases(p.ns).Update(ctx, lease, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	return []policyProbe{
		{"functionkey-records", func() bool {
			_, err := p.as.Records(p.ns).Create(ctx, kit.Leader(p.ns, "probe-2"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err != nil
		}},
		{"functionkey-keys", func() bool {
			body := kit.JSON(p.t, kit.Map{"status": kit.Map{"leader": kit.Granter("x", uidA, 1, 1)}})
			_, err := records.Patch(ctx, "probe-1", types.MergePatchType, body, dryRun(), "status")
			return err != nil
		}},
		{"functionkey-leader-delete", func() bool {
			return records.Delete(ctx, "probe-1", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}) != nil
		}},
		{"functionkey-leases", func() bool { return updateLease("fk-probe-1") != nil }},
		{"functionkey-foreign-leases", func() bool { return updateLease("other") != nil }},
		{"functionkey-inject", func() bool {
			pod, err := create(opted)
			return err == nil && len(pod.Spec.InitContainers) == 1
		}},
		{"functionkey-injected", func() bool { _, err := create(spoofed); return err != nil }},
		{"functionkey-running", func() bool {
			pod, err := p.c.Kube.CoreV1().Pods(p.ns).Get(ctx, "opted", metav1.GetOptions{})
			if err != nil {
				if pod, err = p.c.Kube.CoreV1().Pods(p.ns).Create(ctx, opted, metav1.CreateOptions{}); err != nil {
					return false
				}
			}
			body := []byte(`{"metadata":{"labels":{"functionkey.dev/revision":"another"}}}`)
			_, err = p.c.Kube.CoreV1().Pods(p.ns).Patch(ctx, pod.Name, types.MergePatchType, body, dryRun())
			return err != nil
		}},
	}
}

// attempt is a row of an attack table.
type attempt struct {
	name string
	do   func(t *testing.T) error
	says string // part of the refusal; "": it has to be allowed
}

func runAttempts(t *testing.T, rows []attempt) {
	t.Helper()
	for i, row := range rows {
		t.Run(fmt.Sprintf("%02d %s", i+1, row.name), func(t *testing.T) {
			if err := row.do(t); row.says == "" {
				kit.Allowed(t, err)
			} else {
				kit.Refused(t, err, row.says)
			}
		})
	}
}

// inEveryWay is one attack as four rows.
func inEveryWay(name string, as *kit.Cluster, ns, record, part string, fields kit.Map, says string) []attempt {
	var rows []attempt
	for _, way := range ways {
		rows = append(rows, attempt{name + ", " + way, func(t *testing.T) error {
			return change(t, as, ns, record, way, part, fields)
		}, says})
	}
	return rows
}
