// Package kit is what all end-to-end tests share: clients, namespaces, pods and
// the tokens bound to them, FunctionKeys to write, and waiting that ends.
//
// Tests run against the cluster of KUBECONFIG (hack/cluster/up prints it) and
// take away what they made. The client is client-go, so that what the C code
// does is seen by somebody else's eyes.
package kit

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is one identity at one API server.
type Cluster struct {
	Config  *rest.Config
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface

	kubeconfig string
}

// Connect reads KUBECONFIG. Without one the test fails: a suite that skips
// itself is green for the wrong reason.
func Connect(t testing.TB) *Cluster {
	t.Helper()
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" {
		t.Fatal("KUBECONFIG is not set: hack/cluster/up --mode control-plane, then export what it prints")
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatalf("KUBECONFIG: %v", err)
	}
	c := connect(t, config, "")
	c.kubeconfig = kubeconfig
	return c
}

func connect(t testing.TB, config *rest.Config, pod string) *Cluster {
	t.Helper()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &witness{next, pod} })
	config.QPS, config.Burst = 1000, 1000
	config.Timeout = 30 * time.Second
	config.WarningHandler = rest.NoWarnings{}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{Config: config, Kube: kube, Dynamic: dyn}
}

// As is the same API server for whoever holds the token.
func (c *Cluster) As(t testing.TB, token string) *Cluster {
	t.Helper()
	return c.as(t, token, "")
}

func (c *Cluster) as(t testing.TB, token, pod string) *Cluster {
	t.Helper()
	config := rest.AnonymousClientConfig(c.Config)
	config.BearerToken = token
	as := connect(t, config, pod)
	as.kubeconfig = c.kubeconfig
	return as
}

// Root is the folder of the repository.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "hack", "cluster")); missing == nil {
			return dir
		}
		if dir == "/" {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("not inside the repository")
	return ""
}

// Kubectl runs kubectl as the administrator and returns what it printed; the
// test fails if it fails.
func (c *Cluster) Kubectl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := c.TryKubectl(t, "", args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// TryKubectl runs kubectl with stdin; out holds stdout and stderr.
func (c *Cluster) TryKubectl(t testing.TB, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(Root(t), "hack", "cluster", "kubectl"), args...)
	state := filepath.Dir(c.kubeconfig)
	cmd.Env = append(os.Environ(), "FK_STATE="+filepath.Dir(state), "FK_CLUSTER="+filepath.Base(state))
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// Context ends with the test, or after a minute.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// Eventually calls try until it returns nil, ten times a second.
func Eventually(t testing.TB, limit time.Duration, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Must unwraps a result whose error ends the test.
func Must[T any](t testing.TB) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// Allowed fails the test unless err is nil.
func Allowed(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("refused, but should be allowed: %v", err)
	}
}

// Refused fails the test unless err says why. Where several policies refuse,
// any may be the one that speaks: alternatives stand between "|".
func Refused(t testing.TB, err error, why string) {
	t.Helper()
	if err == nil {
		t.Errorf("allowed, but should be refused: %s", why)
		return
	}
	for _, text := range strings.Split(why, "|") {
		if strings.Contains(err.Error(), text) {
			return
		}
	}
	t.Errorf("refused for another reason:\n  got  %v\n  want %s", err, why)
}

// Golden compares text with testdata/name; UPDATE_GOLDEN=1 writes it instead.
func Golden(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs (UPDATE_GOLDEN=1 writes it)\n%s", path, firstDifference(string(want), text))
	}
}

func firstDifference(want, got string) string {
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(wants), len(gots)) {
		w, g := "(end)", "(end)"
		if i < len(wants) {
			w = wants[i]
		}
		if i < len(gots) {
			g = gots[i]
		}
		if w != g {
			return fmt.Sprintf("line %d\n  want %s\n  got  %s", i+1, w, g)
		}
	}
	return ""
}
