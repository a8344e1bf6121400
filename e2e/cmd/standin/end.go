package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	patience = 10 * time.Second
	pause    = 20 * time.Millisecond // between samples
)

// serve holds connections open as the peer port of an agent does.
func (s *standin) serve(context.Context) error {
	listener, err := net.Listen("tcp", s.endpoint)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = connection.Close() }()
			request := make([]byte, 1024)
			if _, err := connection.Read(request); err != nil {
				return
			}
			_, _ = connection.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n"))
			for {
				if _, err := connection.Read(request); err != nil {
					return
				}
			}
		}()
	}
}

// A sight is an object on one of our watches.
type sight struct {
	kind, name string
	empty      bool  // a Lease without holder
	total      int64 // members of a Leader record
	at         time.Time
}

func see(o runtime.Object) sight {
	at := time.Now()
	switch o := o.(type) {
	case *corev1.Pod:
		return sight{kind: "pod", name: o.Name, at: at}
	case *coordinationv1.Lease:
		return sight{kind: "lease", name: o.Name, empty: o.Spec.HolderIdentity == nil || *o.Spec.HolderIdentity == "", at: at}
	case *unstructured.Unstructured:
		total, _, _ := unstructured.NestedInt64(o.Object, "status", "members", "total")
		return sight{kind: "record", name: o.GetName(), total: total, at: at}
	}
	return sight{}
}

// watch tells of all changes from now on.
func (s *standin) watch(ctx context.Context) (<-chan sight, error) {
	sights := make(chan sight, 4096)
	for _, begin := range []func() (string, func(metav1.ListOptions) (watch.Interface, error), error){
		func() (string, func(metav1.ListOptions) (watch.Interface, error), error) {
			list, err := s.kube.CoreV1().Pods(s.ns).List(ctx, metav1.ListOptions{Limit: 1})
			return list.ResourceVersion, func(o metav1.ListOptions) (watch.Interface, error) { return s.kube.CoreV1().Pods(s.ns).Watch(ctx, o) }, err
		},
		func() (string, func(metav1.ListOptions) (watch.Interface, error), error) {
			list, err := s.kube.CoordinationV1().Leases(s.ns).List(ctx, metav1.ListOptions{Limit: 1})
			return list.ResourceVersion, func(o metav1.ListOptions) (watch.Interface, error) {
				return s.kube.CoordinationV1().Leases(s.ns).Watch(ctx, o)
			}, err
		},
		func() (string, func(metav1.ListOptions) (watch.Interface, error), error) {
			list, err := s.records.List(ctx, metav1.ListOptions{Limit: 1})
			if err != nil {
				return "", nil, err
			}
			return list.GetResourceVersion(), func(o metav1.ListOptions) (watch.Interface, error) { return s.records.Watch(ctx, o) }, nil
		},
	} {
		version, start, err := begin()
		if err != nil {
			return nil, err
		}
		w, err := start(metav1.ListOptions{ResourceVersion: version})
		if err != nil {
			return nil, err
		}
		go func() {
			for event := range w.ResultChan() {
				sights <- see(event.Object)
			}
		}()
	}
	return sights, nil
}

// fail ends a pod and returns how long after its event the effect was seen, in ms.
func (s *standin) fail(ctx context.Context, sights <-chan sight, p pod, effect func(sight) bool) (float64, error) {
	for len(sights) > 0 {
		<-sights
	}
	failed := make(chan error, 1)
	go func() {
		_, err := s.kube.CoreV1().Pods(s.ns).Patch(ctx, p.name, types.MergePatchType, []byte(`{"status":{"phase":"Failed"}}`),
			metav1.PatchOptions{FieldManager: "standin"}, "status")
		failed <- err
	}()
	var event, seen time.Time
	late := time.After(patience)
	for event.IsZero() || seen.IsZero() {
		select {
		case sight := <-sights:
			if sight.kind == "pod" && sight.name == p.name && event.IsZero() {
				event = sight.at
			} else if effect(sight) {
				seen = sight.at
			}
		case <-late:
			return 0, fmt.Errorf("%s: within %s its event was seen: %t, what follows: %t", p.name, patience, !event.IsZero(), !seen.IsZero())
		}
	}
	return float64(seen.Sub(event).Microseconds()) / 1000, <-failed
}

// end takes n revisions, one after the other: a member's end is counted in the record, a leader's empties the
// Lease. The pods are deleted at the end.
func (s *standin) end(ctx context.Context) error {
	revisions, err := s.look(ctx)
	if err != nil {
		return err
	}
	sights, err := s.watch(ctx)
	if err != nil {
		return err
	}
	revisions = revisions[:min(s.n, len(revisions))]
	var status, release []float64
	for _, r := range revisions {
		total := int64(len(r.pods)) - 1
		took, err := s.fail(ctx, sights, r.pods[len(r.pods)-1], func(e sight) bool { return e.kind == "record" && e.name == r.name && e.total == total })
		if err != nil {
			return err
		}
		status = append(status, took)
		time.Sleep(pause)
		took, err = s.fail(ctx, sights, r.pods[0], func(e sight) bool { return e.kind == "lease" && e.name == "fk-"+r.name && e.empty })
		if err != nil {
			return err
		}
		release = append(release, took)
		time.Sleep(pause)
	}
	now := int64(0)
	err = all(len(revisions), func(i int) error {
		r := revisions[i]
		for _, p := range []pod{r.pods[0], r.pods[len(r.pods)-1]} {
			if err := s.kube.CoreV1().Pods(s.ns).Delete(ctx, p.name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"samples": len(revisions),
		"status":  map[string]float64{"p50": quantile(status, 0.5), "p99": quantile(status, 0.99)},
		"release": map[string]float64{"p50": quantile(release, 0.5), "p99": quantile(release, 0.99)},
	})
}

// quantile by nearest rank.
func quantile(v []float64, q float64) float64 {
	slices.Sort(v)
	return v[max(0, int(math.Ceil(q*float64(len(v))))-1)]
}
