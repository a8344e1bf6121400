package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// Functions that know nothing of FunctionKey, on the loopback of a pod.
const (
	pythonFunction = `
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
class Function(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = json.dumps({"by": "python", "path": self.path, "body": body.decode(), "id": self.headers["Functionkey-Id"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
HTTPServer(("127.0.0.1", 8090), Function).serve_forever()
`
	nodeFunction = `
require('http').createServer((q, s) => {
  let body = '';
  q.on('data', d => { body += d; });
  q.on('end', () => s.end(JSON.stringify({by: 'node', path: q.url, body: body, id: q.headers['functionkey-id']})));
}).listen(8090, '127.0.0.1');
`
)

// exposed: a function that listens on the pod's address as well is told.
func exposed(t *testing.T, s *shop, ctx context.Context, pod *corev1.Pod) {
	t.Helper()
	a := agentOf(t, pod)
	is := func(want float64) {
		t.Helper()
		until(t, 40*time.Second, fmt.Sprintf("functionkey_function_exposed is %v", want), func(context.Context) error {
			text, err := a.get("/metrics")
			if err == nil && story.Metrics(text)["functionkey_function_exposed"] != want {
				err = fmt.Errorf("it is not")
			}
			return err
		})
	}
	if text := kit.Must[[]byte](t)(a.get("/metrics")); story.Metrics(text)["functionkey_function_exposed"] != 0 {
		t.Error("exposed from the start")
	}
	command := kit.Must[*exec.Cmd](t)(story.InPod(ctx, string(pod.UID), "python3", "-m", "http.server", "--bind", pod.Status.PodIP, "8090"))
	must(t, command.Start())
	is(1)
	_ = command.Process.Kill()
	_ = command.Wait()
	is(0)
	if out := s.c.Kubectl(t, "-n", s.NS, "get", "events.events.k8s.io"); !strings.Contains(out, "FunctionExposed") {
		t.Error("no event:", out)
	}
}

// scraped: its agent's metrics at the pod's address, asked for from another network namespace, and
// nothing else there.
func scraped(t *testing.T, s *shop, ctx context.Context, pod *corev1.Pod) {
	t.Helper()
	ask := func(path string) ([]byte, error) {
		return s.Kube.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").Name(pod.Name + ":9464").
			SubResource("proxy").Suffix(path).DoRaw(ctx)
	}
	text, err := ask("metrics")
	if n, there := story.Metrics(text)["functionkey_function_exposed"]; err != nil || !there || n != 0 {
		t.Errorf("metrics of %s: %v: %.200s", pod.Name, err, text)
	}
	if text, err := ask("v1/status"); !apierrors.IsNotFound(err) {
		t.Errorf("more than metrics of %s: %v: %.200s", pod.Name, err, text)
	}
	ports := pod.Spec.InitContainers[0].Ports
	if !slices.ContainsFunc(ports, func(p corev1.ContainerPort) bool { return p.Name == "fk-metrics" && p.ContainerPort == 9464 }) {
		t.Errorf("ports of %s: %v", pod.Name, ports)
	}
}

// TestProxy: annotations alone, as users have them, between pods.
func TestProxy(t *testing.T) {
	s := newShop(t, "plain")
	for app, note := range map[string]string{"billing": "functionkey.dev/inbound", "orders": "functionkey.dev/outbound"} {
		d := s.example(t, "Deployment", app)
		set(d, map[string]any{note: map[string]string{"billing": "8090", "orders": "billing"}[app], "functionkey.dev/metrics": "true"}, "spec", "template", "metadata", "annotations")
		set(d, int64(map[string]int{"billing": 2, "orders": 1}[app]), "spec", "replicas")
		s.create(t, d)
	}
	s.whole(t, "billing", 2)
	s.whole(t, "orders", 1)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	functions := [][]string{{"python3", "-c", pythonFunction}, {"node", "-e", nodeFunction}}
	pods := kit.Must[[]corev1.Pod](t)(s.Pods(ctx, "billing"))
	for i := range pods {
		command := kit.Must[*exec.Cmd](t)(story.InPod(ctx, string(pods[i].UID), functions[i][0], functions[i][1:]...))
		must(t, command.Start())
		t.Cleanup(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		})
	}
	orders := kit.Must[[]corev1.Pod](t)(s.Pods(ctx, "orders"))[0]
	curl := func(args ...string) (string, error) {
		command, err := story.InPod(ctx, string(orders.UID), "curl", append([]string{"-sS", "--max-time", "10"}, args...)...)
		if err != nil {
			return "", err
		}
		out, err := command.CombinedOutput()
		return string(out), err
	}
	call := func(context.Context) (by string, err error) {
		out, err := curl("-d", "a secret", "http://127.0.0.1:9470/to/"+s.NS+"/billing/pay?x=1")
		var said struct{ By, Path, Body, ID string }
		if err == nil {
			err = json.Unmarshal([]byte(out), &said)
		}
		if err == nil && (said.Path != "/pay?x=1" || said.Body != "a secret" || len(said.ID) != 32) {
			err = fmt.Errorf("%s", out)
		}
		return said.By, err
	}
	var first string
	until(t, 20*time.Second, "a function answers", func(ctx context.Context) (err error) {
		first, err = call(ctx)
		return err
	})
	scraped(t, s, ctx, &orders)
	wire := kit.Must[*story.Wire](t)(story.Tap(&orders, 9472))
	_, err := call(ctx)
	out, in := wire.Stop()
	if err != nil || len(out) < 500 || len(in) < 300 || bytes.Contains(out, []byte("secret")) || bytes.Contains(in, []byte("secret")) || bytes.Contains(in, []byte("/pay")) {
		t.Errorf("%v; %d bytes of a request and %d of its answer passed:\n%.200q\n%.200q", err, len(out), len(in), out, in)
	}
	wire = kit.Must[*story.Wire](t)(story.Tap(&orders, 9472))
	for i := range pods {
		out, _ := curl("-w", "%{http_code}", "-d", "plain", "http://"+pods[i].Status.PodIP+":9472/pay")
		if !strings.HasSuffix(out, "400") || !strings.Contains(out, "cannot-open") {
			t.Errorf("plain request to %s: %s", pods[i].Name, out)
		}
	}
	if out, _ := wire.Stop(); !bytes.Contains(out, []byte("plain")) {
		t.Errorf("what is not sealed is not seen either: %.200q", out)
	}
	if out, _ := curl("-w", "%{http_code}", "http://127.0.0.1:9470/to/"+s.NS+"/elsewhere/"); !strings.HasSuffix(out, "403") {
		t.Errorf("a function that is not listed: %s", out)
	}
	exposed(t, s, ctx, &pods[0])
	// The other replica's function answers when that replica leads.
	_, err = s.KillLeader(ctx, "billing", story.Agent)
	must(t, err)
	until(t, 60*time.Second, "the other function answers", func(ctx context.Context) error {
		by, err := call(ctx)
		if err == nil && by == first {
			err = fmt.Errorf("still %s", by)
		}
		return err
	})
}
