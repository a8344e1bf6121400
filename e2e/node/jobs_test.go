package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// TestJobsEnd: what has an end ends, agent and all; and each container of it, init containers too, finds
// a key that can be used from its first moment on.
func TestJobsEnd(t *testing.T) {
	s := newShop(t, "jobs")
	ctx := kit.Context(t)
	agent := kit.Must[*corev1.PodTemplate](t)(s.Kube.CoreV1().PodTemplates(story.System).Get(ctx, "functionkey-agent", metav1.GetOptions{})).
		Template.Spec.InitContainers[0]
	// "probe ready" ends at once: with 0 only if the key can be opened.
	container := func(name string) corev1.Container {
		c := kit.BarePod(s.NS, name).Spec.Containers[0]
		c.Name, c.Image, c.ImagePullPolicy = name, agent.Image, agent.ImagePullPolicy
		c.Command = []string{"/usr/bin/functionkey-agent", "probe", "ready"}
		return c
	}
	job := func(policy corev1.RestartPolicy) batchv1.JobSpec {
		never := int32(0)
		return batchv1.JobSpec{BackoffLimit: &never, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{
				Labels:      map[string]string{"functionkey.dev/inject": "true"},
				Annotations: map[string]string{"functionkey.dev/containers": "prepare,work"},
			},
			Spec: corev1.PodSpec{RestartPolicy: policy, InitContainers: []corev1.Container{container("prepare")}, Containers: []corev1.Container{container("work")}},
		}}
	}
	jobs := s.Kube.BatchV1().Jobs(s.NS)
	for name, policy := range map[string]corev1.RestartPolicy{"never": corev1.RestartPolicyNever, "on-failure": corev1.RestartPolicyOnFailure} {
		kit.Must[*batchv1.Job](t)(jobs.Create(ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: job(policy)}, metav1.CreateOptions{}))
	}
	yes := true
	kit.Must[*batchv1.CronJob](t)(s.Kube.BatchV1().CronJobs(s.NS).Create(ctx, &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "nightly"},
		Spec: batchv1.CronJobSpec{Schedule: "0 3 * * *", Suspend: &yes, JobTemplate: batchv1.JobTemplateSpec{Spec: job(corev1.RestartPolicyNever)}}}, metav1.CreateOptions{}))
	_, err := s.Kubectl(ctx, "-n", s.NS, "create", "job", "--from=cronjob/nightly", "tonight")
	must(t, err)

	for _, name := range []string{"never", "on-failure", "tonight"} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			until(t, 60*time.Second, "the job ends", func(ctx context.Context) error {
				job, err := jobs.Get(ctx, name, metav1.GetOptions{})
				if err != nil {
					return err
				}
				for _, c := range job.Status.Conditions {
					if c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue {
						return final{fmt.Errorf("it failed: %s", c.Message)}
					}
					if c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue {
						return nil
					}
				}
				return fmt.Errorf("it runs: %+v", job.Status)
			})
			t.Logf("after %s", time.Since(began).Round(100*time.Millisecond))
			pods, err := s.Kube.CoreV1().Pods(s.NS).List(kit.Context(t), metav1.ListOptions{LabelSelector: "batch.kubernetes.io/job-name=" + name})
			must(t, err)
			if len(pods.Items) != 1 || pods.Items[0].Status.Phase != corev1.PodSucceeded || pods.Items[0].Spec.InitContainers[0].Name != "functionkey-agent" {
				t.Errorf("its pods: %+v", pods.Items)
			}
		})
	}
}
