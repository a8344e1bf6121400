//go:build certmanager

package api

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"functionkey.dev/e2e/kit"
)

// With manifests/webhook-cert-manager and nothing changed in it: cert-manager issues and injects, the API server reaches
// the controllers by their Service, under the names in the certificate. Run by make test-cert-manager, on a control plane of
// its own whose API server looks endpoints up itself, as nothing translates the addresses of Services there.

var certificates = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "certificates"}

const serviceName = "functionkey-webhook.functionkey-system.svc"

// certManaged is a cluster with that form.
type certManaged struct {
	*hooked
	replicas []*replica
}

// peer runs one of cert-manager's programs until the test ends.
func (h *certManaged) peer(t *testing.T, name string) {
	t.Helper()
	log := &lines{}
	cmd := exec.Command(filepath.Join(os.Getenv("CERT_MANAGER"), "cert-manager"), name)
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			text := log.String()
			t.Logf("%s:\n%s", name, text[max(0, len(text)-6000):])
		}
	})
}

// place gives the Deployment's pods addresses on this machine, as a kubelet would: those at the end of the Services' range,
// which the node sends here. Each is served by a controller with the arguments of its container.
func (h *certManaged) place(t *testing.T) {
	t.Helper()
	kit.Must[*corev1.Node](t)(h.Kube.CoreV1().Nodes().Create(kit.Context(t), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "unreal"}}, metav1.CreateOptions{}))
	pods := h.Kube.CoreV1().Pods(system)
	var found []corev1.Pod
	kit.Eventually(t, 20*time.Second, "two pods", func() error {
		list, err := pods.List(kit.Context(t), metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
		if err == nil && len(list.Items) != 2 {
			err = fmt.Errorf("%d pods", len(list.Items))
		}
		found = list.Items
		return err
	})
	_, services, err := net.ParseCIDR(setting(t, "SERVICES"))
	must(t, err)
	for i, pod := range found {
		address := slices.Clone(services.IP)
		for at := range address {
			address[at] |= ^services.Mask[at]
		}
		address[len(address)-1] -= byte(2 + i)
		out, err := exec.Command("ip", "address", "add", address.String()+"/32", "dev", setting(t, "LINK")).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		must(t, pods.Bind(kit.Context(t), &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: "unreal"}}, metav1.CreateOptions{}))
		status := kit.Map{"status": kit.Map{"phase": "Running", "podIP": address.String(), "podIPs": []kit.Map{{"ip": address.String()}},
			"conditions": []kit.Map{{"type": "Ready", "status": "True"}}}}
		kit.Must[*corev1.Pod](t)(pods.Patch(kit.Context(t), pod.Name, types.StrategicMergePatchType, kit.JSON(t, status), metav1.PatchOptions{}, "status"))
		h.replicas = append(h.replicas, h.serve(t, &pod, address.String()))
	}
}

// serve runs the controller of a pod as the manifest says, but for where it listens.
func (h *certManaged) serve(t *testing.T, pod *corev1.Pod, address string) *replica {
	t.Helper()
	var args []string
	for _, arg := range pod.Spec.Containers[0].Args {
		args = append(args, strings.Replace(arg, "[::]", address, 1))
	}
	if want := []string{"--webhook-address=" + address + ":10250", "--webhook-certificates=given"}; !slices.Equal(args, want) {
		t.Errorf("the container's arguments are %v, want %v", args, want)
	}
	r := &replica{log: &lines{}, webhook: address + ":10250", metrics: freePort(t, "127.0.0.1")}
	r.cmd = exec.Command(filepath.Join(kit.Programs(t), "functionkey-controller"), append(args, "--kubeconfig="+h.kubeconfig, "--namespace="+system,
		"--pod="+pod.Name, "--pod-uid="+string(pod.UID), "--address="+r.metrics, "--log-format=text")...)
	r.cmd.Stderr = r.log
	must(t, r.cmd.Start())
	t.Cleanup(func() {
		r.stop(syscall.SIGKILL)
		if t.Failed() {
			text := r.log.String()
			t.Logf("%s:\n%s", pod.Name, text[max(0, len(text)-6000):])
		}
	})
	return r
}

// certificateReady waits for cert-manager's word on a Certificate, as kubectl wait does.
func (h *certManaged) certificateReady(t *testing.T, name string) {
	t.Helper()
	h.Kubectl(t, "-n", system, "wait", "--for=condition=Ready", "certificate/"+name, "--timeout=60s")
}

func (h *certManaged) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	return kit.Must[*corev1.Secret](t)(h.Kube.CoreV1().Secrets(system).Get(kit.Context(t), "functionkey-webhook", metav1.GetOptions{}))
}

func leafOf(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no certificate in %q", text)
	}
	return kit.Must[*x509.Certificate](t)(x509.ParseCertificate(block.Bytes))
}

// served is the certificate that a replica shows under the Service's name to who trusts the Secret's authority.
func served(r *replica, authority []byte) (*x509.Certificate, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", r.webhook, &tls.Config{RootCAs: pool, ServerName: serviceName})
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0], nil
}

// reloaded waits until the Secret holds another certificate than before and every replica serves it; returns it.
func (h *certManaged) reloaded(t *testing.T, what string, before []byte) []byte {
	t.Helper()
	begun := time.Now()
	var now []byte
	kit.Eventually(t, 60*time.Second, what, func() error {
		secret, err := h.Kube.CoreV1().Secrets(system).Get(kit.Context(t), "functionkey-webhook", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if now = secret.Data["tls.crt"]; len(now) == 0 || bytes.Equal(now, before) {
			return fmt.Errorf("the Secret holds no new certificate")
		}
		want := leafOf(t, now)
		for _, r := range h.replicas {
			if have, err := served(r, secret.Data["ca.crt"]); err != nil || !have.Equal(want) {
				return fmt.Errorf("%s serves another one: %v", r.webhook, err)
			}
		}
		return nil
	})
	t.Logf("measured: %s: %.1f s until both replicas serve it", what, time.Since(begun).Seconds())
	h.settled(t, "functionkey-webhook")
	return now
}

// settled waits until cert-manager is done with a Certificate: it writes the Secret first, then that it did, and what
// happens in between is undone or done twice.
func (h *certManaged) settled(t *testing.T, name string) {
	t.Helper()
	kit.Eventually(t, 30*time.Second, name+" is not being issued", func() error {
		is, err := h.Dynamic.Resource(certificates).Namespace(system).Get(kit.Context(t), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(is.Object, "status", "conditions")
		for _, c := range conditions {
			if condition := c.(kit.Map); condition["type"] == "Issuing" && condition["status"] == "True" {
				return fmt.Errorf("it is")
			}
		}
		return nil
	})
	h.certificateReady(t, name)
	time.Sleep(time.Second) // its caches
}

// renew is what "cmctl renew" does.
func (h *certManaged) renew(t *testing.T, name string) {
	t.Helper()
	list := h.Dynamic.Resource(certificates).Namespace(system)
	is := kit.Must[*unstructured.Unstructured](t)(list.Get(kit.Context(t), name, metav1.GetOptions{}))
	conditions, _, _ := unstructured.NestedSlice(is.Object, "status", "conditions")
	conditions = append(conditions, kit.Map{"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "renewed by a test",
		"lastTransitionTime": time.Now().UTC().Format(time.RFC3339)})
	must(t, unstructured.SetNestedSlice(is.Object, conditions, "status", "conditions"))
	kit.Must[*unstructured.Unstructured](t)(list.UpdateStatus(kit.Context(t), is, metav1.UpdateOptions{}))
}

// reviewing asks for pods that opt in, four at a time, until the returned function is called; that one says how many
// were asked for. Each that is refused or comes without its agent fails the test.
func (h *certManaged) reviewing(t *testing.T, ns string) (end func() int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var asked atomic.Int64
	var askers sync.WaitGroup
	ask := func() {
		for ctx.Err() == nil {
			pod, err := h.Kube.CoreV1().Pods(ns).Create(context.Background(), wants(ns, "single"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err == nil {
				err = isInjected(pod)
			}
			if err != nil {
				t.Errorf("%s: review %d: %v", time.Now().Format("15:04:05.000"), asked.Load(), err)
			}
			asked.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
	}
	for range 4 {
		askers.Go(ask)
	}
	t.Cleanup(func() { cancel(); askers.Wait() })
	return func() int64 {
		cancel()
		askers.Wait()
		return asked.Load()
	}
}

// TestCertManager: issued, injected, served by both replicas, renewed in each way that there is; no review fails.
func TestCertManager(t *testing.T) {
	if os.Getenv("CERT_MANAGER") == "" {
		t.Fatal("CERT_MANAGER: the folder that hack/cert-manager/build prints")
	}
	h := &certManaged{hooked: &hooked{Cluster: kit.Connect(t)}}
	h.Kubectl(t, "apply", "--server-side", "-f", filepath.Join(os.Getenv("CERT_MANAGER"), "crds"))
	h.Kubectl(t, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	h.peer(t, "controller")
	h.peer(t, "cainjector")
	begun := time.Now()
	kubectlApply(t, h.Cluster, "webhook-cert-manager")
	h.kubeconfig = h.asItself(t)
	h.place(t)
	for _, name := range []string{"functionkey-webhook-ca", "functionkey-webhook"} {
		h.settled(t, name)
	}
	t.Logf("measured: certificates are Ready %.1f s after kubectl apply", time.Since(begun).Seconds())
	t.Run("the Secret is filled", func(t *testing.T) { h.filled(t) })
	t.Run("the bundle is injected", func(t *testing.T) { h.bundled(t) })
	t.Run("the controller may write neither", func(t *testing.T) { h.mayNot(t) })
	t.Run("the Service leads to both replicas", func(t *testing.T) { h.endpoints(t) })
	for _, r := range h.replicas {
		r.ready(t)
	}
	ns := h.injects(t, "injected")
	leaf := h.secret(t).Data["tls.crt"]

	end := h.reviewing(t, ns)
	h.renew(t, "functionkey-webhook")
	leaf = h.reloaded(t, "renewed by hand", leaf)
	h.Kubectl(t, "-n", system, "delete", "secret", "functionkey-webhook")
	leaf = h.reloaded(t, "the Secret was deleted", leaf)
	h.Kubectl(t, "-n", system, "patch", "certificate", "functionkey-webhook", "--type=merge", "-p", `{"spec":{"duration":"1h","renewBefore":"59m50s"}}`)
	leaf = h.reloaded(t, "issued for another time", leaf)
	leaf = h.reloaded(t, "renewed before its end", leaf)
	h.Kubectl(t, "-n", system, "patch", "certificate", "functionkey-webhook", "--type=merge", "-p", `{"spec":{"duration":"2160h","renewBefore":null}}`)
	leaf = h.reloaded(t, "issued for the old time", leaf)
	h.nextAuthority(t, leaf)
	h.bundled(t)
	t.Logf("measured: %d reviews meanwhile", end())
	for _, r := range h.replicas {
		if n := r.metric(`functionkey_webhook_reviews_total{result="injected"}`); n == "" || n == "0" {
			t.Errorf("%s was asked nothing", r.webhook)
		}
	}
	t.Run("both were written by cert-manager alone", func(t *testing.T) { h.writers(t) })
}

// nextAuthority renews it and then what it signs. Secret and bundle change one after the other: in between, old and new
// have to trust each other.
func (h *certManaged) nextAuthority(t *testing.T, leaf []byte) {
	t.Helper()
	before := h.secret(t).Data["ca.crt"]
	h.renew(t, "functionkey-webhook-ca")
	kit.Eventually(t, 60*time.Second, "the next authority", func() error {
		secret, err := h.Kube.CoreV1().Secrets(system).Get(kit.Context(t), "functionkey-webhook-ca", metav1.GetOptions{})
		if err == nil && bytes.Equal(secret.Data["tls.crt"], before) {
			err = fmt.Errorf("still the old one")
		}
		return err
	})
	h.settled(t, "functionkey-webhook-ca")
	h.renew(t, "functionkey-webhook")
	next := h.reloaded(t, "renewed by the next authority", leaf)
	after := h.secret(t).Data["ca.crt"]
	if bytes.Equal(after, before) {
		t.Error("signed by the old authority")
	}
	must(t, trusted(t, next, before))
	must(t, trusted(t, leaf, after))
}

// trusted says why an API server with that bundle would not trust who serves with that certificate.
func trusted(t *testing.T, leaf, bundle []byte) error {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	_, err := leafOf(t, leaf).Verify(x509.VerifyOptions{Roots: pool, DNSName: serviceName, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err
}

func (h *certManaged) filled(t *testing.T) {
	secret := h.secret(t)
	if secret.Type != corev1.SecretTypeTLS || len(secret.Data["tls.key"]) == 0 {
		t.Errorf("%s with %d keys", secret.Type, len(secret.Data))
	}
	leaf := leafOf(t, secret.Data["tls.crt"])
	if key, is := leaf.PublicKey.(*ecdsa.PublicKey); !is || key.Curve != elliptic.P256() {
		t.Errorf("a key of %T", leaf.PublicKey)
	}
	for _, name := range []string{"functionkey-webhook", "functionkey-webhook.functionkey-system", serviceName, serviceName + ".cluster.local"} {
		must(t, leaf.VerifyHostname(name))
	}
	must(t, trusted(t, secret.Data["tls.crt"], secret.Data["ca.crt"]))
}

func (h *certManaged) bundled(t *testing.T) {
	kit.Eventually(t, 20*time.Second, "the Secret's authority is in the bundle", func() error {
		want := h.secret(t).Data["ca.crt"]
		is, err := h.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(kit.Context(t), "functionkey-inject", metav1.GetOptions{})
		if err == nil && (len(want) == 0 || !bytes.Contains(is.Webhooks[0].ClientConfig.CABundle, want)) {
			err = fmt.Errorf("caBundle is %q, the Secret has %q", is.Webhooks[0].ClientConfig.CABundle, want)
		}
		return err
	})
}

func (h *certManaged) mayNot(t *testing.T) {
	const controller = "system:serviceaccount:functionkey-system:functionkey-controller"
	for _, row := range [][2]string{{system, "patch secrets functionkey-webhook"}, {system, "get secrets functionkey-webhook-ca"},
		{"", "patch mutatingwebhookconfigurations.admissionregistration.k8s.io functionkey-inject"}} {
		if may(t, h.Cluster, controller, row[0], row[1]) {
			t.Errorf("may %s", row[1])
		}
	}
	if !may(t, h.Cluster, controller, system, "watch secrets functionkey-webhook") {
		t.Error("may not watch its certificate")
	}
}

func (h *certManaged) endpoints(t *testing.T) {
	kit.Eventually(t, 20*time.Second, "two endpoints", func() error {
		slices, err := h.Kube.DiscoveryV1().EndpointSlices(system).List(kit.Context(t), metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=functionkey-webhook"})
		if err == nil && (len(slices.Items) != 1 || len(slices.Items[0].Endpoints) != 2) {
			err = fmt.Errorf("%v", slices.Items)
		}
		return err
	})
}

// writers asks the API server who has written what.
func (h *certManaged) writers(t *testing.T) {
	is := kit.Must[*admissionv1.MutatingWebhookConfiguration](t)(h.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(kit.Context(t), "functionkey-inject", metav1.GetOptions{}))
	for _, fields := range [][]metav1.ManagedFieldsEntry{h.secret(t).ManagedFields, is.ManagedFields} {
		for _, f := range fields {
			if strings.Contains(f.Manager, "functionkey") {
				t.Errorf("%s wrote %s", f.Manager, f.FieldsV1)
			}
		}
	}
}
