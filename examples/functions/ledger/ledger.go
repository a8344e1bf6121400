// Package ledger remembers what became of each message, so that a sender's and a receiver's books
// can be joined by message id.
package ledger

import (
	"encoding/json"
	"net/http"
	"os"
	"sync"
	"time"
)

// Entry is one line of a ledger.
type Entry struct {
	ID      string    `json:"id"`
	Event   string    `json:"event"` // sent, opened, refused, lost
	Replica string    `json:"replica"`
	Detail  string    `json:"detail,omitempty"`
	Tries   int       `json:"tries,omitempty"`
	Time    time.Time `json:"time"`
}

// Ledger is kept in memory, in the order of events.
type Ledger struct {
	mu      sync.Mutex
	entries []Entry
	replica string
}

// New names the replica by its host name, which is the pod's.
func New() *Ledger {
	name, _ := os.Hostname()
	return &Ledger{replica: name}
}

// Add appends an entry.
func (l *Ledger) Add(id, event, detail string, tries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, Entry{id, event, l.replica, detail, tries, time.Now()})
}

// ServeHTTP prints the ledger, one JSON object a line.
func (l *Ledger) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.Header().Set("Content-Type", "application/jsonl")
	encoder := json.NewEncoder(w)
	for _, e := range l.entries {
		_ = encoder.Encode(e)
	}
}
