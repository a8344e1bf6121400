package api

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"functionkey.dev/e2e/kit"
)

const system = "functionkey-system"

// hooked is a cluster with manifests/e2e-webhook, whose controllers run on this
// machine: the API server reaches them by the address of the link.
type hooked struct {
	*kit.Cluster
	host       string
	kubeconfig string
	started    int
}

// replica is one controller.
type replica struct {
	cmd              *exec.Cmd
	log              *lines
	webhook, metrics string // addresses
}

// lines is what a program writes, read while it does.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func kubectlApply(t *testing.T, c *kit.Cluster, overlay string) {
	t.Helper()
	c.Kubectl(t, "apply", "-k", filepath.Join(kit.Root(t), "manifests", overlay))
}

// withWebhook replaces the policy by the webhook, and puts it back at the end.
func withWebhook(t *testing.T) *hooked {
	t.Helper()
	h := &hooked{Cluster: installed(t)}
	h.host = setting(t, "HOST_ADDRESS")
	if byWebhook {
		dismiss()
		h.clear(t)
	} else {
		h.Kubectl(t, "delete", "--ignore-not-found", "mutatingadmissionpolicybinding/functionkey-inject", "mutatingadmissionpolicy/functionkey-inject",
			"validatingadmissionpolicybinding/functionkey-advice", "validatingadmissionpolicy/functionkey-advice")
	}
	t.Cleanup(func() {
		h.clear(t)
		must(t, install())
		if byWebhook {
			stand(t, h.Cluster)
		}
		h.injects(t, "what was installed is back")
	})
	kubectlApply(t, h.Cluster, "e2e-webhook")
	h.kubeconfig = h.asItself(t)
	return h
}

// clear takes away what the webhook's form has more than the policy's, and what controllers made.
func (h *hooked) clear(t *testing.T) {
	t.Helper()
	for _, what := range []string{"mutatingwebhookconfiguration/functionkey-inject", "clusterrole/functionkey-webhook", "clusterrolebinding/functionkey-webhook"} {
		h.Kubectl(t, "delete", "--ignore-not-found", what)
	}
	for _, what := range []string{"role/functionkey-webhook", "rolebinding/functionkey-webhook", "secret/functionkey-webhook", "service/functionkey-webhook", "pdb/functionkey-controller", "lease/functionkey-controller"} {
		h.Kubectl(t, "delete", "--ignore-not-found", "-n", system, what)
	}
}

// setting is a line of the cluster's settings.
func setting(t *testing.T, name string) string {
	t.Helper()
	raw := kit.Must[[]byte](t)(os.ReadFile(filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "settings")))
	found := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindSubmatch(raw)
	if found == nil {
		t.Fatalf("no %s in %s", name, raw)
	}
	return string(found[1])
}

// asItself is a kubeconfig with the controller's own token: its rights are part of the test.
func (h *hooked) asItself(t *testing.T) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: h.Config.Host, CertificateAuthorityData: h.Config.CAData, CertificateAuthority: h.Config.CAFile}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: h.Token(t, system, "functionkey-controller")}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, clientcmd.WriteToFile(*config, path))
	return path
}

func freePort(t *testing.T, host string) string {
	t.Helper()
	listener := kit.Must[net.Listener](t)(net.Listen("tcp", net.JoinHostPort(host, "0")))
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// start runs a controller until the test ends.
func (h *hooked) start(t *testing.T, args ...string) *replica {
	t.Helper()
	r := h.run(t, args...)
	t.Cleanup(func() {
		r.stop(syscall.SIGKILL)
		if t.Failed() {
			text := r.log.String()
			if len(text) > 6000 {
				text = text[len(text)-6000:]
			}
			t.Logf("controller:\n%s", text)
		}
	})
	return r
}

// run starts a controller.
func (h *hooked) run(t *testing.T, args ...string) *replica {
	t.Helper()
	h.started++
	r := &replica{log: &lines{}, webhook: freePort(t, h.host), metrics: freePort(t, "127.0.0.1")}
	args = append([]string{"--kubeconfig=" + h.kubeconfig, "--namespace=" + system, "--pod=" + fmt.Sprintf("controller-%d", h.started),
		"--pod-uid=3f9a1c07-1111-4222-8333-44445555666" + fmt.Sprint(h.started%10), "--address=" + r.metrics, "--webhook-address=" + r.webhook,
		"--webhook-names=" + h.host, "--lease-duration=4s", "--lease-renew-deadline=3s", "--lease-retry=1s", "--log-format=text"}, args...)
	r.cmd = exec.Command(filepath.Join(kit.Programs(t), "functionkey-controller"), args...)
	r.cmd.Stderr = r.log
	must(t, r.cmd.Start())
	return r
}

func (r *replica) stop(signal syscall.Signal) {
	if r.cmd.ProcessState == nil {
		_ = r.cmd.Process.Signal(signal)
		_ = r.cmd.Wait()
	}
}

// get asks one of the controller's faces.
func (r *replica) get(path string) (int, string) {
	answer, err := http.Get("http://" + r.metrics + path)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

func (r *replica) ready(t *testing.T) {
	t.Helper()
	kit.Eventually(t, 20*time.Second, "the controller is ready", func() error {
		if code, body := r.get("/readyz"); code != http.StatusOK {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
}

// metric is a value of /metrics; "" if it is not there.
func (r *replica) metric(series string) string {
	_, body := r.get("/metrics")
	for _, line := range strings.Split(body, "\n") {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return value
		}
	}
	return ""
}

// call makes the API server call this replica, by its address instead of the Service's.
func (h *hooked) call(t *testing.T, r *replica) {
	t.Helper()
	patch := fmt.Sprintf(`[{"op":"add","path":"/webhooks/0/clientConfig/url","value":"https://%s/inject"}]`, r.webhook)
	configurations := h.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations()
	is := kit.Must[*admissionv1.MutatingWebhookConfiguration](t)(configurations.Get(kit.Context(t), "functionkey-inject", metav1.GetOptions{}))
	if is.Webhooks[0].ClientConfig.Service != nil {
		patch = strings.Replace(patch, "[", `[{"op":"remove","path":"/webhooks/0/clientConfig/service"},`, 1)
	}
	kit.Must[*admissionv1.MutatingWebhookConfiguration](t)(configurations.Patch(kit.Context(t), "functionkey-inject", types.JSONPatchType, []byte(patch), metav1.PatchOptions{}))
}

// injects waits until a pod that opted in gets its agent.
func (h *hooked) injects(t *testing.T, what string) string {
	t.Helper()
	ns := opted(t, h.Cluster)
	kit.Eventually(t, 30*time.Second, what, func() error {
		pod, err := tryPod(t, h.Cluster, wants(ns, "single"))
		if err != nil {
			return err
		}
		return isInjected(pod)
	})
	return ns
}

// TestWebhook: the controller's webhook does what the policy does, also as a standby, with certificates that it makes
// itself; without it, pods that opted in are refused, and others are not.
func TestWebhook(t *testing.T) {
	h := withWebhook(t)
	first := h.start(t)
	first.ready(t)
	second := h.start(t)
	second.ready(t)
	h.call(t, first)
	ns := h.injects(t, "injected by the webhook")

	for _, row := range goldenPods(t, h.Cluster) {
		t.Run("golden "+row.name, func(t *testing.T) { row.check(t, h.Cluster) })
	}
	t.Run("workloads of real controllers", func(t *testing.T) { workloads(t, h.Cluster) })
	t.Run("who is injected", func(t *testing.T) { truthTable(t, h.Cluster) })
	t.Run("a thousand containers", func(t *testing.T) {
		kit.Allowed(t, isInjected(kit.Must[*corev1.Pod](t)(tryPod(t, h.Cluster, monster(ns)))))
	})
	t.Run("created, not only tried", func(t *testing.T) {
		pods := h.Kube.CoreV1().Pods(ns)
		pod := kit.Must[*corev1.Pod](t)(pods.Create(kit.Context(t), wants(ns, "stays"), metav1.CreateOptions{}))
		kit.Allowed(t, isInjected(pod))
	})
	t.Run("unknown annotations are warned of", func(t *testing.T) { warns(t, h.Cluster, ns) })
	t.Run("called again after another injector", func(t *testing.T) {
		needs(t, h.Cluster, 36, "no MutatingAdmissionPolicy v1 to play another injector")
		h.reinvoked(t, ns)
	})
	t.Run("a sink that comes late", func(t *testing.T) { lateSink(t, h.Cluster, ns) })
	t.Run("a pod of before is reported", func(t *testing.T) { h.watchdog(t, first, second) })
	t.Run("rights on four objects more", func(t *testing.T) { h.rights(t) })
	t.Run("metrics", func(t *testing.T) {
		for _, series := range []string{`functionkey_webhook_reviews_total{result="injected"}`, `functionkey_webhook_review_duration_seconds_count`,
			`functionkey_certificate_not_after_timestamp_seconds{certificate="serving"}`, `functionkey_certificate_not_after_timestamp_seconds{certificate="ca"}`} {
			if value := first.metric(series); value == "" || value == "0" {
				t.Errorf("%s is %q", series, value)
			}
		}
		t.Logf("measured: reviews: %s, seconds in all: %s", first.metric("functionkey_webhook_review_duration_seconds_count"),
			first.metric("functionkey_webhook_review_duration_seconds_sum"))
	})
	t.Run("the standby serves, too", func(t *testing.T) {
		h.call(t, second)
		kit.Eventually(t, 10*time.Second, "a review at the second replica", func() error {
			kit.Allowed(t, isInjected(kit.Must[*corev1.Pod](t)(tryPod(t, h.Cluster, wants(ns, "single")))))
			if second.metric(`functionkey_webhook_reviews_total{result="injected"}`) == "0" {
				return fmt.Errorf("none")
			}
			return nil
		})
	})
	t.Run("a replica that stops ends its connections with answers", func(t *testing.T) { h.drains(t, ns, second) })
	first.stop(syscall.SIGKILL)
	t.Run("with no controller, who opted in is refused", func(t *testing.T) {
		_, err := tryPod(t, h.Cluster, wants(ns, "single"))
		kit.Refused(t, err, "look at the pods of deployment functionkey-system/functionkey-controller, mutatingwebhookconfiguration functionkey-inject")
		if !apierrors.IsForbidden(err) {
			t.Errorf("%v", err)
		}
	})
	t.Run("and who did not starts", func(t *testing.T) {
		_, err := tryPod(t, h.Cluster, kit.BarePod(ns, "single"))
		kit.Allowed(t, err)
		_, err = tryPod(t, h.Cluster, wants(h.Namespace(t, "out"), "single"))
		kit.Allowed(t, err)
	})
}

// Another injector that puts a container first, once ours is there, is followed by ours.
func (h *hooked) reinvoked(t *testing.T, ns string) {
	const pusher = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: test-pusher}
spec:
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
    objectSelector: {matchLabels: {test: pushed}}
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        has(object.spec.initContainers) && object.spec.initContainers.size() == 1
        ? [JSONPatch{op: "add", path: "/spec/initContainers/0", value: Object.spec.initContainers{name: "pushed", image: "x",
          securityContext: object.spec.containers[0].securityContext}}]
        : [JSONPatch{op: "add", path: "/metadata/labels/called", value: "before"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: test-pusher}
spec: {policyName: test-pusher}
`
	if out, err := h.TryKubectl(t, pusher, "apply", "-f", "-"); err != nil {
		t.Fatal(out)
	}
	t.Cleanup(func() {
		h.Kubectl(t, "delete", "mutatingadmissionpolicybinding,mutatingadmissionpolicy", "test-pusher")
	})
	kit.Eventually(t, 20*time.Second, "agent, pushed", func() error {
		pod, err := tryPod(t, h.Cluster, wants(ns, "single", labelled("test=pushed")))
		if err != nil {
			return err
		}
		var names []string
		for _, container := range pod.Spec.InitContainers {
			names = append(names, container.Name)
		}
		if got := strings.Join(names, ", "); got != "functionkey-agent, pushed" {
			return fmt.Errorf("got %s", got)
		}
		return nil
	})
}

// A pod from before its namespace opted in is counted, and told of once on the pod.
func (h *hooked) watchdog(t *testing.T, replicas ...*replica) {
	early := h.Namespace(t, "early")
	pods := h.Kube.CoreV1().Pods(early)
	pod := kit.Must[*corev1.Pod](t)(pods.Create(kit.Context(t), wants(early, "single"), metav1.CreateOptions{}))
	pod.Status.Phase = corev1.PodRunning
	kit.Must[*corev1.Pod](t)(pods.UpdateStatus(kit.Context(t), pod, metav1.UpdateOptions{}))
	h.Kubectl(t, "label", "namespace", early, "functionkey.dev/inject=enabled")
	kit.Eventually(t, 40*time.Second, "counted and told", func() error {
		counted := ""
		for _, r := range replicas {
			counted += r.metric("functionkey_uninjected_pods") + " "
		}
		if !strings.Contains(counted, "1") {
			return fmt.Errorf("functionkey_uninjected_pods: %s", counted)
		}
		events, err := h.Kube.EventsV1().Events(early).List(kit.Context(t), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Reason == "AgentMissing" && event.Regarding.UID == pod.UID && event.Type == "Warning" {
				return nil
			}
		}
		return fmt.Errorf("no event AgentMissing among %d", len(events.Items))
	})
}

func (h *hooked) rights(t *testing.T) {
	const controller = "system:serviceaccount:functionkey-system:functionkey-controller"
	kit.Golden(t, "rights/controller-at-home-webhook.txt", rights(t, h.Cluster, asController(t, h.Cluster), system))
	for _, what := range []string{"patch secrets functionkey-webhook", "watch podtemplates functionkey-agent"} {
		if !may(t, h.Cluster, controller, system, what) {
			t.Errorf("may not %s", what)
		}
	}
	if !may(t, h.Cluster, controller, "", "patch mutatingwebhookconfigurations.admissionregistration.k8s.io functionkey-inject") {
		t.Error("may not tell API servers whom to trust")
	}
	for _, what := range []string{"get secrets", "list secrets", "create secrets", "patch secrets other", "update secrets functionkey-webhook", "delete secrets functionkey-webhook",
		"patch podtemplates functionkey-agent", "create mutatingwebhookconfigurations.admissionregistration.k8s.io",
		"patch mutatingwebhookconfigurations.admissionregistration.k8s.io other", "delete mutatingwebhookconfigurations.admissionregistration.k8s.io functionkey-inject"} {
		if may(t, h.Cluster, controller, system, what) {
			t.Errorf("may %s", what)
		}
	}
}

// While it drains, a replica still answers, and says goodbye with each answer.
func (h *hooked) drains(t *testing.T, ns string, r *replica) {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	_, err := tryPod(t, h.Cluster, wants(ns, "single"))
	kit.Allowed(t, err)
	begun := time.Now()
	_ = r.cmd.Wait()
	if r.cmd.ProcessState.ExitCode() != 0 || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %s", r.cmd.ProcessState, time.Since(begun))
	}
}

// TestWebhookCertificates: lives of seconds, so that all that is rotated is rotated here: serving certificates, and the
// authority, by its three steps. No review fails meanwhile.
func TestWebhookCertificates(t *testing.T) {
	h := withWebhook(t)
	r := h.start(t, "--webhook-ca-lifetime=28s", "--webhook-certificate-lifetime=7s")
	standby := h.start(t, "--webhook-ca-lifetime=28s", "--webhook-certificate-lifetime=7s")
	standby.ready(t)
	h.call(t, standby)
	ns := h.injects(t, "injected")
	tries := 0
	steps := []string{"made a certificate authority", "renewed the serving certificate", "announced the next certificate authority",
		"signed with the next certificate authority", "dropped the old certificate authority"}
	kit.Eventually(t, 90*time.Second, "a whole rotation", func() error {
		if _, err := tryPod(t, h.Cluster, wants(ns, "single")); err != nil {
			t.Errorf("a review failed: %v", err)
		}
		tries++
		for _, step := range steps {
			if !strings.Contains(r.log.String()+standby.log.String(), step) {
				return fmt.Errorf("not yet: %s", step)
			}
		}
		return nil
	})
	if n := strings.Count(standby.log.String(), "serving the webhook with a new certificate"); n < 4 {
		t.Errorf("the standby served %d certificates", n)
	}
	t.Logf("measured: %d reviews through a whole rotation, none failed", tries)

	t.Run("a bundle that somebody resets is written again", func(t *testing.T) {
		kit.Must[*admissionv1.MutatingWebhookConfiguration](t)(h.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Patch(kit.Context(t), "functionkey-inject",
			types.JSONPatchType, []byte(`[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`), metav1.PatchOptions{}))
		kit.Eventually(t, 20*time.Second, "written", func() error {
			is, err := h.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(kit.Context(t), "functionkey-inject", metav1.GetOptions{})
			if err == nil && len(is.Webhooks[0].ClientConfig.CABundle) == 0 {
				err = fmt.Errorf("no caBundle")
			}
			return err
		})
		h.injects(t, "injected again")
	})
	t.Run("a Secret that somebody empties is filled again", func(t *testing.T) {
		kit.Must[*corev1.Secret](t)(h.Kube.CoreV1().Secrets(system).Patch(kit.Context(t), "functionkey-webhook", types.MergePatchType, []byte(`{"data":null}`), metav1.PatchOptions{}))
		kit.Eventually(t, 20*time.Second, "filled", func() error {
			secret, err := h.Kube.CoreV1().Secrets(system).Get(kit.Context(t), "functionkey-webhook", metav1.GetOptions{})
			if err == nil && len(secret.Data["tls.key"]) == 0 {
				err = fmt.Errorf("empty")
			}
			return err
		})
		h.injects(t, "injected again")
	})
}

// TestGivenCertificates: as cert-manager does it: somebody else writes the Secret, of its own type, and the bundle; the
// controller writes neither, and serves what it finds.
func TestGivenCertificates(t *testing.T) {
	h := withWebhook(t)
	r := h.start(t, "--webhook-certificates=given")
	h.call(t, r)
	for i := 0; i < 2; i++ {
		cert := h.give(t)
		h.injects(t, fmt.Sprintf("injected with certificate %d", i))
		r.ready(t)
		is := kit.Must[*corev1.Secret](t)(h.Kube.CoreV1().Secrets(system).Get(kit.Context(t), "functionkey-webhook", metav1.GetOptions{}))
		if !bytes.Equal(is.Data["tls.crt"], cert) {
			t.Error("the controller wrote the Secret")
		}
	}
}

// give makes a certificate and gives it to controllers and API server, as cert-manager does: in a
// Secret of its own type, in place of ours.
func (h *hooked) give(t *testing.T) (cert []byte) {
	t.Helper()
	cert, key := selfSigned(t, h.host)
	secrets := h.Kube.CoreV1().Secrets(system)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "functionkey-webhook"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{"ca.crt": cert, "tls.crt": cert, "tls.key": key}}
	if is, err := secrets.Get(kit.Context(t), secret.Name, metav1.GetOptions{}); err == nil && is.Type == secret.Type {
		kit.Must[*corev1.Secret](t)(secrets.Update(kit.Context(t), secret, metav1.UpdateOptions{}))
	} else {
		h.Kubectl(t, "delete", "--ignore-not-found", "-n", system, "secret", secret.Name)
		kit.Must[*corev1.Secret](t)(secrets.Create(kit.Context(t), secret, metav1.CreateOptions{}))
	}
	patch := kit.JSON(t, []kit.Map{{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": cert}})
	kit.Must[*admissionv1.MutatingWebhookConfiguration](t)(h.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Patch(kit.Context(t), "functionkey-inject",
		types.JSONPatchType, patch, metav1.PatchOptions{}))
	return cert
}

func selfSigned(t *testing.T, host string) (cert, key []byte) {
	t.Helper()
	private := kit.Must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: fmt.Sprint("given ", time.Now().UnixNano())},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.ParseIP(host)}}
	der := kit.Must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private))
	raw := kit.Must[[]byte](t)(x509.MarshalPKCS8PrivateKey(private))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}
