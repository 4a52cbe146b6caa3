package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/heap"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/source"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// A fleetTask is what a reader is told to read.
type fleetTask struct {
	URL    string
	Past   time.Duration
	Shards []fleetShard
}

type fleetShard struct{ Region, Key, Secret string }

// usage is what a reader has used until now.
type usage struct {
	CPU       time.Duration
	RSS, Peak float64 // KiB
	Lines     int64   // read, again and again
}

// readFleet reads as the daemon does, one cycle of all shards for each order.
func readFleet(ctx context.Context, _ []string, in io.Reader, out io.Writer) error {
	orders := json.NewDecoder(in)
	var task fleetTask
	if err := orders.Decode(&task); err != nil {
		return err
	}
	return withStore(ctx, func(st *store.SQLite) error { return task.read(ctx, st, orders, json.NewEncoder(out)) })
}

// read carries out the orders until there are no more.
func (task *fleetTask) read(ctx context.Context, st *store.SQLite, orders *json.Decoder, answers *json.Encoder) error {
	var lines atomic.Int64
	tc := tailConfig(task.Past)
	tc.Saved = func(p *authlog.Page) { lines.Add(int64(len(p.Lines))) }
	m, sc := newMetrics(), sourceConfig()
	// As the daemon has it.
	sc.Answers = source.NewAnswers(4)
	go heap.Tune(ctx)
	var tails []*pipeline.Tail
	for _, s := range task.Shards {
		cfg := aws.Config{
			Region: s.Region, BaseEndpoint: aws.String(task.URL),
			Credentials: credentials.NewStaticCredentialsProvider(s.Key, s.Secret, ""),
		}
		tails = append(tails, newTail(cfg, sc, tc, st, m))
	}
	for {
		var order int
		if err := orders.Decode(&order); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var wait sync.WaitGroup
		for _, t := range tails {
			wait.Go(func() { settle(ctx, t) })
		}
		wait.Wait()
		used := usage{CPU: cpuTime(), Lines: lines.Load()}
		var err error
		if used.RSS, used.Peak, err = memory(); err != nil {
			return err
		}
		if err = answers.Encode(used); err != nil {
			return err
		}
	}
}

// memory is what of this process is and was at most in memory, in KiB.
func memory() (rss, peak float64, err error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		for name, value := range map[string]*float64{"VmRSS:": &rss, "VmHWM:": &peak} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				if _, err := fmt.Sscan(rest, value); err != nil {
					return 0, 0, err
				}
			}
		}
	}
	return rss, peak, nil
}
