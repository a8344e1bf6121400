package kit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// FunctionKeys is the resource.
var FunctionKeys = schema.GroupVersionResource{Group: "functionkey.dev", Version: "v1alpha1", Resource: "functionkeys"}

// Map is JSON in the making.
type Map = map[string]any

// Records are the FunctionKeys of a namespace.
func (c *Cluster) Records(ns string) dynamic.ResourceInterface {
	return c.Dynamic.Resource(FunctionKeys).Namespace(ns)
}

// Point looks like a compressed point: it depends on the name alone.
func Point(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "02" + hex.EncodeToString(sum[:])
}

// Signature looks like one.
func Signature(name string) string {
	a, b := sha256.Sum256([]byte(name)), sha256.Sum256([]byte(name+"'"))
	return hex.EncodeToString(a[:]) + hex.EncodeToString(b[:])
}

// Fingerprint of a Point.
func Fingerprint(point string) string {
	raw, _ := hex.DecodeString(point)
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// Leader is a Leader record as the controller creates it.
func Leader(ns, revision string) *unstructured.Unstructured {
	return object(ns, revision, Map{
		"functionkey.dev/for": revision, "functionkey.dev/revision": revision,
		"functionkey.dev/function": "shop", "functionkey.dev/role": "leader",
	}, Map{"role": "Leader", "revision": revision, "function": "shop", "scheme": "umbral-secp256k1"})
}

// Member is the Member record that the agent of a pod creates.
func Member(pod *corev1.Pod, revision string) *unstructured.Unstructured {
	return MemberOf(pod.Namespace, pod.Name, string(pod.UID), revision)
}

// MemberOf is the same, of a pod of which only the name is known.
func MemberOf(ns, pod, uid, revision string) *unstructured.Unstructured {
	u := object(ns, pod+"."+uid[:8], Map{
		"functionkey.dev/for": uid, "functionkey.dev/revision": revision, "functionkey.dev/role": "member",
	}, Map{
		"role": "Member", "revision": revision, "pod": pod, "podUID": uid, "incarnation": int64(1),
		"receivingKey": Point(uid + "receiving"), "inboxKey": Point(uid + "inbox"), "identityKey": Point(uid + "identity"),
		"proof": Signature(uid),
	})
	u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod, UID: types.UID(uid)}})
	return u
}

func object(ns, name string, labels, spec Map) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: Map{
		"apiVersion": "functionkey.dev/v1alpha1", "kind": "FunctionKey",
		"metadata": Map{"namespace": ns, "name": name, "labels": labels},
		"spec":     spec,
	}}
}

// LeaderStatus is status.leader of a Leader record.
func LeaderStatus(pod, uid string, incarnation, term int64) Map {
	return Map{
		"pod": pod, "podUID": uid, "incarnation": incarnation, "term": term,
		"since": "2026-01-02T03:04:05Z", "endpoint": "10.0.0.7:9471",
		"verifyingKey": Point(fmt.Sprint(uid, "verifying", term)), "identityKey": Point(uid + "identity"),
		"signature": Signature(fmt.Sprint(uid, term)),
	}
}

// Granter is status.leader of a Member record.
func Granter(pod, uid string, incarnation, term int64) Map {
	return Map{"pod": pod, "podUID": uid, "incarnation": incarnation, "term": term}
}

// Key is a row of status.keys.
func Key(epoch int64, state, leaderPod string, term int64) Map {
	key := Point(fmt.Sprint("key", epoch))
	row := Map{
		"epoch": epoch, "state": state, "publicKey": key, "fingerprint": Fingerprint(key),
		"continuityKey": Point(fmt.Sprint("continuity", epoch)), "identityKey": Point("identity" + leaderPod),
		"signature": Signature(fmt.Sprint("key", epoch)), "leaderPod": leaderPod, "term": term,
	}
	if epoch > 1 {
		row["link"], row["previousEpoch"] = Signature(fmt.Sprint("link", epoch)), epoch-1
	}
	return row
}

// Grant is a row of status.reEncryptionKeys.
func Grant(epoch int64, leader string, term, incarnation int64) Map {
	return Map{
		"epoch": epoch, "term": term, "incarnation": incarnation, "leader": leader,
		"from": Fingerprint(Point(fmt.Sprint("key", epoch))), "to": Fingerprint(Point("to")), "inbox": Fingerprint(Point("inbox")),
		"kfrag": "c2VhbGVk", "signature": Signature(fmt.Sprint("grant", epoch, term)),
	}
}

// Certificate is status.certificate.
func Certificate(leader string, term, incarnation int64) Map {
	return Map{
		"certificate": "Y2VydA==", "issuer": Point("identity" + leader), "leader": leader, "term": term,
		"incarnation": incarnation, "expires": "2026-01-02T03:04:05Z",
	}
}

// With is a copy of m with some fields set; a nil value removes a field.
func With(m Map, fields Map) Map {
	out := maps.Clone(m)
	for key, value := range fields {
		if value == nil {
			delete(out, key)
		} else {
			out[key] = value
		}
	}
	return out
}

// JSON of anything that can be written as such.
func JSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// MergeStatus sends a merge patch of status.
func MergeStatus(t testing.TB, r dynamic.ResourceInterface, name string, status any) error {
	t.Helper()
	_, err := r.Patch(Context(t), name, types.MergePatchType, JSON(t, Map{"status": status}), metav1.PatchOptions{}, "status")
	return err
}
