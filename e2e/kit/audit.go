package kit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Refusal is a request of this process that the API server refused with 403 or 422.
type Refusal struct {
	AuditID, Method, Path string
	Pod                   string // whose token asked; "" where it is bound to none
	Code                  int
	Message               string
}

// refusals are kept for the whole process: what is asked about them is asked once, at its end.
type refusals struct {
	mu   sync.Mutex
	list []Refusal
}

var refused refusals

func (r *refusals) all() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Refusal(nil), r.list...)
}

// witness notes what the API server refuses to one identity.
type witness struct {
	next http.RoundTripper
	pod  string
}

func (w *witness) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(request)
	if err != nil || (answer.StatusCode != http.StatusForbidden && answer.StatusCode != http.StatusUnprocessableEntity) {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var status metav1.Status
	_ = json.Unmarshal(body, &status)
	refused.mu.Lock()
	defer refused.mu.Unlock()
	refused.list = append(refused.list, Refusal{answer.Header.Get("Audit-Id"), request.Method, request.URL.Path, w.pod, answer.StatusCode, status.Message})
	return answer, err
}

// AuditEvent is what an audit log of level Metadata has of a request.
type AuditEvent struct {
	AuditID, Verb string
	User          struct {
		Username string
		Extra    map[string][]string
	}
	ObjectRef      struct{ APIGroup, Resource, Subresource, Namespace, Name string }
	ResponseStatus struct{ Code int }
	Annotations    map[string]string
}

// Failures are the validations of policies that this request did not pass.
func (e *AuditEvent) Failures() []PolicyFailure {
	var list []PolicyFailure
	_ = json.Unmarshal([]byte(e.Annotations["validation.policy.admission.k8s.io/validation_failure"]), &list)
	return list
}

// PolicyFailure is one of them, as the API server writes it for bindings with the action Audit.
type PolicyFailure struct {
	Message, Policy string
	ExpressionIndex int
}

var denied = regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: (.*)`)

// Missing says what an event of the audit log does not tell of a refusal; nil: there is no event.
func (r *Refusal) Missing(e *AuditEvent) error {
	switch {
	case e == nil:
		return errors.New("no event")
	case e.User.Username == "" || e.Verb == "" || e.ObjectRef.Resource == "":
		return fmt.Errorf("no user, verb or resource: %+v", e)
	case e.ResponseStatus.Code != r.Code:
		return fmt.Errorf("code %d", e.ResponseStatus.Code)
	case r.Pod != "" && strings.Join(e.User.Extra["authentication.kubernetes.io/pod-name"], " ") != r.Pod:
		return fmt.Errorf("not that pod %s asked: %v", r.Pod, e.User.Extra)
	}
	said := denied.FindStringSubmatch(r.Message)
	if said == nil {
		return nil
	}
	for _, f := range e.Failures() {
		if f.Policy == said[1] && strings.HasPrefix(said[2], f.Message) {
			return nil
		}
	}
	return fmt.Errorf("not why policy %s refused: %v", said[1], e.Annotations)
}

// readAudit calls see for each event of the log.
func readAudit(path string, see func(*AuditEvent)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		e := &AuditEvent{}
		if json.Unmarshal(lines.Bytes(), e) == nil {
			see(e)
		}
	}
	return lines.Err()
}

// Audited compares what was refused in this process with the audit log of KUBECONFIG's cluster: each
// refusal stands there with who asked for what, the code and, where a policy refused, its reason. It
// returns how many there were and which validations of which policy refused something, as
// "policy/index", also to other processes.
func Audited() (n int, validations map[string]bool, err error) {
	path := filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "log", "audit.log")
	list := refused.all()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Second) {
		events := map[string]*AuditEvent{}
		validations = map[string]bool{}
		for _, r := range list {
			events[r.AuditID] = nil
		}
		if err := readAudit(path, func(e *AuditEvent) {
			if _, ours := events[e.AuditID]; ours {
				events[e.AuditID] = e
			}
			for _, f := range e.Failures() {
				validations[fmt.Sprintf("%s/%d", f.Policy, f.ExpressionIndex)] = true
			}
		}); err != nil {
			return 0, nil, err
		}
		var faults []error
		for _, r := range list {
			if err := r.Missing(events[r.AuditID]); err != nil {
				faults = append(faults, fmt.Errorf("%s %s as %q, %d, %.200s: %w", r.Method, r.Path, r.Pod, r.Code, r.Message, err))
			}
		}
		if err = errors.Join(faults...); err == nil || time.Now().After(end) {
			return len(list), validations, err
		}
	}
}
