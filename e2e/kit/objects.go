package kit

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
)

var names atomic.Int64

// Namespace makes a namespace with labels "key=value" and deletes it, without
// waiting, when the test ends. Its name begins with prefix.
func (c *Cluster) Namespace(t testing.TB, prefix string, labels ...string) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   fmt.Sprintf("%s-%s%d", prefix, rand.String(4), names.Add(1)),
		Labels: map[string]string{},
	}}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		ns.Labels[key] = value
	}
	c.namespace(t, ns)
	return ns.Name
}

func (c *Cluster) namespace(t testing.TB, ns *corev1.Namespace) {
	t.Helper()
	if _, err := c.Kube.CoreV1().Namespaces().Create(Context(t), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Kube.CoreV1().Namespaces().Delete(Context(t), ns.Name, metav1.DeleteOptions{})
	})
	c.ServiceAccount(t, ns.Name, "default")
}

// ServiceAccount makes the service account unless it is there.
func (c *Cluster) ServiceAccount(t testing.TB, ns, name string) {
	t.Helper()
	accounts := c.Kube.CoreV1().ServiceAccounts(ns)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := accounts.Create(Context(t), account, metav1.CreateOptions{}); err != nil && !strings.Contains(err.Error(), "already exists") {
		t.Fatal(err)
	}
}

// OptIn labels nothing: it does what the controller does when a namespace opts
// in, for tests without a controller.
func (c *Cluster) OptIn(t testing.TB, ns string) {
	t.Helper()
	c.Bind(t, ns, "functionkey-agent", rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "system:serviceaccounts:" + ns})
}

// Bind binds a ClusterRole in a namespace.
func (c *Cluster) Bind(t testing.TB, ns, role string, subjects ...rbacv1.Subject) {
	t.Helper()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   subjects,
	}
	if _, err := c.Kube.RbacV1().RoleBindings(ns).Create(Context(t), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Pod is an object that no kubelet will run (the node does not exist), of the
// default service account unless edit says otherwise.
func (c *Cluster) Pod(t testing.TB, ns, name string, edit ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	pod := BarePod(ns, name)
	for _, e := range edit {
		e(pod)
	}
	made, err := c.Kube.CoreV1().Pods(ns).Create(Context(t), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// BarePod passes PodSecurity's level "restricted".
func BarePod(ns, name string) *corev1.Pod {
	yes, no := true, false
	uid := int64(1000)
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name:  "app",
				Image: "registry.invalid/app:1",
				SecurityContext: &corev1.SecurityContext{
					RunAsNonRoot: &yes, RunAsUser: &uid, AllowPrivilegeEscalation: &no,
					Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				},
			}},
		},
	}
}

// Token is one of the service account, bound to no object.
func (c *Cluster) Token(t testing.TB, ns, account string) string {
	t.Helper()
	return c.token(t, ns, account, nil)
}

// PodToken is what the kubelet would give to the pod: a token of its service
// account that is bound to the pod, and dies with it.
func (c *Cluster) PodToken(t testing.TB, pod *corev1.Pod) string {
	t.Helper()
	account := pod.Spec.ServiceAccountName
	if account == "" {
		account = "default"
	}
	return c.token(t, pod.Namespace, account, &authenticationv1.BoundObjectReference{
		APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID,
	})
}

func (c *Cluster) token(t testing.TB, ns, account string, bound *authenticationv1.BoundObjectReference) string {
	t.Helper()
	hour := int64(3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &hour, BoundObjectRef: bound,
	}}
	got, err := c.Kube.CoreV1().ServiceAccounts(ns).CreateToken(Context(t), account, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Status.Token
}

// Agent is the API server as the agent of a pod sees it.
func (c *Cluster) Agent(t testing.TB, pod *corev1.Pod) *Cluster {
	t.Helper()
	return c.as(t, c.PodToken(t, pod), pod.Name)
}
