package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/heap"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/store"
	"github.com/eks-authlog/eks-authlog/internal/store/storetest"
)

// apiCommand is how the bench calls itself to be the daemon, a process of its
// own, so that its memory is not that of the load generator.
const apiCommand = "api-server"

// serveAPI serves the store of args and saves a batch after the other. It says
// where it serves, and what it has used for each order, until there are no
// more.
func serveAPI(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	if len(args) != 2 {
		return errors.New("want the file of the store, and the time between two lines")
	}
	step, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	go heap.Tune(ctx) // as the daemon has it
	st, err := store.Open(ctx, args[0], zerolog.Nop())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &busyWriter{load: storetest.NewLoad(apiClusters, apiEnd(), step), store: st}
	w.now.Store(apiEnd().UnixNano())
	var wait sync.WaitGroup
	var failed error
	wait.Go(func() { failed = w.run(ctx) })
	defer func() {
		cancel()
		wait.Wait()
		err = errors.Join(err, failed, st.Close())
	}()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := api.NewServer(w.handler(), zerolog.Nop())
	go func() { _ = srv.Serve(ln) }() // ends with Close
	defer func() { err = errors.Join(err, srv.Close()) }()
	answers := json.NewEncoder(out)
	if err := answers.Encode("http://" + ln.Addr().String()); err != nil {
		return err
	}
	return w.report(json.NewDecoder(in), answers)
}

// busyPause is between two batches of the writer: with their 100 lines it is 15
// times what 2,000 clusters of two lines a minute write.
const busyPause = 100 * time.Millisecond

// A busyWriter saves a batch ten times a second, by a clock that goes with its
// lines.
type busyWriter struct {
	load  *storetest.Load
	store *store.SQLite
	now   atomic.Int64 // Unix nanoseconds
	lines atomic.Int64
}

func (w *busyWriter) run(ctx context.Context) error {
	const lines = 100
	tick := time.NewTicker(busyPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := w.store.Save(context.WithoutCancel(ctx), w.load.Batch(lines, apiDenied)); err != nil {
			return err
		}
		w.now.Store(w.load.At.UnixNano())
		w.lines.Add(lines)
	}
}

func (w *busyWriter) handler() http.Handler {
	reg := prometheus.NewRegistry()
	m := metricsOn(reg)
	for i := range apiClusters {
		c := storetest.Cluster(i)
		m.Lines.Cluster(c.Name, c.Account, c.Region)
	}
	return api.New(api.Config{
		Store: w.store, Health: pipeline.NewHealth(), Gatherer: reg, Registerer: reg, Log: zerolog.Nop(),
		Now: func() time.Time { return time.Unix(0, w.now.Load()).UTC() },
	})
}

func (w *busyWriter) report(orders *json.Decoder, answers *json.Encoder) error {
	for {
		var order int
		if err := orders.Decode(&order); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		used := usage{CPU: cpuTime(), Lines: w.lines.Load()}
		var err error
		if used.RSS, used.Peak, err = memory(); err != nil {
			return err
		}
		if err = answers.Encode(used); err != nil {
			return err
		}
	}
}

// An apiServer is the process that serves, as its parent sees it.
type apiServer struct {
	cmd     *exec.Cmd
	url     string
	stdin   io.WriteCloser
	answers *json.Decoder
}

func startServer(ctx context.Context, db string, step time.Duration) (*apiServer, error) {
	s := &apiServer{cmd: exec.CommandContext(ctx, os.Args[0], apiCommand, db, step.String())}
	s.cmd.Stderr = os.Stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.answers = json.NewDecoder(stdout)
	if err := s.answers.Decode(&s.url); err != nil {
		return nil, errors.Join(fmt.Errorf("start the server: %w", err), s.close())
	}
	return s, nil
}

func (s *apiServer) usage() (u usage, err error) {
	if _, err = fmt.Fprintln(s.stdin, 1); err == nil {
		err = s.answers.Decode(&u)
	}
	return u, err
}

// close ends the process and waits for it.
func (s *apiServer) close() error { return errors.Join(s.stdin.Close(), s.cmd.Wait()) }
