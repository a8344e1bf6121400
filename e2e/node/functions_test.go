package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// TestFunctions has the demo's two functions and does to them what happens to functions. Each part
// begins with three whole replicas of billing.
func TestFunctions(t *testing.T) {
	s := newShop(t, "shop")
	began := time.Now()
	s.deploy(t, "billing", 3)
	s.deploy(t, "orders", 2)
	s.whole(t, "orders", 2)
	s.whole(t, "billing", 3)
	measured("two functions, five replicas: created to ready", map[string]any{"ms": ms(time.Since(began))})
	s.measureStart(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *shop)
	}{
		{"story", tellStory},
		{"bad input", badInput},
		{"large body", largeBody},
		{"network half killed", killNetwork},
		{"keeper killed, three replicas", killKeeper},
		{"drain", drain},
		{"controller away", controllerAway},
		{"rollout", rollout},
		{"scale 3, 1, 3", scaleDownAndUp},
		{"one replica, keeper killed", killOnlyKeeper},
		{"scale 1, 0, 1", scaleToZero},
		{"ten replicas", tenReplicas},
		{"rights missing", rightsMissing},
		{"API server away for a minute", apiServerAway},
		{"definition missing", definitionMissing},
	} {
		ok := t.Run(part.name, func(t *testing.T) {
			began := time.Now()
			s.whole(t, "billing", 3)
			part.run(t, s)
			t.Logf("took %s", time.Since(began).Round(100*time.Millisecond))
		})
		if !ok {
			s.tell(t)
		}
	}
}

// measureStart prints how long replicas took from their container's start to being ready.
func (s *shop) measureStart(t *testing.T) {
	const name = `functionkey_phase_duration_seconds_%s{phase="ready"}`
	var all []int64
	for _, app := range []string{"billing", "orders"} {
		for _, a := range s.agents(t, app) {
			m := story.Metrics(kit.Must[[]byte](t)(a.get("/metrics")))
			if n := m[fmt.Sprintf(name, "count")]; n > 0 {
				all = append(all, int64(1000*m[fmt.Sprintf(name, "sum")]/n))
			} else {
				t.Errorf("%s does not say how long its start took", a.pod.Name)
			}
		}
	}
	measured("network half started to ready", map[string]any{"ms_each": all})
}

// tellStory is the demo as assertions.
func tellStory(t *testing.T, s *shop) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	const each, every = 110, 20 * time.Millisecond
	early := kit.Must[[]byte](t)(s.Seal(ctx, "sealed-before-the-kill"))
	books := story.NewBooks("story")
	must(t, s.Send(ctx, "story", each, every))
	stop := books.KeepReading(ctx, s.World)
	time.Sleep(each * every / 3)
	before, after := s.failover(t, "kill -9 of the leader's agent to new active key", "billing", time.Minute, func(r *story.Record) error {
		return story.Kill(r.LeaderUID, story.Agent)
	})
	must(t, s.Settled(ctx, time.Minute))
	stop()
	if after.States[before.ActiveEpoch] != "Retired" || after.States[after.ActiveEpoch] != "Active" {
		t.Errorf("states of keys: %v; epoch %d was, %d is active", after.States, before.ActiveEpoch, after.ActiveEpoch)
	}
	s.whole(t, "billing", 3)
	s.whole(t, "billing", 4) // one that started after the kill
	for _, a := range s.agents(t, "billing") {
		opens(t, a, sealed{[]byte(`{"id":"sealed-before-the-kill","item":"coffee","price":"4.20","card":"4000-0000-0000-0002"}`), early})
	}
	must(t, books.Read(ctx, s.World))
	totals := books.Join()
	t.Log(totals)
	if totals.Lost != 0 || totals.Refused != 0 || totals.Sent != 2*each || totals.Opened != totals.Sent || len(totals.ByReplica) < 3 {
		t.Errorf("%v by %v: %v", totals, totals.ByReplica, totals.Missing)
	}
	dropped := books.Drop()
	if again := books.Join(); again.Lost != 1 || !strings.HasPrefix(fmt.Sprint(again.Missing), "["+dropped) {
		t.Errorf("a message was dropped on purpose and the books say %v, missing %v", again, again.Missing)
	}
}

// killNetwork: whoever loses its network half loses no key, no term, no incarnation.
func killNetwork(t *testing.T, s *shop) {
	leader, others := s.split(t, "billing")
	before := kit.Must[*story.Record](t)(s.Leader(kit.Context(t), "billing"))
	early := seal(t, others[0], "billing")
	for _, a := range []*agent{leader, others[0]} {
		began := time.Now()
		was := s.incarnation(t, &a.pod)
		must(t, story.Kill(string(a.pod.UID), story.Network))
		until(t, 20*time.Second, "the network half is ready again", func(context.Context) error {
			st, err := a.status()
			if err == nil && !st.Ready {
				err = errors.New(st.Reason)
			}
			return err
		})
		measured("kill -9 of a network half to ready", map[string]any{"ms": ms(time.Since(began)), "leader": a == leader})
		opens(t, a, early)
		opens(t, a, seal(t, a, "billing"))
		if now := s.incarnation(t, &a.pod); now != was {
			t.Errorf("%s: incarnation %d became %d", a.pod.Name, was, now)
		}
		if n := s.restarts(t, &a.pod); n != 0 {
			t.Logf("%s: the container was restarted %d times before", a.pod.Name, n)
		}
	}
	time.Sleep(2 * time.Second)
	after := s.record(t, before.Name)
	if after.ActiveEpoch != before.ActiveEpoch || after.Term != before.Term || after.LeaderUID != before.LeaderUID {
		t.Errorf("epoch %d, term %d, leader %s became %d, %d, %s", before.ActiveEpoch, before.Term, before.LeaderPod,
			after.ActiveEpoch, after.Term, after.LeaderPod)
	}
}

// killKeeper: with other replicas alive nothing is lost.
func killKeeper(t *testing.T, s *shop) {
	leader, others := s.split(t, "billing")
	early := seal(t, others[0], "billing")
	was, restarts := s.incarnation(t, &leader.pod), s.restarts(t, &leader.pod)
	before, after := s.failover(t, "kill -9 of the leader's keeper to new active key", "billing", time.Minute, func(*story.Record) error {
		return story.Kill(string(leader.pod.UID), story.Keeper)
	})
	for _, a := range append(others, leader) {
		opens(t, a, early)
		opens(t, a, seal(t, others[0], "billing"))
	}
	if now := s.incarnation(t, &leader.pod); now != was+1 {
		t.Errorf("the former leader's incarnation %d became %d", was, now)
	}
	if now := s.restarts(t, &leader.pod); now != restarts {
		t.Errorf("its container was restarted")
	}
	if reason := after.Reasons[before.ActiveEpoch]; reason == "KeyLost" {
		t.Errorf("epoch %d was retired because of %s", before.ActiveEpoch, reason)
	}

	s.whole(t, "billing", 3)
	leader, others = s.split(t, "billing")
	member := others[0]
	was = s.incarnation(t, &member.pod)
	began := time.Now()
	must(t, story.Kill(string(member.pod.UID), story.Keeper))
	until(t, 20*time.Second, "the member's keeper is keyed again", func(context.Context) error {
		if now := s.incarnation(t, &member.pod); now != was+1 {
			return fmt.Errorf("incarnation %d", now)
		}
		return nil
	})
	opens(t, member, early)
	measured("kill -9 of a member's keeper to opening again", map[string]any{"ms": ms(time.Since(began))})
	if now := s.record(t, after.Name); now.ActiveEpoch != after.ActiveEpoch || now.Term != after.Term {
		t.Errorf("a member's keeper ended, and epoch %d, term %d became %d, %d", after.ActiveEpoch, after.Term, now.ActiveEpoch, now.Term)
	}
}

// drain: a leader that is deleted hands over by itself.
func drain(t *testing.T, s *shop) {
	early := seal(t, s.agents(t, "orders")[0], "billing")
	_, after := s.failover(t, "drain of the leader to new active key", "billing", time.Minute, func(r *story.Record) error {
		return s.Kube.CoreV1().Pods(s.NS).Delete(kit.Context(t), r.LeaderPod, metav1.DeleteOptions{})
	})
	if reason := after.Reasons[after.ActiveEpoch-1]; reason == "KeyLost" {
		t.Errorf("the key before was lost")
	}
	s.whole(t, "billing", 3)
	for _, a := range s.agents(t, "billing") {
		opens(t, a, early)
	}
}

// controllerAway: joining, opening, and failover by expiry need no controller.
func controllerAway(t *testing.T, s *shop) {
	back := s.controllerAway(t)
	ctx := kit.Context(t)
	early := seal(t, s.agents(t, "orders")[0], "billing")
	began := time.Now()
	must(t, s.Scale(ctx, "billing", 4))
	must(t, s.WaitReady(ctx, "billing", 4, 45*time.Second))
	measured("joining while the controller is away", map[string]any{"ms": ms(time.Since(began))})
	for _, a := range s.agents(t, "billing") {
		opens(t, a, early)
		opens(t, a, seal(t, a, "billing"))
	}
	expire(t, s, early)
	back()
	s.whole(t, "billing", 3)
}

// expire: a leader that is stopped in its tracks loses the Lease by its time alone, and knows that when
// it goes on.
func expire(t *testing.T, s *shop, early sealed) {
	leader, others := s.split(t, "billing")
	before := kit.Must[*story.Record](t)(s.Leader(kit.Context(t), "billing"))
	began := time.Now()
	must(t, story.Signal(string(leader.pod.UID), story.All, syscall.SIGSTOP))
	_, _, err := s.NewKey(context.Background(), before, 90*time.Second)
	took := time.Since(began)
	for _, a := range others {
		opens(t, a, early)
	}
	must(t, story.Signal(string(leader.pod.UID), story.All, syscall.SIGCONT))
	must(t, err)
	measured("leader stopped to new active key, without a controller", map[string]any{"ms": ms(took), "path": "expired"})
	until(t, 20*time.Second, "the former leader knows", func(context.Context) error {
		st, err := leader.status()
		if err == nil && (st.Leading || !st.Ready) {
			err = fmt.Errorf("leading %v, ready %v (%s)", st.Leading, st.Ready, st.Reason)
		}
		return err
	})
	opens(t, leader, early)
	opens(t, leader, seal(t, others[0], "billing"))
}

// rollout: a new revision comes while messages flow. What was sealed to the old one alone is opened
// by the old one alone.
func rollout(t *testing.T, s *shop) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	old := s.agents(t, "billing")
	early := seal(t, old[0], "billing")
	books := story.NewBooks("rollout")
	stop := books.KeepReading(ctx, s.World)
	must(t, s.Send(ctx, "rollout", 400, 25*time.Millisecond))

	// Nothing of the new revision is available for five minutes, so both live side by side.
	s.patch(t, "Deployment", "billing", `{"spec":{"minReadySeconds":300,"strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":0}},
		"template":{"metadata":{"annotations":{"version":"2"}}}}}`)
	must(t, s.WaitReady(ctx, "billing", 4, time.Minute))
	var fresh *agent
	for _, a := range s.agents(t, "billing") {
		if a.pod.Labels["functionkey.dev/revision"] != old[0].pod.Labels["functionkey.dev/revision"] {
			fresh = a
		}
	}
	if fresh == nil {
		t.Fatal("no pod of a new revision")
	}
	for _, a := range old {
		opens(t, a, early)
	}
	refuses(t, fresh, early.envelope, "wrong-recipient")
	both := sealed{}
	until(t, 20*time.Second, "messages are sealed to both revisions", func(context.Context) error {
		both = seal(t, old[0], "billing")
		_, err := fresh.open(both.envelope)
		return err
	})
	for _, a := range append(old, fresh) {
		opens(t, a, both)
	}
	opens(t, fresh, seal(t, fresh, "billing"))

	s.patch(t, "Deployment", "billing", `{"spec":{"minReadySeconds":0}}`)
	_, err := s.Kubectl(ctx, "-n", s.NS, "rollout", "status", "deployment/billing", "--timeout=90s")
	must(t, err)
	must(t, s.Settled(ctx, time.Minute))
	time.Sleep(500 * time.Millisecond)
	stop()
	must(t, books.Read(ctx, s.World))
	totals := books.Join()
	t.Log(totals)
	if totals.Lost != 0 || totals.Refused != 0 || totals.Sent != 800 {
		t.Errorf("%v by %v: %v", totals, totals.ByReplica, totals.Missing)
	}
	s.whole(t, "billing", 3)
	for _, a := range s.agents(t, "billing") {
		refuses(t, a, early.envelope, "wrong-recipient")
	}
}

// scaleDownAndUp: one replica that stays keeps every key.
func scaleDownAndUp(t *testing.T, s *shop) {
	first := seal(t, s.agents(t, "orders")[0], "billing")
	s.whole(t, "billing", 1)
	second := seal(t, s.agents(t, "orders")[0], "billing")
	s.whole(t, "billing", 3)
	for _, a := range s.agents(t, "billing") {
		opens(t, a, first)
		opens(t, a, second)
	}
}

// killOnlyKeeper: one replica alone whose keeper ends has lost its keys, and everybody is told.
func killOnlyKeeper(t *testing.T, s *shop) {
	before := s.whole(t, "billing", 1)
	only := s.agents(t, "billing")[0]
	early := seal(t, only, "billing")
	opens(t, only, early)
	_, after := s.failover(t, "kill -9 of the only keeper to new active key", "billing", time.Minute, func(*story.Record) error {
		return story.Kill(string(only.pod.UID), story.Keeper)
	})
	if reason := after.Reasons[before.ActiveEpoch]; reason != "KeyLost" {
		t.Errorf("epoch %d was retired because of %q", before.ActiveEpoch, reason)
	}
	s.condition(t, before.Name, "HistoryLost", "True", "KeyLost")
	s.condition(t, before.Name, "Ready", "True", "KeyActive")
	s.event(t, before.Name, "KeyLost")
	p := refuses(t, only, early.envelope, "no-key")
	if !strings.Contains(p.Detail, "no replica holds it any more") {
		t.Errorf("the reason is not told: %q", p.Detail)
	}
	opens(t, only, seal(t, s.agents(t, "orders")[0], "billing"))
}

// scaleToZero: the last replica takes the key with it.
func scaleToZero(t *testing.T, s *shop) {
	sender := s.agents(t, "orders")[0]
	before := s.whole(t, "billing", 1)
	early := seal(t, sender, "billing")
	must(t, s.Scale(kit.Context(t), "billing", 0))
	must(t, s.WaitReady(kit.Context(t), "billing", 0, 30*time.Second))
	s.condition(t, before.Name, "NoHolder", "True", "LastHolderGone")
	s.condition(t, before.Name, "Ready", "False", "LastHolderGone")
	until(t, 10*time.Second, "the sender knows", func(context.Context) error {
		_, err := sender.seal("billing", message("nobody"))
		var p *problem
		if errors.As(err, &p) && p.Type == "no-holder" {
			return nil
		}
		return fmt.Errorf("want no-holder, got %w", err)
	})
	began := time.Now()
	after := s.whole(t, "billing", 1)
	measured("from zero to one keyed replica", map[string]any{"ms": ms(time.Since(began))})
	if after.ActiveEpoch <= before.ActiveEpoch || after.Reasons[before.ActiveEpoch] != "KeyLost" {
		t.Errorf("epoch %d became %d; reasons %v", before.ActiveEpoch, after.ActiveEpoch, after.Reasons)
	}
	s.condition(t, before.Name, "HistoryLost", "True", "KeyLost")
	s.condition(t, before.Name, "NoHolder", "False", "HolderAlive")
	a := s.agents(t, "billing")[0]
	p := refuses(t, a, early.envelope, "no-key")
	if !strings.Contains(p.Detail, "no replica holds it any more") {
		t.Errorf("the reason is not told: %q", p.Detail)
	}
	opens(t, a, seal(t, sender, "billing"))
}

func tenReplicas(t *testing.T, s *shop) {
	early := seal(t, s.agents(t, "orders")[0], "billing")
	began := time.Now()
	s.whole(t, "billing", 10)
	measured("three to ten keyed replicas", map[string]any{"ms": ms(time.Since(began))})
	for _, a := range s.agents(t, "billing") {
		opens(t, a, early)
	}
	before, after := s.failover(t, "kill -9 of the leader's agent to new active key, ten replicas", "billing", time.Minute, func(r *story.Record) error {
		return story.Kill(r.LeaderUID, story.Agent)
	})
	if after.Reasons[before.ActiveEpoch] == "KeyLost" {
		t.Errorf("reasons %v", after.Reasons)
	}
	fresh := seal(t, s.agents(t, "orders")[0], "billing")
	for _, a := range s.agents(t, "billing") {
		opens(t, a, fresh)
	}
}

// rightsMissing: a RoleBinding that somebody deleted comes back; while nobody brings it back, agents
// say what is missing and go on opening.
func rightsMissing(t *testing.T, s *shop) {
	ctx := kit.Context(t)
	bindings := s.Kube.RbacV1().RoleBindings(s.NS)
	must(t, bindings.Delete(ctx, "functionkey-agent", metav1.DeleteOptions{}))
	until(t, 10*time.Second, "the controller restores the role binding", func(ctx context.Context) error {
		_, err := bindings.Get(ctx, "functionkey-agent", metav1.GetOptions{})
		return err
	})
	back := s.controllerAway(t)
	sender := s.agents(t, "orders")[0]
	early := seal(t, sender, "billing")
	must(t, bindings.Delete(kit.Context(t), "functionkey-agent", metav1.DeleteOptions{}))
	leader, others := s.split(t, "billing")
	until(t, 25*time.Second, "the leader says what is missing", func(context.Context) error {
		st, err := leader.status()
		if err == nil && !strings.Contains(st.LastFailure, "forbidden") && !strings.Contains(st.LastFailure, "cannot") {
			err = fmt.Errorf("last failure %q", st.LastFailure)
		}
		return err
	})
	for _, a := range append(others, leader) {
		opens(t, a, early)
		opens(t, a, seal(t, sender, "billing"))
	}
	_, err := others[0].seal("orders", message("to somebody new"))
	if p := (*problem)(nil); !errors.As(err, &p) || p.Type != "not-ready" || !strings.Contains(p.Detail, "may not read") {
		t.Errorf("an agent that may not read new keys says %v", err)
	}
	back()
	until(t, 30*time.Second, "the role binding is back", func(ctx context.Context) error {
		_, err := bindings.Get(ctx, "functionkey-agent", metav1.GetOptions{})
		return err
	})
	s.whole(t, "billing", 3)
	pods := kit.Must[[]corev1.Pod](t)(s.Pods(kit.Context(t), "billing"))
	must(t, s.Kube.CoreV1().Pods(s.NS).Delete(kit.Context(t), pods[0].Name, metav1.DeleteOptions{}))
	s.whole(t, "billing", 3)
}
