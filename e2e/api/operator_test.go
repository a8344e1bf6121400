package api

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"functionkey.dev/e2e/kit"
)

// An operator asks for rotation, revocation and retention of the records of
// his namespace, and has no other power over them.
func TestWhatAnOperatorMayWrite(t *testing.T) {
	w := ready(t)
	w.c.ServiceAccount(t, w.ns, "operator")
	account := rbacv1.Subject{Kind: "ServiceAccount", Namespace: w.ns, Name: "operator"}
	w.c.Bind(t, w.ns, "functionkey-operator", account)
	operator := w.c.As(t, w.c.Token(t, w.ns, "operator"))
	far := w.c.Namespace(t, "elsewhere")
	must(t, create(w.c, far, kit.Leader(far, revision))(t))
	put := func(edit func(u *unstructured.Unstructured)) func(t *testing.T) error {
		return func(t *testing.T) error {
			u, err := operator.Records(w.ns).Get(kit.Context(t), revision, metav1.GetOptions{})
			if err != nil {
				return err
			}
			edit(u)
			_, err = operator.Records(w.ns).Update(kit.Context(t), u, metav1.UpdateOptions{})
			return err
		}
	}
	rows := []attempt{
		{"a Leader record", create(operator, w.ns, kit.Leader(w.ns, "another-1")), onlyBound},
		{"another function", put(func(u *unstructured.Unstructured) {
			u.Object["spec"].(kit.Map)["function"] = "another"
		}), onlyBound + "|immutable"},
		{"labels: what senders look for", put(func(u *unstructured.Unstructured) {
			u.SetLabels(map[string]string{"functionkey.dev/for": revision})
		}), onlyBound},
		{"no owner", put(func(u *unstructured.Unstructured) {
			u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: w.a.Name, UID: w.a.UID}})
		}), onlyBound},
		{"a finalizer", put(func(u *unstructured.Unstructured) { u.SetFinalizers([]string{"x.y/z"}) }), onlyBound},
		{"another leader", func(t *testing.T) error {
			return kit.MergeStatus(t, operator.Records(w.ns), revision, kit.Map{"leader": w.leads(w.b, 2)})
		}, onlyBound},
		{"a Member record", func(t *testing.T) error {
			return change(t, operator, w.ns, memberName(w.a), "merge", "spec", kit.Map{"inboxKey": kit.Point("mine")})
		}, onlyBound},
		{"a record of another namespace", func(t *testing.T) error {
			return change(t, operator, far, revision, "merge", "spec", kit.Map{"revoked": []any{w.uid(w.a)}})
		}, "cannot patch"},
		{"revocation by who may only write", func(t *testing.T) error {
			return change(t, w.unbound, w.ns, revision, "merge", "spec", kit.Map{"revoked": []any{w.uid(w.a)}})
		}, onlyBound},
	}
	must(t, kit.MergeStatus(t, w.asA.Records(w.ns), revision, kit.Map{"epoch": 2, "keys": []any{w.key(1, "Active"), w.key(2, "Prepared")}}))
	must(t, kit.MergeStatus(t, w.asA.Records(w.ns), revision, kit.Map{"activeEpoch": 2, "keys": []any{w.key(1, "Retired"), w.key(2, "Active")}}))
	erase := func(as *kit.Cluster, through int64) func(t *testing.T) error {
		return func(t *testing.T) error {
			return change(t, as, w.ns, revision, "merge", "spec", kit.Map{"eraseThrough": through})
		}
	}
	rows = append(rows,
		attempt{"erasing by who may only write", erase(w.unbound, 1), onlyBound},
		attempt{"erasing by the leader's own agent", erase(w.asA, 1), controllerOnly},
		attempt{"erasing the active epoch", erase(operator, 2), "below the active epoch"})
	rows = append(rows, inEveryWay("erasing what is over", operator, w.ns, revision, "spec", kit.Map{"eraseThrough": 1}, "")...)
	rows = append(rows, attempt{"erasing taken back", erase(operator, 0), "never decreases"})
	rows = append(rows, inEveryWay("a new key", operator, w.ns, revision, "spec", kit.Map{"rotation": kit.Map{"afterEpoch": 1}}, "")...)
	rows = append(rows, inEveryWay("a revoked replica", operator, w.ns, revision, "spec", kit.Map{"revoked": []any{w.uid(w.b)}}, "")...)
	rows = append(rows, inEveryWay("retention", operator, w.ns, revision, "spec", kit.Map{"retention": kit.Map{"minAge": "1h", "maxEpochs": 3}}, "")...)
	runAttempts(t, rows)
}
