package api

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"functionkey.dev/e2e/kit"
)

var errStillOld = errors.New("what today's CRD refuses is still allowed")

// older makes a CRD of before: no rule, no list of what is required, and
// nothing in it but what a first version could not do without. Whatever of
// today's fields a rule reads, a stored object may lack.
func older(crd *unstructured.Unstructured) {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	version := versions[0].(kit.Map)
	strip(version["schema"].(kit.Map)["openAPIV3Schema"].(kit.Map), map[string]bool{
		"scheme": true, "onLeaderChange": true, "retention": true, "rotation": true, "revoked": true, "inboxKey": true, "proof": true, "evidence": true,
		"opened": true, "link": true, "previousEpoch": true, "verifyingKey": true, "signature": true, "members": true,
	})
	delete(version, "selectableFields")
	_ = unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions")
}

func strip(node kit.Map, drop map[string]bool) {
	delete(node, "x-kubernetes-validations")
	delete(node, "required")
	if items, ok := node["items"].(kit.Map); ok {
		strip(items, drop)
		if listKeys := node["x-kubernetes-list-map-keys"]; listKeys != nil {
			items["required"] = listKeys
		}
	}
	properties, _ := node["properties"].(kit.Map)
	for name, child := range properties {
		if drop[name] {
			delete(properties, name)
			continue
		}
		required := child.(kit.Map)["required"]
		strip(child.(kit.Map), drop)
		if name == "leader" || name == "spec" {
			child.(kit.Map)["required"] = required
		}
	}
}

func TestUpgradeOfStoredObjects(t *testing.T) {
	b := newBareCRD(t, "upgrade.functionkey.test", older)
	ctx := kit.Context(t)

	must(t, b.make(t, kit.Leader("", "old")))
	must(t, b.make(t, kit.Leader("", "led")))
	must(t, kit.MergeStatus(t, b.records(), "led", kit.Map{
		"epoch": 1, "activeEpoch": 1, "leader": kit.Granter("r-a", uidA, 1, 1), "conditions": []any{},
	}))
	must(t, b.make(t, member("old-m", uidA)))
	must(t, kit.MergeStatus(t, b.records(), "old-m."+uidA[:8], kit.Map{"activeEpoch": 1}))

	now := readCRD(t, b.group)
	old := kit.Must[*unstructured.Unstructured](t)(b.c.Dynamic.Resource(crds).Get(ctx, now.GetName(), metav1.GetOptions{}))
	now.SetResourceVersion(old.GetResourceVersion())
	kit.Must[*unstructured.Unstructured](t)(b.c.Dynamic.Resource(crds).Update(ctx, now, metav1.UpdateOptions{}))
	kit.Eventually(t, 20*time.Second, "new CRD acts", func() error {
		if err := b.make(t, kit.Leader("", "a.b")); err == nil {
			_ = b.records().Delete(ctx, "a.b", metav1.DeleteOptions{})
			return errStillOld
		}
		return nil
	})

	for _, name := range []string{"old", "led", "old-m." + uidA[:8]} {
		t.Run("annotate "+name, func(t *testing.T) {
			_, err := b.records().Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"annotations":{"a":"b"}}}`), metav1.PatchOptions{})
			kit.Allowed(t, err)
		})
	}
	rows := []struct {
		name, record string
		writes       []write
	}{
		{"a Leader record without status is led", "old", []write{
			{what: "scheme", spec: kit.Map{"scheme": "umbral-secp256k1"}},
			{what: "term", status: kit.Map{"leader": lead("r-a", uidA, 1, 1)}},
			{what: "prepare", status: kit.Map{"epoch": 1, "keys": keys(key(1, "Prepared"))}},
		}},
		{"a Leader record of before is led on", "led", []write{
			{what: "epoch back", status: kit.Map{"epoch": nil}, says: "cannot be removed"},
			{what: "same term", status: kit.Map{"leader": kit.Granter("r-b", uidB, 1, 1)}, says: "a new leader needs a higher term"},
			{what: "conditions", status: kit.Map{"conditions": []any{}}},
			{what: "keys of its term", status: kit.Map{"leader": lead("r-a", uidA, 1, 1)}},
			{what: "scheme", spec: kit.Map{"scheme": "umbral-secp256k1"}},
			{what: "prepare", status: kit.Map{"epoch": 2, "keys": keys(kit.Key(2, "Prepared", "r-a", 1))}},
			{what: "activate", status: kit.Map{"activeEpoch": 2, "keys": keys(kit.Key(2, "Active", "r-a", 1))}},
		}},
		{"a Member of before starts anew", "old-m." + uidA[:8], []write{
			{what: "opened", status: kit.Map{"opened": kit.Map{"incarnation": 2, "epochs": []any{}}}},
			{what: "incarnation back", spec: kit.Map{"incarnation": 1}, says: "incarnation"},
			{what: "today's keys", spec: kit.Map{"incarnation": 3, "receivingKey": kit.Point("r"), "inboxKey": kit.Point("i"), "identityKey": kit.Point("d"), "proof": kit.Signature("p")}},
			{what: "granted", status: kit.Map{"reEncryptionKeys": keys(kit.Grant(1, "r-a", 1, 3))}},
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.record != "old" {
				needs(t, b.c, 33, "a write of the status checks the spec, too: a record that misses what today's asks for is given it first")
			}
			for _, w := range row.writes {
				err := b.try(t, row.record, w)
				if w.says == "" && err != nil {
					t.Fatalf("%s: %v", w.what, err)
				} else if w.says != "" {
					kit.Refused(t, err, w.says)
				}
			}
		})
	}
}
