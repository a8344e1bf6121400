package node

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// TestTells: a leader is killed, a new key is asked for, a replica is revoked. The events that
// kubectl describe shows, read from top to bottom, tell just that; and one id joins what the controller
// and the agents log of the change of leader.
func TestTells(t *testing.T) {
	s := newShop(t, "tells")
	s.deploy(t, "billing", 3)
	before := s.whole(t, "billing", 3)
	must(t, story.Kill(before.LeaderUID, story.Agent))
	after, _, err := s.NewKey(context.Background(), before, time.Minute)
	must(t, err)
	s.whole(t, "billing", 3)
	t.Run("logs", func(t *testing.T) { s.joined(t, before, after) })

	ask := func(spec kit.Map) {
		_, err := s.c.Records(s.NS).Patch(kit.Context(t), before.Name, types.MergePatchType, kit.JSON(t, kit.Map{"spec": spec}), metav1.PatchOptions{})
		must(t, err)
	}
	ask(kit.Map{"rotation": kit.Map{"afterEpoch": after.ActiveEpoch}})
	s.epochAbove(t, before.Name, after.ActiveEpoch)
	_, others := s.split(t, "billing")
	revoked := others[0].pod
	ask(kit.Map{"revoked": []any{string(revoked.UID)}})
	s.epochAbove(t, before.Name, after.ActiveEpoch+1)

	n := after.ActiveEpoch
	want := []string{
		before.LeaderPod + " leads in term 1", "epoch 1 is active, the first",
		"released the Lease of " + before.LeaderPod,
		fmt.Sprintf("%s leads in term %d", after.LeaderPod, after.Term), fmt.Sprintf("epoch %d is active; epoch 1 was before (LeaderChanged)", n),
		fmt.Sprintf("epoch %d is active; epoch %d was before (Rotated)", n+1, n),
		fmt.Sprintf("epoch %d is active; epoch %d is revoked: pod %s of spec.revoked has it", n+2, n+1, revoked.Name),
	}
	events := kit.Must[*eventsv1.EventList](t)(s.Kube.EventsV1().Events(s.NS).List(kit.Context(t), metav1.ListOptions{}))
	for _, e := range events.Items {
		if e.Reason == "LeaderDead" && (e.Related == nil || e.Related.Name != before.LeaderPod) {
			t.Errorf("LeaderDead is of %+v", e.Related)
		}
		if e.Reason == "KeyRevoked" && (e.Related == nil || e.Related.Name != revoked.Name || e.Related.UID != revoked.UID) {
			t.Errorf("KeyRevoked is of %+v", e.Related)
		}
	}
	until(t, 20*time.Second, "describe tells the story", func(context.Context) error {
		_, events, _ := strings.Cut(s.c.Kubectl(t, "-n", s.NS, "describe", "functionkey", before.Name), "\nEvents:")
		rest := events
		for _, text := range want {
			_, next, found := strings.Cut(rest, text)
			if !found {
				return fmt.Errorf("no %q, or not in its place, in:\n%s", text, events)
			}
			rest = next
		}
		t.Log(events)
		return nil
	})
}

func (s *shop) epochAbove(t *testing.T, name string, epoch int64) {
	t.Helper()
	until(t, 30*time.Second, fmt.Sprintf("an epoch above %d", epoch), func(ctx context.Context) error {
		r, err := s.Record(ctx, name)
		if err == nil && r.ActiveEpoch <= epoch {
			err = fmt.Errorf("it is %d", r.ActiveEpoch)
		}
		return err
	})
}

// logged are the lines of a container's log as JSON objects.
func (s *shop) logged(t *testing.T, ns, pod, container string, more ...string) (lines []map[string]any) {
	t.Helper()
	out, err := s.Kubectl(kit.Context(t), append([]string{"-n", ns, "logs", pod, "-c", container}, more...)...)
	must(t, err)
	for _, text := range strings.Split(strings.TrimSpace(out), "\n") {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) != nil {
			t.Errorf("%s: a line that is not JSON: %q", pod, text)
			continue
		}
		for _, field := range []string{"time", "level", "program", "message"} {
			if _, there := line[field]; !there {
				t.Errorf("%s: a line without %s: %q", pod, field, text)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// joined finds the change of leader in the logs of controller and agent by the field "leadership".
func (s *shop) joined(t *testing.T, before, after *story.Record) {
	leadership := func(r *story.Record) string { return fmt.Sprintf("%s/%s@%d", s.NS, r.Name, r.Term) }
	var controller []map[string]any
	for _, p := range kit.Must[[]corev1.Pod](t)(s.ControllerPods(kit.Context(t))) {
		controller = append(controller, s.logged(t, story.System, p.Name, "controller")...)
	}
	agent := s.logged(t, s.NS, after.LeaderPod, "functionkey-agent")
	for _, row := range []struct {
		where          string
		lines          []map[string]any
		message        string
		field, id      string
		another, other string
	}{
		{"controller", controller, "released the lease of a dead leader", "leadership", leadership(before), "", ""},
		{"controller", controller, "a new leader's key is active", "leadership", leadership(after), "former", leadership(before)},
		{"agent", agent, "won the lease", "former", leadership(before), "", ""},
		{"agent", agent, "leading the revision", "leadership", leadership(after), "", ""},
		{"agent", agent, "key active in this term", "leadership", leadership(after), "", ""},
	} {
		var seen []map[string]any
		found := false
		for _, line := range row.lines {
			if line["message"] == row.message {
				seen = append(seen, line)
				found = found || (line[row.field] == row.id && (row.another == "" || line[row.another] == row.other))
			}
		}
		if !found {
			t.Errorf("%s: no line %q with %s=%s: %v", row.where, row.message, row.field, row.id, seen)
		}
	}
}
