package api

import (
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"functionkey.dev/e2e/kit"
)

// What people see: the table of DESIGN section 4.
func TestTable(t *testing.T) {
	w := ready(t)
	condition := func(status, reason string) []any {
		return []any{kit.Map{"type": "Ready", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"}}
	}
	must(t, kit.MergeStatus(t, w.controller.Records(w.ns), revision, kit.Map{"members": kit.Map{"total": 2, "ready": 2, "summary": "2/2"}, "conditions": condition("True", "Ready")}))
	must(t, kit.MergeStatus(t, w.asA.Records(w.ns), memberName(w.b), kit.Map{"leader": w.grants(w.a, 1), "reEncryptionKeys": keys(kit.Grant(1, w.a.Name, 1, 1))}))
	must(t, kit.MergeStatus(t, w.asB.Records(w.ns), memberName(w.b), kit.Map{"activeEpoch": 1, "opened": kit.Map{"incarnation": 1, "epochs": []any{}}, "conditions": condition("True", "Opened")}))
	must(t, kit.MergeStatus(t, w.asStranger.Records(w.ns), memberName(w.stranger), kit.Map{"conditions": condition("False", "NoLeader")}))
	must(t, create(w.controller, w.ns, kit.Leader(w.ns, other))(t))

	for _, name := range []string{"functionkeys", "functionkey", "fk"} {
		kit.Golden(t, "get.txt", timeless(w, w.c.Kubectl(t, "-n", w.ns, "get", name)))
	}
	kit.Golden(t, "get-wide.txt", timeless(w, w.c.Kubectl(t, "-n", w.ns, "get", "fk", "-o", "wide")))
	if out := w.c.Kubectl(t, "get", "--raw", "/apis/functionkey.dev/v1alpha1"); !strings.Contains(out, `"categories":["functionkeys"]`) {
		t.Errorf("category functionkeys is missing: %s", out)
	}
	w.c.Kubectl(t, "-n", w.ns, "wait", "--for=condition=Ready", "fk/"+revision, "--timeout=5s")
	if out, err := w.c.TryKubectl(t, "", "-n", w.ns, "wait", "--for=condition=Ready", "fk/"+memberName(w.stranger), "--timeout=1s"); err == nil {
		t.Errorf("a record that is not Ready: %s", out)
	}
	for _, text := range []string{"What is asked for", "onLeaderChange", "One number and one unit"} {
		if out := w.c.Kubectl(t, "explain", "functionkey.spec", "--recursive") + w.c.Kubectl(t, "explain", "functionkey.spec.retention"); !strings.Contains(out, text) {
			t.Errorf("kubectl explain says nothing of %q", text)
		}
	}
}

var spaces = regexp.MustCompile(`[0-9]+m?[0-9]*s\n`)

// timeless replaces what differs between runs, keeping the width.
func timeless(w *world, out string) string {
	out = spaces.ReplaceAllString(out, "AGE\n")
	for _, pod := range []string{w.uid(w.a), w.uid(w.b), w.uid(w.stranger)} {
		out = strings.ReplaceAll(out, pod[:8], "00000000")
	}
	return out
}

// The samples are good objects.
func TestSamples(t *testing.T) {
	c := installed(t)
	ns := c.Namespace(t, "samples")
	c.Kubectl(t, "-n", ns, "apply", "-k", kit.Root(t)+"/crds/samples")
	list := kit.Must[*unstructured.UnstructuredList](t)(c.Records(ns).List(kit.Context(t), metav1.ListOptions{}))
	if len(list.Items) == 0 {
		t.Error("no samples")
	}
}
