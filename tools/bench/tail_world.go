package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/rules"
	"github.com/eks-authlog/eks-authlog/internal/source"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

const benchRegion = "eu-central-1"

// A stepped clock stands still until it is set.
type stepped struct {
	mu sync.Mutex
	at time.Time
}

func (c *stepped) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *stepped) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newWorld is a world whose queries are complete at once and whose rates are
// not limited, so that what is measured is work and not waiting.
func newWorld(now func() time.Time) *awssim.World {
	w := awssim.NewWorld(now)
	w.Pace = awssim.Pace{}
	w.Limits.PerSecond = map[string]float64{
		"StartQuery": 0, "GetQueryResults": 0, "StopQuery": 0, "DescribeQueries": 0,
		"DescribeLogGroups": 0, "DescribeLogStreams": 0, "FilterLogEvents": 0,
	}
	return w
}

// newGroup makes the log group of a cluster with two authenticator streams and
// audit lines that are there to be scanned by who does not use the index.
func newGroup(r *awssim.Region, cluster string, created time.Time) ([]*awssim.Stream, error) {
	g, err := r.CreateLogGroup("/aws/eks/"+cluster+"/cluster", awssim.GroupOptions{Created: created})
	if err != nil {
		return nil, err
	}
	var streams []*awssim.Stream
	for i := range 2 {
		s, err := g.CreateStream(fmt.Sprintf("authenticator-%032x", i), created)
		if err != nil {
			return nil, err
		}
		streams = append(streams, s)
	}
	audit, err := g.CreateStream(fmt.Sprintf("kube-apiserver-audit-%032x", 1), created)
	if err != nil {
		return nil, err
	}
	audit.SetNoise(30, 60_000)
	return streams, nil
}

// sourceConfig is the daemon's, without its pauses.
func sourceConfig() source.Config {
	cfg := source.Default()
	cfg.PollMin, cfg.PollMax = time.Millisecond, 2*time.Millisecond
	cfg.Rates = source.Rates{StartQuery: 1e6, GetResults: 1e6, Describe: 1e6, Streams: 1e6, Filter: 1e6}
	return cfg
}

// tailConfig is the daemon's own.
func tailConfig(lookback time.Duration) pipeline.Config {
	return pipeline.Config{
		Interval: time.Minute, SettleMin: time.Minute, SettleMax: 5 * time.Minute,
		Discovery: 10 * time.Minute, Lookback: lookback, Step: time.Hour,
		Sweeps: []time.Duration{15 * time.Minute, 2 * time.Hour}, SweepInterval: 10 * time.Minute,
		Diagnose: diagnose.Default(),
	}
}

func newMetrics() pipeline.Metrics { return metricsOn(prometheus.NewRegistry()) }

func metricsOn(reg prometheus.Registerer) pipeline.Metrics {
	var outcomes, reasons []string
	for _, k := range authlog.Kinds() {
		outcomes = append(outcomes, k.String())
	}
	for _, r := range rules.All() {
		reasons = append(reasons, r.Code)
	}
	return pipeline.NewMetrics(reg, outcomes, reasons)
}

func newTail(cfg aws.Config, sc source.Config, tc pipeline.Config, store pipeline.Store, m pipeline.Metrics) *pipeline.Tail {
	src := source.New(cfg, sc, m.Reader, zerolog.Nop())
	return pipeline.NewTail(cfg.Region, tc, src, store, m, pipeline.NewHealth(), zerolog.Nop())
}

// settle lets the tail read until it has caught up or failed.
func settle(ctx context.Context, t *pipeline.Tail) {
	for t.Cycle(ctx) {
	}
}

// withStore lends a new database.
func withStore(ctx context.Context, use func(*store.SQLite) error) error {
	dir, err := os.MkdirTemp("", "eks-authlog-bench")
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, filepath.Join(dir, "analyzer.db"), zerolog.Nop())
	if err == nil {
		err = errors.Join(use(st), st.Close())
	}
	return errors.Join(err, os.RemoveAll(dir))
}
