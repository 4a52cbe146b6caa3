package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
	"github.com/eks-authlog/eks-authlog/internal/store/storetest"
)

// Each operation of the document is asked rapid.checks times this many
// requests: 200, unless -rapid.checks says otherwise.
const requestsPerCheck = 2

// Whatever is asked of what the document describes, well formed or not, there
// is no failure of ours, the answer is one that the document tells of, and a
// refusal names its cause. The requests are the same each time, so that a change
// of the result is one of the code; -rapid.seed=N asks others.
func TestEveryAnswerKeepsToTheDocument(t *testing.T) {
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		if err := seed.Value.Set("1"); err != nil {
			t.Fatal(err)
		}
	}
	c := newContract(t)
	var asked atomic.Int64
	t.Run("operations", func(t *testing.T) {
		for path, item := range c.doc.Paths.Map() {
			for method, op := range item.Operations() {
				t.Run(op.OperationID, func(t *testing.T) {
					t.Parallel()
					rapid.Check(t, func(t *rapid.T) {
						for range requestsPerCheck {
							c.check(t, c.draw(t, path, method, op))
							asked.Add(1)
						}
					})
				})
			}
		}
	})
	if n := asked.Load(); n < 5000 {
		t.Errorf("%d requests are too few", n)
	}
	t.Logf("%d requests", asked.Load())
}

// A contract is a service over a real store, and the document it serves.
type contract struct {
	*service
	doc     *openapi3.T
	schemas *schemas
	values  storedNames
}

// storedNames are values that name something that is stored.
type storedNames struct{ clusters, roles, diagnoses []string }

func newContract(t *testing.T) *contract {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "analyzer.db"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	c := &contract{values: stored(t, st)}
	c.service = serveWith(t, api.Config{Store: st, Health: &fake{ready: true}, Explainer: explainer{}})
	text := c.get(t, "/openapi.json").body
	c.doc, c.schemas = load(t, text), newSchemas(t, text)
	return c
}

// stored fills a store with three days that end now.
func stored(t *testing.T, st *store.SQLite) (k storedNames) {
	t.Helper()
	const lines = 1000
	l := storetest.NewLoad(10, now.Add(-72*time.Hour), 72*time.Hour/lines)
	if err := st.Save(t.Context(), l.Batch(lines, 75)); err != nil {
		t.Fatal(err)
	}
	var open []authlog.Diagnosis
	for i := range 10 {
		d := l.Lockout(i, 0)
		open = append(open, d)
		k.clusters = append(k.clusters, d.Cluster.Name)
		k.roles = append(k.roles, d.Subject)
		k.diagnoses = append(k.diagnoses, d.ID)
	}
	if err := st.Save(t.Context(), authlog.Batch{Diagnoses: open}); err != nil {
		t.Fatal(err)
	}
	return k
}

// streamTime is how long an answer that does not end is read.
const streamTime = 5 * time.Millisecond

// check sends a request and holds the answer to the document.
func (c *contract) check(t *rapid.T, q *request) {
	r := c.exchange(t, q)
	if r.status >= http.StatusInternalServerError {
		t.Fatalf("%s: status %d: %s", q, r.status, r.body)
	}
	if r.status >= http.StatusBadRequest {
		c.checkRefusal(t, q, r)
	} else if len(q.wrong) > 0 {
		t.Fatalf("%s: status %d, though %v are wrong", q, r.status, q.wrong)
	}
	if !q.routed {
		if r.status != http.StatusNotFound && r.status != http.StatusMethodNotAllowed {
			t.Fatalf("%s: status %d where the document has nothing", q, r.status)
		}
		return
	}
	if r.status == http.StatusNotFound && q.op.Responses.Status(r.status) == nil && q.oddPath {
		return // what stands for a parameter makes it another path
	}
	documented := q.op.Responses.Status(r.status)
	if documented == nil {
		t.Fatalf("%s: status %d is not documented: %s", q, r.status, r.body)
	}
	for _, name := range []string{"ETag", "Link", "Request-Id"} {
		if r.header.Get(name) != "" && documented.Value.Headers[name] == nil {
			t.Fatalf("%s: header %s is not documented for %d", q, name, r.status)
		}
	}
	if err := c.schemas.checkBody(q, r); err != nil {
		t.Fatalf("%s: status %d: %v in %.2000s", q, r.status, err, r.body)
	}
}

// checkRefusal finds a problem document that says what is wrong. Of a wrong
// parameter it says which.
func (c *contract) checkRefusal(t *rapid.T, q *request, r reply) {
	if q.method == http.MethodHead {
		return
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("%s: status %d with Content-Type %q: %s", q, r.status, got, r.body)
	}
	if err := c.schemas.check("#/components/schemas/Problem", r.body); err != nil {
		t.Fatalf("%s: %v in %s", q, err, r.body)
	}
	var p problem
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != r.status || p.Detail == "" {
		t.Fatalf("%s: status %d: %s", q, r.status, r.body)
	}
	if r.status == http.StatusMethodNotAllowed && r.header.Get("Allow") == "" {
		t.Fatalf("%s: no header Allow", q)
	}
	if p.Type != "/problems/bad-parameter" {
		return
	}
	if !strings.Contains(p.Detail, p.Parameter) {
		t.Fatalf("%s: the detail does not name the parameter: %s", q, r.body)
	}
	if !slices.Contains(q.names(), p.Parameter) {
		t.Fatalf("%s: %q is blamed, which was not there: %s", q, p.Parameter, r.body)
	}
}

// swallowed is how much of a body that no handler reads net/http reads itself.
// Of a longer one it closes the connection, half a second after the answer: who
// did not get to read that by then asks again.
const swallowed = 256 << 10

// exchange sends the request over HTTP and reads the answer.
func (c *contract) exchange(t *rapid.T, q *request) reply {
	for {
		r, err := c.send(q)
		if err == nil {
			return r
		}
		if len(q.body) < swallowed || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// send sends the request once. Of an answer that does not end it reads the
// beginning.
func (c *contract) send(q *request) (r reply, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var body io.Reader = http.NoBody
	if q.body != nil {
		body = bytes.NewReader(q.body)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, c.url, body)
	if err != nil {
		return r, err
	}
	if req.URL, err = url.Parse(c.url + q.path); err != nil {
		return r, err
	}
	req.URL.RawQuery, req.Header = q.query, q.header
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return r, err
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		time.AfterFunc(streamTime, cancel)
	}
	text, err := io.ReadAll(res.Body)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return r, err
	}
	r = reply{res.StatusCode, res.Header, text}
	r.body, err = decoded(r)
	return r, err
}
