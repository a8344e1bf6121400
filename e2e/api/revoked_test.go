package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"functionkey.dev/e2e/kit"
)

const (
	onlyConditions = "it writes nothing but its conditions"
	onlyReleases   = "it may release a Lease, not hold one"
)

// A pod whose UID stands in spec.revoked of a Leader record: its token is as
// good as before, its word is not. A holds the Lease and leads when it is
// revoked; B is what everything is compared with.
func TestWhatARevokedPodMayWrite(t *testing.T) {
	w := ready(t)
	w.c.Kubectl(t, "label", "namespace", w.ns, "functionkey.dev/inject=enabled", "--overwrite")
	l := newLease(t, w)
	own, ofB := memberName(w.a), memberName(w.b)
	merge := func(as *kit.Cluster, name string, status kit.Map) func(t *testing.T) error {
		return func(t *testing.T) error { return kit.MergeStatus(t, as.Records(w.ns), name, status) }
	}
	condition := func(status, reason string) kit.Map {
		return kit.Map{"conditions": []any{kit.Map{"type": "Ready", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"}}}
	}
	opened := kit.Map{"activeEpoch": 1, "opened": kit.Map{"incarnation": 1, "epochs": []any{}}}
	revoke := func(uids ...any) {
		body := kit.JSON(t, kit.Map{"spec": kit.Map{"revoked": uids}})
		if _, err := w.c.Records(w.ns).Patch(kit.Context(t), revision, types.MergePatchType, body, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	must(t, l.hold(w.asA, identity(w.a, 1), 30)(t))
	must(t, merge(w.asA, own, opened)(t))

	begun := time.Now()
	revoke(w.uid(w.a))
	kit.Eventually(t, 40*time.Second, "the policy acts", func() error {
		err := l.hold(w.asA, identity(w.a, 1), 30)(t)
		if err != nil && strings.Contains(err.Error(), onlyReleases) {
			return nil
		}
		return fmt.Errorf("a renewal: %v", err)
	})
	t.Logf("measured: a revoked pod's first write is refused after %d ms", time.Since(begun).Milliseconds())

	rows := []attempt{
		{"its Lease renewed", l.hold(w.asA, identity(w.a, 1), 30), onlyReleases},
		{"its Lease taken as another incarnation", l.hold(w.asA, identity(w.a, 2), 30), onlyReleases},
		{"a key prepared", merge(w.asA, revision, kit.Map{"epoch": 2, "keys": keys(w.key(1, "Active"), w.key(2, "Prepared"))}), onlyConditions},
		{"a term taken", merge(w.asA, revision, kit.Map{"leader": w.leads(w.a, 2)}), onlyConditions},
		{"a grant to another", merge(w.asA, ofB, kit.Map{"leader": w.grants(w.a, 1), "reEncryptionKeys": keys(kit.Grant(1, w.a.Name, 1, 1))}), onlyConditions},
		{"a grant to itself", merge(w.asA, own, kit.Map{"leader": w.grants(w.a, 1), "reEncryptionKeys": keys(kit.Grant(1, w.a.Name, 1, 1))}), onlyConditions},
		{"a certificate for another", merge(w.asA, ofB, kit.Map{"leader": w.grants(w.a, 1), "certificate": kit.Certificate(w.a.Name, 1, 1)}), onlyConditions},
		{"another list of what it opens", merge(w.asA, own, kit.Map{"opened": kit.Map{"incarnation": 1, "epochs": []any{kit.Map{"epoch": 1, "fingerprint": kit.Fingerprint(kit.Point("key1"))}}}}), onlyConditions},
		{"its record made anew under another name", create(w.asA, w.ns, kit.Member(w.stranger, revision)), onlyConditions + "|" + onlyOwn},
		{"that it is not ready", merge(w.asA, own, condition("False", "Revoked")), ""},
		{"what it opens by B", merge(w.asB, ofB, opened), ""},
		{"its Lease released", l.hold(w.asA, "", 1), ""},
		{"a free Lease taken", l.hold(w.asA, identity(w.a, 1), 30), onlyReleases},
		{"a free Lease taken by B", l.hold(w.asB, identity(w.b, 1), 30), ""},
	}
	rows = append(rows, inEveryWay("its keys", w.asA, w.ns, own, "spec", kit.Map{"inboxKey": kit.Point("another inbox")}, onlyConditions)...)
	rows = append(rows, inEveryWay("another keeper", w.asA, w.ns, own, "spec", kit.Map{"incarnation": 2, "receivingKey": kit.Point("r2"), "identityKey": kit.Point("i2")}, onlyConditions)...)
	runAttempts(t, rows)

	revoke()
	kit.Eventually(t, 10*time.Second, "a pod that is taken off the list writes again", func() error {
		return merge(w.asA, own, condition("True", "KeyOpened"))(t)
	})
	kit.Eventually(t, 10*time.Second, "its keys, too", func() error {
		return change(t, w.asA, w.ns, own, "merge", "spec", kit.Map{"inboxKey": kit.Point("another inbox")})
	})
}
