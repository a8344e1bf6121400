package api

import (
	"slices"
	"sort"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
)

// may asks whether a user may do "verb resource.group[/subresource] [name]".
func may(t *testing.T, c *kit.Cluster, user, ns, what string) bool {
	t.Helper()
	words := append(strings.Fields(what), "")
	resource, subresource, _ := strings.Cut(words[1], "/")
	resource, group, _ := strings.Cut(resource, ".")
	account := strings.Split(user, ":")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + account[2], "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: ns, Verb: words[0], Group: group, Resource: resource, Subresource: subresource, Name: words[2],
		},
	}}
	got := kit.Must[*authorizationv1.SubjectAccessReview](t)(c.Kube.AuthorizationV1().SubjectAccessReviews().Create(kit.Context(t), review, metav1.CreateOptions{}))
	return got.Status.Allowed
}

func TestRights(t *testing.T) {
	c := kit.Connect(t)
	ns, senders := c.Namespace(t, "rights"), c.Namespace(t, "senders")
	c.OptIn(t, ns)
	c.Bind(t, ns, "functionkey-reader", rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:" + senders})
	rows := []struct {
		who, user    string
		may, may_not string
	}{
		{"controller", "system:serviceaccount:functionkey-system:functionkey-controller",
			`get pods; list pods; watch pods; watch namespaces; create functionkeys.functionkey.dev; patch functionkeys.functionkey.dev;
			patch functionkeys.functionkey.dev/status; get replicasets.apps; get controllerrevisions.apps; get jobs.batch; get revisions.serving.knative.dev;
			create leases.coordination.k8s.io; update leases.coordination.k8s.io; create services; patch endpointslices.discovery.k8s.io; create rolebindings.rbac.authorization.k8s.io;
			bind clusterroles.rbac.authorization.k8s.io functionkey-agent; bind clusterroles.rbac.authorization.k8s.io functionkey-reader; get clusterroles.rbac.authorization.k8s.io functionkey-agent; create events.events.k8s.io`,
			`get secrets; list secrets; watch secrets; create secrets; create pods; delete pods; patch pods; create pods/exec; get pods/log; create pods/ephemeralcontainers;
			create serviceaccounts/token; impersonate serviceaccounts; delete functionkeys.functionkey.dev; update functionkeys.functionkey.dev; update functionkeys.functionkey.dev/status;
			delete leases.coordination.k8s.io; patch services; delete services; delete endpointslices.discovery.k8s.io; list replicasets.apps; bind clusterroles.rbac.authorization.k8s.io cluster-admin; get clusterroles.rbac.authorization.k8s.io cluster-admin; list clusterroles.rbac.authorization.k8s.io; escalate roles.rbac.authorization.k8s.io;
			create roles.rbac.authorization.k8s.io; create clusterrolebindings.rbac.authorization.k8s.io; patch namespaces;
			patch validatingadmissionpolicies.admissionregistration.k8s.io; patch customresourcedefinitions.apiextensions.k8s.io; get configmaps; create deployments.apps`},
		{"agent", "system:serviceaccount:" + ns + ":default",
			`get functionkeys.functionkey.dev; list functionkeys.functionkey.dev; watch functionkeys.functionkey.dev; create functionkeys.functionkey.dev;
			patch functionkeys.functionkey.dev; patch functionkeys.functionkey.dev/status; get leases.coordination.k8s.io; watch leases.coordination.k8s.io;
			update leases.coordination.k8s.io; get pods; create events.events.k8s.io`,
			`list pods; delete functionkeys.functionkey.dev; update functionkeys.functionkey.dev; update functionkeys.functionkey.dev/status; create leases.coordination.k8s.io;
			patch leases.coordination.k8s.io; delete leases.coordination.k8s.io; get secrets; get configmaps; create pods; create services; create endpointslices.discovery.k8s.io;
			get endpoints; create rolebindings.rbac.authorization.k8s.io`},
		{"sender of another namespace", "system:serviceaccount:" + senders + ":default",
			`get functionkeys.functionkey.dev; list functionkeys.functionkey.dev; watch functionkeys.functionkey.dev`,
			`create functionkeys.functionkey.dev; patch functionkeys.functionkey.dev; patch functionkeys.functionkey.dev/status; get leases.coordination.k8s.io; get pods`},
	}
	split := func(list string) []string {
		var out []string
		for _, what := range strings.Split(list, ";") {
			out = append(out, strings.TrimSpace(what))
		}
		return out
	}
	for _, row := range rows {
		for _, what := range split(row.may) {
			t.Run(row.who+" may "+what, func(t *testing.T) {
				if !may(t, c, row.user, ns, what) {
					t.Error("may not")
				}
			})
		}
		for _, what := range split(row.may_not) {
			t.Run(row.who+" may not "+what, func(t *testing.T) {
				if may(t, c, row.user, ns, what) {
					t.Error("may")
				}
			})
		}
	}
}

// rights lists what somebody may do in a namespace, beyond what every service account may: one line a
// resource and a set of verbs.
func rights(t *testing.T, c, who *kit.Cluster, ns string) string {
	t.Helper()
	plain := c.Namespace(t, "plain")
	everybody := map[string]bool{}
	for _, line := range rules(t, c.As(t, c.Token(t, plain, "default")), plain) {
		everybody[line] = true
	}
	var own []string
	for _, line := range rules(t, who, ns) {
		if !everybody[line] {
			own = append(own, line)
		}
	}
	sort.Strings(own)
	return strings.Join(slices.Compact(own), "\n") + "\n"
}

func rules(t *testing.T, who *kit.Cluster, ns string) (lines []string) {
	t.Helper()
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: ns}}
	got := kit.Must[*authorizationv1.SelfSubjectRulesReview](t)(who.Kube.AuthorizationV1().SelfSubjectRulesReviews().Create(kit.Context(t), review, metav1.CreateOptions{}))
	if got.Status.Incomplete {
		t.Fatalf("rights that cannot be listed: %s", got.Status.EvaluationError)
	}
	for _, rule := range got.Status.ResourceRules {
		sort.Strings(rule.Verbs)
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				names := ""
				if len(rule.ResourceNames) > 0 {
					names = " " + strings.Join(rule.ResourceNames, ",")
				}
				lines = append(lines, strings.TrimSuffix(resource+"."+group, ".")+names+": "+strings.Join(rule.Verbs, " "))
			}
		}
	}
	for _, rule := range got.Status.NonResourceRules {
		lines = append(lines, strings.Join(rule.NonResourceURLs, ",")+": "+strings.Join(rule.Verbs, " "))
	}
	return lines
}

// What each of ours may do in all, by the API server's own account: a right more or less is a change of
// these files. The controller's with the webhook are in TestWebhook.
func TestEffectiveRights(t *testing.T) {
	c := installed(t)
	ns, senders := c.Namespace(t, "rights"), c.Namespace(t, "senders")
	c.OptIn(t, ns)
	c.Bind(t, ns, "functionkey-reader", rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:" + senders})
	far := c.Namespace(t, "operators")
	c.Bind(t, ns, "functionkey-operator", rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:" + far})
	for _, row := range []struct {
		name string
		who  *kit.Cluster
		ns   string
	}{
		{"controller", asController(t, c), ns},
		{"controller-at-home", asController(t, c), "functionkey-system"},
		{"agent", c.Agent(t, c.Pod(t, ns, "orders-1-aaaaa")), ns},
		{"sender", c.As(t, c.Token(t, senders, "default")), ns},
		{"operator", c.As(t, c.Token(t, far, "default")), ns},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.name == "controller" || row.name == "controller-at-home" {
				needs(t, c, 36, "installed with the webhook, which gives the controller more: TestWebhook asks")
			}
			kit.Golden(t, "rights/"+row.name+".txt", rights(t, c, row.who, row.ns))
		})
	}
}

// The access reconciler's writes, as the controller: these roles, and no others that would give rights it has not.
func TestControllerBindsOnlyOurRoles(t *testing.T) {
	c := kit.Connect(t)
	ns := c.Namespace(t, "bind")
	controller := asController(t, c)
	bind := func(role string) func(t *testing.T) error {
		return func(t *testing.T) error {
			binding := &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: role},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects:   []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:" + ns}},
			}
			_, err := controller.Kube.RbacV1().RoleBindings(ns).Create(kit.Context(t), binding, metav1.CreateOptions{})
			return err
		}
	}
	runAttempts(t, []attempt{
		{"functionkey-agent", bind("functionkey-agent"), ""},
		{"functionkey-reader", bind("functionkey-reader"), ""},
		{"edit", bind("edit"), "attempting to grant RBAC permissions not currently held"},
		{"cluster-admin", bind("cluster-admin"), "attempting to grant RBAC permissions not currently held"},
	})
}
