package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/feed"
	"github.com/eks-authlog/eks-authlog/internal/heap"
	"github.com/eks-authlog/eks-authlog/internal/metrics"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// shutdownTimeout is how long running requests may go on after the end was
// asked for: as long as any may take.
const shutdownTimeout = 25 * time.Second

// seenMargin is how long the keys of lines are kept that no lane will read
// again, should a clock be set back.
const seenMargin = time.Hour

// A daemon is all parts, joined: what serve and demo run.
type daemon struct {
	log     zerolog.Logger
	load    func() (*config.Config, error)
	cfg     atomic.Pointer[config.Config] // in force
	store   *store.SQLite
	site    *site
	reg     *prometheus.Registry
	metrics pipeline.Metrics
	health  *pipeline.Health
	budget  *pipeline.Budget
	keeper  *access.Keeper
	feed    *feed.Feed

	reloading sync.Mutex
	reloads   *metrics.Reload
	changes   chan change
}

// newDaemon loads the configuration and opens the database and the listeners.
// Nothing is read or served before run, which also closes them.
func newDaemon(ctx context.Context, load func() (*config.Config, error), flags webFlags, log zerolog.Logger) (*daemon, error) {
	cfg, err := load()
	if err != nil {
		return nil, err
	}
	version, revision := buildVersion()
	reg := metrics.NewRegistry(version, revision)
	d := &daemon{
		log: log, load: load, reg: reg, metrics: pipeline.NewMetrics(reg, outcomes(), reasonCodes()),
		health: pipeline.NewHealth(), budget: pipeline.NewBudget(uint64(cfg.Limits.DailyBudget)),
		keeper:  access.NewKeeper(cfg.Access.TrustedAccounts, metrics.NewAccess(reg), log.With().Str("part", "access").Logger()),
		reloads: metrics.NewReload(reg, time.Now()), changes: make(chan change),
	}
	d.cfg.Store(cfg)
	if d.site, err = openSite(ctx, flags, log.With().Str("part", "api").Logger()); err != nil {
		return nil, err
	}
	if err = checkAWS(ctx, cfg, log); err == nil {
		d.store, err = store.Open(ctx, cfg.Storage.Path, log.With().Str("part", "store").Logger())
	}
	if err != nil {
		return nil, errors.Join(err, d.site.listeners.Close())
	}
	d.feed = feed.New(feed.Config{}, d.store, api.Frame, log.With().Str("part", "feed").Logger())
	return d, nil
}

// newFleet makes the readers of a configuration.
func (d *daemon) newFleet(cfg *config.Config) *fleet {
	return &fleet{
		cfg: cfg, store: d.store, metrics: d.metrics, meter: meter{d.metrics.Reader, d.budget}, health: d.health,
		budget: d.budget, keeper: d.keeper, log: d.log.With().Str("part", "reader").Logger(),
	}
}

// apiConfig is what the API answers from.
func (d *daemon) apiConfig() api.Config {
	version, _ := buildVersion()
	cfg := api.Config{
		Store: d.store, Feed: d.feed, Health: d.health, Access: d.keeper, Explainer: explainer{}, Linter: linter{},
		Gatherer: d.reg, Registerer: d.reg,
		Log: d.log.With().Str("part", "api").Logger(), Version: version,
	}
	if d.site.flags.Lifecycle {
		cfg.Manager = d
	}
	return cfg
}

// checkAWS finds what is wrong with the AWS configuration of the machine before
// anything runs; it calls nothing.
func checkAWS(ctx context.Context, cfg *config.Config, log zerolog.Logger) error {
	for i := range cfg.Sources {
		if _, err := loadAWS(ctx, &cfg.Sources[i], &cfg.Limits, log); err != nil {
			return fmt.Errorf("source %d: %w", i+1, err)
		}
	}
	return nil
}

// url is the address to open.
func (d *daemon) url() string { return d.site.url() }

// run serves and follows until ctx ends, then closes everything in reverse
// order. hangups makes it reload; nil: nothing does. It returns nil unless a
// part failed.
func (d *daemon) run(ctx context.Context, hangups <-chan os.Signal) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { heap.Tune(ctx); return nil })
	d.site.serve(g, d.apiConfig())
	g.Go(func() error { d.follow(ctx); return nil })
	g.Go(func() error { d.feed.Run(ctx); return nil }) // whose end is that of all streams
	g.Go(func() error { d.prune(ctx); return nil })
	g.Go(func() error { d.hangups(ctx, hangups); return nil })
	g.Go(func() error { d.watchdog(ctx); return nil })
	notify(d.log, ready)
	g.Go(func() error {
		<-ctx.Done()
		d.log.Info().Msg("stopping")
		notify(d.log, stopping)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		return d.site.shutdown(grace)
	})
	return errors.Join(g.Wait(), d.store.Close())
}

// prune drops what is older than the retention, once an hour.
func (d *daemon) prune(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		err := errors.Join(
			d.store.Prune(ctx, time.Now().Add(-time.Duration(d.cfg.Load().Storage.Retention))),
			d.store.PruneSeen(ctx, seenMargin),
		)
		if err != nil && ctx.Err() == nil {
			d.log.Error().Err(err).Msg("what is older than the retention could not be dropped")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
