package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

func ctl(t testing.TB, arguments ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "hack", "cluster", "ctl"), append(arguments, "--name", cluster)...)
	cmd.Env = append(cmd.Environ(), "FK_STATE="+filepath.Dir(state))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ctl %v: %v: %s", arguments, err, out)
	}
}

// traffic seals at one agent and opens at all the others, ten times a second, and counts.
type traffic struct {
	sent, failed int
	again        int // answers that asked to try again
	slowest      time.Duration
	errors       []string
	stop         func()
}

func startTraffic(from *agent, to []*agent) *traffic {
	tr := &traffic{}
	done, ended := make(chan struct{}), make(chan struct{})
	var once sync.Once
	tr.stop = func() { once.Do(func() { close(done); <-ended }) }
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-tick.C:
				tr.one(from, to[i%len(to)])
			}
		}
	}()
	return tr
}

func (tr *traffic) one(from, to *agent) {
	began := time.Now()
	plain := message("traffic")
	envelope, err := from.seal("billing", plain)
	var got []byte
	for tries := 0; err == nil; tries++ {
		var p *problem
		if got, err = to.open(envelope); !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable || tries == 3 {
			break
		}
		err = nil
		tr.again++
	}
	if err == nil && string(got) != string(plain) {
		err = fmt.Errorf("opened something else")
	}
	tr.sent++
	tr.slowest = max(tr.slowest, time.Since(began))
	if err != nil {
		tr.failed++
		tr.errors = append(tr.errors, fmt.Sprintf("%s at %s: %v", began.Format(time.TimeOnly), to.pod.Name, err))
	}
}

// apiServerAway: what is known goes on being of use, and everything recovers.
func apiServerAway(t *testing.T, s *shop) {
	sender, receivers := s.agents(t, "orders")[0], s.agents(t, "billing")
	before := kit.Must[*story.Record](t)(s.Leader(kit.Context(t), "billing"))
	seal(t, sender, "billing") // senders learn a recipient's key when they first need it
	tr := startTraffic(sender, receivers)
	defer tr.stop()
	ctl(t, "stop", "apiserver")
	time.Sleep(time.Minute)
	during := sealed{plain: message("during")}
	var err error
	during.envelope, err = sender.seal("billing", during.plain)
	must(t, err)
	began := time.Now()
	ctl(t, "start", "apiserver")
	// The node's proxy waits up to a minute before it looks whether the API server is back, and refuses
	// all connections to it meanwhile. That is not what is tested.
	ctl(t, "restart", "proxy")
	back := time.Now()
	var after *story.Record
	until(t, 90*time.Second, "all replicas are keyed again", func(ctx context.Context) error {
		if after, err = s.Leader(ctx, "billing"); err != nil {
			return err
		}
		leading := 0
		for _, a := range receivers {
			st, err := a.status()
			if err != nil {
				return err
			}
			if !st.Ready || st.Epoch != after.ActiveEpoch || after.Ready().Status != "True" {
				return fmt.Errorf("%s: %s, epoch %d of %d", a.pod.Name, st.Reason, st.Epoch, after.ActiveEpoch)
			}
			if st.Leading {
				leading++
			}
		}
		if leading != 1 {
			return fmt.Errorf("%d replicas lead", leading)
		}
		return nil
	})
	measured("API server away for a minute: back to recovered", map[string]any{"ms": ms(time.Since(back)), "started_in_ms": ms(back.Sub(began)),
		"epochs": []int64{before.ActiveEpoch, after.ActiveEpoch}})
	time.Sleep(2 * time.Second)
	tr.stop()
	if tr.failed > 0 || tr.sent < 400 {
		t.Errorf("%d of %d messages failed while the API server was away:\n%s", tr.failed, tr.sent, strings.Join(tr.errors[:min(20, len(tr.errors))], "\n"))
	}
	measured("messages while the API server is away", map[string]any{"sent": tr.sent, "failed": tr.failed, "again": tr.again, "slowest_ms": ms(tr.slowest)})
	// The node controller took the silence for a dead node and marked its pods not ready. The kubelet
	// corrects that once its watch is back: client-go waits up to a minute for it.
	ctl(t, "restart", "kcm")
	ctl(t, "restart", "kubelet")
	s.whole(t, "billing", 3)
	for _, a := range s.agents(t, "billing") {
		opens(t, a, during)
	}
}

// definitionMissing: the CRD is deleted, and with it every record. Agents say so, go on opening, and
// begin anew when it is back.
func definitionMissing(t *testing.T, s *shop) {
	sender, receivers := s.agents(t, "orders")[0], s.agents(t, "billing")
	early := seal(t, sender, "billing")
	t.Cleanup(func() { _, _ = s.Kubectl(context.Background(), "apply", "-k", filepath.Join(root, "manifests", "e2e")) })
	_, err := s.Kubectl(kit.Context(t), "delete", "crd", "functionkeys.functionkey.dev", "--timeout=30s")
	must(t, err)
	until(t, 60*time.Second, "agents say that something is missing", func(context.Context) error {
		for _, a := range receivers {
			st, err := a.status()
			if err != nil {
				return err
			}
			if text := st.LastFailure + " " + st.Reason + " " + st.Message; !strings.Contains(text, "not-found") && !strings.Contains(text, "terminating") {
				return fmt.Errorf("%s: reason %s, %q, last failure %q", a.pod.Name, st.Reason, st.Message, st.LastFailure)
			}
		}
		return nil
	})
	for _, a := range receivers {
		opens(t, a, early)
	}
	_, err = s.Kubectl(kit.Context(t), "apply", "-k", filepath.Join(root, "manifests", "e2e"))
	must(t, err)
	began := time.Now()
	until(t, 2*time.Minute, "both functions are keyed again", func(ctx context.Context) error {
		for app, n := range map[string]string{"billing": "3/3", "orders": "2/2"} {
			r, err := s.Leader(ctx, app)
			if err != nil {
				return err
			}
			if r.Ready().Status != "True" || r.Members != n {
				return fmt.Errorf("%s: Ready %s (%s), members %s", app, r.Ready().Status, r.Ready().Reason, r.Members)
			}
		}
		return nil
	})
	measured("definition applied again to all keyed", map[string]any{"ms": ms(time.Since(began))})
	for _, a := range receivers {
		opens(t, a, seal(t, sender, "billing"))
	}
}

// --- all kinds of workloads

// TestWorkloads: whatever makes the pod, it gets its agent and a key.
func TestWorkloads(t *testing.T) {
	s := newShop(t, "work")
	template := func() map[string]any {
		d := s.example(t, "Deployment", "billing")
		m, _, _ := unstructured.NestedMap(d.Object, "spec", "template")
		return m
	}
	workload := func(api, kind, name string, spec map[string]any) *unstructured.Unstructured {
		pod := template()
		labels := map[string]any{"app": name, "functionkey.dev/inject": "true"}
		if len(name) > 63 {
			labels["app"] = name[:60]
		}
		pod["metadata"] = map[string]any{"labels": labels}
		if kind == "Job" {
			pod["spec"].(map[string]any)["restartPolicy"] = "Never"
		} else {
			spec["selector"] = map[string]any{"matchLabels": map[string]any{"app": labels["app"]}}
		}
		spec["template"] = pod
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": api, "kind": kind, "metadata": map[string]any{"name": name, "namespace": s.NS}, "spec": spec}}
		return s.create(t, u)
	}
	bare := func(metadata map[string]any) *unstructured.Unstructured {
		metadata["namespace"], metadata["labels"] = s.NS, map[string]any{"functionkey.dev/inject": "true"}
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template()["spec"]}}
		return s.create(t, u)
	}
	long := "a-function-with-a-name-as-long-as-anybody-would-ever-write-it-down"
	rows := []struct {
		name, function string
		pods           int
		make           func()
	}{
		{"StatefulSet", "set", 2, func() {
			workload("apps/v1", "StatefulSet", "set", map[string]any{"replicas": int64(2), "serviceName": "set", "podManagementPolicy": "Parallel"})
		}},
		{"DaemonSet", "daemon", 1, func() { workload("apps/v1", "DaemonSet", "daemon", map[string]any{}) }},
		{"Job", "job", 1, func() { workload("batch/v1", "Job", "job", map[string]any{}) }},
		{"long name", long[:62] + "x", 1, func() { workload("apps/v1", "Deployment", long, map[string]any{"replicas": int64(1)}) }},
		{"bare pod", "bare", 1, func() { bare(map[string]any{"name": "bare"}) }},
		{"generated name", "", 1, func() { bare(map[string]any{"generateName": "made-"}) }},
		{"bare pod, long name", "", 1, func() { bare(map[string]any{"name": strings.Repeat("bare.", 25) + "pod"}) }},
	}
	for _, row := range rows {
		row.make()
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { s.workload(t, row.name, row.function, row.pods) })
	}
	t.Run("without an injector", func(t *testing.T) { withoutInjector(t, s) })
}

// workload waits for the pods of one row, which are known by their owner, and has them open.
func (s *shop) workload(t *testing.T, name, function string, n int) {
	var agents []*agent
	until(t, 60*time.Second, fmt.Sprintf("%d ready pods", n), func(ctx context.Context) error {
		agents = nil
		list, err := s.Kube.CoreV1().Pods(s.NS).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, pod := range list.Items {
			kind := "bare pod"
			if len(pod.OwnerReferences) > 0 {
				kind = pod.OwnerReferences[0].Kind
			} else if pod.GenerateName != "" {
				kind = "generated name"
			} else if strings.HasPrefix(pod.Name, "bare.") {
				kind = "bare pod, long name"
			}
			if kind == "ReplicaSet" {
				kind = "long name"
			}
			if kind != name {
				continue
			}
			for _, c := range pod.Status.Conditions {
				if c.Type == "Ready" && c.Status == "True" {
					agents = append(agents, agentOf(t, &pod))
				} else if c.Type == "Ready" {
					err = fmt.Errorf("%s is not ready: %s", pod.Name, c.Message)
				}
			}
		}
		if err == nil && len(agents) != n {
			err = fmt.Errorf("there are %d", len(agents))
		}
		return err
	})
	st := kit.Must[*status](t)(agents[0].status())
	if function != "" && st.Self.Function != function {
		t.Errorf("its function is %q", st.Self.Function)
	}
	r := s.record(t, st.Self.Revision)
	if len(st.Self.Revision) > 52 || r.ActiveEpoch != 1 {
		t.Errorf("revision %q, active epoch %d", st.Self.Revision, r.ActiveEpoch)
	}
	until(t, 10*time.Second, "its record is ready", func(ctx context.Context) error {
		r, err := s.Record(ctx, st.Self.Revision)
		if err == nil && (r.Ready().Status != "True" || r.Members != fmt.Sprintf("%d/%d", n, n)) {
			err = fmt.Errorf("Ready %s (%s), members %s", r.Ready().Status, r.Ready().Reason, r.Members)
		}
		return err
	})
	m := seal(t, agents[0], st.Self.Function)
	for _, a := range agents {
		opens(t, a, m)
	}
}

// withoutInjector: a pod that opted in does not start without its agent.
func withoutInjector(t *testing.T, s *shop) {
	policies := s.Kube.AdmissionregistrationV1().MutatingAdmissionPolicyBindings()
	t.Cleanup(func() {
		_, err := s.Kubectl(context.Background(), "apply", "-k", filepath.Join(root, "manifests", "e2e"))
		must(t, err)
		must(t, injecting(context.Background(), s.World))
	})
	must(t, policies.Delete(kit.Context(t), "functionkey-inject", metav1.DeleteOptions{}))
	pod := kit.BarePod(s.NS, "plain")
	pod.Labels = map[string]string{"functionkey.dev/inject": "true"}
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	until(t, 15*time.Second, "the pod is refused", func(ctx context.Context) error {
		_, err := s.Kube.CoreV1().Pods(s.NS).Create(ctx, pod, dry)
		if err == nil {
			return fmt.Errorf("it is allowed")
		}
		kit.Refused(t, err, "its first init container is not the agent")
		return nil
	})
	pod.Labels = nil
	_, err := s.Kube.CoreV1().Pods(s.NS).Create(kit.Context(t), pod, dry)
	kit.Allowed(t, err)
}
