package api_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
)

func TestServerBoundsEveryPhase(t *testing.T) {
	srv := api.NewServer(http.NotFoundHandler(), zerolog.Nop())
	for name, d := range map[string]time.Duration{
		"read header": srv.ReadHeaderTimeout, "read": srv.ReadTimeout, "write": srv.WriteTimeout, "idle": srv.IdleTimeout,
	} {
		if d <= 0 || d > 5*time.Minute {
			t.Errorf("%s timeout is %s", name, d)
		}
	}
}

func TestServerRefusesAHugeHeader(t *testing.T) {
	s := serveFake(t, &fake{})
	if r := s.get(t, "/clusters?x="+strings.Repeat("a", 1<<20)); r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", r.status)
	}
	if r := s.get(t, "/clusters/x/denials?principal=arn:"+strings.Repeat("a", 4<<10)); r.status != http.StatusNotFound {
		t.Errorf("a long ARN: status %d", r.status)
	}
}

func TestABodyThatStallsIsRefused(t *testing.T) {
	mux := api.New(api.Config{Store: &fake{}, Health: &fake{}, Explainer: explainer{}, Linter: linter{}})
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = api.NewServer(mux, zerolog.Nop())
	srv.Config.ReadTimeout = 50 * time.Millisecond
	srv.Start()
	t.Cleanup(srv.Close)
	for _, path := range []string{"/explain", "/lint/aws-auth"} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() }) //nolint:errcheck // the server closes it too
		if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		decodeProblem(t, reply{res.StatusCode, res.Header, body}, http.StatusRequestTimeout)
	}
}

func TestServerDoesNotSwallowAHugeBody(t *testing.T) {
	s := serveFake(t, &fake{})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // the server closes it too
	if _, err := io.WriteString(conn, "GET /clusters HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if !res.Close {
		t.Error("the connection is kept for a body that nobody reads")
	}
}
