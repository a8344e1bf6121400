// Package node tests FunctionKey end to end: on a real node with containers, with the programs that
// users get (e2e/run node). The gestures are those of the demo (e2e/story); beside them the tests
// talk to the agents of pods directly, on their sockets, also while the API server is away.
package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"functionkey.dev/e2e/story"
)

// Facts of the cluster under test.
var (
	root    string // of the repository
	state   string // folder of the cluster's state
	cluster string // its name
)

func TestMain(m *testing.M) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func prepare() (err error) {
	kubeconfig := os.Getenv("KUBECONFIG")
	if kubeconfig == "" {
		return fmt.Errorf("KUBECONFIG is not set: e2e/run node")
	}
	state, cluster = filepath.Dir(kubeconfig), filepath.Base(filepath.Dir(kubeconfig))
	if root, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		return err
	}
	w, err := story.Connect(root, cluster, story.System)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := w.ControllerRolled(ctx); err != nil {
		return err
	}
	return injecting(ctx, w)
}

// injecting waits until the policies act: each needs about a second.
func injecting(ctx context.Context, w *story.World) error {
	const ns = "node-probe"
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: map[string]string{"functionkey.dev/inject": "enabled"}}}
	if _, err := w.Kube.CoreV1().Namespaces().Create(ctx, space, metav1.CreateOptions{}); err != nil {
		return err
	}
	defer func() { _ = w.Kube.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{}) }()
	probe := *w
	probe.NS = ns
	return story.Until(ctx, 30*time.Second, "pods get their agent", probe.Injects)
}

// measured prints a figure for whoever collects them.
func measured(what string, figures map[string]any) {
	figures["what"] = what
	text, _ := json.Marshal(figures)
	fmt.Printf("measured: %s\n", text)
}

func ms(d time.Duration) int64 { return d.Milliseconds() }
