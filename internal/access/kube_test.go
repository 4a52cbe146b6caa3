package access_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

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
	const most = 8 << 20 // what the buffers on the way may hold above the bound
	var sent atomic.Int64
	s := posing(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"ConfigMap","apiVersion":"v1","data":{"mapRoles":"`)
		chunk := strings.Repeat("x", 1<<16)
		for sent.Load() < 2*most {
			n, err := io.WriteString(w, chunk)
			if sent.Add(int64(n)); err != nil {
				return // the reader has left
			}
		}
	})
	if a := s.access(s.reader()); a.AWSAuth != nil || len(a.Problems) != 1 {
		t.Errorf("%+v", a)
	}
	if sent.Load() > most {
		t.Errorf("%d bytes were read", sent.Load())
	}
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
