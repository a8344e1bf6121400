package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"functionkey.dev/e2e/story"
)

// byWebhook replaces the policy that injects by the controller's webhook, and compares what the two
// make of the same pod template.
func byWebhook(ctx context.Context, w *story.World) error {
	say("Injection by webhook (Kubernetes 1.30 and newer) in place of the policy (1.36): the same pod.")
	work, err := os.MkdirTemp("", "demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := next(ctx, w, work, "policy"); err != nil {
		return err
	}
	fmt.Printf("%s$ kubectl apply -k manifests/e2e-webhook; kubectl delete mutatingadmissionpolicy ...%s\n", dim, off)
	begun := time.Now()
	if err := w.ByWebhook(ctx); err != nil {
		return err
	}
	fmt.Printf("switched in %.0f s; running pods stay as they are\n", time.Since(begun).Seconds())
	if err := next(ctx, w, work, "webhook"); err != nil {
		return err
	}
	fmt.Printf("%s$ diff policy.yaml webhook.yaml%s\n", dim, off)
	diff := exec.CommandContext(ctx, "diff", "-u", "policy.yaml", "webhook.yaml")
	diff.Dir = work
	if out, err := diff.CombinedOutput(); err != nil {
		return fmt.Errorf("the two forms differ: %w\n%s", err, out)
	}
	fmt.Println("no difference: one description of the agent serves both (manifests/base/agent.yaml)")
	return nil
}

// next writes what the next pod of billing would be now, and says who is there to inject.
func next(ctx context.Context, w *story.World, folder, form string) error {
	injectors, err := w.Injectors(ctx)
	if err != nil {
		return err
	}
	if strings.Count(injectors, "\n") != 1 || !strings.Contains(injectors, form) {
		return fmt.Errorf("wanted one injector, the %s: %q", form, injectors)
	}
	pod, err := w.Admitted(ctx, "billing")
	if err != nil {
		return err
	}
	fmt.Printf("  the next pod of billing: injected by %s, %d lines of YAML\n", strings.TrimSpace(injectors), strings.Count(pod, "\n"))
	return os.WriteFile(filepath.Join(folder, form+".yaml"), []byte(pod), 0o600)
}
