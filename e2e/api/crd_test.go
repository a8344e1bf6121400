package api

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"functionkey.dev/e2e/kit"
)

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// bareCRD is our CRD under another group, where no policy applies: what the CRD
// refuses, it refuses to everybody. edit may turn it into an older one.
type bareCRD struct {
	c     *kit.Cluster
	group string
	ns    string
}

func readCRD(t *testing.T, group string) *unstructured.Unstructured {
	t.Helper()
	raw := kit.Must[[]byte](t)(os.ReadFile(filepath.Join(kit.Root(t), "crds", "functionkey.yaml")))
	crd := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(raw, &crd.Object); err != nil {
		t.Fatal(err)
	}
	crd.SetName("functionkeys." + group)
	must(t, unstructured.SetNestedField(crd.Object, group, "spec", "group"))
	names := kit.Map{"kind": "FunctionKey", "listKind": "FunctionKeyList", "plural": "functionkeys", "singular": "functionkey"}
	must(t, unstructured.SetNestedMap(crd.Object, names, "spec", "names"))
	return crd
}

func newBareCRD(t *testing.T, group string, edit func(crd *unstructured.Unstructured)) *bareCRD {
	t.Helper()
	c := kit.Connect(t)
	crd := readCRD(t, group)
	if edit != nil {
		edit(crd)
	}
	r := c.Dynamic.Resource(crds)
	_ = r.Delete(kit.Context(t), crd.GetName(), metav1.DeleteOptions{})
	kit.Eventually(t, 30*time.Second, "CRD created", func() error {
		_, err := r.Create(kit.Context(t), crd, metav1.CreateOptions{})
		return err
	})
	t.Cleanup(func() { _ = r.Delete(kit.Context(t), crd.GetName(), metav1.DeleteOptions{}) })
	b := &bareCRD{c: c, group: group, ns: c.Namespace(t, "crd")}
	b.served(t)
	return b
}

func (b *bareCRD) records() dynamic.ResourceInterface {
	return b.c.Dynamic.Resource(schema.GroupVersionResource{Group: b.group, Version: "v1alpha1", Resource: "functionkeys"}).Namespace(b.ns)
}

func (b *bareCRD) served(t *testing.T) {
	t.Helper()
	kit.Eventually(t, 30*time.Second, "CRD served", func() error {
		_, err := b.records().List(kit.Context(t), metav1.ListOptions{})
		return err
	})
}

func (b *bareCRD) make(t *testing.T, record *unstructured.Unstructured) error {
	t.Helper()
	record = record.DeepCopy()
	record.SetAPIVersion(b.group + "/v1alpha1")
	record.SetNamespace(b.ns)
	record.SetOwnerReferences(nil)
	_, err := b.records().Create(kit.Context(t), record, metav1.CreateOptions{})
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write is one step of an attempt on a record.
type write struct {
	what   string
	status kit.Map                                 // merge patch of status; a nil value removes a field
	spec   kit.Map                                 // merge patch of spec
	put    func(record *unstructured.Unstructured) // PUT of status, whole
	json   string                                  // JSON patch of status
	says   string                                  // part of the refusal; "": it is allowed
}

func (b *bareCRD) try(t *testing.T, name string, w write) error {
	t.Helper()
	ctx, r := kit.Context(t), b.records()
	switch {
	case w.put != nil:
		record := kit.Must[*unstructured.Unstructured](t)(r.Get(ctx, name, metav1.GetOptions{}))
		w.put(record)
		_, err := r.UpdateStatus(ctx, record, metav1.UpdateOptions{})
		return err
	case w.json != "":
		_, err := r.Patch(ctx, name, types.JSONPatchType, []byte(w.json), metav1.PatchOptions{}, "status")
		return err
	case w.spec != nil:
		_, err := r.Patch(ctx, name, types.MergePatchType, kit.JSON(t, kit.Map{"spec": w.spec}), metav1.PatchOptions{})
		return err
	}
	return kit.MergeStatus(t, r, name, w.status)
}

// run makes the record and sends the writes one after the other.
func (b *bareCRD) run(t *testing.T, record *unstructured.Unstructured, writes []write) {
	t.Helper()
	must(t, b.make(t, record))
	for i, w := range writes {
		err := b.try(t, record.GetName(), w)
		if w.says == "" && err != nil {
			t.Fatalf("write %d (%s): refused: %v", i+1, w.what, err)
		}
		if w.says != "" {
			if err == nil {
				t.Fatalf("write %d (%s): allowed, want: %s", i+1, w.what, w.says)
			}
			kit.Refused(t, err, w.says)
		}
	}
}

const (
	uidA = "aaaaaaaa-0000-4000-8000-000000000001"
	uidB = "bbbbbbbb-0000-4000-8000-000000000002"
)

func lead(pod, uid string, incarnation, term int64) kit.Map {
	return kit.LeaderStatus(pod, uid, incarnation, term)
}

func keys(rows ...kit.Map) []any {
	out := make([]any, len(rows))
	for i, row := range rows {
		out[i] = row
	}
	return out
}

func key(epoch int64, state string) kit.Map { return kit.Key(epoch, state, "r-a", 1) }

// A record whose epoch 1 is Active, and 2 Prepared.
func started() []write {
	return []write{
		{what: "take the term", status: kit.Map{"leader": lead("r-a", uidA, 1, 1)}},
		{what: "prepare 1", status: kit.Map{"epoch": 1, "keys": keys(key(1, "Prepared"))}},
		{what: "activate 1", status: kit.Map{"activeEpoch": 1, "keys": keys(key(1, "Active"))}},
		{what: "prepare 2", status: kit.Map{"epoch": 2, "keys": keys(key(1, "Active"), key(2, "Prepared"))}},
	}
}

func after(more ...write) []write { return append(started(), more...) }

func TestLeaderRecord(t *testing.T) {
	b := newBareCRD(t, "leader.functionkey.test", nil)
	rows := []struct {
		name   string
		writes []write
	}{
		{"the whole life of two keys", after(
			write{what: "activate 2", status: kit.Map{"activeEpoch": 2, "keys": keys(kit.With(key(1, "Retired"), kit.Map{"reason": "Rotated"}), key(2, "Active"))}},
			write{what: "revoke what was retired", status: kit.Map{"keys": keys(key(1, "Revoked"), key(2, "Active"))}},
			write{what: "prune 1", status: kit.Map{"keys": keys(key(2, "Active"))}},
			write{what: "prepare 3", status: kit.Map{"epoch": 3, "keys": keys(key(2, "Active"), key(3, "Prepared"))}},
			write{what: "another leader", status: kit.Map{"leader": lead("r-b", uidB, 1, 2)}},
			write{what: "abandon 3, prepare 4", status: kit.Map{"epoch": 4, "keys": keys(key(2, "Active"), key(3, "Abandoned"), key(4, "Prepared"))}},
			write{what: "activate 4, revoke 2", status: kit.Map{"activeEpoch": 4, "keys": keys(key(2, "Revoked"), key(3, "Abandoned"), key(4, "Active"))}},
			write{what: "prune all that is final", status: kit.Map{"keys": keys(key(4, "Active"))}},
		)},
		{"epoch goes back", after(write{what: "1", status: kit.Map{"epoch": 1, "keys": keys(key(1, "Active"))}, says: "never decreases"})},
		{"epoch removed, then set low", after(
			write{what: "remove", status: kit.Map{"epoch": nil, "keys": nil}, says: "never decreases and cannot be removed"})},
		{"whole status removed", after(
			write{what: "PUT without status", put: func(u *unstructured.Unstructured) { delete(u.Object, "status") }, says: "cannot be removed"})},
		{"status replaced by JSON patch", after(
			write{what: "replace", json: `[{"op":"replace","path":"/status","value":{}}]`, says: "cannot be removed"})},
		{"epoch jumps", after(write{what: "+1001", status: kit.Map{"epoch": 1003}, says: "grows by at most 1000"})},
		{"epoch begins high", []write{{what: "one write bricks the revision", status: kit.Map{"epoch": 2147483647}, says: "starts at 1000000 at most"}}},
		{"epoch above int32", []write{{what: "2^63-1", status: kit.Map{"epoch": int64(9223372036854775807)}, says: "2147483647"}}},
		{"activeEpoch goes back", after(
			write{what: "activate 2", status: kit.Map{"activeEpoch": 2, "keys": keys(key(1, "Retired"), key(2, "Active"))}},
			write{what: "1 again", status: kit.Map{"activeEpoch": 1}, says: "never decreases"})},
		{"activeEpoch removed", after(write{what: "remove", status: kit.Map{"activeEpoch": nil, "keys": keys(key(1, "Retired"), key(2, "Prepared"))}, says: "activeEpoch never decreases and cannot be removed"})},
		{"activeEpoch above epoch", after(write{what: "7", status: kit.Map{"activeEpoch": 7, "keys": keys(key(1, "Retired"), key(2, "Prepared"))}, says: "never exceeds epoch"})},
		{"activeEpoch of another key", after(write{what: "2 while 1 is Active", status: kit.Map{"activeEpoch": 2}, says: "names the Active key"})},
		{"two Active", after(write{what: "both", status: kit.Map{"activeEpoch": 2, "keys": keys(key(1, "Active"), key(2, "Active"))}, says: "at most one key is Active"})},
		{"two Prepared", after(write{what: "3 beside 2", status: kit.Map{"epoch": 3, "keys": keys(key(1, "Active"), key(2, "Prepared"), key(3, "Prepared"))}, says: "at most one key is Prepared"})},
		{"new key at once Active", after(write{what: "3", status: kit.Map{"epoch": 3, "activeEpoch": 3, "keys": keys(key(1, "Retired"), key(2, "Abandoned"), key(3, "Active"))}, says: "a new key is Prepared first"})},
		{"first key at once Active", []write{{what: "1", status: kit.Map{"epoch": 1, "activeEpoch": 1, "keys": keys(key(1, "Active"))}, says: "a new key is Prepared first"}}},
		{"key above epoch", after(write{what: "3", status: kit.Map{"keys": keys(key(1, "Active"), key(2, "Abandoned"), key(3, "Prepared"))}, says: "highest epoch ever listed"})},
		{"Retired becomes Active", after(
			write{what: "activate 2", status: kit.Map{"activeEpoch": 2, "keys": keys(key(1, "Retired"), key(2, "Active"))}},
			write{what: "back", status: kit.Map{"keys": keys(key(1, "Prepared"), key(2, "Active"))}, says: "no other way"})},
		{"Retired pruned, then added again", after(
			write{what: "activate 2", status: kit.Map{"activeEpoch": 2, "keys": keys(key(1, "Retired"), key(2, "Active"))}},
			write{what: "prune", status: kit.Map{"keys": keys(key(2, "Active"))}},
			write{what: "add", status: kit.Map{"keys": keys(key(1, "Prepared"), key(2, "Active"))}, says: "only be added with a new epoch"})},
		{"Active removed, to be added again", after(write{what: "remove", status: kit.Map{"keys": keys(key(2, "Prepared"))}, says: "cannot be removed"})},
		{"Prepared removed", after(write{what: "remove", status: kit.Map{"keys": keys(key(1, "Active"))}, says: "cannot be removed"})},
		{"all keys removed", after(write{what: "null", status: kit.Map{"keys": nil}, says: "cannot be removed"})},
		{"removed by index", after(write{what: "JSON patch", json: `[{"op":"remove","path":"/status/keys/0"}]`, says: "cannot be removed"})},
		{"Abandoned comes back", after(
			write{what: "abandon", status: kit.Map{"keys": keys(key(1, "Active"), key(2, "Abandoned"))}},
			write{what: "activate", status: kit.Map{"activeEpoch": 2, "keys": keys(key(1, "Retired"), key(2, "Active"))}, says: "no other way"})},
		{"Revoked comes back", after(
			write{what: "revoke", status: kit.Map{"activeEpoch": 2, "keys": keys(key(1, "Revoked"), key(2, "Active"))}},
			write{what: "retire", status: kit.Map{"keys": keys(key(1, "Retired"), key(2, "Active"))}, says: "no other way"})},
		{"Active abandoned", after(write{what: "abandon", status: kit.Map{"keys": keys(key(1, "Abandoned"), key(2, "Prepared"))}, says: "no other way"})},
		{"public key replaced", after(write{what: "replace", status: kit.Map{"keys": keys(kit.With(key(1, "Active"), kit.Map{"publicKey": kit.Point("mine")}), key(2, "Prepared"))}, says: "immutable"})},
		{"continuity key replaced", after(write{what: "replace", status: kit.Map{"keys": keys(kit.With(key(1, "Active"), kit.Map{"continuityKey": kit.Point("mine")}), key(2, "Prepared"))}, says: "immutable"})},
		{"signature replaced", after(write{what: "replace", status: kit.Map{"keys": keys(kit.With(key(1, "Active"), kit.Map{"signature": kit.Signature("mine")}), key(2, "Prepared"))}, says: "immutable"})},
		{"link removed", after(write{what: "remove", status: kit.Map{"keys": keys(key(1, "Active"), kit.With(key(2, "Prepared"), kit.Map{"link": nil, "previousEpoch": nil}))}, says: "immutable"})},
		{"link added later", after(write{what: "add", status: kit.Map{"keys": keys(kit.With(key(1, "Active"), kit.Map{"link": kit.Signature("x"), "previousEpoch": 1}), key(2, "Prepared"))}, says: "immutable"})},
		{"link without previousEpoch", []write{{what: "half", status: kit.Map{"epoch": 1, "keys": keys(kit.With(key(1, "Prepared"), kit.Map{"link": kit.Signature("x")}))}, says: "come together"}}},
		{"leaderPod replaced", after(write{what: "replace", status: kit.Map{"keys": keys(kit.With(key(1, "Active"), kit.Map{"leaderPod": "r-z"}), key(2, "Prepared"))}, says: "immutable"})},
		{"epoch twice", after(write{what: "two rows", status: kit.Map{"keys": keys(key(1, "Active"), key(2, "Prepared"), key(2, "Prepared"))}, says: "Duplicate"})},
		{"too many keys", []write{{what: "13", status: kit.Map{"epoch": 13, "keys": thirteen()}, says: "must have at most 12 items"}}},
		{"key that is no point", []write{{what: "04…", status: kit.Map{"epoch": 1, "keys": keys(kit.With(key(1, "Prepared"), kit.Map{"publicKey": "04" + kit.Point("x")[2:]}))}, says: "publicKey"}}},
		{"key without signature", []write{{what: "none", status: kit.Map{"epoch": 1, "keys": keys(kit.With(key(1, "Prepared"), kit.Map{"signature": nil}))}, says: "signature: Required"}}},
		{"lower term", after(write{what: "late", status: kit.Map{"leader": lead("r-b", uidB, 1, 5)}},
			write{what: "deposed leader", status: kit.Map{"leader": lead("r-a", uidA, 1, 1)}, says: "a new leader needs a higher term"})},
		{"same term, another leader", after(write{what: "usurp", status: kit.Map{"leader": lead("r-b", uidB, 1, 1)}, says: "a new leader needs a higher term"})},
		{"same term, another incarnation", after(write{what: "restarted", status: kit.Map{"leader": lead("r-a", uidA, 2, 1)}, says: "a new leader needs a higher term"})},
		{"leader removed, then set with the same term", after(write{what: "remove", status: kit.Map{"leader": nil}, says: "terms never decrease"})},
		{"term jumps to its maximum", after(write{what: "brick", status: kit.Map{"leader": lead("r-b", uidB, 1, 2147483647)}, says: "grows by at most 1000000"})},
		{"verifying key of a term replaced", after(write{what: "replace", status: kit.Map{"leader": kit.With(lead("r-a", uidA, 1, 1), kit.Map{"verifyingKey": kit.Point("mine")})}, says: "of a term are immutable"})},
		{"verifying key of a term removed", after(write{what: "remove", status: kit.Map{"leader": kit.Map{"verifyingKey": nil, "identityKey": nil, "signature": nil}}, says: "of a term are immutable"})},
		{"identity without signature", []write{{what: "half", status: kit.Map{"leader": kit.With(lead("r-a", uidA, 1, 1), kit.Map{"signature": nil})}, says: "come together"}}},
		{"a certificate in a Leader record", after(write{what: "certificate", status: kit.Map{"certificate": kit.Certificate("r-a", 1, 1)}, says: "belong to a Member"})},
		{"grants in a Leader record", after(write{what: "grant", status: kit.Map{"reEncryptionKeys": keys(kit.Grant(1, "r-a", 1, 1))}, says: "belong to a Member"})},
		{"role", after(write{what: "change", spec: kit.Map{"role": "Member"}, says: "role is immutable"})},
		{"scheme", after(write{what: "change", spec: kit.Map{"scheme": nil}, says: "scheme is immutable"})},
		{"keys of a Member in spec", after(write{what: "add", spec: kit.Map{"receivingKey": kit.Point("x")}, says: "belong to a Member"})},
		{"retention", after(
			write{what: "set", spec: kit.Map{"retention": kit.Map{"minAge": "30s", "maxEpochs": 3}, "rotation": kit.Map{"period": "90m", "afterEpoch": 2}, "onLeaderChange": "Inherit", "revoked": []any{uidA}}},
			write{what: "no unit", spec: kit.Map{"retention": kit.Map{"minAge": "30"}}, says: "minAge"},
			write{what: "days", spec: kit.Map{"rotation": kit.Map{"period": "1d"}}, says: "period"},
			write{what: "too many epochs", spec: kit.Map{"retention": kit.Map{"maxEpochs": 13}}, says: "maxEpochs"},
			write{what: "revoked twice", spec: kit.Map{"revoked": []any{uidA, uidA}}, says: "Duplicate"},
			write{what: "revoked no UID", spec: kit.Map{"revoked": []any{"r-a"}}, says: "revoked"})},
		{"revocations", after(
			write{what: "set", status: kit.Map{"revocations": []any{kit.Map{"podUID": uidA, "epoch": 2}}}},
			write{what: "twice", status: kit.Map{"revocations": []any{kit.Map{"podUID": uidA, "epoch": 2}, kit.Map{"podUID": uidA, "epoch": 1}}}, says: "Duplicate"},
			write{what: "no UID", status: kit.Map{"revocations": []any{kit.Map{"podUID": "r-a", "epoch": 2}}}, says: "podUID"},
			write{what: "no epoch", status: kit.Map{"revocations": []any{kit.Map{"podUID": uidA}}}, says: "epoch: Required"})},
		{"erasing before its time", after(
			write{what: "activate 2", status: kit.Map{"activeEpoch": 2, "keys": keys(key(1, "Retired"), key(2, "Active"))}},
			write{what: "the active epoch", spec: kit.Map{"eraseThrough": 2}, says: "eraseThrough is below the active epoch"},
			write{what: "one that is over", spec: kit.Map{"eraseThrough": 1}},
			write{what: "written again", spec: kit.Map{"eraseThrough": 1, "onLeaderChange": "Inherit"}},
			write{what: "going back", spec: kit.Map{"eraseThrough": 0}, says: "eraseThrough never decreases"},
			write{what: "taken away", spec: kit.Map{"eraseThrough": nil}, says: "eraseThrough never decreases"},
			write{what: "an epoch to come", spec: kit.Map{"eraseThrough": 3}, says: "eraseThrough is below the active epoch"},
			write{what: "below nothing", spec: kit.Map{"eraseThrough": -1}, says: "eraseThrough"},
			write{what: "the status goes on", status: kit.Map{"members": kit.Map{"total": 2}}})},
		{"erasing where no key is active", []write{{what: "ask", spec: kit.Map{"eraseThrough": 1}, says: "eraseThrough is below the active epoch"}}},
		{"status through the main resource is ignored", after(
			write{what: "merge of spec with status", spec: kit.Map{"onLeaderChange": "NewEpoch"}},
			write{what: "still 2", status: kit.Map{"epoch": 1, "keys": keys(key(1, "Active"))}, says: "never decreases"})},
	}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) { b.run(t, kit.Leader(b.ns, fmt.Sprintf("r%d", i)), row.writes) })
	}
}

func thirteen() []any {
	var rows []kit.Map
	for epoch := int64(1); epoch <= 13; epoch++ {
		rows = append(rows, key(epoch, "Prepared"))
	}
	return keys(rows...)
}

func member(name, uid string) *unstructured.Unstructured {
	u := kit.Leader("", name+"."+uid[:8])
	u.SetLabels(nil)
	u.Object["spec"] = kit.Map{
		"role": "Member", "revision": "r", "pod": name, "podUID": uid, "incarnation": int64(2),
		"receivingKey": kit.Point("receiving"), "inboxKey": kit.Point("inbox"), "identityKey": kit.Point("identity"), "proof": kit.Signature("proof"),
	}
	return u
}

func TestMemberRecord(t *testing.T) {
	b := newBareCRD(t, "member.functionkey.test", nil)
	opened := func(incarnation int64) kit.Map {
		return kit.Map{"opened": kit.Map{"incarnation": incarnation, "epochs": []any{kit.Map{"epoch": 1, "fingerprint": kit.Fingerprint(kit.Point("key1"))}}}}
	}
	rows := []struct {
		name   string
		writes []write
	}{
		{"granted and opened", []write{
			{what: "grant", status: kit.Map{"leader": kit.Granter("r-a", uidA, 1, 1), "reEncryptionKeys": keys(kit.Grant(1, "r-a", 1, 2))}},
			{what: "open", status: kit.With(opened(2), kit.Map{"activeEpoch": 1})},
			{what: "next inbox key", spec: kit.Map{"inboxKey": kit.Point("inbox2"), "proof": kit.Signature("proof2")}},
			{what: "restart", spec: kit.Map{"incarnation": 3, "receivingKey": kit.Point("receiving3"), "inboxKey": kit.Point("inbox3"), "identityKey": kit.Point("identity3")}},
			{what: "opened nothing yet", status: kit.Map{"activeEpoch": nil, "opened": kit.Map{"incarnation": 3, "epochs": []any{}}}},
			{what: "granted anew, in a lower term (the record of the leader was restored)", status: kit.Map{"leader": kit.Granter("r-a", uidA, 1, 1), "reEncryptionKeys": keys(kit.Grant(1, "r-a", 1, 3))}},
		}},
		{"receiving key without a new incarnation", []write{{what: "change", spec: kit.Map{"receivingKey": kit.Point("other")}, says: "needs a higher incarnation"}}},
		{"identity key without a new incarnation", []write{{what: "change", spec: kit.Map{"identityKey": kit.Point("other")}, says: "needs a higher incarnation"}}},
		{"receiving key removed, then added", []write{{what: "remove", spec: kit.Map{"receivingKey": nil}, says: "a Member needs"}}},
		{"incarnation goes back", []write{{what: "1", spec: kit.Map{"incarnation": 1}, says: "incarnation never decreases"}}},
		{"incarnation removed", []write{{what: "null", spec: kit.Map{"incarnation": nil}, says: "incarnation"}}},
		{"one key for all", []write{{what: "same", spec: kit.Map{"incarnation": 3, "receivingKey": kit.Point("x"), "inboxKey": kit.Point("x")}, says: "three different keys"}}},
		{"pod", []write{{what: "change", spec: kit.Map{"pod": "other"}, says: "immutable"}}},
		{"podUID", []write{{what: "change", spec: kit.Map{"podUID": uidB}, says: "immutable"}}},
		{"revision", []write{{what: "change", spec: kit.Map{"revision": "q"}, says: "revision is immutable"}}},
		{"grant for an incarnation to come", []write{{what: "3", status: kit.Map{"reEncryptionKeys": keys(kit.Grant(1, "r-a", 1, 3))}, says: "an incarnation that exists"}}},
		{"grant replaced by an older one", []write{
			{what: "2", status: kit.Map{"reEncryptionKeys": keys(kit.Grant(1, "r-a", 1, 2))}},
			{what: "1", status: kit.Map{"reEncryptionKeys": keys(kit.Grant(1, "r-a", 2, 1))}, says: "never replaced by one for an older incarnation"}}},
		{"opened by an incarnation to come", []write{{what: "3", status: opened(3), says: "said by an incarnation that exists"}}},
		{"kfrag too long", []write{{what: "2049", status: kit.Map{"reEncryptionKeys": keys(kit.With(kit.Grant(1, "r-a", 1, 2), kit.Map{"kfrag": strings.Repeat("A", 2049)}))}, says: "2048"}}},
		{"kfrag no base64", []write{{what: "<>", status: kit.Map{"reEncryptionKeys": keys(kit.With(kit.Grant(1, "r-a", 1, 2), kit.Map{"kfrag": "<>"}))}, says: "kfrag"}}},
		{"revocations in a Member record", []write{{what: "add", status: kit.Map{"revocations": []any{kit.Map{"podUID": uidA, "epoch": 1}}}, says: "belong to a Leader"}}},
		{"certificate too long", []write{{what: "1028", status: kit.Map{"certificate": kit.With(kit.Certificate("r-a", 1, 2), kit.Map{"certificate": strings.Repeat("A", 1028)})}, says: "1024"}}},
		{"certificate no base64", []write{{what: "<>", status: kit.Map{"certificate": kit.With(kit.Certificate("r-a", 1, 2), kit.Map{"certificate": "<>"})}, says: "certificate"}}},
		{"certificate without issuer", []write{{what: "none", status: kit.Map{"certificate": kit.With(kit.Certificate("r-a", 1, 2), kit.Map{"issuer": nil})}, says: "issuer"}}},
		{"too many grants", []write{{what: "13", status: kit.Map{"reEncryptionKeys": manyGrants()}, says: "must have at most 12 items"}}},
		{"observedEpoch in a Member record", []write{{what: "add", status: kit.Map{"observedEpoch": 1}, says: "belong to a Leader"}}},
		{"keys in a Member record", []write{{what: "publish", status: kit.Map{"epoch": 1, "keys": keys(key(1, "Prepared"))}, says: "belong to a Leader record"}}},
		{"members in a Member record", []write{{what: "count", status: kit.Map{"members": kit.Map{"total": 1}}, says: "belong to a Leader record"}}},
		{"fields of a Leader", []write{{what: "function", spec: kit.Map{"function": "f"}, says: "belong to a Leader"}, {what: "revoked", spec: kit.Map{"revoked": []any{uidA}}, says: "belong to a Leader"}}},
		{"evidence too long", []write{{what: "64 KiB + 1", spec: kit.Map{"evidence": strings.Repeat("A", 65537)}, says: "65536"}}},
		{"condition without reason", []write{{what: "none", status: kit.Map{"conditions": []any{kit.Map{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z", "message": ""}}}, says: "reason"}}},
		{"condition maybe", []write{{what: "Maybe", status: kit.Map{"conditions": []any{kit.Map{"type": "Ready", "status": "Maybe", "reason": "A", "lastTransitionTime": "2026-01-02T03:04:05Z", "message": ""}}}, says: "Unsupported value"}}},
	}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) { b.run(t, member(fmt.Sprintf("r-%d", i), uidA), row.writes) })
	}
}

func manyGrants() []any {
	var rows []kit.Map
	for epoch := int64(1); epoch <= 13; epoch++ {
		rows = append(rows, kit.Grant(epoch, "r-a", 1, 1))
	}
	return keys(rows...)
}

func TestCreate(t *testing.T) {
	b := newBareCRD(t, "create.functionkey.test", nil)
	longPod := strings.Repeat("p", 60) + "." + strings.Repeat("q", 60) + "." + strings.Repeat("r", 60) + "." + strings.Repeat("s", 59) + "." + strings.Repeat("t", 8)
	spec := func(u *unstructured.Unstructured, fields kit.Map) *unstructured.Unstructured {
		u.Object["spec"] = kit.With(u.Object["spec"].(kit.Map), fields)
		return u
	}
	named := func(u *unstructured.Unstructured, name string) *unstructured.Unstructured {
		u.SetName(name)
		return u
	}
	longRevision := strings.Repeat("a", 52)
	rows := []struct {
		name   string
		record *unstructured.Unstructured
		says   string
	}{
		{"Leader", kit.Leader("", "orders-6c9f7d5b8"), ""},
		{"Leader of 52 characters", kit.Leader("", longRevision), ""},
		{"Leader of 53 characters", kit.Leader("", longRevision+"a"), "52"},
		{"Leader with a dot", kit.Leader("", "a.b"), "spec.revision"},
		{"Leader named otherwise", named(kit.Leader("", "orders"), "billing"), "named after its revision"},
		{"Leader without function", spec(kit.Leader("", "l1"), kit.Map{"function": nil}), "needs function and scheme"},
		{"Leader without scheme", spec(kit.Leader("", "l2"), kit.Map{"scheme": nil}), "needs function and scheme"},
		{"Leader with an unknown scheme", spec(kit.Leader("", "l3"), kit.Map{"scheme": "rot13"}), "Unsupported value"},
		{"Leader with a pod", spec(kit.Leader("", "l4"), kit.Map{"pod": "p", "podUID": uidA}), "belong to a Member"},
		{"Member", member("orders-6c9f7d5b8-m4zqh", uidA), ""},
		{"Member of a StatefulSet's pod that is back", member("orders-6c9f7d5b8-m4zqh", uidB), ""},
		{"Member of a long name", named(member(longPod, uidA), longPod[:243]+"x."+uidA[:8]), ""},
		{"Member named like a revision", named(member("p1", uidA), "p1"), "named <pod>.<first 8"},
		{"Member under another pod's name", named(member("p2", uidA), "p3."+uidA[:8]), "named <pod>.<first 8"},
		{"Member under another UID's name", named(member("p4", uidA), "p4."+uidB[:8]), "named <pod>.<first 8"},
		{"Member without proof", spec(member("p5", uidA), kit.Map{"proof": nil}), "a Member needs"},
		{"Member of incarnation 0", spec(member("p6", uidA), kit.Map{"incarnation": int64(0)}), "greater than or equal to 1"},
		{"Member with an upper-case key", spec(member("p7", uidA), kit.Map{"inboxKey": strings.ToUpper(kit.Point("inbox"))}), "inboxKey"},
		{"Member with an uncompressed key", spec(member("p8", uidA), kit.Map{"inboxKey": "04" + kit.Point("inbox")[2:]}), "inboxKey"},
		{"neither", spec(kit.Leader("", "n1"), kit.Map{"role": "King"}), "Unsupported value"},
		{"no revision", spec(kit.Leader("", "n2"), kit.Map{"revision": nil}), "spec.revision"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			err := b.make(t, row.record)
			if row.says == "" {
				kit.Allowed(t, err)
			} else {
				kit.Refused(t, err, row.says)
			}
		})
	}
	t.Run("status on create is dropped", func(t *testing.T) {
		record := kit.Leader("", "dropped")
		record.Object["status"] = kit.Map{"epoch": int64(7)}
		must(t, b.make(t, record))
		got := kit.Must[*unstructured.Unstructured](t)(b.records().Get(kit.Context(t), "dropped", metav1.GetOptions{}))
		if got.Object["status"] != nil {
			t.Errorf("status was kept: %v", got.Object["status"])
		}
	})
}

func TestSelectableFields(t *testing.T) {
	needs(t, kit.Connect(t), 31, "no field selectors on custom resources; no program of ours asks for one")
	b := newBareCRD(t, "select.functionkey.test", nil)
	must(t, b.make(t, kit.Leader("", "orders")))
	must(t, b.make(t, member("orders-a", uidA)))
	must(t, b.make(t, member("orders-b", uidB)))
	for selector, want := range map[string]int{
		"spec.role=Leader": 1, "spec.role=Member": 2, "spec.podUID=" + uidB: 1,
		"spec.role=Member,spec.revision=r": 2, "spec.revision=nobody": 0,
	} {
		list := kit.Must[*unstructured.UnstructuredList](t)(b.records().List(kit.Context(t), metav1.ListOptions{FieldSelector: selector}))
		if len(list.Items) != want {
			t.Errorf("%s: %d records, want %d", selector, len(list.Items), want)
		}
	}
}
