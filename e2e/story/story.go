// Package story holds the gestures of the demo, so that the demo and the end-to-end tests make the
// same ones: deploy, send, kill, join the ledgers.
package story

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"functionkey.dev/e2e/kit"
)

// World is a cluster with FunctionKey installed.
type World struct {
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface
	Root    string // of the repository
	Cluster string // its name for hack/cluster
	NS      string // of the demo's functions
}

// Connect uses $KUBECONFIG; root is the repository's folder, cluster the name of our node.
func Connect(root, cluster, ns string) (*World, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 200, 400
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &World{Kube: kube, Dynamic: dyn, Root: root, Cluster: cluster, NS: ns}, nil
}

// Until tries every 20 ms until try says nil; its last error is told when the time is over.
func Until(ctx context.Context, limit time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %s: %w", what, limit, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Pods of an app that are not going away, by name.
func (w *World) Pods(ctx context.Context, app string) ([]corev1.Pod, error) {
	list, err := w.Kube.CoreV1().Pods(w.NS).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return nil, err
	}
	pods := list.Items[:0]
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodFailed && p.Status.Phase != corev1.PodSucceeded {
			pods = append(pods, p)
		}
	}
	sort.Slice(pods, func(i, j int) bool { return pods[i].Name < pods[j].Name })
	return pods, nil
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// WaitReady waits until an app has exactly n pods and all are Ready.
func (w *World) WaitReady(ctx context.Context, app string, n int, limit time.Duration) error {
	return Until(ctx, limit, fmt.Sprintf("%d ready pods of %s", n, app), func(ctx context.Context) error {
		pods, err := w.Pods(ctx, app)
		if err != nil {
			return err
		}
		good := 0
		for i := range pods {
			if ready(&pods[i]) {
				good++
			}
		}
		if good != n || len(pods) != n {
			return fmt.Errorf("%d of %d are ready", good, len(pods))
		}
		return nil
	})
}

// Keyed waits until all n replicas of an app's newest revision open messages for its active key.
func (w *World) Keyed(ctx context.Context, app string, n int, limit time.Duration) (*Record, error) {
	var now *Record
	err := Until(ctx, limit, fmt.Sprintf("%d keyed replicas of %s", n, app), func(ctx context.Context) error {
		r, err := w.Leader(ctx, app)
		if err != nil {
			return err
		}
		if r.Members != fmt.Sprintf("%d/%d", n, n) || r.Ready().Status != "True" || r.Epoch != r.ActiveEpoch {
			return fmt.Errorf("members %s, Ready %s (%s), epoch %d of %d", r.Members, r.Ready().Status, r.Ready().Reason, r.ActiveEpoch, r.Epoch)
		}
		now = r
		if err := w.opened(ctx, r, n); err != nil {
			return err
		}
		return w.leads(ctx, app, r)
	})
	return now, err
}

// opened says whether n replicas have told that they open the active key. The count in the Leader record
// may be of the key before.
func (w *World) opened(ctx context.Context, r *Record, n int) error {
	list, err := w.Dynamic.Resource(kit.FunctionKeys).Namespace(w.NS).List(ctx, metav1.ListOptions{
		LabelSelector: "functionkey.dev/role=member,functionkey.dev/revision=" + r.Name})
	if err != nil {
		return err
	}
	have := 0
	for _, m := range list.Items {
		incarnation, _, _ := unstructured.NestedInt64(m.Object, "spec", "incarnation")
		if by, _, _ := unstructured.NestedInt64(m.Object, "status", "opened", "incarnation"); by != incarnation {
			continue
		}
		epochs, _, _ := unstructured.NestedSlice(m.Object, "status", "opened", "epochs")
		for _, e := range epochs {
			if epoch, _ := e.(map[string]any)["epoch"].(int64); epoch == r.ActiveEpoch {
				have++
			}
		}
	}
	if have < n {
		return fmt.Errorf("%d replicas have told that they open epoch %d", have, r.ActiveEpoch)
	}
	return nil
}

// leads says whether a record's leader is a pod that stays.
func (w *World) leads(ctx context.Context, app string, r *Record) error {
	pods, err := w.Pods(ctx, app)
	if err != nil {
		return err
	}
	for _, p := range pods {
		if string(p.UID) == r.LeaderUID {
			return nil
		}
	}
	return fmt.Errorf("the leader %s is going away", r.LeaderPod)
}

// Record is what the story needs of a Leader record.
type Record struct {
	Name, LeaderPod, LeaderUID string
	Epoch, ActiveEpoch, Term   int64
	Members                    string
	Incarnation                int64
	States, Reasons            map[int64]string // of keys, by epoch
	Conditions                 map[string]Condition
}

// Condition is one of a record.
type Condition struct{ Status, Reason, Message string }

// Ready is the condition that people wait for.
func (r *Record) Ready() Condition { return r.Conditions["Ready"] }

// Leader reads the Leader record of an app's newest revision.
func (w *World) Leader(ctx context.Context, app string) (*Record, error) {
	pods, err := w.Pods(ctx, app)
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 {
		return nil, fmt.Errorf("%s has no pods", app)
	}
	newest := pods[0]
	for _, p := range pods {
		if p.CreationTimestamp.After(newest.CreationTimestamp.Time) {
			newest = p
		}
	}
	return w.Record(ctx, newest.Labels["functionkey.dev/revision"])
}

// Record reads a Leader record by its name.
func (w *World) Record(ctx context.Context, name string) (*Record, error) {
	o, err := w.Dynamic.Resource(kit.FunctionKeys).Namespace(w.NS).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	r := &Record{Name: name, States: map[int64]string{}, Reasons: map[int64]string{}, Conditions: map[string]Condition{}}
	r.LeaderPod, _, _ = unstructured.NestedString(o.Object, "status", "leader", "pod")
	r.LeaderUID, _, _ = unstructured.NestedString(o.Object, "status", "leader", "podUID")
	r.Term, _, _ = unstructured.NestedInt64(o.Object, "status", "leader", "term")
	r.Incarnation, _, _ = unstructured.NestedInt64(o.Object, "status", "leader", "incarnation")
	r.Epoch, _, _ = unstructured.NestedInt64(o.Object, "status", "epoch")
	r.ActiveEpoch, _, _ = unstructured.NestedInt64(o.Object, "status", "activeEpoch")
	r.Members, _, _ = unstructured.NestedString(o.Object, "status", "members", "summary")
	keys, _, _ := unstructured.NestedSlice(o.Object, "status", "keys")
	for _, k := range keys {
		m, _ := k.(map[string]any)
		epoch, _, _ := unstructured.NestedInt64(m, "epoch")
		r.States[epoch], _, _ = unstructured.NestedString(m, "state")
		r.Reasons[epoch], _, _ = unstructured.NestedString(m, "reason")
	}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		kind, _ := m["type"].(string)
		status, _ := m["status"].(string)
		reason, _ := m["reason"].(string)
		message, _ := m["message"].(string)
		r.Conditions[kind] = Condition{status, reason, message}
	}
	return r, nil
}

// Proxy makes a request to a pod through the API server.
func (w *World) Proxy(ctx context.Context, verb, pod, path string, query map[string]string, body []byte) ([]byte, error) {
	r := w.Kube.CoreV1().RESTClient().Verb(verb).Namespace(w.NS).Resource("pods").Name(pod + ":8080").
		SubResource("proxy").Suffix(path)
	for k, v := range query {
		r = r.Param(k, v)
	}
	if body != nil {
		r = r.Body(body).SetHeader("Content-Type", "application/vnd.functionkey.v1+cbor")
	}
	return r.DoRaw(ctx)
}

// Send has every replica of orders send n messages in the background.
func (w *World) Send(ctx context.Context, prefix string, n int, every time.Duration) error {
	pods, err := w.Pods(ctx, "orders")
	if err != nil {
		return err
	}
	for _, p := range pods {
		query := map[string]string{"n": fmt.Sprint(n), "every": every.String(), "prefix": prefix + "-"}
		if _, err := w.Proxy(ctx, "POST", p.Name, "/send", query, []byte{}); err != nil {
			return fmt.Errorf("send from %s: %w", p.Name, err)
		}
	}
	return nil
}

// Settled waits until no message is under way.
func (w *World) Settled(ctx context.Context, limit time.Duration) error {
	return Until(ctx, limit, "all messages booked", func(ctx context.Context) error {
		pods, err := w.Pods(ctx, "orders")
		if err != nil {
			return err
		}
		for _, p := range pods {
			text, err := w.Proxy(ctx, "GET", p.Name, "/pending", nil, nil)
			if err != nil {
				return err
			}
			if s := strings.TrimSpace(string(text)); s != "0" {
				return fmt.Errorf("%s has %s under way", p.Name, s)
			}
		}
		return nil
	})
}

// Seal has a replica of orders seal a message that is not sent.
func (w *World) Seal(ctx context.Context, id string) ([]byte, error) {
	pods, err := w.Pods(ctx, "orders")
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 {
		return nil, errors.New("orders has no pods")
	}
	return w.Proxy(ctx, "POST", pods[0].Name, "/seal", map[string]string{"id": id}, []byte{})
}

// Open has one replica of billing open a message.
func (w *World) Open(ctx context.Context, pod string, envelope []byte) ([]byte, error) {
	return w.Proxy(ctx, "POST", pod, "/open", nil, envelope)
}

type entry struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	Replica string `json:"replica"`
	Detail  string `json:"detail"`
}

// Books collects ledgers; pods that went away keep what was read of them before.
type Books struct {
	prefix string
	sent   map[string]entry
	opened map[string][]entry
}

// Totals of joined ledgers.
type Totals struct {
	Sent, Opened, Refused, Lost, Twice int
	ByReplica                          map[string]int
	Missing                            []string // what was lost or refused, and why
	Again                              []string // what was tried more than once, and why
}

func (t Totals) String() string {
	return fmt.Sprintf("sent %d, opened %d, refused %d, %d lost", t.Sent, t.Opened, t.Refused, t.Lost)
}

// NewBooks makes empty books, for the messages that Send sends with this prefix.
func NewBooks(prefix string) *Books {
	return &Books{prefix, map[string]entry{}, map[string][]entry{}}
}

// Read adds what the ledgers of both functions say now. It may be called again. Pods that are going
// away are read as long as they answer: they still receive messages.
func (b *Books) Read(ctx context.Context, w *World) error {
	list, err := w.Kube.CoreV1().Pods(w.NS).List(ctx, metav1.ListOptions{LabelSelector: "app in (orders, billing)"})
	if err != nil {
		return err
	}
	// Side by side: one that has just gone does not answer for seconds.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	type page struct {
		pod  *corev1.Pod
		text []byte
		err  error
	}
	pages := make(chan page)
	for i := range list.Items {
		go func(pod *corev1.Pod) {
			text, err := w.Proxy(ctx, "GET", pod.Name, "/ledger", nil, nil)
			pages <- page{pod, text, err}
		}(&list.Items[i])
	}
	for range list.Items {
		p := <-pages
		if p.err == nil {
			b.add(p.text)
		} else if p.pod.DeletionTimestamp == nil && ready(p.pod) {
			err = fmt.Errorf("ledger of %s: %w", p.pod.Name, p.err)
		}
	}
	return err
}

// KeepReading reads the ledgers now and then until stop is called: a pod that ends has then told its
// story.
func (b *Books) KeepReading(ctx context.Context, w *World) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			case <-time.After(400 * time.Millisecond):
				short, cancel := context.WithTimeout(ctx, 1200*time.Millisecond)
				_ = b.Read(short, w)
				cancel()
			}
		}
	}()
	return func() { close(done); <-stopped }
}

func (b *Books) add(text []byte) {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) != nil || !strings.HasPrefix(e.ID, b.prefix+"-") {
			continue
		}
		if e.Event == "opened" {
			known := false
			for _, o := range b.opened[e.ID] {
				known = known || o == e
			}
			if !known {
				b.opened[e.ID] = append(b.opened[e.ID], e)
			}
		} else {
			b.sent[e.ID] = e
		}
	}
}

// Drop forgets one opened message and says which: for the test that a lost message is found.
func (b *Books) Drop() string {
	for id := range b.opened {
		delete(b.opened, id)
		return id
	}
	return ""
}

// Join compares sender's and receivers' books by message id.
func (b *Books) Join() Totals {
	t := Totals{ByReplica: map[string]int{}}
	for id, e := range b.sent {
		switch e.Event {
		case "refused":
			t.Refused++
			t.Missing = append(t.Missing, id+" refused: "+e.Detail)
			continue
		case "sent", "lost":
			t.Sent++
		}
		opened := b.opened[id]
		if len(opened) == 0 || e.Event == "lost" {
			t.Lost++
			t.Missing = append(t.Missing, id+" "+e.Detail)
			continue
		}
		t.Opened++
		if e.Detail != "" {
			t.Again = append(t.Again, id+" "+e.Detail)
		}
		if len(opened) > 1 {
			t.Twice++
		}
		t.ByReplica[opened[0].Replica]++
	}
	t.Sent += t.Refused
	sort.Strings(t.Missing)
	return t
}

// Scale sets the replicas of a Deployment.
func (w *World) Scale(ctx context.Context, app string, n int) error {
	body := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n)
	_, err := w.Kube.AppsV1().Deployments(w.NS).Patch(ctx, app, types.MergePatchType, body, metav1.PatchOptions{})
	return err
}

// Kubectl runs the cluster's kubectl and returns what it prints.
func (w *World) Kubectl(ctx context.Context, args ...string) (string, error) {
	return w.kubectl(ctx, "", args...)
}

// Apply gives objects to kubectl apply.
func (w *World) Apply(ctx context.Context, objects string) error {
	_, err := w.kubectl(ctx, objects, "apply", "-f", "-")
	return err
}

func (w *World) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, filepath.Join(w.Root, "hack/cluster/kubectl"), args...)
	c.Env = append(os.Environ(), "FK_CLUSTER="+w.Cluster)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}
