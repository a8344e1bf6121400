package node

import (
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// TestGolden compares what people see: kubectl get, describe and wait on the records of a function
// of two replicas that nothing has happened to.
func TestGolden(t *testing.T) {
	s := newShop(t, "golden")
	s.deploy(t, "billing", 2)
	r := s.whole(t, "billing", 2)
	s.event(t, r.Name, "KeyActivated")
	time.Sleep(time.Second) // counts and conditions are written once a second at most
	n := s.names(t, r)
	for _, row := range []struct{ file, command string }{
		{"get.txt", "get functionkeys"},
		{"get-wide.txt", "get fk -o wide"},
		{"get-name.txt", "get functionkeys -l functionkey.dev/role=leader -o name"},
		{"wait.txt", "wait --for=condition=Ready --timeout=20s functionkeys --all"},
		{"describe-leader.txt", "describe functionkey " + r.Name},
		{"describe-member.txt", "describe functionkey " + n.member},
	} {
		t.Run(row.file, func(t *testing.T) {
			// Events and counts come a moment after the keys: what is not there yet is waited for.
			want, _ := os.ReadFile("testdata/" + row.file)
			var out string
			for end := time.Now().Add(15 * time.Second); ; time.Sleep(500 * time.Millisecond) {
				out = s.c.Kubectl(t, append([]string{"-n", s.NS}, strings.Fields(row.command)...)...)
				out = n.normal(out, strings.HasPrefix(row.command, "describe"))
				if out == string(want) || time.Now().After(end) {
					break
				}
			}
			kit.Golden(t, row.file, out)
		})
	}
}

// names are those that differ from run to run, and what stands for them in the golden files.
type names struct {
	replace *strings.Replacer
	member  string // the record of the replica that does not lead
}

func (s *shop) names(t *testing.T, r *story.Record) names {
	t.Helper()
	leader, others := s.split(t, "billing")
	record := func(a *agent) string { return a.pod.Name + "." + string(a.pod.UID)[:8] }
	pairs := []string{
		record(leader), "REVISION-LEADS.UID8", record(others[0]), "REVISION-FOLLOWS.UID8",
		leader.pod.Name, "REVISION-LEADS", others[0].pod.Name, "REVISION-FOLLOWS",
		leader.pod.Status.PodIP, "ADDRESS", others[0].pod.Status.PodIP, "ADDRESS",
		r.Name, "REVISION", s.NS, "NAMESPACE",
	}
	return names{strings.NewReplacer(pairs...), record(others[0])}
}

var variable = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UID"},
	{regexp.MustCompile(`\b[0-9a-f]{128}\b`), "SIGNATURE"},
	{regexp.MustCompile(`\b0[23][0-9a-f]{64}\b`), "KEY"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "FINGERPRINT"},
	{regexp.MustCompile(`(Kfrag:\s+)\S+`), "${1}SEALED"},
	{regexp.MustCompile(`(Certificate: +)\S+`), "${1}CERTIFICATE"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`((Resource Version|Generation):\s+)\d+`), "${1}N"},
	{regexp.MustCompile(`(?m)\b\d+(m\d*)?s$`), "AGE"},
	{regexp.MustCompile(`\b\d+(m\d*)?s\b( \(x\d+ over \d+(m\d*)?s\))?`), "AGE"},
}

// normal replaces what differs from run to run. The rows of a table come in the order of random
// names, and their columns are as wide as these; of events only the newest matter to a person.
func (n names) normal(out string, describe bool) string {
	out = n.replace.Replace(out)
	for _, v := range variable {
		out = v.what.ReplaceAllString(out, v.with)
	}
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	wide := regexp.MustCompile(` {2,}`)
	for i, line := range lines {
		trimmed := strings.TrimLeft(line, " ")
		lines[i] = line[:len(line)-len(trimmed)] + strings.TrimRight(wide.ReplaceAllString(trimmed, "  "), " ")
	}
	rows := lines
	for i, line := range lines {
		if strings.HasPrefix(line, "NAME") || strings.HasPrefix(line, "  ----") {
			rows = lines[i+1:]
		}
	}
	if !describe || strings.HasPrefix(lines[len(lines)-1], " ") {
		sort.Strings(rows)
	}
	return strings.Join(lines, "\n") + "\n"
}
