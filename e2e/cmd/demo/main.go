// Demo tells the main story on a running cluster: keys appear, messages flow, the leader dies, and
// nothing is lost. Then it shows the other form of injection, and proxy mode. It ends at the first
// step that does not show what it says.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"functionkey.dev/e2e/story"
)

const (
	bold = "\033[1m"
	dim  = "\033[2m"
	off  = "\033[0m"
)

func main() {
	root := flag.String("root", ".", "the repository")
	cluster := flag.String("cluster", "demo", "name of the cluster")
	each := flag.Int("messages", 120, "messages that each replica of orders sends")
	flag.Parse()
	w, err := story.Connect(*root, *cluster, "shop")
	if err == nil {
		err = tell(context.Background(), w, *each)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func say(format string, args ...any) {
	fmt.Printf("\n%s%s%s\n", bold, fmt.Sprintf(format, args...), off)
}

func show(ctx context.Context, w *story.World, args ...string) error {
	fmt.Printf("%s$ kubectl %s%s\n", dim, strings.Join(args, " "), off)
	out, err := w.Kubectl(ctx, args...)
	fmt.Print(out)
	return err
}

func tell(ctx context.Context, w *story.World, each int) error {
	for _, part := range []func(context.Context, *story.World) error{
		deploy,
		func(ctx context.Context, w *story.World) error { return failover(ctx, w, each) },
		byWebhook,
		byProxy,
	} {
		if err := part(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// deploy applies examples/demo.yaml, its namespace first: a pod that comes before the policies act
// would be refused.
func deploy(ctx context.Context, w *story.World) error {
	const file = "examples/demo.yaml"
	say("Two functions: orders (2 replicas) sends to billing (3 replicas). Each has one public key.")
	text, err := os.ReadFile(filepath.Join(w.Root, file))
	if err != nil {
		return err
	}
	namespace, _, _ := strings.Cut(string(text), "\n---\n")
	if err := w.Apply(ctx, namespace); err != nil {
		return err
	}
	if err := story.Until(ctx, 30*time.Second, "pods get their agent", w.Injects); err != nil {
		return err
	}
	if err := apply(ctx, w, file); err != nil {
		return err
	}
	for app, n := range map[string]int{"billing": 3, "orders": 2} {
		if err := w.WaitReady(ctx, app, n, 2*time.Minute); err != nil {
			return err
		}
	}
	if _, err := w.Keyed(ctx, "billing", 3, time.Minute); err != nil {
		return err
	}
	return show(ctx, w, "get", "functionkeys", "-n", w.NS)
}

func apply(ctx context.Context, w *story.World, file string) error {
	fmt.Printf("%s$ kubectl apply -f %s%s\n", dim, file, off)
	_, err := w.Kubectl(ctx, "apply", "-f", filepath.Join(w.Root, file))
	return err
}

// failover kills the leader while messages flow.
func failover(ctx context.Context, w *story.World, each int) error {
	early, err := w.Seal(ctx, "sealed-before-the-kill")
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	books := story.NewBooks("demo")
	say("Each replica of orders seals and sends %d messages; the leader of billing is killed while they flow.", each)
	if err := w.Send(ctx, "demo", each, 25*time.Millisecond); err != nil {
		return err
	}
	stop := books.KeepReading(ctx, w)
	time.Sleep(time.Duration(each) * 25 * time.Millisecond / 3)
	before, err := w.KillLeader(ctx, "billing", story.Agent)
	if err != nil {
		stop()
		return err
	}
	fmt.Printf("killed (SIGKILL) the agent and keeper of %s: leader in term %d, epoch %d\n", before.LeaderPod, before.Term, before.ActiveEpoch)
	after, took, err := w.NewKey(ctx, before, time.Minute)
	stop()
	if err != nil {
		return err
	}
	fmt.Printf("new active key after %.0f ms: epoch %d, term %d, leader %s\n", float64(took)/1e6, after.ActiveEpoch, after.Term, after.LeaderPod)
	if err := w.Settled(ctx, 3*time.Minute); err != nil {
		return err
	}
	if err := w.WaitReady(ctx, "billing", 3, 2*time.Minute); err != nil {
		return err
	}
	if _, err := w.Keyed(ctx, "billing", 3, time.Minute); err != nil {
		return err
	}
	if err := show(ctx, w, "get", "functionkeys", "-n", w.NS); err != nil {
		return err
	}
	say("A message that was sealed before the kill, opened by every replica, also by one that starts now.")
	if err := openEverywhere(ctx, w, early); err != nil {
		return err
	}
	say("The ledgers of senders and receivers, joined by message id.")
	if err := books.Read(ctx, w); err != nil {
		return err
	}
	t := books.Join()
	for replica, n := range t.ByReplica {
		fmt.Printf("  %-32s opened %d\n", replica, n)
	}
	for _, m := range t.Missing {
		fmt.Println("  lost:", m)
	}
	fmt.Println(t)
	if t.Lost > 0 || t.Sent < 200 || len(t.ByReplica) < 3 {
		return fmt.Errorf("wanted at least 200 messages, 3 replicas, none lost")
	}
	return nil
}

func openEverywhere(ctx context.Context, w *story.World, envelope []byte) error {
	if err := w.Scale(ctx, "billing", 4); err != nil {
		return err
	}
	if err := w.WaitReady(ctx, "billing", 4, 2*time.Minute); err != nil {
		return err
	}
	pods, err := w.Pods(ctx, "billing")
	if err != nil {
		return err
	}
	for _, p := range pods {
		var plain []byte
		err := story.Until(ctx, 20*time.Second, "opened by "+p.Name, func(ctx context.Context) error {
			var err error
			plain, err = w.Open(ctx, p.Name, envelope)
			return err
		})
		if err != nil {
			return err
		}
		fmt.Printf("  %-32s started %s  %s\n", p.Name, p.CreationTimestamp.Format(time.TimeOnly), plain)
	}
	return w.Scale(ctx, "billing", 3)
}
