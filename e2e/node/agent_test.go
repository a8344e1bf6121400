package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

const envelopeType = "application/vnd.functionkey.v1+cbor"

// agent talks to the agent of one pod, on its socket, from outside: the node's file system is within
// reach of this machine. So it also works while the API server is away.
type agent struct {
	pod    corev1.Pod
	http   http.Client
	socket string // the folder
}

// problem is what an agent answers when it refuses.
type problem struct {
	Status int
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Type, p.Detail) }

func agentOf(t testing.TB, pod *corev1.Pod) *agent {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(state, "node.pid"))
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{pod: *pod, socket: fmt.Sprintf("/proc/%s/root/var/lib/kubelet/pods/%s/volumes/kubernetes.io~empty-dir/functionkey",
		strings.TrimSpace(string(text)), pod.UID)}
	a.http = http.Client{Transport: &http.Transport{DialContext: a.dial, MaxIdleConnsPerHost: 4}}
	t.Cleanup(a.http.CloseIdleConnections)
	return a
}

// dial goes by an open folder, because the path is longer than a socket's may be.
func (a *agent) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	dir, err := unix.Open(a.socket, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.socket, err)
	}
	defer unix.Close(dir)
	return (&net.Dialer{}).DialContext(ctx, "unix", "/proc/self/fd/"+strconv.Itoa(dir)+"/agent.sock")
}

// ask makes one request. An answer that is not 200 is a *problem; one that breaks off is another
// error, with what came before.
func (a *agent) ask(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://functionkey"+path, body)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(path, "/v1/encrypt") {
		r.Header.Set("Content-Type", "application/json")
	} else if body != nil {
		r.Header.Set("Content-Type", envelopeType)
	}
	answer, err := a.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return text, fmt.Errorf("the answer broke off after %d bytes: %w", len(text), err)
	}
	if answer.StatusCode == http.StatusOK {
		return text, nil
	}
	p := &problem{}
	if err := json.Unmarshal(text, p); err != nil {
		return text, fmt.Errorf("status %d without a problem document: %.200q", answer.StatusCode, text)
	}
	if kind := answer.Header.Get("Content-Type"); kind != "application/problem+json" {
		return text, fmt.Errorf("a problem of type %q", kind)
	}
	p.Status = answer.StatusCode
	p.Type = p.Type[strings.LastIndexByte(p.Type, '/')+1:]
	return text, p
}

func limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 20*time.Second)
}

func (a *agent) seal(to string, message []byte) ([]byte, error) {
	ctx, cancel := limited()
	defer cancel()
	return a.ask(ctx, "POST", "/v1/encrypt?to="+url.QueryEscape(to), bytes.NewReader(message))
}

func (a *agent) open(envelope []byte) ([]byte, error) {
	ctx, cancel := limited()
	defer cancel()
	return a.ask(ctx, "POST", "/v1/decrypt", bytes.NewReader(envelope))
}

func (a *agent) get(path string) ([]byte, error) {
	ctx, cancel := limited()
	defer cancel()
	return a.ask(ctx, "GET", path, nil)
}

// status is what the tests read of /v1/status.
type status struct {
	Ready       bool   `json:"ready"`
	Reason      string `json:"reason"`
	Message     string `json:"message"`
	Leading     bool   `json:"leading"`
	Term        int64  `json:"term"`
	Epoch       int64  `json:"epoch"`
	LastFailure string `json:"lastFailure"`
	Self        struct {
		Function    string `json:"function"`
		Revision    string `json:"revision"`
		Incarnation int64  `json:"incarnation"`
	} `json:"self"`
}

func (a *agent) status() (*status, error) {
	text, err := a.get("/v1/status")
	if err != nil {
		return nil, err
	}
	s := &status{}
	return s, json.Unmarshal(text, s)
}

// pipe posts a body of unknown length and returns the answer while it comes.
func pipe(ctx context.Context, a *agent, path, kind string, body io.Reader) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", "http://functionkey"+path, struct{ io.Reader }{body})
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", kind)
	answer, err := a.http.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		return nil, fmt.Errorf("%s: status %d: %.300s", path, answer.StatusCode, text)
	}
	return answer.Body, nil
}
