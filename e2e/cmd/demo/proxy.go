package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"functionkey.dev/e2e/story"
)

const (
	card    = "4000-0000-0000-0002"
	inbound = 9472 // where agents take sealed requests
)

// byProxy sends a plain request from one plain function to another, and looks at what the network saw.
func byProxy(ctx context.Context, w *story.World) error {
	say("Proxy mode: checkout and pay know nothing of FunctionKey, and have one annotation each.")
	before, err := w.Reviews(ctx)
	if err != nil {
		return err
	}
	if err := apply(ctx, w, "examples/proxy.yaml"); err != nil {
		return err
	}
	for _, app := range []string{"pay", "checkout"} {
		if _, err := w.Keyed(ctx, app, 1, time.Minute); err != nil {
			return err
		}
		if err := w.WaitReady(ctx, app, 1, time.Minute); err != nil {
			return err
		}
	}
	after, err := w.Reviews(ctx)
	if err != nil {
		return err
	}
	if after-before < 2 {
		return fmt.Errorf("the webhook gave %v pods an agent, not two", after-before)
	}
	fmt.Println("their agents came from the webhook: its count of injected pods grew by two")
	if err := sealed(ctx, w); err != nil {
		return err
	}
	return plain(ctx, w)
}

// ask has checkout make a request and returns what its interface carried to port 9472 and back.
func ask(ctx context.Context, w *story.World, url string) (answer string, out, in []byte, err error) {
	pods, err := w.Pods(ctx, "checkout")
	if err != nil {
		return "", nil, nil, err
	}
	if len(pods) == 0 {
		return "", nil, nil, fmt.Errorf("checkout has no pods")
	}
	wire, err := story.Tap(&pods[0], inbound)
	if err != nil {
		return "", nil, nil, err
	}
	args := []string{"exec", "-n", w.NS, "deploy/checkout", "-c", "checkout", "--", "busybox", "wget", "-qO-", "--post-data=card=" + card, url}
	fmt.Printf("%s$ kubectl %s%s\n", dim, strings.Join(args, " "), off)
	answer, err = w.Kubectl(ctx, args...)
	out, in = wire.Stop()
	return answer, out, in, err
}

// sealed is a plain request on loopback, and a plain answer.
func sealed(ctx context.Context, w *story.World) error {
	answer, out, in, err := ask(ctx, w, "http://127.0.0.1:9470/to/"+w.NS+"/pay/cgi-bin/pay")
	if err != nil {
		return err
	}
	fmt.Print(answer)
	if !strings.Contains(answer, card) {
		return fmt.Errorf("pay did not answer with the card's number")
	}
	for _, what := range []string{card, "cgi-bin", "paid"} {
		if bytes.Contains(out, []byte(what)) || bytes.Contains(in, []byte(what)) {
			return fmt.Errorf("%q crossed the pod network", what)
		}
	}
	fmt.Println("what the pod network saw of that, in and out of checkout's interface:")
	for _, way := range []struct {
		arrow string
		bytes []byte
	}{{"to pay:  ", out}, {"from pay:", in}} {
		head, body, ok := strings.Cut(string(way.bytes), "\r\n\r\n")
		if !ok || !strings.Contains(head, "application/vnd.functionkey") || len(body) < 100 {
			return fmt.Errorf("%s no sealed message: %.300q", way.arrow, way.bytes)
		}
		first, _, _ := strings.Cut(head, "\r\n")
		fmt.Printf("  %s %s, %s, %d bytes that begin with % x\n", way.arrow, first, field(head, "content-type"), len(body), body[:12])
	}
	fmt.Printf("the card's number, the path and pay's words are in none of these %d bytes\n", len(out)+len(in))
	return nil
}

// plain is the same past the agent: seen by the same tap, and refused.
func plain(ctx context.Context, w *story.World) error {
	pods, err := w.Pods(ctx, "pay")
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return fmt.Errorf("pay has no pods")
	}
	answer, out, _, err := ask(ctx, w, fmt.Sprintf("http://%s:%d/cgi-bin/pay", pods[0].Status.PodIP, inbound))
	if err == nil || !strings.Contains(err.Error(), " 400 ") {
		return fmt.Errorf("a plain request from outside was not refused: %w: %s", err, answer)
	}
	if !bytes.Contains(out, []byte(card)) {
		return fmt.Errorf("the tap does not see what is plain: %.300q", out)
	}
	fmt.Println("400 Bad Request: a plain request that goes past checkout's agent can be read on the way, and pay's agent refuses it")
	return nil
}

// field returns a field of an HTTP head.
func field(head, name string) string {
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
