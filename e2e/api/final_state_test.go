package api

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"functionkey.dev/e2e/kit"
)

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
	needs(t, c, 36, "no MutatingAdmissionPolicy v1 to take away; TestWebhook takes the webhook away")
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
