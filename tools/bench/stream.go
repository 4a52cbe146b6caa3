package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/feed"
	"github.com/eks-authlog/eks-authlog/internal/heap"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// The clusters of the bench: most readers follow the quiet one.
var (
	busy  = authlog.Cluster{Name: "busy", Account: "111122223333", Region: "eu-central-1"}
	quiet = authlog.Cluster{Name: "quiet", Account: "111122223333", Region: "eu-central-1"}
)

// streamBench measures what readers of the stream cost: memory, and the writer's
// rate. The readers are a process of their own.
func streamBench(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("stream", flag.ExitOnError)
	idle := flags.Int("idle", 10_000, "readers to whom nothing happens")
	slow := flags.Int("slow", 200, "readers that take in nothing")
	span := flags.Duration("duration", 10*time.Second, "how long the writer saves, each time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	go heap.Tune(ctx) // as the daemon has it
	dir, err := os.MkdirTemp("", "eks-authlog-stream-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := newStreamWorld(ctx, filepath.Join(dir, "analyzer.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	return w.compare(ctx, os.Stdout, *idle, *slow, *span)
}

// A streamWorld is a store, its feed, and the API.
type streamWorld struct {
	store *store.SQLite
	srv   *http.Server
	url   string
	stop  context.CancelFunc
	done  chan struct{}
	saved int
}

func newStreamWorld(ctx context.Context, path string) (*streamWorld, error) {
	st, err := store.Open(ctx, path, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	w := &streamWorld{store: st, url: "http://" + ln.Addr().String(), stop: stop, done: make(chan struct{})}
	f := feed.New(feed.Config{}, st, api.Frame, zerolog.Nop())
	w.srv = api.NewServer(api.New(api.Config{Store: st, Feed: f, Log: zerolog.Nop()}), zerolog.Nop())
	go func() {
		defer close(w.done)
		f.Run(ctx)
	}()
	go func() { _ = w.srv.Serve(ln) }() // ends with Close
	return w, errors.Join(w.save(ctx, quiet, 1), w.save(ctx, busy, 1))
}

func (w *streamWorld) close() error {
	w.stop()
	<-w.done
	return errors.Join(w.srv.Close(), w.store.Close())
}

// save saves a batch of n denials.
func (w *streamWorld) save(ctx context.Context, c authlog.Cluster, n int) error {
	var b authlog.Batch
	for range n {
		l := authlog.Line{Cluster: c, Stream: "authenticator-1", Time: time.Now().Truncate(time.Second), Text: fmt.Sprint("line ", w.saved)}
		b.Denials = append(b.Denials, authlog.Denial{
			ID: authlog.NewID(l.Time, authlog.KeyOf(&l, 0)), Cluster: c, Stream: l.Stream, Time: l.Time, Reason: "arn_not_mapped",
			Principal: &authlog.Principal{ARN: fmt.Sprint("arn:aws:iam::111122223333:role/", w.saved%100), Kind: authlog.PrincipalRole},
			Error:     "identity is not mapped", Client: "127.0.0.1:50122", Raw: l.Text,
		})
		w.saved++
	}
	return w.store.Save(ctx, b)
}

// rate saves a batch of 100 ten times a second for so long, and says how many
// denials a second that came to, and how long the slowest batch took.
func (w *streamWorld) rate(ctx context.Context, span time.Duration) (perSecond float64, slowest time.Duration, err error) {
	tick := time.NewTicker(busyPause)
	defer tick.Stop()
	before, begin := w.saved, time.Now()
	for time.Since(begin) < span {
		<-tick.C
		started := time.Now()
		if err := w.save(ctx, busy, 100); err != nil {
			return 0, 0, err
		}
		slowest = max(slowest, time.Since(started))
	}
	return float64(w.saved-before) / time.Since(begin).Seconds(), slowest, nil
}

// compare measures without readers and with them.
func (w *streamWorld) compare(ctx context.Context, out io.Writer, idle, slow int, span time.Duration) error {
	fmt.Fprint(out, "\n| readers | denials saved a second | CPU ms for 1,000 | slowest batch ms | RSS MB |\n|---|---:|---:|---:|---:|\n")
	line := func(readers string) error {
		saved, used := w.saved, cpuTime()
		perSecond, slowest, err := w.rate(ctx, span)
		if err != nil {
			return err
		}
		used = (cpuTime() - used) / time.Duration(w.saved-saved) * 1000
		rss, _, err := memory()
		fmt.Fprintf(out, "| %s | %.0f | %d | %d | %.0f |\n", readers, perSecond, used.Milliseconds(), slowest.Milliseconds(), rss/1024)
		return err
	}
	if err := line("none"); err != nil {
		return err
	}
	quick, err := w.follow(ctx)
	if err != nil {
		return err
	}
	leave, err := w.readers(ctx, idle, slow)
	if err != nil {
		return err
	}
	before := w.saved
	// At first the slow ones are none: what they are sent fits into sockets.
	for _, when := range []string{", until the slow ones are stuck", ""} {
		if err := line(fmt.Sprintf("%d idle, %d slow, 1 quick%s", idle, slow, when)); err != nil {
			return err
		}
	}
	if err := leave(); err != nil {
		return err
	}
	got, err := quick(w.saved - before)
	fmt.Fprintf(out, "\nThe quick reader got %d of %d denials, each once.\n", got, w.saved-before)
	return err
}

// readers starts the process of the readers, and returns when all have begun.
func (w *streamWorld) readers(ctx context.Context, idle, slow int) (leave func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, streamCommand, w.url, fmt.Sprint(idle), fmt.Sprint(slow))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if text, err := bufio.NewReader(out).ReadString('\n'); err != nil || text != "ready\n" {
		return nil, errors.Join(fmt.Errorf("the readers said %q", text), err, in.Close(), cmd.Wait())
	}
	return func() error { return errors.Join(in.Close(), cmd.Wait()) }, nil
}

// follow begins to read what the busy cluster does; the returned function
// counts the denials, until there are so many, resuming where it was dropped.
func (w *streamWorld) follow(ctx context.Context) (count func(want int) (int, error), err error) {
	id, seen := "", map[string]bool{}
	open := func() (io.ReadCloser, *bufio.Reader, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/stream?cluster=busy", nil)
		if err != nil {
			return nil, nil, err
		}
		if id != "" {
			req.Header.Set("Last-Event-ID", id)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return nil, nil, err
		}
		return res.Body, bufio.NewReader(res.Body), nil
	}
	body, rd, err := open()
	if err != nil {
		return nil, err
	}
	read := func() (denial bool, err error) {
		for {
			line, err := rd.ReadString('\n')
			if err != nil {
				return false, err
			}
			if rest, ok := strings.CutPrefix(line, "id: "); ok {
				id = strings.TrimSpace(rest)
			}
			if line == "event: denial\n" {
				return true, nil
			}
		}
	}
	return func(want int) (int, error) {
		for len(seen) < want {
			_, err := read()
			switch {
			case err != nil && errors.Is(err, io.EOF):
				_ = body.Close()
				if body, rd, err = open(); err != nil {
					return len(seen), err
				}
			case err != nil:
				return len(seen), err
			case seen[id]:
				return len(seen), fmt.Errorf("event %s came twice", id)
			default:
				seen[id] = true
			}
		}
		return len(seen), body.Close()
	}, nil
}
