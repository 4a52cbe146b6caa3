package awssim

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"golang.org/x/time/rate"
)

// maxRequest is the largest body that is read, in bytes.
const maxRequest = 1 << 20

// A Server serves a World on a loopback port.
type Server struct {
	world      *World
	home       *Account
	http       *http.Server
	url        string
	signer     *v4.Signer
	operations map[string]runner
	buckets    buckets
	done       chan error
}

// Start serves the world on a free port of 127.0.0.1 until Close. The world
// must have an account.
func Start(w *World) (*Server, error) {
	home := w.homeAccount()
	if home == nil {
		return nil, errors.New("the world has no account")
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	s := &Server{
		world: w, home: home, url: "http://" + ln.Addr().String(), signer: v4.NewSigner(), operations: operations(),
		buckets: buckets{all: map[[3]string]*rate.Limiter{}},
		done:    make(chan error, 1),
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute}
	go func() { s.done <- s.http.Serve(ln) }()
	return s, nil
}

// URL is the endpoint for all services, accounts and regions: what
// AWS_ENDPOINT_URL takes.
func (s *Server) URL() string { return s.url }

// Credentials gives the long-term keys of the home account's user.
func (s *Server) Credentials() aws.Credentials { return s.home.Keys() }

// Config is what SDK clients of the home account need to talk to the server.
func (s *Server) Config(region string) aws.Config { return s.ConfigFor(s.home, region) }

// ConfigFor is Config with the keys of another account.
func (s *Server) ConfigFor(a *Account, region string) aws.Config {
	keys := a.Keys()
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(s.url),
		Credentials:  credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""),
	}
}

// Close ends all connections and waits for the listener to stop.
func (s *Server) Close() error {
	err := s.http.Close()
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// serve answers one request of any service.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	requestID := newID()
	w.Header().Set("Date", s.world.Now().Format(http.TimeFormat))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		awsJSON.writeError(w, requestID, &apiError{
			status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLargeException", message: err.Error(),
		})
		return
	}
	c, refusal := s.identify(r, body)
	if refusal == nil {
		refusal = s.answer(r.Context(), w, c, requestID)
	}
	if refusal != nil {
		s.world.usage.refused(refusal)
		c.protocol.writeError(w, requestID, refusal)
	}
}

// answer carries the call out and writes what it yields, or returns why not.
// It panics with http.ErrAbortHandler to close the connection, as net/http
// wants it.
func (s *Server) answer(ctx context.Context, w http.ResponseWriter, c *call, requestID string) *apiError {
	s.world.usage.called(c)
	run, known := s.operations[c.action()]
	if !known {
		return unknownOperation(c)
	}
	if !s.buckets.allow(c, s.world.Limits.rate(c.operation, c.region.name)) {
		return c.protocol.throttled()
	}
	fail, refusal := s.fault(ctx, c)
	if refusal != nil {
		return refusal
	}
	out, refusal := run(c)
	if fail == DropAfter {
		panic(http.ErrAbortHandler)
	}
	if refusal != nil {
		return refusal
	}
	if c.protocol == awsQuery {
		writeXML(w, requestID, http.StatusOK, out)
	} else {
		c.protocol.writeJSON(w, requestID, http.StatusOK, out)
	}
	return nil
}

// fault lets the injected faults act on the call.
func (s *Server) fault(ctx context.Context, c *call) (Failure, *apiError) {
	fail := NoFailure
	for _, f := range s.world.faults.hitting(c) {
		c.faults = append(c.faults, f)
		if f.Delay > 0 {
			wait(ctx, f.Delay)
		}
		if f.Do != nil {
			f.Do()
		}
		if fail == NoFailure {
			fail = f.Fail
		}
	}
	if fail == DropBefore {
		panic(http.ErrAbortHandler)
	}
	return fail, fail.refusal(c)
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// newID makes a random id in the form of AWS's request and query ids.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
