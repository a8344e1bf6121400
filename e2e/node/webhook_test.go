package node

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
)

// TestWebhook: injection by the controller's webhook as users have it: behind its Service, with
// certificates that the controller made, through a restart of both replicas.
func TestWebhook(t *testing.T) {
	s := newShop(t, "hooked")
	install := func(overlay string) {
		s.c.Kubectl(t, "apply", "-k", filepath.Join(root, "manifests", overlay))
	}
	rolled := func() {
		s.c.Kubectl(t, "-n", system, "rollout", "status", "deployment/functionkey-controller", "--timeout=90s")
	}
	s.c.Kubectl(t, "delete", "mutatingadmissionpolicybinding/functionkey-inject", "mutatingadmissionpolicy/functionkey-inject",
		"validatingadmissionpolicybinding/functionkey-advice", "validatingadmissionpolicy/functionkey-advice")
	t.Cleanup(func() {
		s.c.Kubectl(t, "delete", "--ignore-not-found", "mutatingwebhookconfiguration/functionkey-inject",
			"clusterrole/functionkey-webhook", "clusterrolebinding/functionkey-webhook")
		install("e2e")
		s.c.Kubectl(t, "-n", system, "delete", "--ignore-not-found", "role/functionkey-webhook", "rolebinding/functionkey-webhook",
			"secret/functionkey-webhook", "service/functionkey-webhook", "pdb/functionkey-controller")
		rolled()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(t, injecting(ctx, s.World))
	})
	install("e2e-webhook")
	rolled()

	try := func(ctx context.Context) error {
		pod := kit.BarePod(s.NS, "probe")
		pod.Labels = map[string]string{"functionkey.dev/inject": "true"}
		made, err := s.Kube.CoreV1().Pods(s.NS).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil && len(made.Spec.InitContainers) == 0 {
			err = fmt.Errorf("the pod has no agent")
		}
		return err
	}
	until(t, 30*time.Second, "the webhook injects", try)
	s.deploy(t, "billing", 1)
	s.whole(t, "billing", 1)

	t.Run("both replicas are restarted", func(t *testing.T) {
		s.c.Kubectl(t, "-n", system, "rollout", "restart", "deployment/functionkey-controller")
		tries, failed := 0, 0
		until(t, 90*time.Second, "rolled", func(ctx context.Context) error {
			tries++
			if err := try(ctx); err != nil {
				failed++
				t.Logf("try %d: %v", tries, err)
			}
			d, err := s.Kube.AppsV1().Deployments(system).Get(ctx, "functionkey-controller", metav1.GetOptions{})
			if err != nil {
				return err
			}
			list, err := s.Kube.CoreV1().Pods(system).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
			if err != nil {
				return err
			}
			if d.Status.ObservedGeneration < d.Generation || d.Status.UpdatedReplicas != 2 || d.Status.ReadyReplicas != 2 || len(list.Items) != 2 {
				return fmt.Errorf("%+v, %d pods", d.Status, len(list.Items))
			}
			return nil
		})
		measured("pods created through a restart of both webhook replicas", map[string]any{"tried": tries, "refused": failed})
		if failed > 0 {
			t.Errorf("%d of %d pods were refused", failed, tries)
		}
	})
	t.Run("with no replica, who opted in is refused", func(t *testing.T) {
		s.c.Kubectl(t, "-n", system, "scale", "deployment/functionkey-controller", "--replicas=0")
		// A replica serves until it is gone.
		until(t, 60*time.Second, "no replica", func(ctx context.Context) error {
			list, err := s.Kube.CoreV1().Pods(system).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
			if err == nil && len(list.Items) > 0 {
				err = fmt.Errorf("%d pods", len(list.Items))
			}
			return err
		})
		kit.Refused(t, try(kit.Context(t)), "look at the pods of deployment functionkey-system/functionkey-controller")
		_, err := s.Kube.CoreV1().Pods(s.NS).Create(kit.Context(t), kit.BarePod(s.NS, "other"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		kit.Allowed(t, err)
	})
}
