package api

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"functionkey.dev/e2e/kit"
)

const ownerUID = types.UID("3f9a1c07-1111-4222-8333-444455556666")

// opted is a namespace that opted in, at PodSecurity's level "restricted".
func opted(t *testing.T, c *kit.Cluster) string {
	t.Helper()
	return c.Namespace(t, "inject", "functionkey.dev/inject=enabled", "pod-security.kubernetes.io/enforce=restricted")
}

// wants is a pod that opted in.
func wants(ns, name string, edit ...func(pod *corev1.Pod)) *corev1.Pod {
	pod := kit.BarePod(ns, name)
	pod.Labels = map[string]string{"functionkey.dev/inject": "true"}
	for _, e := range edit {
		e(pod)
	}
	return pod
}

func ownedBy(apiVersion, kind, name string) func(pod *corev1.Pod) {
	yes := true
	return func(pod *corev1.Pod) {
		pod.OwnerReferences = append(pod.OwnerReferences, metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: ownerUID, Controller: &yes})
	}
}

func labelled(labels ...string) func(pod *corev1.Pod) {
	return func(pod *corev1.Pod) {
		for _, label := range labels {
			key, value, _ := strings.Cut(label, "=")
			pod.Labels[key] = value
		}
	}
}

func noted(notes ...string) func(pod *corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Annotations = map[string]string{}
		for _, note := range notes {
			key, value, _ := strings.Cut(note, "=")
			pod.Annotations[key] = value
		}
	}
}

// generated pods have no name when they are admitted.
func generated(pod *corev1.Pod) { pod.GenerateName, pod.Name = pod.Name, "" }

func another(name string) corev1.Container {
	container := *kit.BarePod("", "").Spec.Containers[0].DeepCopy()
	container.Name = name
	return container
}

func tryPod(t *testing.T, c *kit.Cluster, pod *corev1.Pod) (*corev1.Pod, error) {
	t.Helper()
	return c.Kube.CoreV1().Pods(pod.Namespace).Create(kit.Context(t), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// What pods of all kinds look like after admission, whichever form of the injection is installed.
type goldenPod struct {
	name string
	pod  *corev1.Pod
}

func goldenPods(t *testing.T, c *kit.Cluster) []goldenPod {
	t.Helper()
	ns := opted(t, c)
	free := c.Namespace(t, "inject", "functionkey.dev/inject=enabled") // without a PodSecurity level
	long58 := strings.Repeat("abcdefghij", 5) + "abcdefgh"
	return []goldenPod{
		{"bare", wants(ns, "single")},
		{"bare-with-a-dot", wants(ns, "single.pod")},
		{"deployment", wants(ns, "orders-6c9f7d5b8-", generated, ownedBy("apps/v1", "ReplicaSet", "orders-6c9f7d5b8"), labelled("pod-template-hash=6c9f7d5b8", "app=orders"))},
		{"deployment-long-name", wants(ns, long58, generated, ownedBy("apps/v1", "ReplicaSet", long58+"-6c9f7d5b89"), labelled("pod-template-hash=6c9f7d5b89"))},
		{"deployment-own-revision", wants(ns, "orders-6c9f7d5b8-", generated, ownedBy("apps/v1", "ReplicaSet", "orders-6c9f7d5b8"), labelled("pod-template-hash=6c9f7d5b8", "functionkey.dev/revision=orders", "functionkey.dev/function=shop-orders"))},
		{"deployment-foreign-revision", wants(ns, "orders-6c9f7d5b8-", generated, ownedBy("apps/v1", "ReplicaSet", "orders-6c9f7d5b8"), labelled("pod-template-hash=6c9f7d5b8", "functionkey.dev/revision=billing"))},
		{"statefulset", wants(ns, "web-0", ownedBy("apps/v1", "StatefulSet", "web"), labelled("controller-revision-hash=web-5d8f7c9b6f"))},
		{"statefulset-long-name", wants(ns, long58[:50]+"-0", ownedBy("apps/v1", "StatefulSet", long58[:50]), labelled("controller-revision-hash="+long58[:50]+"-5d8f7c9b6f"))},
		{"daemonset", wants(ns, "logs-", generated, ownedBy("apps/v1", "DaemonSet", "logs"), labelled("controller-revision-hash=77b5c9d4f"))},
		{"job", wants(ns, "once-", generated, ownedBy("batch/v1", "Job", "once"), labelled("batch.kubernetes.io/job-name=once"))},
		{"cronjob", wants(ns, "nightly-29384756-", generated, ownedBy("batch/v1", "Job", "nightly-29384756"), labelled("batch.kubernetes.io/job-name=nightly-29384756"),
			func(pod *corev1.Pod) { pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure })},
		{"restart-never", wants(ns, "once", func(pod *corev1.Pod) { pod.Spec.RestartPolicy = corev1.RestartPolicyNever })},
		{"host-network", wants(free, "node-agent", func(pod *corev1.Pod) { pod.Spec.HostNetwork = true })},
		{"knative", wants(ns, "hello-00001-deployment-5d8f7c9b6f-", generated, ownedBy("apps/v1", "ReplicaSet", "hello-00001-deployment-5d8f7c9b6f"),
			labelled("pod-template-hash=5d8f7c9b6f", "serving.knative.dev/revision=hello-00001", "serving.knative.dev/service=hello"))},
		{"bare-generated", wants(ns, "worker-", generated)},
		{"bare-foreign-revision", wants(ns, "single", labelled("functionkey.dev/revision=billing"))},
		{"own-env-volumes-and-init-containers", wants(ns, "orders-6c9f7d5b8-", generated, ownedBy("apps/v1", "ReplicaSet", "orders-6c9f7d5b8"), labelled("pod-template-hash=6c9f7d5b8"), noted("functionkey.dev/next=billing"),
			func(pod *corev1.Pod) {
				app := &pod.Spec.Containers[0]
				app.Env = []corev1.EnvVar{{Name: "FUNCTIONKEY_NEXT", Value: "mine"}, {Name: "FUNCTIONKEY_URL", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}, {Name: "A", Value: "b"}}
				app.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
				pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
				pod.Spec.InitContainers = []corev1.Container{another("prepare")}
			})},
		{"two-containers-one-named", wants(ns, "single", noted("functionkey.dev/containers=app, prepare", "functionkey.dev/next=billing"), func(pod *corev1.Pod) {
			pod.Spec.Containers = append(pod.Spec.Containers, another("proxy"))
			pod.Spec.InitContainers = []corev1.Container{another("prepare"), another("other")}
		})},
		{"two-containers", wants(ns, "single", func(pod *corev1.Pod) {
			pod.Spec.Containers = append(pod.Spec.Containers, another("proxy"))
		})},
		{"a-mount-where-ours-goes", wants(ns, "single", func(pod *corev1.Pod) {
			pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/run/functionkey"}}
			pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		})},
	}
}

func (row *goldenPod) check(t *testing.T, c *kit.Cluster) {
	t.Helper()
	pod, err := tryPod(t, c, row.pod)
	if err != nil {
		t.Fatal(err)
	}
	if row.name != "bare" { // one shows the whole agent
		shorten(&pod.Spec.InitContainers[0])
	}
	kit.Golden(t, filepath.Join("pods", row.name+".yaml"), golden(t, pod, row.pod.Namespace))
}

func TestGoldenPods(t *testing.T) {
	c := installed(t)
	for _, row := range goldenPods(t, c) {
		t.Run(row.name, func(t *testing.T) { row.check(t, c) })
	}
}

// shorten leaves of the agent what differs from pod to pod; that the rest is as
// in the PodTemplate is what TestFinalState is about.
func shorten(agent *corev1.Container) {
	var env []corev1.EnvVar
	for _, e := range agent.Env {
		if strings.HasPrefix(e.Name, "FUNCTIONKEY_") && e.ValueFrom == nil {
			env = append(env, e)
		}
	}
	*agent = corev1.Container{Name: agent.Name, Env: env}
}

// golden is a pod without what changes from run to run, and without what the
// API server fills in everywhere.
func golden(t *testing.T, pod *corev1.Pod, ns string) string {
	t.Helper()
	pod = pod.DeepCopy()
	pod.UID, pod.ResourceVersion, pod.ManagedFields, pod.CreationTimestamp, pod.Status, pod.Generation = "", "", nil, metav1.Time{}, corev1.PodStatus{}, 0
	pod.Namespace = "NAMESPACE"
	if pod.GenerateName != "" {
		pod.Name = ""
	}
	spec := &pod.Spec
	var volumes []corev1.Volume
	for _, volume := range spec.Volumes {
		if !strings.HasPrefix(volume.Name, "kube-api-access-") {
			volumes = append(volumes, volume)
		}
	}
	kept := corev1.PodSpec{InitContainers: spec.InitContainers, Containers: spec.Containers, Volumes: volumes, HostNetwork: spec.HostNetwork}
	if spec.RestartPolicy != corev1.RestartPolicyAlways {
		kept.RestartPolicy = spec.RestartPolicy
	}
	*spec = kept
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			tidy(&list[i])
		}
	}
	var tree kit.Map
	must(t, json.Unmarshal(kit.JSON(t, pod), &tree))
	delete(tree, "status")
	raw := kit.Must[[]byte](t)(yaml.Marshal(tree))
	return strings.ReplaceAll(string(raw), ns, "NAMESPACE")
}

func tidy(c *corev1.Container) {
	c.TerminationMessagePath, c.TerminationMessagePolicy = "", ""
	var mounts []corev1.VolumeMount
	for _, mount := range c.VolumeMounts {
		if strings.HasPrefix(mount.Name, "kube-api-access-") {
			mount.Name = "kube-api-access"
		}
		mounts = append(mounts, mount)
	}
	c.VolumeMounts = mounts
}

// The rows that crds/names_test.c gives to C: one rule, written down twice.
func TestRevisionKeys(t *testing.T) {
	c := installed(t)
	ns := opted(t, c)
	raw := kit.Must[[]byte](t)(os.ReadFile(filepath.Join(kit.Root(t), "crds", "testdata", "revisions.tsv")))
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		name, want, _ := strings.Cut(line, "\t")
		t.Run(name, func(t *testing.T) {
			pod, err := tryPod(t, c, wants(ns, "some-", generated, ownedBy("apps/v1", "ReplicaSet", name)))
			if err != nil {
				t.Fatal(err)
			}
			if got := pod.Labels["functionkey.dev/revision"]; got != want {
				t.Errorf("revision %s, want %s", got, want)
			}
		})
	}
}

// What is not to be injected is left as it is: the table of docs/injection.md.
func TestOptedOut(t *testing.T) { leavesOthers(t, installed(t)) }

func leavesOthers(t *testing.T, c *kit.Cluster) {
	t.Helper()
	ns, out, other := opted(t, c), c.Namespace(t, "out", "pod-security.kubernetes.io/enforce=restricted"), c.Namespace(t, "out", "functionkey.dev/inject=true")
	for _, of := range []string{"kube-system", "functionkey-system"} {
		c.Kubectl(t, "label", "namespace", of, "functionkey.dev/inject=enabled")
		t.Cleanup(func() { c.Kubectl(t, "label", "namespace", of, "functionkey.dev/inject-") })
	}
	rows := []struct {
		name string
		pod  *corev1.Pod
	}{
		{"no label on the pod", kit.BarePod(ns, "single")},
		{"false on the pod", wants(ns, "single", labelled("functionkey.dev/inject=false"))},
		{"nonsense on the pod", wants(ns, "single", labelled("functionkey.dev/inject=yes"))},
		{"an annotation on the pod", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "single", Namespace: ns, Annotations: map[string]string{"functionkey.dev/inject": "true"}}, Spec: kit.BarePod(ns, "").Spec}},
		{"namespace that did not opt in", wants(out, "single")},
		{"nonsense on the namespace", wants(other, "single")},
		{"a namespace of the cluster", wants("kube-system", "single")},
		{"our own namespace", wants("functionkey-system", "single")},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			pod, err := tryPod(t, c, row.pod)
			if err != nil {
				t.Fatal(err)
			}
			if len(pod.Spec.InitContainers) != 0 || pod.Labels["functionkey.dev/revision"] != "" {
				t.Errorf("injected: %v", pod.Spec.InitContainers)
			}
		})
	}
}

// heard is what an API server warned of.
type heard struct {
	mu    sync.Mutex
	texts []string
}

func (h *heard) HandleWarningHeader(_ int, _ string, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.texts = append(h.texts, text)
}

func warns(t *testing.T, c *kit.Cluster, ns string) {
	t.Helper()
	rows := []struct {
		note string
		want int
	}{
		{"functionkey.dev/contaners=app", 1},
		{"functionkey.dev/inject=true", 1},
		{"functionkey.dev/containers=app", 0},
		{"functionkey.dev/next=billing", 0},
		{"example.org/contaners=app", 0},
	}
	for _, row := range rows {
		listener := &heard{}
		config := *c.Config
		config.WarningHandler = listener
		client := kit.Cluster{Config: &config, Kube: kit.Must[*kubernetes.Clientset](t)(kubernetes.NewForConfig(&config))}
		_, err := tryPod(t, &client, wants(ns, "single", noted(row.note)))
		kit.Allowed(t, err)
		key, _, _ := strings.Cut(row.note, "=")
		if got := strings.Join(listener.texts, "\n"); strings.Count(got, "annotation "+key+" is unknown and has no effect") != row.want {
			t.Errorf("%s: warnings %q", row.note, got)
		}
	}
}

func TestUnknownAnnotations(t *testing.T) {
	c := installed(t)
	warns(t, c, opted(t, c))
}

// What users create gets through: real workloads, made by real controllers.
func TestWorkloads(t *testing.T) { workloads(t, installed(t)) }

func workloads(t *testing.T, c *kit.Cluster) {
	t.Helper()
	ns := opted(t, c)
	ctx := kit.Context(t)
	template := func(app string) corev1.PodTemplateSpec {
		pod := wants(ns, "", labelled("app="+app))
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}
	}
	selector := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	one := int32(1)
	long := strings.Repeat("abcdefghij", 5) + "abcdefgh"
	apps, batch := c.Kube.AppsV1(), c.Kube.BatchV1()
	for _, name := range []string{"orders", long} {
		app := name[:6]
		kit.Must[*appsv1.Deployment](t)(apps.Deployments(ns).Create(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: appsv1.DeploymentSpec{Replicas: &one, Selector: selector(app), Template: template(app)}}, metav1.CreateOptions{}))
	}
	kit.Must[*appsv1.StatefulSet](t)(apps.StatefulSets(ns).Create(ctx, &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.StatefulSetSpec{Replicas: &one, Selector: selector("web"), Template: template("web")}}, metav1.CreateOptions{}))
	job := template("job")
	job.Spec.RestartPolicy = corev1.RestartPolicyNever
	kit.Must[*batchv1.Job](t)(batch.Jobs(ns).Create(ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "once"}, Spec: batchv1.JobSpec{Template: job}}, metav1.CreateOptions{}))
	nightly, suspended := template("nightly"), true
	nightly.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	kit.Must[*batchv1.CronJob](t)(batch.CronJobs(ns).Create(ctx, &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "nightly"}, Spec: batchv1.CronJobSpec{
		Schedule: "0 3 * * *", Suspend: &suspended, JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: nightly}}}}, metav1.CreateOptions{}))
	c.Kubectl(t, "-n", ns, "create", "job", "--from=cronjob/nightly", "tonight")

	kit.Eventually(t, 40*time.Second, "five injected pods", func() error {
		pods, err := c.Kube.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, pod := range pods.Items {
			if len(pod.Spec.InitContainers) != 1 || pod.Spec.InitContainers[0].Name != "functionkey-agent" {
				return fmt.Errorf("%s is not injected", pod.Name)
			}
			key, owner := pod.Labels["functionkey.dev/revision"], pod.OwnerReferences[0].Name
			if pod.Labels["app"] == "orders" && key != owner {
				return fmt.Errorf("%s: revision %s, owner %s", pod.Name, key, owner)
			}
			seen[pod.Labels["app"]] = key != ""
		}
		if len(seen) != 5 {
			return fmt.Errorf("only %v", seen)
		}
		return nil
	})
}

// The final state: whatever else mutates pods, the agent is first and ours.
func TestFinalState(t *testing.T) {
	c := installed(t)
	ns := opted(t, c)
	good, err := tryPod(t, c, wants(ns, "single"))
	must(t, err)
	good.UID, good.ResourceVersion, good.ManagedFields, good.Status = "", "", nil, corev1.PodStatus{}
	// a pod that says that it was injected already, and is not as it should be
	altered := func(edit func(pod *corev1.Pod, agent *corev1.Container)) *corev1.Pod {
		pod := good.DeepCopy()
		edit(pod, &pod.Spec.InitContainers[0])
		return pod
	}
	yes, agentUser, root := true, int64(64123), int64(0)
	rows := []struct {
		name string
		pod  *corev1.Pod
		says string
	}{
		{"unaltered", altered(func(*corev1.Pod, *corev1.Container) {}), ""},
		{"smaller resources", altered(func(_ *corev1.Pod, agent *corev1.Container) { agent.Resources = corev1.ResourceRequirements{} }), ""},
		{"agent moved to second place is moved back", altered(func(pod *corev1.Pod, _ *corev1.Container) {
			pod.Spec.InitContainers = []corev1.Container{another("prepare"), pod.Spec.InitContainers[0]}
		}), ""},
		{"another image", altered(func(_ *corev1.Pod, agent *corev1.Container) { agent.Image = "registry.invalid/agent:1" }), "image, command"},
		{"another command", altered(func(_ *corev1.Pod, agent *corev1.Container) { agent.Command = []string{"/bin/sh"} }), "image, command"},
		{"arguments", altered(func(_ *corev1.Pod, agent *corev1.Container) { agent.Args = []string{"--lie"} }), "image, command"},
		{"not a sidecar", altered(func(_ *corev1.Pod, agent *corev1.Container) {
			agent.RestartPolicy, agent.ReadinessProbe, agent.StartupProbe, agent.Lifecycle = nil, nil, nil, nil
		}), "restartPolicy"},
		{"no drain", altered(func(_ *corev1.Pod, agent *corev1.Container) { agent.Lifecycle = nil }), "lifecycle"},
		{"environment from a ConfigMap", altered(func(_ *corev1.Pod, agent *corev1.Container) {
			agent.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "x"}}}}
		}), "image, command"},
		{"more environment", altered(func(_ *corev1.Pod, agent *corev1.Container) {
			agent.Env = append(agent.Env, corev1.EnvVar{Name: "LD_PRELOAD", Value: "/x.so"})
		}), "environment was altered"},
		{"another pod's name", altered(func(_ *corev1.Pod, agent *corev1.Container) {
			agent.Env[0] = corev1.EnvVar{Name: "POD_NAME", Value: "other"}
		}), "environment was altered"},
		{"another revision", altered(func(_ *corev1.Pod, agent *corev1.Container) {
			for i := range agent.Env {
				if agent.Env[i].Name == "FUNCTIONKEY_REVISION" {
					agent.Env[i].Value = "billing"
				}
			}
		}), "is not the revision that the agent was given"},
		{"another revision in the label", altered(func(pod *corev1.Pod, _ *corev1.Container) { pod.Labels["functionkey.dev/revision"] = "billing" }), "is not the revision that the agent was given"},
		{"another user", altered(func(_ *corev1.Pod, agent *corev1.Container) { one := int64(1); agent.SecurityContext.RunAsUser = &one }), "securityContext"},
		{"a writable root", altered(func(_ *corev1.Pod, agent *corev1.Container) { agent.SecurityContext.ReadOnlyRootFilesystem = nil }), "securityContext"},
		{"no socket volume", altered(func(_ *corev1.Pod, agent *corev1.Container) { agent.VolumeMounts = agent.VolumeMounts[1:] }), "agent's volumes"},
		{"a socket volume on disk", altered(func(pod *corev1.Pod, _ *corev1.Container) {
			for i := range pod.Spec.Volumes {
				if pod.Spec.Volumes[i].Name == "functionkey" {
					pod.Spec.Volumes[i].EmptyDir = &corev1.EmptyDirVolumeSource{}
				}
			}
		}), "agent's volumes"},
		{"a token for a year", altered(func(pod *corev1.Pod, _ *corev1.Container) {
			year := int64(3607)
			for i := range pod.Spec.Volumes {
				if pod.Spec.Volumes[i].Name == "functionkey-token" {
					pod.Spec.Volumes[i].Projected.Sources[0].ServiceAccountToken.ExpirationSeconds = &year
				}
			}
		}), "agent's volumes"},
		{"a writable socket folder in the function", altered(func(pod *corev1.Pod, _ *corev1.Container) {
			for i := range pod.Spec.Containers[0].VolumeMounts {
				pod.Spec.Containers[0].VolumeMounts[i].ReadOnly = false
			}
		}), "read-only"},
		{"the agent's token in the function", altered(func(pod *corev1.Pod, _ *corev1.Container) {
			pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "functionkey-token", MountPath: "/t", ReadOnly: true})
		}), "functionkey-token not at all"},
		{"the agent's token in an init container", altered(func(pod *corev1.Pod, _ *corev1.Container) {
			thief := another("thief")
			thief.VolumeMounts = []corev1.VolumeMount{{Name: "functionkey-token", MountPath: "/t", ReadOnly: true}}
			pod.Spec.InitContainers = append(pod.Spec.InitContainers, thief)
		}), "functionkey-token not at all"},
		{"the agent's user in the function", altered(func(pod *corev1.Pod, _ *corev1.Container) {
			pod.Spec.Containers[0].SecurityContext.RunAsUser = &agentUser
		}), "user is its own"},
		{"the agent's user for the pod", altered(func(pod *corev1.Pod, _ *corev1.Container) {
			pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: &agentUser, RunAsNonRoot: &yes}
		}), "user is its own"},
		{"a container by the agent's name among the others", wants(ns, "single", func(pod *corev1.Pod) {
			pod.Spec.InitContainers = []corev1.Container{another("functionkey-agent")}
		}), "image, command"},
		{"a volume by our name", wants(ns, "single", func(pod *corev1.Pod) {
			pod.Spec.Volumes = []corev1.Volume{{Name: "functionkey", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		}), "agent's volumes"},
		{"a function that runs as root is PodSecurity's concern", wants(ns, "single", func(pod *corev1.Pod) {
			pod.Spec.Containers[0].SecurityContext.RunAsUser = &root
		}), "violates PodSecurity"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := tryPod(t, c, row.pod)
			if row.says == "" {
				kit.Allowed(t, err)
			} else {
				kit.Refused(t, err, row.says)
			}
		})
	}
}

// What may change on a pod that runs.
func TestRunningPods(t *testing.T) {
	c := installed(t)
	ns := opted(t, c)
	pods := c.Kube.CoreV1().Pods(ns)
	pod := kit.Must[*corev1.Pod](t)(pods.Create(kit.Context(t), wants(ns, "single"), metav1.CreateOptions{}))
	merge := func(body string, sub ...string) func(t *testing.T) error {
		return func(t *testing.T) error {
			_, err := pods.Patch(kit.Context(t), pod.Name, types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, sub...)
			return err
		}
	}
	ephemeral := func(more string) string {
		return `{"spec":{"ephemeralContainers":[{"name":"debug","image":"x","securityContext":{"runAsNonRoot":true,"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"seccompProfile":{"type":"RuntimeDefault"}` + more + `}]}}`
	}
	runAttempts(t, []attempt{
		{"another image of the function", merge(`{"spec":{"containers":[{"name":"app","image":"registry.invalid/app:2"}]}}`), ""},
		{"a label", merge(`{"metadata":{"labels":{"a":"b"}}}`), ""},
		{"a finalizer", merge(`{"metadata":{"finalizers":["x.y/z"]}}`), ""},
		{"another image of the agent", merge(`{"spec":{"initContainers":[{"name":"functionkey-agent","image":"registry.invalid/agent:2"}]}}`), "cannot be changed"},
		{"another revision", merge(`{"metadata":{"labels":{"functionkey.dev/revision":"billing"}}}`), "cannot be changed"},
		{"another function", merge(`{"metadata":{"labels":{"functionkey.dev/function":"billing"}}}`), "cannot be changed"},
		{"opted out", merge(`{"metadata":{"labels":{"functionkey.dev/inject":null}}}`), "cannot be changed"},
		{"a debug container", merge(ephemeral(`}`), "ephemeralcontainers"), ""},
		{"a debug container as the agent's user", merge(ephemeral(`,"runAsUser":64123}`), "ephemeralcontainers"), "user is its own"},
		{"a debug container with the agent's token", merge(ephemeral(`},"volumeMounts":[{"name":"functionkey-token","mountPath":"/t","readOnly":true}]`), "ephemeralcontainers"), "functionkey-token not at all"},
		{"a debug container that could replace the socket", merge(ephemeral(`},"volumeMounts":[{"name":"functionkey","mountPath":"/r"}]`), "ephemeralcontainers"), "read-only"},
	})
	t.Run("a pod of before the installation", func(t *testing.T) {
		early := c.Namespace(t, "early")
		kit.Must[*corev1.Pod](t)(c.Kube.CoreV1().Pods(early).Create(kit.Context(t), wants(early, "single"), metav1.CreateOptions{}))
		c.Kubectl(t, "label", "namespace", early, "functionkey.dev/inject=enabled")
		kit.Eventually(t, 5*time.Second, "it can still be changed", func() error {
			_, err := c.Kube.CoreV1().Pods(early).Patch(kit.Context(t), "single", types.MergePatchType, []byte(`{"metadata":{"finalizers":[]}}`), metav1.PatchOptions{})
			return err
		})
	})
}

// With the injector away pods that opted in are refused, and others are not.
func TestInjectorAway(t *testing.T) {
	c := installed(t)
	ns := opted(t, c)
	c.Kubectl(t, "delete", "mutatingadmissionpolicybinding", "functionkey-inject")
	t.Cleanup(func() {
		must(t, install())
		kit.Eventually(t, 20*time.Second, "injector back", func() error {
			_, err := tryPod(t, c, wants(ns, "single"))
			return err
		})
	})
	kit.Eventually(t, 20*time.Second, "refused with the reason", func() error {
		_, err := tryPod(t, c, wants(ns, "single"))
		if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "look at mutatingadmissionpolicy functionkey-inject") {
			return nil
		}
		return fmt.Errorf("got %v", err)
	})
	_, err := tryPod(t, c, kit.BarePod(ns, "single"))
	kit.Allowed(t, err)
}

// monster has so many containers that every limit on the way is near.
func monster(ns string) *corev1.Pod {
	return wants(ns, "monster", func(pod *corev1.Pod) {
		for i := 1; i < 1000; i++ {
			container := another(fmt.Sprintf("app-%d", i))
			container.Env = []corev1.EnvVar{{Name: "A", Value: "b"}}
			pod.Spec.Containers = append(pod.Spec.Containers, container)
		}
	})
}

func TestMonster(t *testing.T) {
	c := installed(t)
	kit.Allowed(t, isInjected(kit.Must[*corev1.Pod](t)(tryPod(t, c, monster(opted(t, c))))))
}

// isInjected says what is missing.
func isInjected(pod *corev1.Pod) error {
	if len(pod.Spec.InitContainers) == 0 || pod.Spec.InitContainers[0].Name != "functionkey-agent" {
		return fmt.Errorf("%s: the agent is not first", pod.Name)
	}
	for _, container := range pod.Spec.Containers {
		found := false
		for _, e := range container.Env {
			found = found || e.Name == "FUNCTIONKEY_SOCKET"
		}
		if !found {
			return fmt.Errorf("%s: container %s was given nothing", pod.Name, container.Name)
		}
	}
	return nil
}

// The number 3607 makes the API server issue tokens that live for a year.
func TestNoTokenForAYear(t *testing.T) {
	root := filepath.Join(kit.Root(t), "manifests")
	must(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), "expirationSeconds: 3607") {
			t.Errorf("%s asks for a token of 3607 seconds", path)
		}
		return err
	}))
}
