package api

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"functionkey.dev/e2e/kit"
)

// listened are the TCP ports on which a program can be reached from other pods, by its own account
// of its defaults, and those that the manifests give it.
func listened(t *testing.T, program string, args ...string) []string {
	t.Helper()
	help := kit.Must[[]byte](t)(exec.Command(filepath.Join(kit.Programs(t), program), args...).Output())
	var ports []string
	for _, found := range regexp.MustCompile(`default (?:0\.0\.0\.0|\[::\]):(\d+)`).FindAllStringSubmatch(string(help), -1) {
		ports = append(ports, found[1])
	}
	return ports
}

func policies(t *testing.T, c *kit.Cluster, folder string) map[string]networkingv1.NetworkPolicy {
	t.Helper()
	found := map[string]networkingv1.NetworkPolicy{}
	for _, document := range strings.Split(c.Kubectl(t, "kustomize", filepath.Join(kit.Root(t), "manifests", "network-policies", folder)), "\n---\n") {
		var policy networkingv1.NetworkPolicy
		must(t, yaml.UnmarshalStrict([]byte(document), &policy))
		found[policy.Name] = policy
	}
	return found
}

func number(t *testing.T, port networkingv1.NetworkPolicyPort) string {
	t.Helper()
	if port.Port == nil || port.Port.Type != intstr.Int || port.EndPort != nil {
		t.Fatalf("not one port by its number: %v", port)
	}
	return port.Port.String()
}

func let(t *testing.T, policy networkingv1.NetworkPolicy) (in, out []string) {
	t.Helper()
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			in = append(in, number(t, port))
		}
	}
	for _, rule := range policy.Spec.Egress {
		for _, port := range rule.Ports {
			out = append(out, number(t, port))
		}
	}
	slices.Sort(in)
	slices.Sort(out)
	return in, slices.Compact(out)
}

func sorted(list ...string) []string {
	slices.Sort(list)
	return list
}

// TestNetworkPolicies: the API server takes them, and every port on which our programs listen stands
// in them, and no other: one that is forgotten would work everywhere but where policies are enforced.
func TestNetworkPolicies(t *testing.T) {
	c := installed(t)
	ns := c.Namespace(t, "shop")
	for _, args := range [][]string{{"system"}, {"functions", "-n", ns}} {
		c.Kubectl(t, append([]string{"apply", "--dry-run=server", "-k", filepath.Join(kit.Root(t), "manifests", "network-policies", args[0])}, args[1:]...)...)
	}
	webhook := regexp.MustCompile(`--webhook-address=(?:0\.0\.0\.0|\[::\]):(\d+)`).FindStringSubmatch(c.Kubectl(t, "kustomize", filepath.Join(kit.Root(t), "manifests", "webhook")))
	if webhook == nil {
		t.Fatal("manifests/webhook has no --webhook-address")
	}
	agent := append(listened(t, "functionkey-agent", "run", "--help"), "9464") // functionkey.dev/metrics: "true"
	api := []string{"443", "53", "6443", "8443"}

	system, functions := policies(t, c, "system"), policies(t, c, "functions")
	for _, row := range []struct {
		policy  networkingv1.NetworkPolicy
		in, out []string
	}{
		{system["functionkey-controller"], sorted(append(listened(t, "functionkey-controller", "--help"), webhook[1])...), sorted(append(api, "9471")...)},
		{functions["functionkey-agents"], sorted(agent...), nil},
		{functions["functionkey-agents-egress"], nil, sorted(append(api, "9471", "9472")...)},
	} {
		if in, out := let(t, row.policy); !slices.Equal(in, row.in) || !slices.Equal(out, row.out) {
			t.Errorf("%s lets in %v, out %v; want %v, %v", row.policy.Name, in, out, row.in, row.out)
		}
	}
	if len(system)+len(functions) != 3 || len(agent) < 3 {
		t.Errorf("%d and %d policies, and ports %v", len(system), len(functions), agent)
	}
}
