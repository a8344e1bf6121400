package node

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// TestWebhook: injection by the controller's webhook as users have it: behind its Service, with
// certificates that the controller made, through a restart of both replicas.
func TestWebhook(t *testing.T) {
	s := newShop(t, "hooked")
	s.deploy(t, "billing", 1)
	s.whole(t, "billing", 1)
	byPolicy := kit.Must[string](t)(s.Admitted(kit.Context(t), "billing"))
	t.Cleanup(func() {
		s.c.Kubectl(t, "delete", "--ignore-not-found", "mutatingwebhookconfiguration/functionkey-inject",
			"clusterrole/functionkey-webhook", "clusterrolebinding/functionkey-webhook")
		s.c.Kubectl(t, "apply", "-k", filepath.Join(root, "manifests/e2e"))
		s.c.Kubectl(t, "-n", story.System, "delete", "--ignore-not-found", "role/functionkey-webhook", "rolebinding/functionkey-webhook",
			"secret/functionkey-webhook", "service/functionkey-webhook", "pdb/functionkey-controller")
		must(t, s.ControllerRolled(context.Background()))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(t, injecting(ctx, s.World))
	})
	must(t, s.ByWebhook(context.Background()))
	if byWebhook := kit.Must[string](t)(s.Admitted(kit.Context(t), "billing")); byWebhook != byPolicy {
		t.Errorf("the webhook made another pod than the policy:\n%s\n---\n%s", byWebhook, byPolicy)
	}
	s.whole(t, "billing", 2)
	check := exec.Command(filepath.Join(root, "build/bin/kubectl-functionkey"), "check", "-n", s.NS)
	if out, err := check.CombinedOutput(); err != nil || !strings.Contains(string(out), "injection: by webhook") {
		t.Errorf("kubectl functionkey check: %v\n%s", err, out)
	}

	t.Run("both replicas are restarted", func(t *testing.T) {
		s.c.Kubectl(t, "-n", story.System, "rollout", "restart", "deployment/functionkey-controller")
		tries, failed := 0, 0
		until(t, 90*time.Second, "rolled", func(ctx context.Context) error {
			tries++
			if err := s.Injects(ctx); err != nil {
				failed++
				t.Logf("try %d: %v", tries, err)
			}
			d, err := s.Kube.AppsV1().Deployments(story.System).Get(ctx, "functionkey-controller", metav1.GetOptions{})
			if err != nil {
				return err
			}
			pods, err := s.ControllerPods(ctx)
			if err != nil {
				return err
			}
			if d.Status.ObservedGeneration < d.Generation || d.Status.UpdatedReplicas != 2 || d.Status.ReadyReplicas != 2 || len(pods) != 2 {
				return fmt.Errorf("%+v, %d pods", d.Status, len(pods))
			}
			return nil
		})
		measured("pods created through a restart of both webhook replicas", map[string]any{"tried": tries, "refused": failed})
		if failed > 0 {
			t.Errorf("%d of %d pods were refused", failed, tries)
		}
	})
	t.Run("with no replica, who opted in is refused", func(t *testing.T) {
		s.c.Kubectl(t, "-n", story.System, "scale", "deployment/functionkey-controller", "--replicas=0")
		// A replica serves until it is gone.
		until(t, 60*time.Second, "no replica", func(ctx context.Context) error {
			pods, err := s.ControllerPods(ctx)
			if err == nil && len(pods) > 0 {
				err = fmt.Errorf("%d pods", len(pods))
			}
			return err
		})
		kit.Refused(t, s.Injects(kit.Context(t)), "look at the pods of deployment functionkey-system/functionkey-controller")
		_, err := s.Kube.CoreV1().Pods(s.NS).Create(kit.Context(t), kit.BarePod(s.NS, "other"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		kit.Allowed(t, err)
	})
}
