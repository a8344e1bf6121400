// Orders sends encrypted orders to the function billing: it seals each once, to the function, and
// sends it to billing's Service, again and again with the same id until it was booked.
//
//	POST /send?n=200&every=20ms&prefix=a   sends n orders in the background; 202
//	POST /seal?id=x                        answers with one sealed order that was not sent
//	GET  /ledger                           what became of each, one JSON object a line
//	GET  /pending                          how many are under way
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"functionkey.dev/examples/agent"
	"functionkey.dev/examples/ledger"
)

const giveUp = 2 * time.Minute

type sender struct {
	keys    *agent.Client
	book    *ledger.Ledger
	http    http.Client
	next    string // the function
	url     string // its Service
	pending atomic.Int64
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		println("orders: an example function of FunctionKey")
		return
	}
	next := os.Getenv("FUNCTIONKEY_NEXT")
	if next == "" {
		next = "billing"
	}
	s := &sender{
		keys: agent.New(),
		book: ledger.New(),
		// A connection a message: the Service then spreads messages over all replicas.
		http: http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
		next: next,
		url:  "http://" + next + "/order",
	}
	http.Handle("GET /ledger", s.book)
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /pending", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, s.pending.Load()) })
	http.HandleFunc("POST /send", s.sendMany)
	http.HandleFunc("POST /seal", func(w http.ResponseWriter, r *http.Request) {
		envelope, err := s.keys.Encrypt(s.next, order(r.FormValue("id")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(envelope)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}

func order(id string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"item":"coffee","price":"4.20","card":"4000-0000-0000-0002"}`, id)
}

func (s *sender) sendMany(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil || n < 1 || n > 1000000 {
		http.Error(w, "n is 1 to 1000000", http.StatusBadRequest)
		return
	}
	every, err := time.ParseDuration(r.FormValue("every"))
	if err != nil {
		every = 20 * time.Millisecond
	}
	host, _ := os.Hostname()
	prefix := r.FormValue("prefix") + host
	s.pending.Add(int64(n))
	go func() {
		for i := range n {
			go s.send(fmt.Sprintf("%s-%06d", prefix, i))
			time.Sleep(every)
		}
	}()
	w.WriteHeader(http.StatusAccepted)
}

// Send tries until the order is booked, refused for good, or two minutes are over. The id stays.
func (s *sender) send(id string) {
	defer s.pending.Add(-1)
	var envelope []byte
	var err error
	var failed string // what went wrong before it was sent
	start := time.Now()
	for tries := 1; time.Since(start) < giveUp; tries++ {
		if envelope == nil {
			envelope, err = s.keys.Encrypt(s.next, order(id))
		}
		if err == nil {
			var again bool
			if again, err = s.deliver(envelope); err == nil {
				s.book.Add(id, "sent", failed, tries)
				return
			} else if !again {
				s.book.Add(id, "refused", err.Error(), tries)
				return
			}
		}
		failed = err.Error()
		time.Sleep(min(time.Duration(tries)*50*time.Millisecond, time.Second))
		if errors.Is(err, errStale) || tries%10 == 0 {
			envelope = nil // a stale key is not worth insisting on
		}
	}
	s.book.Add(id, "lost", failed, 0)
}

var errStale = errors.New("the key was replaced")

// Deliver says whether the same message may be sent again.
func (s *sender) deliver(envelope []byte) (again bool, err error) {
	resp, err := s.http.Post(s.url, "application/vnd.functionkey.v1+cbor", bytes.NewReader(envelope))
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
	if resp.StatusCode == http.StatusOK {
		return false, nil
	}
	if resp.StatusCode == http.StatusConflict {
		return true, fmt.Errorf("%w: %s", errStale, text)
	}
	return resp.StatusCode != http.StatusUnprocessableEntity, errors.New(resp.Status + ": " + string(text))
}
