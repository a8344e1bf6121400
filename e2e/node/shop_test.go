package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// shop is an opted-in namespace with the functions of the demo.
type shop struct {
	*story.World
	c *kit.Cluster
}

// newShop makes the namespace, under PodSecurity's level restricted. If the test fails it tells what
// there was.
func newShop(t *testing.T, prefix string) *shop {
	t.Helper()
	c := kit.Connect(t)
	ns := c.Namespace(t, prefix, "functionkey.dev/inject=enabled", "pod-security.kubernetes.io/enforce=restricted")
	w, err := story.Connect(root, cluster, ns)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{w, c}
	t.Cleanup(func() {
		if t.Failed() {
			s.tell(t)
		}
	})
	return s
}

// tell prints what a person would look at first.
func (s *shop) tell(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, command := range []string{
		"get functionkeys,leases,pods -o wide", "get events --sort-by=.lastTimestamp",
		"describe functionkeys", "logs -l functionkey.dev/inject=true -c functionkey-agent --tail=40 --prefix",
	} {
		out, _ := s.Kubectl(ctx, append([]string{"-n", s.NS}, strings.Fields(command)...)...)
		t.Logf("$ kubectl %s\n%s", command, out)
	}
	out, _ := s.Kubectl(ctx, "-n", story.System, "logs", "deployment/functionkey-controller", "--tail=60")
	t.Logf("controller:\n%s", out)
}

// example returns an object of examples/demo.yaml, moved into the shop's namespace.
func (s *shop) example(t testing.TB, kind, name string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "examples", "demo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(part), &u.Object); err != nil {
			t.Fatal(err)
		}
		if u.GetKind() == kind && u.GetName() == name {
			u.SetNamespace(s.NS)
			return u
		}
	}
	t.Fatalf("examples/demo.yaml has no %s %s", kind, name)
	return nil
}

var resources = map[string]schema.GroupVersionResource{
	"Deployment":  {Group: "apps", Version: "v1", Resource: "deployments"},
	"StatefulSet": {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"DaemonSet":   {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"Job":         {Group: "batch", Version: "v1", Resource: "jobs"},
	"Pod":         {Version: "v1", Resource: "pods"},
	"Service":     {Version: "v1", Resource: "services"},
}

func (s *shop) create(t testing.TB, u *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	return kit.Must[*unstructured.Unstructured](t)(s.Dynamic.Resource(resources[u.GetKind()]).Namespace(s.NS).
		Create(kit.Context(t), u, metav1.CreateOptions{}))
}

// deploy creates a function of the demo, and its Service where it has one.
func (s *shop) deploy(t testing.TB, app string, n int64) {
	t.Helper()
	d := s.example(t, "Deployment", app)
	set(d, n, "spec", "replicas")
	s.create(t, d)
	if app == "billing" {
		s.create(t, s.example(t, "Service", app))
	}
}

func set(u *unstructured.Unstructured, value any, path ...string) {
	if err := unstructured.SetNestedField(u.Object, value, path...); err != nil {
		panic(err)
	}
}

// whole brings an app to n replicas that are Ready and keyed.
func (s *shop) whole(t testing.TB, app string, n int) *story.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	pods, err := s.Pods(ctx, app)
	if err == nil && len(pods) != n {
		err = s.Scale(ctx, app, n)
	}
	if err == nil {
		err = s.WaitReady(ctx, app, n, 90*time.Second)
	}
	must(t, err)
	// A pod that was deleted goes on, and leads on, until its kubelet has looked.
	until(t, 30*time.Second, "pods that were deleted are gone", func(ctx context.Context) error {
		list, err := s.Kube.CoreV1().Pods(s.NS).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
		if err == nil && len(list.Items) != n {
			err = fmt.Errorf("%d pods", len(list.Items))
		}
		return err
	})
	return kit.Must[*story.Record](t)(s.Keyed(ctx, app, n, 60*time.Second))
}

// agents of an app's pods, in the order of their names.
func (s *shop) agents(t testing.TB, app string) []*agent {
	t.Helper()
	var all []*agent
	for _, pod := range kit.Must[[]corev1.Pod](t)(s.Pods(kit.Context(t), app)) {
		all = append(all, agentOf(t, &pod))
	}
	if len(all) == 0 {
		t.Fatalf("%s has no pods", app)
	}
	return all
}

// split tells the leader's agent from the others.
func (s *shop) split(t testing.TB, app string) (leader *agent, others []*agent) {
	t.Helper()
	r := kit.Must[*story.Record](t)(s.Leader(kit.Context(t), app))
	for _, a := range s.agents(t, app) {
		if string(a.pod.UID) == r.LeaderUID {
			leader = a
		} else {
			others = append(others, a)
		}
	}
	if leader == nil {
		t.Fatalf("%s: the leader %q is none of its pods", app, r.LeaderPod)
	}
	return leader, others
}

func message(what string) []byte {
	return fmt.Appendf(nil, `{"id":"%s-%08x","note":"only for replicas"}`, what, rand.Uint32())
}

// sealed is a message and its envelope.
type sealed struct{ plain, envelope []byte }

func seal(t testing.TB, from *agent, to string) sealed {
	t.Helper()
	m := sealed{plain: message("sealed")}
	until(t, 10*time.Second, "sealed to "+to, func(context.Context) (err error) {
		m.envelope, err = from.seal(to, m.plain)
		return notYet(err)
	})
	return m
}

// opens waits until an agent opens a message; problems that are no matter of time end the test.
func opens(t testing.TB, a *agent, m sealed) {
	t.Helper()
	until(t, 20*time.Second, a.pod.Name+" opens the message", func(context.Context) error {
		plain, err := a.open(m.envelope)
		if err == nil && string(plain) != string(m.plain) {
			t.Fatalf("%s opened something else: %.200q", a.pod.Name, plain)
		}
		return notYet(err)
	})
}

// refuses wants a problem of one of these types and nothing else.
func refuses(t testing.TB, a *agent, envelope []byte, types ...string) *problem {
	t.Helper()
	text, err := a.open(envelope)
	var p *problem
	if !errors.As(err, &p) {
		t.Errorf("%s: want a problem %v, got %v %.200q", a.pod.Name, types, err, text)
		return &problem{}
	}
	for _, one := range types {
		if p.Type == one {
			return p
		}
	}
	t.Errorf("%s: want %v, got %v", a.pod.Name, types, p)
	return p
}

// final is an error that waiting does not cure.
type final struct{ error }

func notYet(err error) error {
	var p *problem
	if errors.As(err, &p) && p.Status < 500 {
		return final{err}
	}
	return err
}

func until(t testing.TB, limit time.Duration, what string, try func(context.Context) error) {
	t.Helper()
	var end final
	err := story.Until(context.Background(), limit, what, func(ctx context.Context) error {
		err := try(ctx)
		if errors.As(err, &end) {
			return nil
		}
		return err
	})
	if end.error != nil {
		err = fmt.Errorf("%s: %w", what, end.error)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *shop) record(t testing.TB, name string) *story.Record {
	t.Helper()
	return kit.Must[*story.Record](t)(s.Record(kit.Context(t), name))
}

// incarnation of a pod's keeper, as its Member record says.
func (s *shop) incarnation(t testing.TB, pod *corev1.Pod) int64 {
	t.Helper()
	u := kit.Must[*unstructured.Unstructured](t)(s.c.Records(s.NS).Get(kit.Context(t), pod.Name+"."+string(pod.UID)[:8], metav1.GetOptions{}))
	n, _, _ := unstructured.NestedInt64(u.Object, "spec", "incarnation")
	return n
}

// restarts of a pod's agent container.
func (s *shop) restarts(t testing.TB, pod *corev1.Pod) int32 {
	t.Helper()
	now := kit.Must[*corev1.Pod](t)(s.Kube.CoreV1().Pods(s.NS).Get(kit.Context(t), pod.Name, metav1.GetOptions{}))
	for _, c := range now.Status.InitContainerStatuses {
		if c.Name == "functionkey-agent" {
			return c.RestartCount
		}
	}
	t.Fatalf("%s has no agent", pod.Name)
	return 0
}

func (s *shop) patch(t testing.TB, kind, name, body string) {
	t.Helper()
	_, err := s.Dynamic.Resource(resources[kind]).Namespace(s.NS).
		Patch(kit.Context(t), name, types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{})
	must(t, err)
}

// event waits for one with this reason on an object.
func (s *shop) event(t testing.TB, object, reason string) {
	t.Helper()
	until(t, 15*time.Second, fmt.Sprintf("event %s on %s", reason, object), func(ctx context.Context) error {
		list, err := s.Kube.CoreV1().Events(s.NS).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + object})
		if err != nil {
			return err
		}
		var seen []string
		for _, e := range list.Items {
			if e.Reason == reason {
				return nil
			}
			seen = append(seen, e.Reason)
		}
		return fmt.Errorf("there are %v", seen)
	})
}

// condition waits for one of a record.
func (s *shop) condition(t testing.TB, record, kind, status, reason string) {
	t.Helper()
	until(t, 20*time.Second, fmt.Sprintf("condition %s=%s of %s", kind, status, record), func(ctx context.Context) error {
		r, err := s.Record(ctx, record)
		if err != nil {
			return err
		}
		if c := r.Conditions[kind]; c.Status != status || c.Reason != reason {
			return fmt.Errorf("it is %s (%s)", c.Status, c.Reason)
		}
		return nil
	})
}

// --- the controller

// controllerAway ends the controller for good; the returned function brings it back.
func (s *shop) controllerAway(t testing.TB) (back func()) {
	t.Helper()
	must(t, s.EndController(kit.Context(t)))
	returned := false
	back = func() {
		if !returned {
			returned = true
			must(t, s.StartController(context.Background()))
		}
	}
	t.Cleanup(back)
	return back
}

// controllerMetrics are empty where no replica answers.
func (s *shop) controllerMetrics(t testing.TB) map[string]float64 {
	t.Helper()
	all, err := s.ControllerMetrics(kit.Context(t))
	if err != nil {
		t.Log(err)
	}
	return all
}

// failover measures from a gesture that ends a leader to the next active key, and says by which
// evidence the controller acted.
func (s *shop) failover(t testing.TB, what, app string, limit time.Duration, end func(*story.Record) error) (before, after *story.Record) {
	t.Helper()
	metrics := s.controllerMetrics(t)
	before = kit.Must[*story.Record](t)(s.Leader(kit.Context(t), app))
	began := time.Now()
	must(t, end(before))
	after, _, err := s.NewKey(context.Background(), before, limit)
	took := time.Since(began)
	must(t, err)
	figures := map[string]any{"ms": ms(took), "path": "released by the leader itself, or expired"}
	for end := time.Now().Add(time.Second); figures["controller_ms"] == nil && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		for path, seconds := range story.Failovers(metrics, s.controllerMetrics(t)) {
			figures["path"], figures["controller_ms"] = path, int64(seconds*1000)
		}
	}
	measured(what, figures)
	return before, after
}
