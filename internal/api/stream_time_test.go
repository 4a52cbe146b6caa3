package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/feed"
)

// pipes are a listener whose connections hold nothing between the two ends, so
// that time passes in a bubble as soon as both wait.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (pipes) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }

// A bubble serves the stream where time is made up.
type bubble struct {
	t     *testing.T
	pipes pipes
	reg   *prometheus.Registry
}

func inBubble(t *testing.T, who api.Callers, test func(b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t, pipes{make(chan net.Conn), make(chan struct{})}, prometheus.NewPedanticRegistry()}
		f := feed.New(feed.Config{}, &fake{}, api.Frame, zerolog.Nop())
		cfg := api.Config{Store: &fake{}, Feed: f, Callers: who, Gatherer: b.reg, Registerer: b.reg, Log: zerolog.Nop()}
		srv := api.NewServer(api.New(cfg), zerolog.Nop())
		ctx, stop := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { f.Run(ctx) })
		wait.Go(func() {
			if err := srv.Serve(b.pipes); !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
		test(b)
		stop()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		wait.Wait()
	})
}

// stream begins to read, with a token unless it is "".
func (b *bubble) stream(token string) (*stream, net.Conn) {
	b.t.Helper()
	conn, server := net.Pipe()
	b.pipes.conns <- server
	if _, err := fmt.Fprintf(conn, "GET /stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", token); err != nil {
		b.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	s := &stream{t: b.t, body: res.Body, rd: bufio.NewReader(res.Body)}
	if hello := s.next(); res.StatusCode != http.StatusOK || hello.id == "" {
		b.t.Fatalf("%d %+v", res.StatusCode, hello)
	}
	return s, conn
}

// readers expects so many that follow, and so many that were found stuck.
func (b *bubble) readers(following, stuck int) {
	b.t.Helper()
	want := fmt.Sprintf(`
		# HELP eks_authn_stream_readers Readers of the stream of denials and diagnoses.
		# TYPE eks_authn_stream_readers gauge
		eks_authn_stream_readers %d
		# HELP eks_authn_stream_readers_dropped_total Readers of the stream that were dropped, by reason: slow, as they fell too far behind, or stuck, as they took in nothing.
		# TYPE eks_authn_stream_readers_dropped_total counter
		eks_authn_stream_readers_dropped_total{reason="slow"} 0
		eks_authn_stream_readers_dropped_total{reason="stuck"} %d
	`, following, stuck)
	err := testutil.GatherAndCompare(b.reg, strings.NewReader(want), "eks_authn_stream_readers", "eks_authn_stream_readers_dropped_total")
	if err != nil {
		b.t.Error(err)
	}
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// The server's own limits of time are for answers that end. A quiet stream shows
// that it lives.
func TestAStreamOutlivesTheLimitsOfOtherAnswers(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		sse, conn := b.stream("")
		for begin := time.Now(); time.Since(begin) < 10*time.Minute; {
			last := time.Now()
			if e := sse.next(); e.comment == "" || e.data != "" || e.id != "" || time.Since(last) > 15*time.Second {
				b.t.Fatalf("after %s: %+v", time.Since(begin), e)
			}
		}
		b.readers(1, 0)
		if err := conn.Close(); err != nil {
			b.t.Error(err)
		}
	})
}

// The first sign of life of a quiet stream comes after 15 seconds, and may wait
// a minute to be taken in.
func TestAReaderThatTakesInNothingIsCutAfterAMinute(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		_, conn := b.stream("")
		pass(74 * time.Second)
		b.readers(1, 0)
		pass(2 * time.Second)
		b.readers(0, 1)
		if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
			b.t.Errorf("%q, %v", rest, err)
		}
	})
}

func TestAReaderThatLeavesIsNotDropped(t *testing.T) {
	inBubble(t, nil, func(b *bubble) {
		_, conn := b.stream("")
		pass(74 * time.Second) // something waits to be taken in
		if err := conn.Close(); err != nil {
			b.t.Error(err)
		}
		pass(2 * time.Second)
		b.readers(0, 0)
	})
}

// A token that is taken back ends the streams that were opened with it.
func TestAStreamEndsWithItsToken(t *testing.T) {
	who := &changing{callers: teams()}
	inBubble(t, who, func(b *bubble) {
		sse, _ := b.stream(ownToken)
		if e := sse.next(); e.comment == "" {
			b.t.Fatalf("got %+v", e)
		}
		who.set(callers{})
		taken := time.Now()
		if e := sse.next(); e != (event{}) || time.Since(taken) > 15*time.Second {
			b.t.Errorf("after %s came %+v", time.Since(taken), e)
		}
	})
}

// changing are callers that change while the service runs.
type changing struct {
	mu      sync.Mutex
	callers callers
}

func (c *changing) set(to callers) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callers = to
}

func (c *changing) Schemes() []string { return callers{}.Schemes() }

func (c *changing) Token(token string) (authlog.Caller, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.callers.Token(token)
}

func (c *changing) User(context.Context, netip.Prefix, string, string) (authlog.Caller, bool, error) {
	return authlog.Caller{}, false, nil
}
