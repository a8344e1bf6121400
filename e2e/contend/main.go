// Command contend is client-go's half of the contention test: a candidate for a
// Lease that elects exactly as client-go does, and a watcher that writes down
// every version of the Lease.
//
//	contend candidate NAMESPACE NAME IDENTITY DURATION_S DEADLINE_S RETRY_S
//	contend watch NAMESPACE NAME
//
// Both write one JSON line for each thing that happens, with CLOCK_BOOTTIME in
// nanoseconds, as kube-candidate does: one clock for all logs. The candidate
// takes SIGUSR1 (release, contend anew after a while) and SIGTERM (release, end).
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	still = 100 * time.Millisecond
	pause = 3 * time.Second
)

func bootNS() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// line writes one object to standard output, whole.
func line(v map[string]any) {
	v["boot_ns"] = bootNS()
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(append(text, '\n'))
}

// candidate is one process that contends; leads is what its guarded work would
// look at.
type candidate struct {
	mu       sync.Mutex
	leads    bool
	identity string
}

func (c *candidate) set(leads bool, event string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leads == leads {
		return
	}
	c.leads = leads
	line(map[string]any{"event": event, "identity": c.identity})
}

func (c *candidate) claim() {
	for range time.Tick(still) {
		c.mu.Lock()
		if c.leads {
			line(map[string]any{"event": "still", "identity": c.identity})
		}
		c.mu.Unlock()
	}
}

func (c *candidate) elect(ctx context.Context, lock resourcelock.Interface, times []time.Duration) {
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   times[0],
		RenewDeadline:   times[1],
		RetryPeriod:     times[2],
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { c.set(true, "hold") },
			OnStoppedLeading: func() { c.set(false, "lost") },
		},
	})
}

func runCandidate(kube kubernetes.Interface, args []string) error {
	times := make([]time.Duration, 3)
	for i := range times {
		n, err := strconv.Atoi(args[3+i])
		if err != nil {
			return err
		}
		times[i] = time.Duration(n) * time.Second
	}
	c := &candidate{identity: args[2]}
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: args[0], Name: args[1]},
		Client:     kube.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: c.identity},
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM)
	line(map[string]any{"event": "start", "identity": c.identity})
	go c.claim()
	for {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.elect(ctx, lock, times)
		}()
		var got os.Signal
		select {
		case got = <-signals:
		case <-done:
		}
		// Guarded work ends before the Lease is released: so says client-go.
		c.set(false, "lost")
		cancel()
		<-done
		if got == syscall.SIGTERM {
			line(map[string]any{"event": "stop", "identity": c.identity})
			return nil
		}
		if got != nil {
			time.Sleep(pause)
		}
	}
}

func record(lease *coordinationv1.Lease, kind watch.EventType) {
	out := map[string]any{"event": "lease", "type": kind, "rv": lease.ResourceVersion,
		"holder": "", "transitions": 0}
	if lease.Spec.HolderIdentity != nil {
		out["holder"] = *lease.Spec.HolderIdentity
	}
	if lease.Spec.LeaseTransitions != nil {
		out["transitions"] = *lease.Spec.LeaseTransitions
	}
	line(out)
}

// runWatch ends with an error when the watch breaks: a history with holes
// proves nothing.
func runWatch(kube kubernetes.Interface, args []string) error {
	w, err := kube.CoordinationV1().Leases(args[0]).Watch(context.Background(),
		metav1.ListOptions{FieldSelector: "metadata.name=" + args[1]})
	if err != nil {
		return err
	}
	line(map[string]any{"event": "watching"})
	for event := range w.ResultChan() {
		lease, ok := event.Object.(*coordinationv1.Lease)
		if !ok {
			return fmt.Errorf("the watch says %v", event.Object)
		}
		record(lease, event.Type)
	}
	return fmt.Errorf("the watch ended")
}

func run() error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	switch {
	case len(os.Args) == 8 && os.Args[1] == "candidate":
		return runCandidate(kube, os.Args[2:])
	case len(os.Args) == 4 && os.Args[1] == "watch":
		return runWatch(kube, os.Args[2:])
	}
	return fmt.Errorf("contend candidate NAMESPACE NAME IDENTITY DURATION_S DEADLINE_S RETRY_S | watch NAMESPACE NAME")
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "contend:", err)
		os.Exit(1)
	}
}
