package api

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
)

// Older API servers have no MutatingAdmissionPolicy v1. There manifests/e2e-webhook is installed, and
// the same tests run with a controller that serves the webhook and does nothing else.

var (
	byWebhook bool     // what install found
	standby   *replica // serves while no test has controllers of its own
)

// administrator runs kubectl before there is a test.
func administrator(args ...string) (string, error) {
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" {
		return "", fmt.Errorf("KUBECONFIG is not set: hack/cluster/up --mode control-plane, then export what it prints")
	}
	state := filepath.Dir(kubeconfig)
	cmd := exec.Command(filepath.Join("..", "..", "hack", "cluster", "kubectl"), args...)
	cmd.Env = append(os.Environ(), "FK_STATE="+filepath.Dir(state), "FK_CLUSTER="+filepath.Base(state))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// install installs what users install, but for the images, in the form that this API server can have.
func install() error {
	served, err := administrator("get", "--raw", "/apis/admissionregistration.k8s.io/v1")
	if err != nil {
		return err
	}
	overlay := "e2e"
	if byWebhook = !strings.Contains(served, `"mutatingadmissionpolicies"`); byWebhook {
		overlay = "e2e-webhook"
		// of a run before this one: kubectl cannot put back what the standby changed
		for _, what := range []string{"mutatingwebhookconfiguration/functionkey-inject", "secret/functionkey-webhook"} {
			if _, err := administrator("delete", "--ignore-not-found", "-n", system, what); err != nil {
				return err
			}
		}
	}
	_, err = administrator("apply", "-k", filepath.Join("..", "..", "manifests", overlay))
	return err
}

// stand has the standby serve. It stays one because somebody else holds the controllers' Lease.
func stand(t *testing.T, c *kit.Cluster) {
	t.Helper()
	h := &hooked{Cluster: c, host: setting(t, "HOST_ADDRESS")}
	holder, seconds, now := "nobody", int32(24*3600), metav1.NowMicro()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "functionkey-controller"},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now}}
	c.Kubectl(t, "delete", "--ignore-not-found", "-n", system, "lease/functionkey-controller")
	kit.Must[*coordinationv1.Lease](t)(c.Kube.CoordinationV1().Leases(system).Create(kit.Context(t), lease, metav1.CreateOptions{}))
	if standby == nil {
		h.kubeconfig = h.asItself(t)
		standby = h.run(t, "--webhook-certificates=given")
	}
	h.give(t)
	h.call(t, standby)
	h.injects(t, "the standby serves")
}

func dismiss() {
	if standby != nil {
		standby.stop(syscall.SIGKILL)
		standby = nil
	}
}

// needs skips a test on an older Kubernetes, and says why.
func needs(t *testing.T, c *kit.Cluster, minor int, why string) {
	t.Helper()
	version, err := c.Kube.Discovery().ServerVersion()
	must(t, err)
	have, err := strconv.Atoi(strings.TrimRight(version.Minor, "+"))
	must(t, err)
	if have < minor {
		t.Skipf("Kubernetes 1.%d: %s", have, why)
	}
}

// TestPoliciesCompile: the API server's own type checker finds nothing in any of our policies.
func TestPoliciesCompile(t *testing.T) {
	c := installed(t)
	kit.Eventually(t, 60*time.Second, "all are checked", func() error {
		list, err := c.Kube.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(kit.Context(t), metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of=functionkey"})
		if err != nil || len(list.Items) < 8 {
			return fmt.Errorf("%d policies: %v", len(list.Items), err)
		}
		for _, policy := range list.Items {
			if policy.Status.ObservedGeneration != policy.Generation || policy.Status.TypeChecking == nil {
				return fmt.Errorf("%s is not checked yet", policy.Name)
			}
			for _, warning := range policy.Status.TypeChecking.ExpressionWarnings {
				t.Errorf("%s: %s: %s", policy.Name, warning.FieldRef, warning.Warning)
			}
		}
		return nil
	})
}
