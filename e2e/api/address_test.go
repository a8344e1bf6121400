package api

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
)

// TestLeaderAddress: where the leader is, of the family that the cluster has: the Service, its slice, and the slice emptied
// when the record says something that is no address. The API server lets nobody change a slice's family.
func TestLeaderAddress(t *testing.T) {
	w := ready(t)
	w.c.Kubectl(t, "label", "-n", w.ns, "pod", w.a.Name, "functionkey.dev/inject=true", "functionkey.dev/revision="+revision)
	w.c.Kubectl(t, "label", "namespace", w.ns, "functionkey.dev/inject=enabled", "--overwrite")
	address, family := "10.0.0.7", discoveryv1.AddressTypeIPv4
	if strings.Contains(setting(t, "NODE_ADDRESS"), ":") {
		address, family = "fd00::7", discoveryv1.AddressTypeIPv6
	}
	slice := func(what string, addresses ...string) {
		t.Helper()
		kit.Eventually(t, 20*time.Second, what, func() error {
			is, err := w.c.Kube.DiscoveryV1().EndpointSlices(w.ns).Get(kit.Context(t), revision+"-leader", metav1.GetOptions{})
			if err != nil {
				return err
			}
			var have []string
			for _, e := range is.Endpoints {
				have = append(have, e.Addresses...)
			}
			if is.AddressType != family || strings.Join(have, " ") != strings.Join(addresses, " ") {
				return fmt.Errorf("%s %v", is.AddressType, have)
			}
			return nil
		})
	}
	says := func(endpoint string) {
		t.Helper()
		leader := kit.With(w.leads(w.a, 1), kit.Map{"endpoint": endpoint})
		must(t, kit.MergeStatus(t, w.asA.Records(w.ns), revision, kit.Map{"leader": leader}))
	}
	says(net.JoinHostPort(address, "9471"))
	startController(t, w.c) // not before: the world's own record has an address of IPv4
	slice("the leader's address", address)
	service := kit.Must[*corev1.Service](t)(w.c.Kube.CoreV1().Services(w.ns).Get(kit.Context(t), revision+"-leader", metav1.GetOptions{}))
	if len(service.Spec.IPFamilies) == 0 || string(service.Spec.IPFamilies[0]) != string(family) {
		t.Errorf("the Service is of %v", service.Spec.IPFamilies)
	}
	says("nowhere")
	slice("no address")
	says(net.JoinHostPort(address, "9471"))
	slice("the address again", address)
}
