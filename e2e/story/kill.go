package story

import (
	"context"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The processes of a sidecar, as their programs' names begin.
const (
	Agent   = "functionkey-agent" // its container ends with it, keys are lost
	Network = "functionkey-network"
	Keeper  = "functionkey-keeper"
	All     = "functionkey-"
)

// Whether a command line is that of one of the three that stay: kubelet runs probes beside them.
func stays(line []byte, what string) bool {
	words := strings.Split(string(line), "\x00")
	probes := len(words) > 1 && (words[1] == "probe" || words[1] == "drain")
	return strings.HasPrefix(path.Base(words[0]), what) && !probes
}

// Processes of a pod whose programs' names begin with what, as this machine numbers them: the node
// is a few namespaces on it.
func Processes(podUID, what string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err != nil || !stays(line, what) {
			continue
		}
		if groups, err := os.ReadFile("/proc/" + e.Name() + "/cgroup"); err == nil && strings.Contains(string(groups), podUID) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Kill ends processes of a pod with SIGKILL.
func Kill(podUID, what string) error {
	return Signal(podUID, what, syscall.SIGKILL)
}

// Signal sends one to processes of a pod.
func Signal(podUID, what string, signal syscall.Signal) error {
	pids, err := Processes(podUID, what)
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return fmt.Errorf("pod %s has no process %q", podUID, what)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil {
			return fmt.Errorf("%s to %s: %w", signal, what, err)
		}
	}
	return nil
}

// KillLeader kills the leader's agent and says whom.
func (w *World) KillLeader(ctx context.Context, app, what string) (*Record, error) {
	r, err := w.Leader(ctx, app)
	if err != nil {
		return nil, err
	}
	if r.LeaderUID == "" {
		return nil, fmt.Errorf("%s has no leader", r.Name)
	}
	return r, Kill(r.LeaderUID, what)
}

// NewKey waits for an active key of a higher epoch, led by another replica or incarnation.
func (w *World) NewKey(ctx context.Context, before *Record, limit time.Duration) (*Record, time.Duration, error) {
	var now *Record
	start := time.Now()
	err := Until(ctx, limit, "a new leader's active key", func(ctx context.Context) error {
		r, err := w.Record(ctx, before.Name)
		if err != nil {
			return err
		}
		if r.ActiveEpoch <= before.ActiveEpoch || r.Term <= before.Term {
			return fmt.Errorf("epoch %d, term %d, leader %s", r.ActiveEpoch, r.Term, r.LeaderPod)
		}
		now = r
		return nil
	})
	return now, time.Since(start), err
}
