package api

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"functionkey.dev/e2e/kit"
)

// flowOf says which FlowSchema (by name) took the request.
func flowOf(t *testing.T, c, as *kit.Cluster, path string) (string, error) {
	t.Helper()
	client := kit.Must[*http.Client](t)(rest.HTTPClientFor(as.Config))
	answer, err := client.Get(as.Config.Host + path)
	if err != nil {
		return "", err
	}
	_ = answer.Body.Close()
	list, err := c.Kube.FlowcontrolV1().FlowSchemas().List(kit.Context(t), metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	for _, schema := range list.Items {
		if string(schema.UID) == answer.Header.Get("X-Kubernetes-Pf-Flowschema-Uid") {
			return schema.Name, nil
		}
	}
	return "", fmt.Errorf("no FlowSchema in %v", answer.Header)
}

func TestFlow(t *testing.T) {
	c := installed(t)
	ns := c.Namespace(t, "flow")
	agent := c.As(t, c.Token(t, ns, "default"))
	rows := []struct {
		name, path, want string
		as               *kit.Cluster
	}{
		{"an agent's records", "/apis/functionkey.dev/v1alpha1/namespaces/" + ns + "/functionkeys", "functionkey-records", agent},
		{"an agent's Leases", "/apis/coordination.k8s.io/v1/namespaces/" + ns + "/leases/fk-a", "service-accounts", agent},
		{"the controller's Leases", "/apis/coordination.k8s.io/v1/leases", "functionkey-controller", asController(t, c)},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			kit.Eventually(t, 20*time.Second, "FlowSchema "+row.want, func() error {
				got, err := flowOf(t, c, row.as, row.path)
				if err == nil && got != row.want {
					err = fmt.Errorf("got %s", got)
				}
				return err
			})
		})
	}
}
