package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/feed"
	"github.com/eks-authlog/eks-authlog/internal/metrics"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// shutdownTimeout is how long running requests may go on after the end was
// asked for.
const shutdownTimeout = 3 * time.Second

// seenMargin is how long the keys of lines are kept that no lane will read
// again, should a clock be set back.
const seenMargin = time.Hour

// A daemon is all parts, joined: what serve and demo run.
type daemon struct {
	log      zerolog.Logger
	cfg      *config.Config
	listener net.Listener
	server   *http.Server
	store    *store.SQLite
	feed     *feed.Feed
	fleet    *fleet
}

// newDaemon opens the database and the listener. Nothing is read or served
// before run, which also closes both.
func newDaemon(ctx context.Context, cfg *config.Config, listen string, log zerolog.Logger) (*daemon, error) {
	d := &daemon{log: log, cfg: cfg}
	version, revision := buildVersion()
	reg := metrics.NewRegistry(version, revision)
	m := pipeline.NewMetrics(reg, outcomes(), reasonCodes())
	health := pipeline.NewHealth()

	var err error
	if d.store, err = store.Open(ctx, cfg.Storage.Path, log.With().Str("part", "store").Logger()); err != nil {
		return nil, err
	}
	budget := pipeline.NewBudget(uint64(cfg.Limits.DailyBudget))
	d.fleet = &fleet{
		cfg: cfg, store: d.store, metrics: m, meter: meter{m.Reader, budget}, health: health, budget: budget,
		keeper: access.NewKeeper(cfg.Access.TrustedAccounts, metrics.NewAccess(reg), log.With().Str("part", "access").Logger()),
		log:    log.With().Str("part", "reader").Logger(),
	}
	if err = d.checkAWS(ctx); err == nil {
		d.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	}
	if err != nil {
		return nil, errors.Join(err, d.store.Close())
	}
	d.feed = feed.New(feed.Config{}, d.store, api.Frame, log.With().Str("part", "feed").Logger())
	handler := api.New(api.Config{
		Store: d.store, Feed: d.feed, Health: health, Access: d.fleet.keeper, Explainer: explainer{}, Linter: linter{},
		Gatherer: reg, Registerer: reg,
		Log: log.With().Str("part", "api").Logger(), Version: version,
	})
	d.server = api.NewServer(handler, log.With().Str("part", "api").Logger())
	return d, nil
}

// checkAWS finds what is wrong with the AWS configuration of the machine before
// anything runs; it calls nothing.
func (d *daemon) checkAWS(ctx context.Context) error {
	for i := range d.cfg.Sources {
		if _, err := loadAWS(ctx, &d.cfg.Sources[i], &d.cfg.Limits); err != nil {
			return fmt.Errorf("source %d: %w", i+1, err)
		}
	}
	return nil
}

// url is the address to open.
func (d *daemon) url() string { return "http://" + d.listener.Addr().String() }

// thrift is the garbage collector's percentage where GOGC does not set it. What
// stays is small and what passes through is not: memory matters more here than
// the few percent of a core.
const thrift = 50

// run serves and follows until ctx ends, then closes everything in reverse
// order. It returns nil unless a part failed.
func (d *daemon) run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(thrift)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := d.server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve on %s: %w", d.listener.Addr(), err)
		}
		return nil
	})
	g.Go(func() error { d.fleet.run(ctx); return nil })
	g.Go(func() error { d.feed.Run(ctx); return nil }) // whose end is that of all streams
	g.Go(func() error { d.prune(ctx); return nil })
	g.Go(func() error {
		<-ctx.Done()
		d.log.Info().Msg("stopping")
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err := d.server.Shutdown(grace); err != nil {
			return errors.Join(d.server.Close())
		}
		return nil
	})
	return errors.Join(g.Wait(), d.store.Close())
}

// prune drops what is older than the retention, once an hour.
func (d *daemon) prune(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		err := errors.Join(
			d.store.Prune(ctx, time.Now().Add(-time.Duration(d.cfg.Storage.Retention))),
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
