// Billing receives encrypted orders. Whichever of its replicas gets a message opens it.
//
//	POST /order   an envelope; 200 when it was opened and booked
//	POST /open    an envelope; answers with the plaintext, books nothing
//	GET  /ledger  what this replica opened and refused, one JSON object a line
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path"
	"slices"
	"syscall"
	"time"

	"functionkey.dev/examples/agent"
	"functionkey.dev/examples/ledger"
)

const (
	maxBody = 2 << 20
	goodbye = 3 * time.Second
)

type order struct {
	ID string `json:"id"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		println("billing: an example function of FunctionKey")
		return
	}
	keys, book := agent.New(), ledger.New()
	http.Handle("GET /ledger", book)
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /open", func(w http.ResponseWriter, r *http.Request) {
		if plain, ok := open(keys, w, r); ok {
			_, _ = w.Write(plain)
		}
	})
	http.HandleFunc("POST /order", func(w http.ResponseWriter, r *http.Request) {
		plain, ok := open(keys, w, r)
		if !ok {
			return
		}
		var o order
		if err := json.Unmarshal(plain, &o); err != nil || o.ID == "" {
			http.Error(w, "not an order", http.StatusBadRequest)
			return
		}
		book.Add(o.ID, "opened", "", 0)
	})
	serve(&http.Server{Addr: ":8080"})
}

// Serve ends a while after SIGTERM: for about a second after that senders still come, because nobody
// has told them yet.
func serve(server *http.Server) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ended := make(chan struct{})
	go func() {
		<-ctx.Done()
		time.Sleep(goodbye)
		_ = server.Shutdown(context.Background())
		close(ended)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-ended
}

// Open answers the request itself if the message cannot be opened: 503 where the sender shall try
// again, 409 where it shall seal the message again, because its key is gone or this revision came after
// it was sealed, 422 where neither would be of use.
func open(keys *agent.Client, w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, false
	}
	plain, err := keys.Decrypt(body)
	if err == nil {
		return plain, true
	}
	status := http.StatusServiceUnavailable
	var problem *agent.Error
	if errors.As(err, &problem) && slices.Contains([]string{"stale-epoch", "no-key", "wrong-recipient"}, path.Base(problem.Type)) {
		status = http.StatusConflict
	} else if problem != nil && !problem.Retryable() {
		status = http.StatusUnprocessableEntity
	}
	http.Error(w, err.Error(), status)
	return nil, false
}
