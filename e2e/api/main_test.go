// Package api tests what the API server itself enforces: the CRD, the write
// policies, the injection and the roles, on a cluster without agents and
// controller (hack/cluster/up --mode control-plane). Attackers are real
// service accounts with tokens that are bound to pods.
package api

import (
	"fmt"
	"os"
	"testing"
	"time"

	"functionkey.dev/e2e/kit"
)

// FUNCTIONKEY_INSTALLED=1 leaves what is installed as it is, to see whether the
// tests notice that it is not what it should be.
func TestMain(m *testing.M) {
	if os.Getenv("FUNCTIONKEY_INSTALLED") != "" {
		os.Exit(m.Run())
	}
	if err := install(); err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
	code := m.Run()
	dismiss()
	os.Exit(code)
}

// installed waits until every policy acts: each needs about a second.
func installed(t *testing.T) *kit.Cluster {
	t.Helper()
	c := kit.Connect(t)
	waitForPolicies(t, c)
	return c
}

var policiesAct bool

func waitForPolicies(t *testing.T, c *kit.Cluster) {
	t.Helper()
	if policiesAct {
		return
	}
	if byWebhook && standby == nil {
		stand(t, c)
	}
	probe := newProbe(t, c)
	for _, p := range probe.policies() {
		kit.Eventually(t, 20*time.Second, "policy "+p.name, func() error {
			if p.refused() {
				return nil
			}
			return fmt.Errorf("a write that it has to refuse is allowed")
		})
	}
	policiesAct = true
}
