// Standin plays the agents of the pods that load makes and nobody runs, for measurements of the
// controller: it writes what they would write, and says when others saw it.
//
//	standin lead     leaders with an active key for the first revisions
//	standin join     Member records of all their pods, which open that key
//	standin serve    what leaders answer on their peer port, until it is killed
//	standin touch    changes pods in a way that concerns nobody
//	standin close    members that no longer open the active key
//	standin end      ends members and leaders; prints how long the controller took, as JSON
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/clientcmd"

	"functionkey.dev/e2e/kit"
)

const atOnce = 32

type pod struct{ name, uid string }

// Who leads "holds" the Lease under this name.
func (p pod) holder() string { return p.name + "_" + p.uid + "_1" }

func (p pod) record() string { return p.name + "." + p.uid[:8] }

type standin struct {
	kube      kubernetes.Interface
	records   dynamic.ResourceInterface
	meta      metadata.Interface
	ns        string
	revisions int
	from, n   int
	endpoint  string
}

var commands = map[string]func(*standin, context.Context) error{
	"lead": (*standin).lead, "join": (*standin).join, "serve": (*standin).serve, "touch": (*standin).touch, "close": (*standin).close, "end": (*standin).end,
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func run() error {
	var s standin
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "standin lead|join|serve|touch|close|end [-n N] ...")
		flag.PrintDefaults()
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		flag.Usage()
		return errors.New("which command?")
	}
	flag.StringVar(&s.ns, "namespace", "bench", "of the pods")
	flag.IntVar(&s.revisions, "revisions", 500, "how many of them, by name")
	flag.IntVar(&s.from, "from", 0, "of lead: so many of them have leaders already")
	flag.IntVar(&s.n, "n", 1000, "events; of end: members and leaders, each of another revision")
	flag.StringVar(&s.endpoint, "endpoint", "127.0.0.1:9471", "peer port of the leaders; no EndpointSlice takes one of loopback")
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "the cluster")
	if err := flag.CommandLine.Parse(os.Args[2:]); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = -1, -1
	if s.kube, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if s.meta, err = metadata.NewForConfig(config); err != nil {
		return err
	}
	records, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	s.records = records.Resource(kit.FunctionKeys).Namespace(s.ns)
	return commands[os.Args[1]](&s, context.Background())
}

// all does n things, some of them at once, and returns what went wrong first.
func all(n int, do func(i int) error) error {
	var group sync.WaitGroup
	next, errs := make(chan int), make([]error, n)
	for range atOnce {
		group.Go(func() {
			for i := range next {
				errs[i] = do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type revision struct {
	name string
	pods []pod
}

// look lists the first revisions with their pods, both by name. Names alone: whole pods are 12 KB.
func (s *standin) look(ctx context.Context) ([]revision, error) {
	pods := s.meta.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(s.ns)
	found := map[string][]pod{}
	for options := (metav1.ListOptions{Limit: 1000}); ; {
		list, err := pods.List(ctx, options)
		if err != nil {
			return nil, err
		}
		for _, p := range list.Items {
			name := p.Labels["functionkey.dev/revision"]
			found[name] = append(found[name], pod{p.Name, string(p.UID)})
		}
		if options.Continue = list.Continue; options.Continue == "" {
			break
		}
	}
	var all []revision
	for name, pods := range found {
		slices.SortFunc(pods, func(a, b pod) int { return strings.Compare(a.name, b.name) })
		all = append(all, revision{name, pods})
	}
	slices.SortFunc(all, func(a, b revision) int { return strings.Compare(a.name, b.name) })
	if len(all) < s.revisions {
		return nil, fmt.Errorf("there are %d revisions, not %d", len(all), s.revisions)
	}
	return all[:s.revisions], nil
}

func (s *standin) mergeStatus(ctx context.Context, name string, status kit.Map) error {
	body, err := json.Marshal(kit.Map{"status": status})
	if err != nil {
		return err
	}
	_, err = s.records.Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "standin"}, "status")
	return err
}

func (s *standin) lead(ctx context.Context) error {
	revisions, err := s.look(ctx)
	if err != nil {
		return err
	}
	revisions = revisions[s.from:]
	return all(len(revisions), func(i int) error { return s.leadOne(ctx, &revisions[i]) })
}

func (s *standin) leadOne(ctx context.Context, r *revision) error {
	leader := r.pods[0]
	lease, err := json.Marshal(kit.Map{"spec": kit.Map{
		"holderIdentity": leader.holder(), "leaseTransitions": 1, "renewTime": metav1.NowMicro(), "acquireTime": metav1.NowMicro(),
	}})
	if err != nil {
		return err
	}
	if _, err := s.kube.CoordinationV1().Leases(s.ns).Patch(ctx, "fk-"+r.name, types.MergePatchType, lease, metav1.PatchOptions{FieldManager: "standin"}); err != nil {
		return err
	}
	// As agents do: the term and a Prepared key, which then becomes Active.
	err = s.mergeStatus(ctx, r.name, kit.Map{
		"epoch": 1, "keys": []any{kit.Key(1, "Prepared", leader.name, 1)},
		"leader": kit.With(kit.LeaderStatus(leader.name, leader.uid, 1, 1), kit.Map{"endpoint": s.endpoint}),
	})
	if err != nil {
		return err
	}
	return s.mergeStatus(ctx, r.name, kit.Map{"activeEpoch": 1, "keys": []any{kit.Key(1, "Active", leader.name, 1)}})
}

// opened is what a member says that it can open.
func opened(epochs ...any) kit.Map {
	if epochs == nil {
		epochs = []any{}
	}
	return kit.Map{"incarnation": 1, "epochs": epochs}
}

func (s *standin) join(ctx context.Context) error {
	revisions, err := s.look(ctx)
	if err != nil {
		return err
	}
	return all(len(revisions), func(i int) error {
		for _, p := range revisions[i].pods {
			if err := s.joinOne(ctx, &revisions[i], p); err != nil {
				return err
			}
		}
		return nil
	})
}

// joinOne writes a record of about the size that real ones have.
func (s *standin) joinOne(ctx context.Context, r *revision, p pod) error {
	record := kit.MemberOf(s.ns, p.name, p.uid, r.name)
	if _, err := s.records.Create(ctx, record, metav1.CreateOptions{FieldManager: "standin"}); err != nil {
		return err
	}
	leader := r.pods[0]
	return s.mergeStatus(ctx, p.record(), kit.Map{
		"activeEpoch": 1, "leader": kit.Granter(leader.name, leader.uid, 1, 1),
		"reEncryptionKeys": []any{kit.With(kit.Grant(1, leader.name, 1, 1), kit.Map{"kfrag": strings.Repeat("c2Vh", 250)})},
		"certificate":      kit.Certificate(leader.name, 1, 1),
		"opened":           opened(kit.Map{"epoch": 1, "fingerprint": kit.Fingerprint(kit.Point("key1"))}),
	})
}

func (s *standin) touch(ctx context.Context) error {
	revisions, err := s.look(ctx)
	if err != nil {
		return err
	}
	each := (s.n + len(revisions) - 1) / len(revisions)
	return all(s.n, func(i int) error {
		p := revisions[i/each].pods[i%each]
		body := fmt.Sprintf(`{"metadata":{"annotations":{"example.org/seen":"%d"}}}`, time.Now().UnixNano())
		_, err := s.kube.CoreV1().Pods(s.ns).Patch(ctx, p.name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: "standin"})
		return err
	})
}

// close goes from revision to revision, all members but the leader, as when nodes go one by one.
func (s *standin) close(ctx context.Context) error {
	revisions, err := s.look(ctx)
	if err != nil {
		return err
	}
	var members []pod
	for _, r := range revisions {
		members = append(members, r.pods[1:]...)
	}
	if len(members) < s.n {
		return fmt.Errorf("there are %d members, not %d", len(members), s.n)
	}
	return all(s.n, func(i int) error {
		return s.mergeStatus(ctx, members[i].record(), kit.Map{"activeEpoch": nil, "opened": opened()})
	})
}
