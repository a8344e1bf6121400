// Load fills a cluster for measurements: ReplicaSets whose pods have the agent among their init
// containers. The cluster's own controllers make the pods; without a node none of them runs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

type load struct {
	kube            kubernetes.Interface
	namespace       string
	revisions, each int
}

func main() {
	var l load
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "the cluster")
	flag.StringVar(&l.namespace, "namespace", "bench", "made if it is not there")
	flag.IntVar(&l.revisions, "revisions", 500, "ReplicaSets")
	flag.IntVar(&l.each, "pods", 10, "of each ReplicaSet")
	wait := flag.Duration("wait", 5*time.Minute, "for the pods")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err == nil {
		config.QPS, config.Burst = 500, 500
		l.kube, err = kubernetes.NewForConfig(config)
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), *wait)
		defer cancel()
		err = l.fill(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func (l *load) fill(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   l.namespace,
		Labels: map[string]string{"functionkey.dev/inject": "enabled"},
	}}
	if _, err := l.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	for i := range l.revisions {
		set := l.replicaSet(i)
		if _, err := l.kube.AppsV1().ReplicaSets(l.namespace).Create(ctx, set, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("%s: %w", set.Name, err)
		}
	}
	return l.waitForPods(ctx)
}

// Counts by metadata alone: whole pods would be 60 MB a look.
func (l *load) waitForPods(ctx context.Context) error {
	for {
		sets, err := l.kube.AppsV1().ReplicaSets(l.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		made := 0
		for _, set := range sets.Items {
			made += int(set.Status.Replicas)
		}
		if made >= l.revisions*l.each {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d of %d pods: %w", made, l.revisions*l.each, ctx.Err())
		case <-time.After(time.Second):
		}
	}
}

func (l *load) replicaSet(i int) *appsv1.ReplicaSet {
	name := fmt.Sprintf("fn-%04d-6c9f7d5b8", i)
	replicas := int32(l.each)
	labels := map[string]string{
		"app.kubernetes.io/name":   fmt.Sprintf("fn-%04d", i),
		"functionkey.dev/inject":   "true",
		"functionkey.dev/revision": name,
		"functionkey.dev/function": fmt.Sprintf("fn-%04d", i),
		"pod-template-hash":        "6c9f7d5b8",
	}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: l.namespace, Labels: labels},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{
				"app.kubernetes.io/name": labels["app.kubernetes.io/name"],
				"pod-template-hash":      labels["pod-template-hash"],
			}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					InitContainers: []corev1.Container{container("functionkey-agent")},
					Containers:     []corev1.Container{container("function"), container("proxy")},
				},
			},
		},
	}
}

// About as much text as a pod of a service mesh has.
func container(name string) corev1.Container {
	c := corev1.Container{Name: name, Image: "example.org/" + name + ":1.2.3"}
	for i := range 24 {
		c.Env = append(c.Env, corev1.EnvVar{
			Name:  fmt.Sprintf("SETTING_NUMBER_%d", i),
			Value: fmt.Sprintf("a value of some length for %s, setting %d", name, i),
		})
	}
	return c
}
