// Failover measures, on a running cluster, from what ends a leader to the next active key: for each
// way in which a leader can end, and which evidence the controller acted on. One JSON object a line.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/story"
)

const replicas = 3

// A way in which leaders end.
type way struct {
	name   string
	method string
	budget float64 // ms, for the worst; 0: none
	end    func(ctx context.Context, b *bench, r *story.Record) error
}

var ways = []way{
	{"killed", "kill -9 of the agent's processes", 300, func(_ context.Context, _ *bench, r *story.Record) error {
		return story.Kill(r.LeaderUID, story.Agent)
	}},
	{"killed-unseen", "the same, and the pod's network says nothing: what is left is the state of the pod", 2500, unseen},
	{"pod-gone", "its processes stopped, then its Pod deleted without grace", 2500, func(ctx context.Context, b *bench, r *story.Record) error {
		if err := story.Signal(r.LeaderUID, story.All, syscall.SIGSTOP); err != nil {
			return err
		}
		return b.remove(ctx, r, 0)
	}},
	{"drain", "its Pod deleted, with the grace that it has", 150, func(ctx context.Context, b *bench, r *story.Record) error {
		return b.w.Kube.CoreV1().Pods(b.w.NS).Delete(ctx, r.LeaderPod, metav1.DeleteOptions{})
	}},
}

type bench struct {
	w    *story.World
	apps []string
}

func main() {
	root := flag.String("root", ".", "the repository")
	cluster := flag.String("cluster", "bench", "name of the cluster")
	functions := flag.Int("functions", 5, "each loses its leader once a way: one revision is helped once in 30 s")
	flag.Parse()
	w, err := story.Connect(*root, *cluster, "failover")
	if err == nil {
		b := &bench{w: w}
		for i := range *functions {
			b.apps = append(b.apps, fmt.Sprint("f", i))
		}
		err = b.run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) error {
	if err := b.deploy(ctx); err != nil {
		return err
	}
	for _, way := range ways {
		begun := time.Now()
		before := b.paths(ctx)
		var took []float64
		for _, app := range b.apps {
			ms, err := b.once(ctx, app, way)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", way.name, app, err)
			}
			took = append(took, ms)
		}
		b.print(way, took, b.fired(ctx, before))
		time.Sleep(time.Until(begun.Add(35 * time.Second))) // the controller helps a revision once in 30 s
	}
	return nil
}

func (b *bench) once(ctx context.Context, app string, way way) (float64, error) {
	before, err := b.w.Keyed(ctx, app, replicas, time.Minute)
	if err != nil {
		return 0, err
	}
	time.Sleep(1500 * time.Millisecond) // held connections are taken for such after a second
	begun := time.Now()
	if err := way.end(ctx, b, before); err != nil {
		return 0, err
	}
	_, _, err = b.w.NewKey(ctx, before, time.Minute)
	return float64(time.Since(begun).Microseconds()) / 1000, err
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
			fmt.Fprintf(&all, "---\n%s", document)
		case strings.Contains(document, "kind: Deployment") && strings.Contains(document, "name: billing,"):
			for _, app := range b.apps {
				one := strings.NewReplacer("name: billing,", "name: "+app+",", "app: billing", "app: "+app)
				fmt.Fprintf(&all, "---\n%s", one.Replace(document))
			}
		}
	}
	apply := exec.CommandContext(ctx, b.w.Root+"/hack/cluster/kubectl", "apply", "-f", "-")
	apply.Stdin, apply.Stdout, apply.Stderr = strings.NewReader(all.String()), os.Stderr, os.Stderr
	apply.Env = append(os.Environ(), "FK_CLUSTER="+b.w.Cluster)
	if err := apply.Run(); err != nil {
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
func unseen(_ context.Context, _ *bench, r *story.Record) error {
	pids, err := story.Processes(r.LeaderUID, story.Agent)
	if err != nil || len(pids) == 0 {
		return fmt.Errorf("no agent of %s: %w", r.LeaderPod, err)
	}
	out, err := exec.Command("nsenter", "--net", "--target", fmt.Sprint(pids[0]),
		"iptables", "-w", "-A", "OUTPUT", "-p", "tcp", "--sport", "9471", "-j", "DROP").CombinedOutput()
	if err != nil {
		return fmt.Errorf("iptables: %w: %s", err, out)
	}
	return story.Kill(r.LeaderUID, story.Agent)
}

// paths counts what the controller released Leases for.
func (b *bench) paths(ctx context.Context) map[string]string {
	const system, name = "functionkey-system", `functionkey_failover_duration_seconds_count{path="`
	all := map[string]string{}
	pods, err := b.w.Kube.CoreV1().Pods(system).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/component=controller"})
	if err != nil {
		return all
	}
	for _, p := range pods.Items {
		if p.Status.Phase != corev1.PodRunning {
			continue
		}
		text, _ := b.w.Kube.CoreV1().RESTClient().Get().Namespace(system).Resource("pods").Name(p.Name + ":9090").
			SubResource("proxy").Suffix("metrics").DoRaw(ctx)
		for line := range strings.Lines(string(text)) {
			if path, ok := strings.CutPrefix(line, name); ok {
				path, n, _ := strings.Cut(strings.TrimSpace(path), `"} `)
				all[path] = n
			}
		}
	}
	return all
}

// fired names the paths whose counts grew.
func (b *bench) fired(ctx context.Context, before map[string]string) string {
	var names []string
	for path, n := range b.paths(ctx) {
		if n != before[path] {
			names = append(names, path)
		}
	}
	sort.Strings(names)
	if len(names) == 0 {
		return "none: the leader released by itself, or a replica was quicker"
	}
	return strings.Join(names, ", ")
}

func (b *bench) print(way way, took []float64, fired string) {
	sort.Float64s(took)
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
}
