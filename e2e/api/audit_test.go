package api

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"functionkey.dev/e2e/kit"
)

// audit asks at the end what the audit log has of all that was refused. After a run of all tests each
// validation of each policy has to have refused something: what never refuses guards nothing, or is not
// tested.
func audit() error {
	n, refused, err := kit.Audited()
	if err != nil {
		return err
	}
	fmt.Printf("measured: %d requests were refused, and the audit log says who asked for what and why not\n", n)
	if flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != "" {
		return nil
	}
	total, idle, err := idleValidations(refused)
	if err == nil && len(idle) > 0 {
		err = fmt.Errorf("no test was refused by these validations: %v", idle)
	}
	if err == nil {
		fmt.Printf("measured: each of %d validations of the policies refused something\n", total)
	}
	return err
}

// idleValidations counts those of the installed policies that deny, and lists those of them that are
// not in refused.
func idleValidations(refused map[string]bool) (total int, idle []string, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return 0, nil, err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return 0, nil, err
	}
	list, err := kube.AdmissionregistrationV1().ValidatingAdmissionPolicies().List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return 0, nil, err
	}
	for _, policy := range list.Items {
		if !strings.HasPrefix(policy.Name, "functionkey-") || policy.Name == "functionkey-advice" { // it warns
			continue
		}
		for i := range policy.Spec.Validations {
			total++
			if key := fmt.Sprintf("%s/%d", policy.Name, i); !refused[key] {
				idle = append(idle, key)
			}
		}
	}
	return total, idle, nil
}
