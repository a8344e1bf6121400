package api

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"functionkey.dev/e2e/kit"
)

// startController runs the real controller with the rights of its service
// account until the test ends, and returns where its metrics are.
func startController(t *testing.T, c *kit.Cluster, options ...string) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthority: c.Config.CAFile, CertificateAuthorityData: c.Config.CAData}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: c.Token(t, "functionkey-system", "functionkey-controller")}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	free := kit.Must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	address := free.Addr().String()
	_ = free.Close()
	cmd := exec.Command(filepath.Join(kit.Programs(t), "functionkey-controller"), append(options, "--alone", "--kubeconfig", kubeconfig, "--address", address)...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the controller's log:\n%s", log.String())
		}
	})
	kit.Eventually(t, 20*time.Second, "/readyz", func() error {
		answer, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", answer.Status)
		}
		return nil
	})
	return address
}

// gone is nil once the API server says that there is no such object.
func gone(what string, err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("%s: %v", what, err)
}

// replicaSet with one opted-in pod; its name is the revision's.
func replicaSet(ns, name string) *appsv1.ReplicaSet {
	one := int32(1)
	labels := map[string]string{"app": name, "functionkey.dev/inject": "true"}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: labels},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &one,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: kit.BarePod(ns, name).Spec},
		},
	}
}

func onlyPod(t *testing.T, c *kit.Cluster, ns, app string) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	kit.Eventually(t, 20*time.Second, "a pod", func() error {
		pods, err := c.Kube.CoreV1().Pods(ns).List(kit.Context(t), metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil || len(pods.Items) == 0 {
			return fmt.Errorf("none: %v", err)
		}
		pod = &pods.Items[0]
		return nil
	})
	return pod
}

// Whatever loses its owner (kubectl delete --cascade=orphan) gets another and
// is collected in the end; nothing that the controller missed while it was away
// stays.
func TestOrphans(t *testing.T) {
	c := installed(t)
	ctx := kit.Context(t)
	leases, records := c.Kube.CoordinationV1(), c.Records
	out := c.Namespace(t, "left")
	left := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "functionkey-agent", Labels: map[string]string{"app.kubernetes.io/managed-by": "functionkey-controller"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "functionkey-agent"},
	}
	if _, err := c.Kube.RbacV1().RoleBindings(out).Create(ctx, left, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	startController(t, c)
	kit.Eventually(t, 20*time.Second, "a binding from before the opt-out goes", func() error {
		_, err := c.Kube.RbacV1().RoleBindings(out).Get(ctx, left.Name, metav1.GetOptions{})
		return gone("RoleBinding", err)
	})

	ns := c.Namespace(t, "shop", "functionkey.dev/inject=enabled")
	for _, name := range []string{"orders-1", "billing-1"} {
		if _, err := c.Kube.AppsV1().ReplicaSets(ns).Create(ctx, replicaSet(ns, name), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		kit.Eventually(t, 20*time.Second, "record and Lease of "+name, func() error {
			if _, err := records(ns).Get(ctx, name, metav1.GetOptions{}); err != nil {
				return err
			}
			_, err := leases.Leases(ns).Get(ctx, "fk-"+name, metav1.GetOptions{})
			return err
		})
	}
	orders, billing := onlyPod(t, c, ns, "orders-1"), onlyPod(t, c, ns, "billing-1")
	member := kit.Member(billing, "billing-1")
	kit.Eventually(t, 10*time.Second, "the Member record of billing", func() error {
		_, err := c.Agent(t, billing).Records(ns).Create(ctx, member, metav1.CreateOptions{})
		return err
	})

	c.Kubectl(t, "delete", "replicaset", "orders-1", "-n", ns, "--cascade=orphan", "--timeout=20s")
	c.Kubectl(t, "delete", "pod", billing.Name, "-n", ns, "--cascade=orphan", "--grace-period=0", "--force", "--timeout=20s")
	kit.Eventually(t, 20*time.Second, "the Member record is an orphan or gone", func() error {
		r, err := records(ns).Get(ctx, member.GetName(), metav1.GetOptions{})
		if err == nil && len(r.GetOwnerReferences()) > 0 {
			return fmt.Errorf("owned by %v", r.GetOwnerReferences())
		}
		return nil
	})
	kit.Eventually(t, 40*time.Second, "record and Lease of orders belong to its pod", func() error {
		r, err := records(ns).Get(ctx, "orders-1", metav1.GetOptions{})
		if err != nil {
			return err
		}
		l, err := leases.Leases(ns).Get(ctx, "fk-orders-1", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, owners := range [][]metav1.OwnerReference{r.GetOwnerReferences(), l.OwnerReferences} {
			if len(owners) != 1 || owners[0].UID != orders.UID {
				return fmt.Errorf("owned by %v, not by %s", owners, orders.UID)
			}
		}
		return nil
	})
	kit.Eventually(t, 40*time.Second, "the Member record of a pod that is gone goes", func() error {
		_, err := records(ns).Get(ctx, member.GetName(), metav1.GetOptions{})
		return gone("record", err)
	})
	c.Kubectl(t, "delete", "pod", orders.Name, "-n", ns, "--grace-period=0", "--force", "--timeout=20s")
	kit.Eventually(t, 40*time.Second, "record and Lease of orders go with it", func() error {
		if _, err := records(ns).Get(ctx, "orders-1", metav1.GetOptions{}); gone("record", err) != nil {
			return gone("record", err)
		}
		_, err := leases.Leases(ns).Get(ctx, "fk-orders-1", metav1.GetOptions{})
		return gone("Lease", err)
	})
}

// promtool is Prometheus' own judge of names, help texts and types.
func TestControllerMetrics(t *testing.T) {
	address := startController(t, installed(t))
	answer := kit.Must[*http.Response](t)(http.Get("http://" + address + "/metrics"))
	defer answer.Body.Close()
	text := kit.Must[[]byte](t)(io.ReadAll(answer.Body))
	if !bytes.Contains(text, []byte("functionkey_build_info{")) {
		t.Errorf("no build info:\n%s", text)
	}
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = bytes.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
