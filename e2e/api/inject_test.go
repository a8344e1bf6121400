package api

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
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
		{"announce-to-a-url", wants(ns, "single", noted("functionkey.dev/announce=https://sink.example/keys?of=shop"), bound)},
		{"announce-to-the-sink", wants(ns, "single", noted("functionkey.dev/announce=true"), bound)},
		{"announce-without-a-sink", wants(ns, "single", noted("functionkey.dev/announce=true"), func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "K_SINK", Value: "mailto:sink"}, {Name: "K_CE_OVERRIDES", Value: "{}"}}
		})},
		{"metrics", wants(ns, "single", noted("functionkey.dev/metrics=true", "functionkey.dev/announce=false"), bound)},
		{"metrics-on-the-hosts-network", wants(free, "node-agent", noted("functionkey.dev/metrics=9500"), func(pod *corev1.Pod) { pod.Spec.HostNetwork = true })},
	}
}

// bound is a pod as Knative's SinkBinding makes it; its first container is not literal about it.
func bound(pod *corev1.Pod) {
	pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "K_SINK", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}, {Name: "K_CE_OVERRIDES", Value: "{}"}}
	second := another("second")
	second.Env = []corev1.EnvVar{{Name: "A", Value: "b"}, {Name: "K_SINK", Value: "https://broker-ingress.knative-eventing.svc.cluster.local/shop/default"},
		{Name: "K_CA_CERTS", Value: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, {Name: "K_CE_OVERRIDES", Value: `{"extensions":{"team":"pay"}}`}}
	third := another("third")
	third.Env = []corev1.EnvVar{{Name: "K_SINK", Value: "http://another"}}
	pod.Spec.Containers = append(pod.Spec.Containers, second, third)
}

// lateSink: a webhook after us gives a container its sink, so that we are asked again. The agent gets
// it; nothing else changes.
func lateSink(t *testing.T, c *kit.Cluster, ns string) {
	t.Helper()
	made, err := tryPod(t, c, wants(ns, "single", noted("functionkey.dev/announce=true")))
	must(t, err)
	if len(made.Spec.InitContainers[0].Ports) != 0 {
		t.Error("ports that nobody asked for:", made.Spec.InitContainers[0].Ports)
	}
	made.UID, made.ResourceVersion, made.ManagedFields, made.Status = "", "", nil, corev1.PodStatus{}
	sink := corev1.EnvVar{Name: "K_SINK", Value: "http://sink"}
	want := append(append([]corev1.EnvVar{}, made.Spec.InitContainers[0].Env...), corev1.EnvVar{Name: "FUNCTIONKEY_ANNOUNCE", Value: "http://sink"})
	made.Spec.Containers[0].Env = append(made.Spec.Containers[0].Env, sink)
	for _, first := range []bool{true, false} { // or pushed away as well
		pod := made.DeepCopy()
		if !first {
			pod.Spec.InitContainers = append([]corev1.Container{another("prepare")}, pod.Spec.InitContainers...)
		}
		again, err := tryPod(t, c, pod)
		must(t, err)
		if have := again.Spec.InitContainers[0]; !reflect.DeepEqual(have.Env, want) {
			t.Errorf("first %v: the agent's variables are %v, want %v", first, have.Env, want)
		}
		if !reflect.DeepEqual(again.Spec.Containers, made.Spec.Containers) {
			t.Errorf("first %v: containers are %v, want %v", first, again.Spec.Containers, made.Spec.Containers)
		}
	}
}

// TestPodMonitors: what Prometheus Operator is told to look for is what pods have.
func TestPodMonitors(t *testing.T) {
	c := installed(t)
	agent := kit.Must[*corev1.Pod](t)(tryPod(t, c, wants(opted(t, c), "single", noted("functionkey.dev/metrics=true"))))
	controller := kit.Must[*appsv1.Deployment](t)(c.Kube.AppsV1().Deployments(system).Get(kit.Context(t), "functionkey-controller", metav1.GetOptions{})).Spec.Template
	scraped := map[string]struct {
		labels     map[string]string
		containers []corev1.Container
	}{"functionkey-agents": {agent.Labels, agent.Spec.InitContainers}, "functionkey-controller": {controller.Labels, controller.Spec.Containers}}
	documents := strings.Split(c.Kubectl(t, "kustomize", filepath.Join(kit.Root(t), "manifests", "monitoring", "prometheus-operator")), "\n---\n")
	if len(documents) != len(scraped) {
		t.Errorf("%d monitors", len(documents))
	}
	for _, document := range documents {
		var monitor struct {
			Metadata metav1.ObjectMeta
			Spec     struct {
				Selector            metav1.LabelSelector
				PodMetricsEndpoints []struct{ Port string }
			}
		}
		must(t, yaml.Unmarshal([]byte(document), &monitor))
		of, endpoints := scraped[monitor.Metadata.Name], monitor.Spec.PodMetricsEndpoints
		selector := kit.Must[labels.Selector](t)(metav1.LabelSelectorAsSelector(&monitor.Spec.Selector))
		if selector.Empty() || !selector.Matches(labels.Set(of.labels)) {
			t.Errorf("%s: %v does not select %v", monitor.Metadata.Name, selector, of.labels)
		}
		if len(endpoints) != 1 || !slices.ContainsFunc(of.containers, func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == endpoints[0].Port })
		}) {
			t.Errorf("%s: no container has the port of %v", monitor.Metadata.Name, endpoints)
		}
	}
}

func TestLateSink(t *testing.T) {
	c := installed(t)
	lateSink(t, c, opted(t, c))
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
	*agent = corev1.Container{Name: agent.Name, Env: env, Ports: agent.Ports}
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

// Who is injected: each row of the table in docs/injection.md, for the form that is installed.
func TestWhoIsInjected(t *testing.T) { truthTable(t, installed(t)) }

func truthTable(top *testing.T, c *kit.Cluster) {
	top.Helper()
	rows := truthRows(top)
	if len(rows) < 14 {
		top.Fatalf("docs/injection.md has a table of %d rows", len(rows))
	}
	for _, of := range []string{"kube-system", "functionkey-system"} {
		c.Kubectl(top, "label", "namespace", of, "functionkey.dev/inject=enabled")
		top.Cleanup(func() { c.Kubectl(top, "label", "namespace", of, "functionkey.dev/inject-") })
	}
	made := map[string]string{} // by their label
	for _, row := range rows {
		top.Run(strings.Join(row, " | "), func(t *testing.T) {
			ns := row[0]
			if ns == "any" {
				if made[row[1]] == "" {
					labels := []string{}
					if row[1] != "none" {
						labels = append(labels, "functionkey.dev/inject="+row[1])
					}
					made[row[1]] = c.Namespace(top, "truth", labels...)
				}
				ns = made[row[1]]
			} else if row[1] != "enabled" {
				t.Fatalf("%s has the label enabled here", ns)
			}
			pod, err := tryPod(t, c, asked(kit.BarePod(ns, "single"), row[2]))
			kit.Allowed(t, err)
			has := len(pod.Spec.InitContainers) > 0
			if want := map[string]bool{"injected": true, "untouched": false}[row[3]]; has != want || (pod.Labels["functionkey.dev/revision"] != "") != want {
				t.Errorf("init containers %v, labels %v", pod.Spec.InitContainers, pod.Labels)
			}
		})
	}
}

// asked puts what a cell says on a pod: "none", a label's value, or "annotation VALUE" and perhaps ", label's value".
func asked(pod *corev1.Pod, cell string) *corev1.Pod {
	note, has := strings.CutPrefix(cell, "annotation ")
	label := cell
	if has {
		note, label, _ = strings.Cut(note, ", ")
		pod.Annotations = map[string]string{"functionkey.dev/inject": note}
	}
	if label != "" && label != "none" {
		pod.Labels = map[string]string{"functionkey.dev/inject": label}
	}
	return pod
}

// truthRows reads the table: namespace, its label, the pod's, result.
func truthRows(t *testing.T) [][]string {
	t.Helper()
	raw := string(kit.Must[[]byte](t)(os.ReadFile(filepath.Join(kit.Root(t), "docs", "injection.md"))))
	_, table, found := strings.Cut(raw, "| namespace | its label | the pod's label | result |\n|---|---|---|---|\n")
	if !found {
		t.Fatal("docs/injection.md has no such table")
	}
	var rows [][]string
	for _, line := range strings.Split(table, "\n") {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.ReplaceAll(strings.Trim(line, "| "), "`", ""), " | ")
		if len(cells) != 4 || (cells[3] != "injected" && cells[3] != "untouched") {
			t.Fatalf("row %q", line)
		}
		rows = append(rows, cells)
	}
	return rows
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
		want string
	}{
		{"functionkey.dev/contaners=app", "functionkey.dev/contaners is unknown and has no effect"},
		{"functionkey.dev/inject=true", "functionkey.dev/inject is unknown and has no effect"},
		{"functionkey.dev/containers=app", ""},
		{"functionkey.dev/containers=app, apq", "functionkey.dev/containers names apq, which is no container of the pod"},
		{"functionkey.dev/next=billing", ""},
		{"functionkey.dev/sender=origin", ""},
		{"functionkey.dev/require-sender=message", ""},
		{"functionkey.dev/allow-senders=orders, other/audit", ""},
		{"functionkey.dev/replay-window=300s", ""},
		{"example.org/contaners=app", ""},
		{"functionkey.dev/announce=false", ""},
		{"functionkey.dev/announce=http://sink/", ""},
		{"functionkey.dev/announce=yes", `annotation functionkey.dev/announce is neither "true", "false" nor an http or https URL: no key is announced`},
		{"functionkey.dev/announce=http://a b", `annotation functionkey.dev/announce is neither "true", "false" nor an http or https URL: no key is announced`},
		{"functionkey.dev/announce=true", `annotation functionkey.dev/announce is "true", but no container has a literal K_SINK that is an http or https URL: no key is announced`},
		{"functionkey.dev/metrics=true", ""},
		{"functionkey.dev/metrics=false", ""},
		{"functionkey.dev/metrics=65535", ""},
		{"functionkey.dev/metrics=65536", `annotation functionkey.dev/metrics is neither "true", "false" nor a port: metrics are not served on the pod's address`},
		{"functionkey.dev/metrics=0", `annotation functionkey.dev/metrics is neither "true", "false" nor a port: metrics are not served on the pod's address`},
		{"functionkey.dev/metrics=yes", `annotation functionkey.dev/metrics is neither "true", "false" nor a port: metrics are not served on the pod's address`},
	}
	for _, row := range rows {
		listener := &heard{}
		config := *c.Config
		config.WarningHandler = listener
		client := kit.Cluster{Config: &config, Kube: kit.Must[*kubernetes.Clientset](t)(kubernetes.NewForConfig(&config))}
		_, err := tryPod(t, &client, wants(ns, "single", noted(row.note)))
		kit.Allowed(t, err)
		if got := strings.Join(listener.texts, "\n"); (row.want == "") != (got == "") || !strings.Contains(got, row.want) {
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
