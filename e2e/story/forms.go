package story

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Injectors are what may put agents into pods now, by kind and name.
func (w *World) Injectors(ctx context.Context) (string, error) {
	return w.Kubectl(ctx, "get", "mutatingadmissionpolicies,mutatingwebhookconfigurations",
		"-l", "app.kubernetes.io/part-of=functionkey", "-o", "name")
}

// ByWebhook has the controller inject in place of the policy: without a moment in which nobody does.
func (w *World) ByWebhook(ctx context.Context) error {
	if _, err := w.Kubectl(ctx, "apply", "-k", filepath.Join(w.Root, "manifests/e2e-webhook")); err != nil {
		return err
	}
	if err := w.ControllerRolled(ctx); err != nil {
		return err
	}
	for _, old := range [][]string{
		{"mutatingadmissionpolicybinding,mutatingadmissionpolicy", "functionkey-inject"},
		{"validatingadmissionpolicybinding,validatingadmissionpolicy", "functionkey-advice"},
	} {
		if _, err := w.Kubectl(ctx, append([]string{"delete"}, old...)...); err != nil {
			return err
		}
	}
	return w.reviewed(ctx)
}

// reviewed waits until the webhook alone injects.
func (w *World) reviewed(ctx context.Context) error {
	before, err := w.Reviews(ctx)
	if err != nil {
		return err
	}
	return Until(ctx, 30*time.Second, "the webhook injects", func(ctx context.Context) error {
		if err := w.Injects(ctx); err != nil {
			return err
		}
		after, err := w.Reviews(ctx)
		if err == nil && after <= before {
			err = fmt.Errorf("it was not asked")
		}
		return err
	})
}

// Reviews counts the pods that the webhook gave an agent.
func (w *World) Reviews(ctx context.Context) (float64, error) {
	m, err := w.ControllerMetrics(ctx)
	return m[`functionkey_webhook_reviews_total{result="injected"}`], err
}

// Admitted is what the next pod of a Deployment would be, as YAML: the API server is asked, and
// nothing is made.
func (w *World) Admitted(ctx context.Context, app string) (string, error) {
	pods, err := w.Pods(ctx, app)
	if err != nil {
		return "", err
	}
	if len(pods) == 0 || len(pods[0].OwnerReferences) == 0 {
		return "", fmt.Errorf("%s has no pods of a ReplicaSet", app)
	}
	set, err := w.Kube.AppsV1().ReplicaSets(w.NS).Get(ctx, pods[0].OwnerReferences[0].Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	pod := &corev1.Pod{ObjectMeta: set.Spec.Template.ObjectMeta, Spec: set.Spec.Template.Spec}
	pod.Name, pod.OwnerReferences = set.Name+"-next", pods[0].OwnerReferences
	pod, err = w.Kube.CoreV1().Pods(w.NS).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return "", err
	}
	// What the API server makes up for each object.
	pod.UID, pod.CreationTimestamp, pod.ManagedFields = "", metav1.Time{}, nil
	text, err := yaml.Marshal(pod)
	return string(text), err
}
