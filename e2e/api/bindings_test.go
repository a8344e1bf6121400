package api

import (
	"fmt"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
)

// RoleBindings that the controller made go with the ClusterRole that they belong to, however
// FunctionKey is uninstalled, and come back with it; nobody else's do.
func TestBindingsGoWithTheirRole(t *testing.T) {
	c := installed(t)
	roles := c.Kube.RbacV1().ClusterRoles()
	role := kit.Must[*rbacv1.ClusterRole](t)(roles.Get(kit.Context(t), "functionkey-agent", metav1.GetOptions{}))
	ns := c.Namespace(t, "shop")
	bindings := c.Kube.RbacV1().RoleBindings(ns)
	bind := func(name, role string, labels map[string]string) {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		}
		kit.Must[*rbacv1.RoleBinding](t)(bindings.Create(kit.Context(t), binding, metav1.CreateOptions{}))
	}
	bind("of-an-administrator", "functionkey-agent", nil)
	bind("functionkey-agent", "functionkey-agent", map[string]string{"app.kubernetes.io/managed-by": "functionkey-controller"}) // of version N-1
	c.Kubectl(t, "annotate", "namespace", ns, "functionkey.dev/senders=far")
	c.Kubectl(t, "label", "namespace", ns, "functionkey.dev/inject=enabled")

	ours := []string{"functionkey-agent", "functionkey-senders"}
	belong := func() error {
		is, err := roles.Get(kit.Context(t), role.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, name := range ours {
			binding, err := bindings.Get(kit.Context(t), name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			owners := binding.OwnerReferences
			if len(owners) != 1 || owners[0].UID != is.UID || owners[0].Kind != "ClusterRole" || owners[0].Name != role.Name || owners[0].BlockOwnerDeletion != nil {
				return fmt.Errorf("%s belongs to %v, not to %s", name, owners, is.UID)
			}
		}
		return nil
	}
	again := func() {
		role.UID, role.ResourceVersion = "", ""
		kit.Must[*rbacv1.ClusterRole](t)(roles.Create(kit.Context(t), role, metav1.CreateOptions{}))
	}
	startController(t, c)
	kit.Eventually(t, 20*time.Second, "they belong to the role, also that of version N-1", belong)

	must(t, roles.Delete(kit.Context(t), role.Name, metav1.DeleteOptions{}))
	put := false
	t.Cleanup(func() {
		if !put {
			again()
		}
	})
	kit.Eventually(t, 40*time.Second, "they go with it", func() error {
		for _, name := range ours {
			_, err := bindings.Get(kit.Context(t), name, metav1.GetOptions{})
			if err := gone(name, err); err != nil {
				return err
			}
		}
		return nil
	})
	kit.Must[*rbacv1.RoleBinding](t)(bindings.Get(kit.Context(t), "of-an-administrator", metav1.GetOptions{}))
	again()
	put = true
	kit.Eventually(t, 40*time.Second, "they are there again, of the new role", belong)

	// As an upgrade that deletes and creates: the collector may be slower than that.
	must(t, roles.Delete(kit.Context(t), role.Name, metav1.DeleteOptions{}))
	again()
	kit.Eventually(t, 40*time.Second, "they belong to the newer role", belong)
	kit.Must[*rbacv1.RoleBinding](t)(bindings.Get(kit.Context(t), "of-an-administrator", metav1.GetOptions{}))
}
