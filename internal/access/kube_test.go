package access_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// posing is a cluster whose endpoint somebody else answers.
func posing(t *testing.T, answer http.HandlerFunc) *scene {
	t.Helper()
	srv := httptest.NewTLSServer(answer)
	t.Cleanup(srv.Close)
	s := newScene(t, nil)
	s.change(func(c *awssim.Cluster) {
		c.Endpoint = srv.URL
		c.CertificateAuthority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	})
	return s
}

func TestARedirectDoesNotCarryTheTokenAway(t *testing.T) {
	var got atomic.Int64
	s := posing(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/elsewhere") {
			got.Add(1)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	if a := s.access(s.reader()); a.AWSAuth != nil || len(a.Problems) != 1 {
		t.Errorf("%+v", a)
	}
	if got.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

func TestAnAnswerWithoutAnEndIsCut(t *testing.T) {
	const most = 32 << 20 // what the buffers on the way may hold above the bound
	var sent atomic.Int64
	s := posing(t, func(w http.ResponseWriter, _ *http.Request) {
		sent.Store(endless(w, `{"kind":"ConfigMap","apiVersion":"v1","data":{"mapRoles":"`, most))
	})
	if a := s.access(s.reader()); a.AWSAuth != nil || len(a.Problems) != 1 {
		t.Errorf("%+v", a)
	}
	if sent.Load() > most {
		t.Errorf("%d bytes were read", sent.Load())
	}
}

// endless writes after begin until the reader leaves or has got twice as much
// as it may take, and gives how much it took.
func endless(w http.ResponseWriter, begin string, most int64) (sent int64) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, begin)
	chunk := strings.Repeat("x", 1<<16)
	for sent < 2*most {
		n, err := io.WriteString(w, chunk)
		if sent += int64(n); err != nil {
			return sent
		}
	}
	return sent
}

const oneConfigMap = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"aws-auth","resourceVersion":"7"},"data":{}}`

func TestAWatchWithoutAnEndIsCut(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		begin  string
		most   int64 // with what the buffers on the way may hold
	}{
		"refusal": {http.StatusInternalServerError, `{"kind":"Status","apiVersion":"v1","message":"`, 32 << 20},
		"event":   {http.StatusOK, `{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","data":{"mapRoles":"`, 64 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan int64, 100)
			s := posing(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if !r.URL.Query().Has("watch") {
					_, _ = io.WriteString(w, oneConfigMap)
					return
				}
				w.WriteHeader(c.status)
				sent <- endless(w, c.begin, c.most)
			})
			r, await := watching(t, s)
			await(func() { s.access(r) })
			if n := <-sent; n > c.most {
				t.Errorf("%d bytes were read", n)
			}
		})
	}
}

func TestABusyAPIServerIsNotWaitedFor(t *testing.T) {
	var asked atomic.Int64
	s := posing(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	a := s.access(s.reader())
	if len(a.Problems) != 1 || !strings.Contains(a.Problems[0], "HTTP status 503") || asked.Load() != 1 {
		t.Errorf("asked %d times: %q", asked.Load(), a.Problems)
	}
}

// What changed while there was no watch is read before the next one.
func TestAfterAWatchThatGotNoAnswerComesAReading(t *testing.T) {
	verbs := make(chan string, 100)
	s := posing(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("watch") {
			verbs <- "watch"
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 2") // net/http itself asks again where there is nothing
			_ = conn.Close()
			return
		}
		verbs <- "get"
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, oneConfigMap)
	})
	r, await := watching(t, s)
	await(func() { s.access(r) })
	last := ""
	for watches := 0; watches < 3; {
		verb := <-verbs
		if verb == "watch" {
			watches++
			if last == "watch" {
				t.Fatal("two watches in a row")
			}
		}
		last = verb
	}
}

func TestAnEndpointThatGoesBadEndsNothing(t *testing.T) {
	s := newScene(t, roles(nodeItem))
	r, await := watching(t, s, func(c *access.Config) { c.TTL = time.Nanosecond })
	await(func() { s.access(r) })
	s.change(func(c *awssim.Cluster) { c.CertificateAuthority = []byte("no certificate") })
	s.access(r)
	// The follower comes again, with the client that it has.
	await(func() { s.kube.Drop(); s.kube.Set(roles(nodeItem, roleItem(iamARN+"role/Dev"))) })
}

func TestAnAnswerThatIsNoConfigMapIsAProblem(t *testing.T) {
	for _, text := range []string{`<html>`, `{"kind":"ConfigMap","apiVersion":"v1","data":{"mapRoles":7}}`, `[]`, ``} {
		s := posing(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, text)
		})
		if a := s.access(s.reader()); a.AWSAuth != nil || len(a.Problems) != 1 || len(a.Missing) > 0 {
			t.Errorf("%q: %q %+v", text, a.Problems, a.AWSAuth)
		}
	}
}
