package api

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"functionkey.dev/e2e/kit"
)

// TestEvictUninjected: where it is asked for, pods from before their namespace opted in are evicted one at a
// time, their owner's new ones have the agent, and neither a bare pod nor one with a budget is touched.
func TestEvictUninjected(t *testing.T) {
	c := installed(t)
	ns := c.Namespace(t, "evict")
	role := filepath.Join(kit.Root(t), "manifests", "components", "evict", "rbac.yaml")
	pods := c.Kube.CoreV1().Pods(ns)
	runs := func(pod *corev1.Pod) {
		pod.Status.Phase = corev1.PodRunning
		kit.Must[*corev1.Pod](t)(pods.UpdateStatus(kit.Context(t), pod, metav1.UpdateOptions{}))
	}
	list := func(selector string) []corev1.Pod {
		return kit.Must[*corev1.PodList](t)(pods.List(kit.Context(t), metav1.ListOptions{LabelSelector: selector})).Items
	}
	bare := kit.Must[*corev1.Pod](t)(pods.Create(kit.Context(t), wants(ns, "bare"), metav1.CreateOptions{}))
	runs(bare)
	for app, n := range map[string]int32{"two": 2, "kept": 1} {
		labels := map[string]string{"app": app, "functionkey.dev/inject": "true"}
		template := wants(ns, app)
		kit.Must[*appsv1.ReplicaSet](t)(c.Kube.AppsV1().ReplicaSets(ns).Create(kit.Context(t), &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Name: app},
			Spec: appsv1.ReplicaSetSpec{Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: template.Spec}}}, metav1.CreateOptions{}))
		kit.Eventually(t, 20*time.Second, "pods of "+app, func() error {
			if got := len(list("app=" + app)); got != int(n) {
				return fmt.Errorf("%d", got)
			}
			return nil
		})
		for _, pod := range list("app=" + app) {
			runs(&pod)
		}
	}
	all := intstr.FromString("100%")
	kit.Must[*policyv1.PodDisruptionBudget](t)(c.Kube.PolicyV1().PodDisruptionBudgets(ns).Create(kit.Context(t), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "kept"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &all, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "kept"}}}}, metav1.CreateOptions{}))
	kept := list("app=kept")[0].UID
	c.Kubectl(t, "label", "namespace", ns, "functionkey.dev/inject=enabled")
	c.Kubectl(t, "apply", "-f", role)
	t.Cleanup(func() { c.Kubectl(t, "delete", "-f", role) })

	overlay := t.TempDir()
	manifests := kit.Must[string](t)(filepath.Rel(overlay, filepath.Join(kit.Root(t), "manifests")))
	must(t, os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), fmt.Appendf(nil,
		"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [%s/webhook]\ncomponents: [%[1]s/components/evict]\n", manifests), 0o600))
	if out := c.Kubectl(t, "kustomize", overlay); !regexp.MustCompile(`name: FUNCTIONKEY_EVICT_UNINJECTED\n +value: 1m\n`).MatchString(out) {
		t.Error("the component does not ask for evictions")
	}

	startController(t, c, "--evict-uninjected=10s")
	var last time.Time
	left := 2
	kit.Eventually(t, 90*time.Second, "both pods have their agent", func() error {
		lacking := 0
		for _, pod := range list("app=two") {
			if len(pod.Spec.InitContainers) == 0 {
				lacking++
			}
		}
		if lacking < left {
			if left-lacking > 1 || time.Since(last) < 8*time.Second {
				t.Fatalf("%d pods were evicted within %s", left-lacking, time.Since(last))
			}
			left, last = lacking, time.Now()
		}
		if got := len(list("app=two")); lacking > 0 || got != 2 {
			return fmt.Errorf("%d of %d lack it", lacking, got)
		}
		return nil
	})
	if got := list("app=kept"); len(got) != 1 || got[0].UID != kept {
		t.Errorf("the pod with a budget: %v", got)
	}
	if got := kit.Must[*corev1.Pod](t)(pods.Get(kit.Context(t), bare.Name, metav1.GetOptions{})); got.UID != bare.UID || got.DeletionTimestamp != nil {
		t.Error("the bare pod was evicted")
	}
}
