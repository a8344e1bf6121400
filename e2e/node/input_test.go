package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"functionkey.dev/e2e/kit"
	"functionkey.dev/e2e/story"
)

// anatomy finds the parts of an envelope in its bytes, by another CBOR decoder than the agent's.
type anatomy struct{ id, fingerprint, name, capsule, wrapped, commit, body []byte }

func dissect(t *testing.T, envelope []byte) anatomy {
	t.Helper()
	var message struct {
		_           struct{} `cbor:",toarray"`
		Protected   []byte
		Unprotected map[int64][]byte
		Body        []byte
	}
	var tag cbor.RawTag
	rest, err := cbor.UnmarshalFirst(envelope, &tag)
	if err == nil && tag.Number != 16 {
		err = fmt.Errorf("tag %d", tag.Number)
	}
	if err == nil {
		err = cbor.Unmarshal(tag.Content, &message)
	}
	var protected struct {
		Header struct {
			ID         []byte `cbor:"2,keyasint"`
			Recipients []struct {
				_           struct{} `cbor:",toarray"`
				Alg         int
				Fingerprint []byte
				Epoch       uint64
				Name        string
				Capsule     []byte
				Wrapped     []byte
			} `cbor:"3,keyasint"`
		} `cbor:"-70001,keyasint"`
	}
	if err == nil {
		err = cbor.Unmarshal(message.Protected, &protected)
	}
	if err != nil || len(protected.Header.Recipients) != 1 {
		t.Fatalf("an envelope of %d bytes (%d behind): %v, %d recipients", len(envelope), len(rest), err, len(protected.Header.Recipients))
	}
	r := protected.Header.Recipients[0]
	return anatomy{protected.Header.ID, r.Fingerprint, []byte(r.Name), r.Capsule, r.Wrapped, message.Unprotected[-70002], message.Body}
}

// flip inverts a bit of the i-th byte of part, which stands once in the envelope.
func flip(t *testing.T, envelope, part []byte, i int) []byte {
	t.Helper()
	at := bytes.Index(envelope, part)
	if at < 0 || len(part) == 0 || bytes.Count(envelope, part) != 1 {
		t.Fatalf("a part of %d bytes is not in the envelope once", len(part))
	}
	out := bytes.Clone(envelope)
	out[at+i] ^= 1
	return out
}

func badInput(t *testing.T, s *shop) {
	a, sender := s.agents(t, "billing")[0], s.agents(t, "orders")[0]
	m := seal(t, sender, "billing")
	opens(t, a, m)
	parts := dissect(t, m.envelope)
	last := func(p []byte) int { return len(p) - 1 }
	foreign := seal(t, sender, "orders")
	rows := []struct {
		name     string
		envelope []byte
		types    []string
	}{
		{"nothing", nil, []string{"malformed", "tampered"}},
		{"not an envelope", []byte("hello"), []string{"malformed"}},
		{"JSON", []byte(`{"id": 1}`), []string{"malformed"}},
		{"for another function", foreign.envelope, []string{"wrong-recipient"}},
		{"message id", flip(t, m.envelope, parts.id, 0), []string{"tampered"}},
		{"key's fingerprint", flip(t, m.envelope, parts.fingerprint, 3), []string{"wrong-recipient", "not-ready", "no-key"}},
		{"recipient's name", flip(t, m.envelope, parts.name, 1), []string{"tampered", "wrong-recipient"}},
		{"capsule, first point", flip(t, m.envelope, parts.capsule, 10), []string{"tampered", "malformed"}},
		{"capsule, second point", flip(t, m.envelope, parts.capsule, 40), []string{"tampered", "malformed"}},
		{"capsule, proof", flip(t, m.envelope, parts.capsule, last(parts.capsule)), []string{"tampered", "malformed"}},
		{"wrapped key, nonce", flip(t, m.envelope, parts.wrapped, 0), []string{"tampered"}},
		{"wrapped key", flip(t, m.envelope, parts.wrapped, 30), []string{"tampered"}},
		{"wrapped key, tag", flip(t, m.envelope, parts.wrapped, last(parts.wrapped)), []string{"tampered"}},
		{"commitment", flip(t, m.envelope, parts.commit, 5), []string{"tampered"}},
		{"body", flip(t, m.envelope, parts.body, 0), []string{"tampered"}},
		{"body's tag", flip(t, m.envelope, parts.body, last(parts.body)), []string{"tampered"}},
		{"cut by a byte", m.envelope[:len(m.envelope)-1], []string{"malformed", "tampered"}},
		{"cut in half", m.envelope[:len(m.envelope)/2], []string{"malformed", "tampered"}},
		{"a byte more", append(bytes.Clone(m.envelope), 0), []string{"malformed", "tampered"}},
		{"twice", append(bytes.Clone(m.envelope), m.envelope...), []string{"malformed", "tampered"}},
	}
	for _, row := range rows {
		text, _ := a.open(row.envelope)
		if bytes.Contains(text, m.plain[:12]) {
			t.Errorf("%s: plaintext in the answer", row.name)
		}
		if p := refuses(t, a, row.envelope, row.types...); p.Detail == "" {
			t.Errorf("%s: no reason: %v", row.name, p)
		}
	}
	everyBit(t, a, m)
	badStreams(t, a, sender)
	badRequests(t, a)
	opens(t, a, m)
}

// everyBit: no bit of a message can be changed without refusal. Changed fingerprints wait for keys
// that might come, so rows go side by side.
func everyBit(t *testing.T, a *agent, m sealed) {
	var wait sync.WaitGroup
	places := make(chan struct{}, 48)
	for i := range m.envelope {
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			changed := bytes.Clone(m.envelope)
			changed[i] ^= 1 << (i % 8)
			text, err := a.open(changed)
			var p *problem
			if !errors.As(err, &p) || bytes.Contains(text, m.plain[:12]) {
				t.Errorf("bit %d of byte %d changed: %v %.200q", i%8, i, err, text)
			}
		})
	}
	wait.Wait()
}

// badStreams: messages above 1 MiB release what verified; one that fails never ends cleanly.
func badStreams(t *testing.T, a, sender *agent) {
	const segment = 64<<10 + 16
	plain := make([]byte, 3<<20)
	for i := range plain {
		plain[i] = byte(rand.Uint32())
	}
	envelope := kit.Must[[]byte](t)(sender.seal("billing", plain))
	got := kit.Must[[]byte](t)(a.open(envelope))
	if !bytes.Equal(got, plain) {
		t.Fatalf("a stream of %d bytes was opened as %d others", len(plain), len(got))
	}
	swapped := bytes.Clone(envelope)
	tail := len(envelope) - 10*segment
	copy(swapped[tail:], envelope[tail+segment:tail+2*segment])
	copy(swapped[tail+segment:], envelope[tail:tail+segment])
	changed := bytes.Clone(envelope)
	changed[len(changed)-40] ^= 1
	rows := map[string][]byte{
		"cut within a segment":     envelope[:len(envelope)-segment-100],
		"cut between segments":     envelope[:len(envelope)-8*segment],
		"cut by a byte":            envelope[:len(envelope)-1],
		"cut behind the head":      envelope[:len(envelope)%segment],
		"last segment changed":     changed,
		"two segments exchanged":   swapped,
		"a byte behind the end":    append(bytes.Clone(envelope), 0),
		"a segment behind it":      append(bytes.Clone(envelope), envelope[len(envelope)-segment:]...),
		"the last segment missing": envelope[:len(envelope)-segment],
	}
	for name, bad := range rows {
		text, err := a.open(bad)
		if err == nil {
			t.Errorf("stream, %s: ended cleanly with %d bytes", name, len(text))
			continue
		}
		var p *problem
		if errors.As(err, &p) {
			if p.Type != "tampered" && p.Type != "malformed" {
				t.Errorf("stream, %s: %v", name, p)
			}
		} else if !bytes.HasPrefix(plain, text) {
			t.Errorf("stream, %s: released %d bytes that were not sealed", name, len(text))
		}
	}
}

type breaks struct{ left int }

func (b *breaks) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errors.New("the client goes away")
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

func badRequests(t *testing.T, a *agent) {
	ctx, cancel := limited()
	defer cancel()
	for _, row := range []struct{ method, path, body, want string }{
		{"POST", "/v1/encrypt?to=nobody", "x", "unknown-recipient"},
		{"POST", "/v1/encrypt?to=nowhere-at-all/nobody", "x", "unknown-recipient denied not-ready"},
		{"POST", "/v1/encrypt", "x", "malformed"},
		{"POST", "/v1/encrypt?to=a/b/c", "x", "malformed"},
		{"POST", "/v1/encrypt?to=" + strings.Repeat("x", 300), "x", "malformed"},
	} {
		_, err := a.ask(ctx, row.method, row.path, strings.NewReader(row.body))
		var p *problem
		if !errors.As(err, &p) || !strings.Contains(row.want, p.Type) {
			t.Errorf("%s %.40s: want %s, got %v", row.method, row.path, row.want, err)
		}
	}
	for _, path := range []string{"/v1/decrypt", "/v1/encrypt?to=billing"} {
		if text, err := a.ask(ctx, "POST", path, &breaks{100000}); err == nil {
			t.Errorf("%s: half a request was answered with %d bytes", path, len(text))
		}
	}
}

// --- large bodies

// pattern is n bytes that are cheap to make, and hashed on their way.
type pattern struct {
	left int64
	at   byte
	sum  hash.Hash
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), p.left))
	for i := range b[:n] {
		b[i] = p.at
		p.at += 7
	}
	p.sum.Write(b[:n])
	p.left -= int64(n)
	return n, nil
}

// processes of a pod's agent: supervisor, keeper, network half.
func processes(t testing.TB, a *agent) []int {
	t.Helper()
	pids, err := story.Processes(string(a.pod.UID), story.All)
	if err != nil || len(pids) != 3 {
		t.Fatalf("%s has processes %v: %v", a.pod.Name, pids, err)
	}
	return pids
}

// anonymous memory of processes, in KiB.
func anonymous(t testing.TB, pids []int) int64 {
	total := int64(0)
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "Pss_Anon:"); ok {
				n, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
				total += n
			}
		}
	}
	return total
}

// largeBody: 1 GiB goes through two agents in constant memory.
func largeBody(t *testing.T, s *shop) {
	const size, allowed = 1 << 30, 2 << 10
	sender, a := s.agents(t, "orders")[0], s.agents(t, "billing")[0]
	opens(t, a, seal(t, sender, "billing"))
	pids := map[*agent][]int{sender: processes(t, sender), a: processes(t, a)}
	idle, peak := map[*agent]int64{}, map[*agent]int64{}
	for one := range pids {
		idle[one] = anonymous(t, pids[one])
	}
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			for one := range pids {
				peak[one] = max(peak[one], anonymous(t, pids[one]))
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	began := time.Now()
	sum, n, err := throughBoth(ctx, sender, a, size)
	took := time.Since(began)
	close(done)
	<-watched
	if err != nil || n != size {
		t.Fatalf("%d of %d bytes came: %v", n, int64(size), err)
	}
	if !bytes.Equal(sum[0], sum[1]) {
		t.Error("other bytes came than were sent")
	}
	figures := map[string]any{"ms": ms(took), "MiB_per_s": int64(size / (1 << 20) * 1000 / max(1, ms(took)))}
	for one, name := range map[*agent]string{sender: "encrypting", a: "decrypting"} {
		figures[name+"_idle_KiB"], figures[name+"_above_KiB"] = idle[one], peak[one]-idle[one]
		if peak[one]-idle[one] > allowed {
			t.Errorf("%s: %d KiB above the idle %d KiB", name, peak[one]-idle[one], idle[one])
		}
	}
	measured("1 GiB through encrypt and decrypt", figures)
}

// throughBoth encrypts at one agent and decrypts the stream at another while it comes.
func throughBoth(ctx context.Context, sender, receiver *agent, size int64) (sums [2][]byte, n int64, err error) {
	source := &pattern{left: size, sum: sha256.New()}
	sealedBody, failed := pipe(ctx, sender, "/v1/encrypt?to=billing", "application/octet-stream", source)
	if failed != nil {
		return sums, 0, failed
	}
	defer sealedBody.Close()
	plain, failed := pipe(ctx, receiver, "/v1/decrypt", envelopeType, sealedBody)
	if failed != nil {
		return sums, 0, failed
	}
	defer plain.Close()
	sum := sha256.New()
	n, err = io.CopyBuffer(sum, struct{ io.Reader }{plain}, make([]byte, 1<<20))
	return [2][]byte{source.sum.Sum(nil), sum.Sum(nil)}, n, err
}
