// Package agent is all that a function needs of FunctionKey: two requests on a unix socket.
package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// Client talks to the agent of this pod.
type Client struct {
	http http.Client
}

// Error is a problem document (RFC 9457) of the agent.
type Error struct {
	Status int
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

func (e *Error) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Status, e.Type, e.Detail)
}

// Retryable says whether the same request can succeed later.
func (e *Error) Retryable() bool {
	return e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests
}

// New uses the socket that the injected variable FUNCTIONKEY_SOCKET names.
func New() *Client {
	socket := os.Getenv("FUNCTIONKEY_SOCKET")
	if socket == "" {
		socket = "/run/functionkey/agent.sock"
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 16},
	}}
}

// Encrypt seals a message to a function: "billing" or "namespace/billing".
func (c *Client) Encrypt(to string, message []byte) ([]byte, error) {
	return c.post("/v1/encrypt?to="+url.QueryEscape(to), "application/json", message)
}

// Decrypt opens a message to this function.
func (c *Client) Decrypt(envelope []byte) ([]byte, error) {
	return c.post("/v1/decrypt", "application/vnd.functionkey.v1+cbor", envelope)
}

func (c *Client) post(path, kind string, body []byte) ([]byte, error) {
	resp, err := c.http.Post("http://functionkey"+path, kind, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		problem := &Error{}
		_ = json.Unmarshal(answer, problem)
		problem.Status = resp.StatusCode
		return nil, problem
	}
	return answer, nil
}
