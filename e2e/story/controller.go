package story

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
)

// System is the namespace of the controller.
const System = "functionkey-system"

// Metrics reads the text format: values by name with labels.
func Metrics(text []byte) map[string]float64 {
	all := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil && name[0] != '#' {
			all[name] = n
		}
	}
	return all
}

// ControllerPods are all pods of the controller, also those that are going away.
func (w *World) ControllerPods(ctx context.Context) ([]corev1.Pod, error) {
	list, err := w.Kube.CoreV1().Pods(System).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// EndController kills the controller and lets none come back.
func (w *World) EndController(ctx context.Context) error {
	pods, err := w.ControllerPods(ctx)
	if err != nil {
		return err
	}
	if _, err := w.Kubectl(ctx, "-n", System, "scale", "deployment/functionkey-controller", "--replicas=0"); err != nil {
		return err
	}
	for _, p := range pods {
		_ = Kill(string(p.UID), "functionkey-controller")
	}
	return Until(ctx, 30*time.Second, "the controller is gone", func(ctx context.Context) error {
		left, err := w.ControllerPods(ctx)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%d pods", len(left))
		}
		return err
	})
}

// StartController brings the replicas back and waits for them.
func (w *World) StartController(ctx context.Context) error {
	if _, err := w.Kubectl(ctx, "-n", System, "scale", "deployment/functionkey-controller", "--replicas=2"); err != nil {
		return err
	}
	return w.ControllerRolled(ctx)
}

// ControllerRolled waits until the controller runs as it was last described.
func (w *World) ControllerRolled(ctx context.Context) error {
	_, err := w.Kubectl(ctx, "-n", System, "rollout", "status", "deployment/functionkey-controller", "--timeout=120s")
	return err
}

// ControllerMetrics are those of all replicas of the controller that stay and answer, added up.
func (w *World) ControllerMetrics(ctx context.Context) (map[string]float64, error) {
	pods, err := w.ControllerPods(ctx)
	if err != nil {
		return nil, err
	}
	sum, last := map[string]float64{}, errors.New("the controller has no pods")
	answered := false
	for _, p := range pods {
		if p.DeletionTimestamp != nil {
			continue
		}
		text, err := w.Kube.CoreV1().RESTClient().Get().Namespace(System).Resource("pods").Name(p.Name + ":9090").
			SubResource("proxy").Suffix("metrics").DoRaw(ctx)
		if err != nil {
			last = fmt.Errorf("metrics of %s: %w", p.Name, err)
			continue
		}
		answered = true
		for name, n := range Metrics(text) {
			sum[name] += n
		}
	}
	if !answered {
		return nil, last
	}
	return sum, nil
}

// Failovers says what the controller released Leases for between two readings of its metrics: by
// which evidence, and how many seconds it took, all together.
func Failovers(before, after map[string]float64) map[string]float64 {
	const metric = `functionkey_failover_duration_seconds_%s{path="`
	paths := map[string]float64{}
	for name, n := range after {
		if path, ok := strings.CutPrefix(name, fmt.Sprintf(metric, "count")); ok && n > before[name] {
			sum := fmt.Sprintf(metric, "sum") + path
			paths[strings.TrimSuffix(path, `"}`)] = after[sum] - before[sum]
		}
	}
	return paths
}

// Injects says why a pod that opts in would get no agent now. Policies and webhooks act about a
// second after they were made.
func (w *World) Injects(ctx context.Context) error {
	pod := kit.BarePod(w.NS, "probe")
	pod.Labels = map[string]string{"functionkey.dev/inject": "true"}
	made, err := w.Kube.CoreV1().Pods(w.NS).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil && len(made.Spec.InitContainers) == 0 {
		err = errors.New("the pod has no agent")
	}
	return err
}
