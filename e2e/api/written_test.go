package api

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
)

// TestRefusalsAreWrittenDown asks of all that the tests before it were refused, whether the audit log has
// it. Go runs the tests of files in the order of their names: this file is the last. In a run of all tests
// each validation of each policy has to have refused something: what never refuses guards nothing, or
// is not tested.
func TestRefusalsAreWrittenDown(t *testing.T) {
	c := installed(t)
	n, refused, err := kit.Audited()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("measured: %d requests were refused, and the audit log says who asked for what and why not", n)
	if flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != "" {
		return
	}
	if n < 300 {
		t.Errorf("only %d refusals: do the tests run before this one?", n)
	}
	validations := 0
	policies := kit.Must[*admissionv1.ValidatingAdmissionPolicyList](t)(c.Kube.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(kit.Context(t), metav1.ListOptions{}))
	for _, policy := range policies.Items {
		if !strings.HasPrefix(policy.Name, "functionkey-") || policy.Name == "functionkey-advice" { // it warns
			continue
		}
		for i, v := range policy.Spec.Validations {
			validations++
			if !refused[fmt.Sprintf("%s/%d", policy.Name, i)] {
				t.Errorf("no test was refused by validation %d of %s: %s", i, policy.Name, v.Expression)
			}
		}
	}
	t.Logf("measured: each of %d validations of the policies refused something", validations)
}

// What the comparison is worth: an event that tells less than all is not enough.
func TestWhatAnAuditEventHasToTell(t *testing.T) {
	refusal := kit.Refusal{AuditID: "1", Pod: "orders-1-a", Code: 403,
		Message: "functionkeys.functionkey.dev \"x\" is forbidden: ValidatingAdmissionPolicy 'functionkey-keys' with binding 'functionkey-keys' denied request: no"}
	event := func(edit func(e *kit.AuditEvent)) *kit.AuditEvent {
		e := &kit.AuditEvent{AuditID: "1", Verb: "patch", Annotations: map[string]string{
			"validation.policy.admission.k8s.io/validation_failure": `[{"message":"no","policy":"functionkey-keys","binding":"functionkey-keys","expressionIndex":1,"validationActions":["Deny","Audit"]}]`}}
		e.User.Username, e.User.Extra = "system:serviceaccount:shop:default", map[string][]string{"authentication.kubernetes.io/pod-name": {"orders-1-a"}}
		e.ObjectRef.Resource, e.ResponseStatus.Code = "functionkeys", 403
		if edit != nil {
			edit(e)
		}
		return e
	}
	for _, row := range []struct {
		name  string
		event *kit.AuditEvent
		tells bool
	}{
		{"all of it", event(nil), true},
		{"no event", nil, false},
		{"no user", event(func(e *kit.AuditEvent) { e.User.Username = "" }), false},
		{"no verb", event(func(e *kit.AuditEvent) { e.Verb = "" }), false},
		{"no resource", event(func(e *kit.AuditEvent) { e.ObjectRef.Resource = "" }), false},
		{"another code", event(func(e *kit.AuditEvent) { e.ResponseStatus.Code = 200 }), false},
		{"no pod", event(func(e *kit.AuditEvent) { e.User.Extra = nil }), false},
		{"another pod", event(func(e *kit.AuditEvent) { e.User.Extra["authentication.kubernetes.io/pod-name"][0] = "orders-1-b" }), false},
		{"no reason", event(func(e *kit.AuditEvent) { e.Annotations = nil }), false},
		{"the reason of another policy", event(func(e *kit.AuditEvent) {
			for key, text := range e.Annotations {
				e.Annotations[key] = strings.ReplaceAll(text, "functionkey-keys", "functionkey-leases")
			}
		}), false},
	} {
		if err := refusal.Missing(row.event); (err == nil) != row.tells {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
