package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// TestSplit: a function of two versions, each a Deployment of its own, behind one Service. Whoever
// sends knows the function alone.
func TestSplit(t *testing.T) {
	s := newShop(t, "split")
	g := newGate(t)
	s.create(t, s.example(t, "Service", "billing"))
	for color, n := range map[string]int64{"blue": 2, "green": 3, "red": 0} {
		s.version(t, color, n)
	}
	orders := s.example(t, "Deployment", "orders")
	set(orders, map[string]any{"functionkey.dev/next": "billing", "functionkey.dev/outbound": "billing=" + g.address},
		"spec", "template", "metadata", "annotations")
	s.create(t, orders)
	s.whole(t, "orders", 2)
	s.ready(t, map[string]int{"blue": 2, "green": 3})
	s.routed(t, 5)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *shop, *gate)
	}{
		{"either version opens", eitherOpens},
		{"rollout and rollback under load", rolledBack},
		{"a stale sender seals again, once", sealsAgain},
		{"and never to more than before", neverToMore},
	} {
		t.Run(part.name, func(t *testing.T) {
			began := time.Now()
			part.run(t, s, g)
			t.Logf("took %s", time.Since(began).Round(100*time.Millisecond))
		})
	}
}

// version creates a Deployment of the function billing: its label says so, not its name. In proxy mode
// it takes requests at the port where it takes envelopes, too.
func (s *shop) version(t *testing.T, color string, n int64) {
	t.Helper()
	d := s.example(t, "Deployment", "billing")
	d.SetName("billing-" + color)
	set(d, n, "spec", "replicas")
	set(d, map[string]any{"app": "billing", "color": color}, "spec", "selector", "matchLabels")
	set(d, map[string]any{"app": "billing", "color": color, "functionkey.dev/function": "billing", "functionkey.dev/inject": "true"},
		"spec", "template", "metadata", "labels")
	set(d, map[string]any{"functionkey.dev/inbound": "8080"}, "spec", "template", "metadata", "annotations")
	s.create(t, d)
}

// colored are the agents of a version's pods.
func (s *shop) colored(t testing.TB, color string) []*agent {
	t.Helper()
	var all []*agent
	for _, a := range s.agents(t, "billing") {
		if a.pod.Labels["color"] == color {
			all = append(all, a)
		}
	}
	return all
}

// ready waits until the versions have so many pods, that all are ready, and that what orders seals is
// opened by all of them.
func (s *shop) ready(t testing.TB, versions map[string]int) {
	t.Helper()
	total := 0
	for _, n := range versions {
		total += n
	}
	must(t, s.WaitReady(context.Background(), "billing", total, 90*time.Second))
	for color, n := range versions {
		if have := len(s.colored(t, color)); have != n {
			t.Fatalf("%s has %d pods, not %d", color, have, n)
		}
	}
	receivers := s.agents(t, "billing")
	for _, sender := range s.agents(t, "orders") {
		until(t, 20*time.Second, "sealed to all versions", func(context.Context) error {
			plain := message("ready")
			envelope, err := sender.seal("billing", plain)
			for i := 0; err == nil && i < len(receivers); i++ {
				_, err = receivers[i].open(envelope)
			}
			return err
		})
	}
}

// routed waits until the Service leads to so many pods. Kubernetes does that in its own time: its
// controller tries again after a second, and then two, where its cache was behind, and what was sent to an
// address that nobody knew yet is never answered.
func (s *shop) routed(t *testing.T, n int) {
	t.Helper()
	until(t, time.Minute, fmt.Sprintf("the Service has %d pods", n), func(ctx context.Context) error {
		list, err := s.Kube.DiscoveryV1().EndpointSlices(s.NS).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=billing"})
		if err != nil {
			return err
		}
		ready := 0
		for _, slice := range list.Items {
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready == nil || *e.Conditions.Ready {
					ready++
				}
			}
		}
		if ready != n {
			err = fmt.Errorf("there are %d", ready)
		}
		return err
	})
	must(t, s.Send(kit.Context(t), "routed", 1, 0))
	must(t, s.Settled(kit.Context(t), time.Minute))
}

// flawless wants each message sent once, and opened once, with no error on the way that a function saw.
func flawless(t *testing.T, totals story.Totals) {
	t.Helper()
	t.Log(totals, totals.ByReplica)
	if bad := append(totals.Missing, totals.Again...); len(bad) != 0 || totals.Twice != 0 || totals.Opened != totals.Sent {
		t.Errorf("%v, %d opened twice, %d tried again:\n%s", totals, totals.Twice, len(totals.Again), strings.Join(bad[:min(20, len(bad))], "\n"))
	}
}

// eitherOpens: messages go to the plain Service, and whichever pod gets one opens it.
func eitherOpens(t *testing.T, s *shop, _ *gate) {
	const each = 150
	books := story.NewBooks("either")
	must(t, s.Send(kit.Context(t), "either", each, 10*time.Millisecond))
	must(t, s.Settled(kit.Context(t), time.Minute))
	must(t, books.Read(kit.Context(t), s.World))
	totals := books.Join()
	flawless(t, totals)
	for _, a := range s.agents(t, "billing") {
		if totals.ByReplica[a.pod.Name] == 0 {
			t.Errorf("%s got none", a.pod.Name)
		}
	}
	if totals.Sent != 2*each {
		t.Errorf("sent %d", totals.Sent)
	}
}

// rolledBack: a new revision of a version comes and goes while messages flow.
func rolledBack(t *testing.T, s *shop, _ *gate) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	before := s.colored(t, "blue")[0].pod.Labels["functionkey.dev/revision"]
	books := story.NewBooks("rolled")
	stopReading := books.KeepReading(ctx, s.World)
	stopSending := s.keepSending(t, ctx, "rolled")
	began := time.Now()
	s.patch(t, "Deployment", "billing-blue", `{"spec":{"template":{"metadata":{"annotations":{"version":"2"}}}}}`)
	s.rolled(t, ctx)
	between := s.colored(t, "blue")[0].pod.Labels["functionkey.dev/revision"]
	rollout := time.Since(began)
	_, err := s.Kubectl(ctx, "-n", s.NS, "rollout", "undo", "deployment/billing-blue")
	must(t, err)
	s.rolled(t, ctx)
	measured("rollout and rollback of two replicas under load", map[string]any{"rollout_ms": ms(rollout), "both_ms": ms(time.Since(began))})
	rounds := stopSending()
	must(t, s.Settled(ctx, time.Minute))
	stopReading()
	must(t, books.Read(ctx, s.World))
	totals := books.Join()
	flawless(t, totals)
	if want := rounds * 2 * perRound; totals.Sent != want {
		t.Errorf("sent %d, not %d", totals.Sent, want)
	}
	s.ready(t, map[string]int{"blue": 2, "green": 3})
	if after := s.colored(t, "blue")[0].pod.Labels["functionkey.dev/revision"]; after != before || between == before {
		t.Errorf("revision %s became %s and %s", before, between, after)
	}
}

// rolled waits until the version blue has nothing but ready pods of its newest revision.
func (s *shop) rolled(t *testing.T, ctx context.Context) {
	t.Helper()
	_, err := s.Kubectl(ctx, "-n", s.NS, "rollout", "status", "deployment/billing-blue", "--timeout=90s")
	must(t, err)
	must(t, s.WaitReady(ctx, "billing", 5, time.Minute))
}

const perRound = 10 // messages of each replica of orders in half a second

// keepSending has orders send until stop is called, which says how often it was told to.
func (s *shop) keepSending(t *testing.T, ctx context.Context, prefix string) (stop func() int) {
	done, rounds := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for i := 1; ; i++ {
			if err := s.Send(ctx, fmt.Sprint(prefix, "-", i), perRound, 500*time.Millisecond/perRound); err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				rounds <- i
				return
			case <-tick.C:
			}
		}
	}()
	return func() int { close(done); return <-rounds }
}

// --- stale keys, in proxy mode

// gate stands on this machine where orders' agent sends sealed requests to. What is to happen while a
// request is on its way happens there.
type gate struct {
	address string
	to      string // the pod that gets them
	asked   atomic.Int32
	before  func() // for the next request alone
}

func newGate(t *testing.T) *gate {
	t.Helper()
	settings := kit.Must[[]byte](t)(os.ReadFile(filepath.Join(state, "settings")))
	host := regexp.MustCompile(`(?m)^HOST_ADDRESS='?([0-9.]+)'?$`).FindSubmatch(settings)
	if host == nil {
		t.Fatalf("no address of this machine in %s", settings)
	}
	listener := kit.Must[net.Listener](t)(net.Listen("tcp", string(host[1])+":0"))
	g := &gate{address: listener.Addr().String()}
	server := &http.Server{Handler: g}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return g
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked.Add(1)
	body, err := io.ReadAll(r.Body)
	if before := g.before; before != nil {
		g.before = nil
		before()
	}
	var answer *http.Response
	if err == nil {
		answer, err = http.Post("http://"+g.to+":9472"+r.URL.Path, r.Header.Get("Content-Type"), bytes.NewReader(body))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(text)
}

// revokes a member of green, and waits until green's leader and the sender know the key after it.
func (s *shop) revokes(t *testing.T, sender *agent) (leader *agent) {
	t.Helper()
	var member *agent
	for _, a := range s.colored(t, "green") {
		st := kit.Must[*status](t)(a.status())
		if st.Leading {
			leader = a
		} else if st.Ready {
			member = a
		}
	}
	if leader == nil || member == nil {
		t.Fatal("green has no leader, or nobody else")
	}
	before := kit.Must[*status](t)(leader.status())
	record := kit.Must[*unstructured.Unstructured](t)(s.c.Records(s.NS).Get(kit.Context(t), before.Self.Revision, metav1.GetOptions{}))
	revoked, _, _ := unstructured.NestedStringSlice(record.Object, "spec", "revoked")
	patch := kit.JSON(t, kit.Map{"spec": kit.Map{"revoked": append(revoked, string(member.pod.UID))}})
	s.c.Kubectl(t, "-n", s.NS, "patch", "functionkey", before.Self.Revision, "--type=merge", "-p", string(patch))
	until(t, 20*time.Second, "what is sealed now is not for the revoked", func(context.Context) error {
		st, err := leader.status()
		if err == nil && st.Epoch <= before.Epoch {
			err = fmt.Errorf("epoch %d", st.Epoch)
		}
		if err != nil {
			return err
		}
		envelope, err := sender.seal("billing", message("revoked"))
		if err == nil {
			_, err = leader.open(envelope)
		}
		return err
	})
	return leader
}

// counted adds up what agents say of messages: by op and result.
func counted(t *testing.T, agents []*agent) map[string]float64 {
	t.Helper()
	sum := map[string]float64{}
	for _, a := range agents {
		for name, n := range story.Metrics(kit.Must[[]byte](t)(a.get("/metrics"))) {
			if labels, ok := strings.CutPrefix(name, "functionkey_messages_total"); ok {
				sum[labels] += n
			}
		}
	}
	return sum
}

// calls has orders' function make one plain request; while it is on its way to green's leader, meanwhile
// happens. It returns the status and what the agents' counts of proxied messages grew by.
func (s *shop) calls(t *testing.T, g *gate, meanwhile func(sender *agent)) (code string, grew map[string]float64) {
	t.Helper()
	sender, receivers := s.agents(t, "orders")[0], s.colored(t, "green")
	for _, a := range receivers {
		if kit.Must[*status](t)(a.status()).Leading {
			g.to = a.pod.Status.PodIP
		}
	}
	all := append(receivers, sender)
	was := counted(t, all)
	g.asked.Store(0)
	if meanwhile != nil {
		g.before = func() { meanwhile(sender) }
	}
	curl := kit.Must[*exec.Cmd](t)(story.InPod(kit.Context(t), string(sender.pod.UID), "curl", "-sS", "--max-time", "50", "-o", "/dev/null",
		"-w", "%{http_code}", "http://127.0.0.1:9470/to/"+s.NS+"/billing/healthz"))
	out := kit.Must[[]byte](t)(curl.Output())
	grew = map[string]float64{}
	for labels, n := range counted(t, all) {
		if n != was[labels] && strings.Contains(labels, "bound") {
			grew[labels] = n - was[labels]
		}
	}
	return string(out), grew
}

func same(t *testing.T, have, want any) {
	t.Helper()
	if fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("have %v, want %v", have, want)
	}
}

// sealsAgain: a request that is on its way while the key that it was sealed to is revoked.
func sealsAgain(t *testing.T, s *shop, g *gate) {
	code, grew := s.calls(t, g, func(sender *agent) { s.revokes(t, sender) })
	same(t, code, 200)
	same(t, g.asked.Load(), 2)
	same(t, grew, map[string]float64{
		`{op="outbound",result="ok"}`: 1, `{op="inbound",result="stale-epoch"}`: 1, `{op="inbound",result="ok"}`: 1})
}

// recipients waits until an agent seals to so many revisions of billing: their names stand in the
// envelope's header.
func (s *shop) recipients(t *testing.T, sender *agent, n int) {
	t.Helper()
	until(t, 30*time.Second, fmt.Sprintf("sealed to %d revisions", n), func(context.Context) error {
		envelope, err := sender.seal("billing", message("counted"))
		if have := bytes.Count(envelope, []byte(s.NS+"/billing-")); err == nil && have != n {
			err = fmt.Errorf("there are %d", have)
		}
		return err
	})
}

// neverToMore: a version that came meanwhile gets nothing of a request that began without it.
func neverToMore(t *testing.T, s *shop, g *gate) {
	s.recipients(t, s.agents(t, "orders")[0], 2) // what was rolled back is forgotten
	code, grew := s.calls(t, g, func(sender *agent) {
		must(t, s.Scale(kit.Context(t), "billing-red", 1))
		s.recipients(t, sender, 3)
		s.revokes(t, sender)
	})
	same(t, code, 503)
	same(t, g.asked.Load(), 1)
	same(t, grew, map[string]float64{`{op="outbound",result="not-ready"}`: 1, `{op="inbound",result="stale-epoch"}`: 1})
	code, _ = s.calls(t, g, nil)
	same(t, code, 200)
}
