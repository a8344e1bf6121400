package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"functionkey.dev/e2e/story"
)

// A request as the API server's audit log has it.
type call struct {
	begun, done               time.Time // received, answered
	user, pod                 string    // pod: to which the writer's token is bound
	verb, resource, sub, name string
	code                      int
}

func (c call) writes(resource, name string) bool {
	return c.resource == resource && c.name == name && c.code == 200 && (c.verb == "patch" || c.verb == "update")
}

// auditSize is where the log ends now; calls reads what came after.
func auditSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func calls(path string, from int64) ([]call, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	var all []call
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // the last line may be half written
			return all, nil
		}
		if c, ok := parse(line); ok {
			all = append(all, c)
		}
	}
}

func parse(line []byte) (call, bool) {
	var e struct {
		Stage, Verb              string
		RequestReceivedTimestamp time.Time
		StageTimestamp           time.Time
		User                     struct {
			Username string
			Extra    map[string][]string
		}
		ObjectRef      struct{ Resource, Subresource, Name string }
		ResponseStatus struct{ Code int }
	}
	if json.NewDecoder(bytes.NewReader(line)).Decode(&e) != nil || e.Stage != "ResponseComplete" {
		return call{}, false
	}
	c := call{e.RequestReceivedTimestamp, e.StageTimestamp, e.User.Username, "", e.Verb, e.ObjectRef.Resource,
		e.ObjectRef.Subresource, e.ObjectRef.Name, e.ResponseStatus.Code}
	if pods := e.User.Extra["authentication.kubernetes.io/pod-name"]; len(pods) > 0 {
		c.pod = pods[0]
	}
	return c, true
}

// The requests that follow from each other, last first: each is the last of its kind before the one
// that it led to.
func chain(all []call, before, now *story.Record) ([]call, error) {
	lease, leader := "fk-"+before.Name, now.LeaderPod
	until := time.Now()
	var member string
	last := func(fits func(c call) bool) (call, bool) {
		for _, c := range slices.Backward(all) {
			if c.begun.Before(until) && fits(c) {
				until = c.begun
				return c, true
			}
		}
		return call{}, false
	}
	kinds := []struct {
		name string
		fits func(c call) bool
		may  bool // be missing: nobody had to be waited for
	}{
		{"active", func(c call) bool { return c.pod == leader && c.writes("functionkeys", before.Name) }, false},
		{"opened", func(c call) bool {
			own := c.pod != leader && c.pod != "" && strings.HasPrefix(c.name, c.pod+".") && c.writes("functionkeys", c.name)
			if own {
				member = c.name
			}
			return own
		}, true},
		{"granted", func(c call) bool { return c.pod == leader && member != "" && c.writes("functionkeys", member) }, true},
		{"term", func(c call) bool { return c.pod == leader && c.writes("functionkeys", before.Name) }, false},
		{"taken", func(c call) bool { return c.pod == leader && c.writes("leases", lease) }, false},
		{"released", func(c call) bool { return c.pod != leader && c.writes("leases", lease) }, true},
	}
	var found []call
	for _, kind := range kinds {
		c, ok := last(kind.fits)
		if !ok && !kind.may {
			return nil, fmt.Errorf("no request %q of %s in the audit log", kind.name, leader)
		}
		c.verb = kind.name
		found = append(found, c)
	}
	slices.Reverse(found)
	return found, nil
}

// Steps gathers how long each request and each pause before it took, by the API server's own clock.
type steps struct {
	names []string
	took  map[string][]float64
}

func (s *steps) add(name string, took time.Duration) {
	if s.took == nil {
		s.took = map[string][]float64{}
	}
	if s.took[name] == nil {
		s.names = append(s.names, name)
	}
	s.took[name] = append(s.took[name], float64(took.Microseconds())/1000)
}

func (s *steps) take(begun time.Time, chain []call) {
	at := begun
	for i, c := range chain {
		if c.done.IsZero() {
			continue
		}
		s.add(fmt.Sprintf("%d-until-%s", i+1, c.verb), c.begun.Sub(at))
		s.add(fmt.Sprintf("%d-write-%s", i+1, c.verb), c.done.Sub(c.begun))
		at = c.done
	}
	s.add("7-active", at.Sub(begun))
}

// busy reads how long this machine's processors worked and idled so far, in their own unit.
func busy() (work, idle float64) {
	text, _ := os.ReadFile("/proc/stat")
	first, _, _ := strings.Cut(string(text), "\n")
	var user, nice, system, idling, wait, irq, soft, steal float64
	_, _ = fmt.Sscanf(first, "cpu %g %g %g %g %g %g %g %g", &user, &nice, &system, &idling, &wait, &irq, &soft, &steal)
	return user + nice + system + irq + soft + steal, idling + wait
}
