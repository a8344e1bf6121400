// Failover measures, on a running cluster, from what ends a leader to the next active key: for each
// way in which a leader can end, and which evidence the controller acted on. One JSON object a line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/story"
)

const replicas = 3

// A way in which leaders end.
type way struct {
	name   string
	method string
	budget float64 // ms, for the worst
	alone  bool    // with no controller
	end    func(ctx context.Context, b *bench, r *story.Record) error
}

var ways = []way{
	{"killed", "kill -9 of the agent's processes", 300, false, func(_ context.Context, _ *bench, r *story.Record) error {
		return story.Kill(r.LeaderUID, story.Agent)
	}},
	{"killed-unseen", "the same, and the pod's network says nothing: what is left is the state of the pod", 2500, false, unseen},
	{"pod-gone", "its processes stopped, then its Pod deleted without grace", 2500, false, func(ctx context.Context, b *bench, r *story.Record) error {
		if err := story.Signal(r.LeaderUID, story.All, syscall.SIGSTOP); err != nil {
			return err
		}
		return b.remove(ctx, r, 0)
	}},
	{"drain", "its Pod deleted, with the grace that it has", 150, false, func(ctx context.Context, b *bench, r *story.Record) error {
		return b.w.Kube.CoreV1().Pods(b.w.NS).Delete(ctx, r.LeaderPod, metav1.DeleteOptions{})
	}},
	// The last one, as it leaves leaders stopped and no controller.
	{"expired", "its processes stopped, with no controller: what is left is the end of its Lease, 30 s after it was last renewed", 32500, true,
		func(_ context.Context, _ *bench, r *story.Record) error {
			return story.Signal(r.LeaderUID, story.All, syscall.SIGSTOP)
		}},
}

type bench struct {
	w     *story.World
	apps  []string
	audit string // the API server's audit log; empty: no steps
	steps *steps // of the way that is measured
	idle  []float64
}

func main() {
	root := flag.String("root", ".", "the repository")
	cluster := flag.String("cluster", "bench", "name of the cluster")
	functions := flag.Int("functions", 5, "each loses its leader once a way: one revision is helped once in 30 s")
	audit := flag.String("audit", "", "the API server's audit log: says how long each step took")
	only := flag.String("ways", "", "names of ways, with commas; empty: all")
	rounds := flag.Int("rounds", 1, "how often each function loses its leader each way")
	flag.Parse()
	w, err := story.Connect(*root, *cluster, "failover")
	if err == nil {
		b := &bench{w: w, audit: *audit}
		for i := range *functions {
			b.apps = append(b.apps, fmt.Sprint("f", i))
		}
		err = b.run(context.Background(), *only, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, only string, rounds int) error {
	if err := b.deploy(ctx); err != nil {
		return err
	}
	var rested time.Time // the controller helps a revision once in 30 s
	for _, way := range ways {
		if only != "" && !slices.Contains(strings.Split(only, ","), way.name) {
			continue
		}
		if way.alone {
			if err := b.leaveAlone(ctx); err != nil {
				return err
			}
		}
		before, _ := b.w.ControllerMetrics(ctx)
		b.steps, b.idle = &steps{}, nil
		var all []float64
		for range rounds {
			time.Sleep(time.Until(rested))
			rested = time.Now().Add(35 * time.Second)
			took, err := b.each(ctx, way)
			if err != nil {
				return err
			}
			all = append(all, took...)
		}
		b.print(way, all, b.fired(ctx, before))
	}
	return nil
}

// leaveAlone takes the controller away once it has told that all functions are whole.
func (b *bench) leaveAlone(ctx context.Context) error {
	for _, app := range b.apps {
		if _, err := b.w.Keyed(ctx, app, replicas, time.Minute); err != nil {
			return err
		}
	}
	return b.w.EndController(ctx)
}

// each measures a way for all functions, one after the other unless the controller is away: nobody
// works for several of them then, and each takes long.
func (b *bench) each(ctx context.Context, way way) ([]float64, error) {
	took, errs := make([]float64, len(b.apps)), make([]error, len(b.apps))
	var side sync.WaitGroup
	for i, app := range b.apps {
		one := func() {
			if took[i], errs[i] = b.once(ctx, app, way); errs[i] != nil {
				errs[i] = fmt.Errorf("%s, %s: %w", way.name, app, errs[i])
			}
		}
		if way.alone {
			side.Go(one)
		} else if one(); errs[i] != nil {
			break
		}
	}
	side.Wait()
	return took, errors.Join(errs...)
}

func (b *bench) once(ctx context.Context, app string, way way) (float64, error) {
	before, err := b.w.Keyed(ctx, app, replicas, time.Minute)
	if err != nil {
		return 0, err
	}
	time.Sleep(1500 * time.Millisecond) // held connections are taken for such after a second
	from := int64(0)
	if b.audit != "" && !way.alone {
		if from, err = auditSize(b.audit); err != nil {
			return 0, err
		}
	}
	work, idle := busy()
	begun := time.Now()
	if err := way.end(ctx, b, before); err != nil {
		return 0, err
	}
	now, _, err := b.w.NewKey(ctx, before, time.Minute)
	took := float64(time.Since(begun).Microseconds()) / 1000
	if err != nil || b.audit == "" || way.alone {
		return took, err
	}
	workNow, idleNow := busy()
	b.idle = append(b.idle, 100*(idleNow-idle)/max(1, workNow-work+idleNow-idle))
	all, err := calls(b.audit, from)
	if err != nil {
		return took, err
	}
	chain, err := chain(all, before, now)
	if err == nil {
		b.steps.take(begun, chain)
	}
	return took, err
}

// deploy makes functions as in examples/demo.yaml, one after the other as fast as the API takes them.
func (b *bench) deploy(ctx context.Context) error {
	text, err := os.ReadFile(b.w.Root + "/examples/demo.yaml")
	if err != nil {
		return err
	}
	var all strings.Builder
	for _, document := range strings.Split(string(text), "---\n") {
		document = strings.ReplaceAll(document, "shop", b.w.NS)
		switch {
		case strings.Contains(document, "kind: Namespace"):
			if err := b.w.Apply(ctx, document); err != nil {
				return err
			}
			if err := story.Until(ctx, 30*time.Second, "pods get their agent", b.w.Injects); err != nil {
				return err
			}
		case strings.Contains(document, "kind: Deployment") && strings.Contains(document, "name: billing,"):
			for _, app := range b.apps {
				one := strings.NewReplacer("name: billing,", "name: "+app+",", "app: billing", "app: "+app)
				fmt.Fprintf(&all, "---\n%s", one.Replace(document))
			}
		}
	}
	if err := b.w.Apply(ctx, all.String()); err != nil {
		return err
	}
	for _, app := range b.apps {
		if err := b.w.WaitReady(ctx, app, replicas, 2*time.Minute); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) remove(ctx context.Context, r *story.Record, grace int64) error {
	return b.w.Kube.CoreV1().Pods(b.w.NS).Delete(ctx, r.LeaderPod, metav1.DeleteOptions{GracePeriodSeconds: &grace})
}

// unseen: the pod's network namespace outlives the agent and drops what its port would answer.
func unseen(ctx context.Context, _ *bench, r *story.Record) error {
	drop, err := story.InPod(ctx, r.LeaderUID, "iptables", "-w", "-A", "OUTPUT", "-p", "tcp", "--sport", "9471", "-j", "DROP")
	if err != nil {
		return err
	}
	if out, err := drop.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables: %w: %s", err, out)
	}
	return story.Kill(r.LeaderUID, story.Agent)
}

// fired names what the controller released Leases for since.
func (b *bench) fired(ctx context.Context, before map[string]float64) string {
	after, err := b.w.ControllerMetrics(ctx)
	if err != nil {
		return err.Error()
	}
	if paths := story.Failovers(before, after); len(paths) > 0 {
		return strings.Join(slices.Sorted(maps.Keys(paths)), ", ")
	}
	return "none: the leader released by itself, or a replica was quicker"
}

func (b *bench) print(way way, took []float64, fired string) {
	slices.Sort(took)
	worst := took[len(took)-1]
	line := func(name string, value float64, budget any, met any) {
		text, _ := json.Marshal(map[string]any{
			"name": "failover." + way.name + "." + name, "value": value, "unit": "ms", "runs": len(took),
			"spread": []float64{took[0], worst}, "peer": nil, "peer_value": nil, "budget": budget, "met": met,
			"method": fmt.Sprintf("%s, to the next Active key in the record, looked at every 20 ms; %d replicas, all on one node with the control plane; evidence: %s", way.method, replicas, fired),
		})
		fmt.Println(string(text))
	}
	line("p50", took[len(took)/2], nil, nil)
	line("worst", worst, way.budget, worst <= way.budget)
	b.printSteps(way)
}

// printSteps tells the median of each step: what the API server did, and what went by before.
func (b *bench) printSteps(way way) {
	line := func(name, unit, method string, values []float64) {
		if len(values) == 0 {
			return
		}
		slices.Sort(values)
		text, _ := json.Marshal(map[string]any{
			"name": "failover." + way.name + "." + name, "value": values[len(values)/2], "unit": unit, "runs": len(values),
			"spread": []float64{values[0], values[len(values)-1]}, "peer": nil, "peer_value": nil, "budget": nil, "met": nil,
			"method": method,
		})
		fmt.Println(string(text))
	}
	slices.Sort(b.steps.names)
	for _, name := range b.steps.names {
		line("step."+name, "ms", "median; by the times of the API server's audit log: until a request is there, and how long it is answered", b.steps.took[name])
	}
	line("idle", "%", "of this machine's processors while it lasted", b.idle)
}
