package api

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
)

// TestRestricted: what we run is taken where PodSecurity enforces "restricted", and has besides no
// writable root and no capability at all, which that level does not ask for.
func TestRestricted(t *testing.T) {
	c := installed(t)
	ctx := kit.Context(t)
	home := kit.Must[*corev1.Namespace](t)(c.Kube.CoreV1().Namespaces().Get(ctx, "functionkey-system", metav1.GetOptions{}))
	if level := home.Labels["pod-security.kubernetes.io/enforce"]; level != "restricted" {
		t.Errorf("functionkey-system enforces %q", level)
	}
	deployments, err := c.Kube.AppsV1().Deployments(home.Name).List(ctx, metav1.ListOptions{})
	must(t, err)
	templates := map[string]corev1.PodTemplateSpec{}
	for _, d := range deployments.Items {
		templates[d.Name] = d.Spec.Template
	}
	if len(templates) == 0 {
		t.Fatal("no Deployment of ours")
	}
	for name, template := range templates {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: home.Name, Name: "restricted", Labels: template.Labels}, Spec: template.Spec}
		_, err := tryPod(t, c, pod)
		kit.Allowed(t, err)
		closed(t, name, &pod.Spec, pod.Spec.Containers)
	}
	pod := kit.Must[*corev1.Pod](t)(tryPod(t, c, wants(opted(t, c), "single")))
	closed(t, "injected", &pod.Spec, pod.Spec.InitContainers[:1])

	// PodSecurity does enforce that here: the same pods with less are refused
	for what, less := range map[string]func(*corev1.SecurityContext){
		"capabilities":   func(s *corev1.SecurityContext) { s.Capabilities = nil },
		"more privilege": func(s *corev1.SecurityContext) { s.AllowPrivilegeEscalation = nil },
	} {
		for _, template := range templates {
			spec := template.Spec.DeepCopy()
			less(spec.Containers[0].SecurityContext)
			_, err := tryPod(t, c, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: home.Name, Name: "restricted"}, Spec: *spec})
			t.Run(what, func(t *testing.T) { kit.Refused(t, err, `violates PodSecurity "restricted`) })
		}
	}
}

// closed wants every container of ours to be as closed as it can be. What a container leaves open, its
// pod may say.
func closed(t *testing.T, who string, spec *corev1.PodSpec, containers []corev1.Container) {
	t.Helper()
	pod := spec.SecurityContext
	if pod == nil {
		pod = &corev1.PodSecurityContext{}
	}
	for _, c := range containers {
		s := c.SecurityContext
		if s == nil {
			t.Errorf("%s: %s has no securityContext", who, c.Name)
			continue
		}
		yes := func(what string, wanted bool, values ...*bool) {
			for _, v := range values {
				if v != nil {
					if *v != wanted {
						t.Errorf("%s: %s: %s is %v", who, c.Name, what, *v)
					}
					return
				}
			}
			t.Errorf("%s: %s does not say %s", who, c.Name, what)
		}
		yes("readOnlyRootFilesystem", true, s.ReadOnlyRootFilesystem)
		yes("allowPrivilegeEscalation", false, s.AllowPrivilegeEscalation)
		yes("runAsNonRoot", true, s.RunAsNonRoot, pod.RunAsNonRoot)
		if s.Capabilities == nil || len(s.Capabilities.Add) > 0 || !reflect.DeepEqual(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: %s has capabilities: %v", who, c.Name, s.Capabilities)
		}
		seccomp := s.SeccompProfile
		if seccomp == nil {
			seccomp = pod.SeccompProfile
		}
		if seccomp == nil || seccomp.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: %s: seccomp %v", who, c.Name, seccomp)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s: %s: requests and limits %v", who, c.Name, c.Resources)
		}
	}
}
