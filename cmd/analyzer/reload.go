package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/config"
)

var errEnding = errors.New("the service is ending")

// Reload reads all files anew: what is in them is taken over as a whole, or not
// at all. It returns when the readers of what was before have ended, each at a
// page's end or before its page was saved, so that the next ones go on from the
// cursors without losing a line or counting one twice.
func (d *daemon) Reload(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	notify(d.log, reloading())
	defer notify(d.log, ready)
	err := d.reload(context.WithoutCancel(ctx)) // half a change is none
	if err != nil {
		d.reloads.Failed()
		logFaults(d.log, err)
		return err
	}
	d.reloads.Succeeded(time.Now())
	d.log.Info().Msg("configuration reloaded")
	d.site.warn()
	return nil
}

func (d *daemon) reload(ctx context.Context) error {
	next, err := d.load()
	if err == nil {
		err = d.mayBecome(ctx, next)
	}
	takeOver, siteErr := d.site.prepare()
	if err = errors.Join(err, siteErr); err != nil {
		return err
	}
	if sameReading(d.cfg.Load(), next) {
		takeOver()
		d.cfg.Store(next)
		return nil
	}
	c := change{cfg: next, made: make(chan struct{})}
	select {
	case d.changes <- c:
		takeOver()
		<-c.made
		return nil
	case <-d.site.ending:
		return errEnding
	}
}

// mayBecome finds what only a new start can change, and what is wrong with the
// AWS configuration.
func (d *daemon) mayBecome(ctx context.Context, next *config.Config) error {
	if now := d.cfg.Load().Storage.Path; next.Storage.Path != now {
		return fmt.Errorf("storage.path cannot change from %s to %s while running: restart", now, next.Storage.Path)
	}
	return checkAWS(ctx, next, d.log)
}

// sameReading reports whether nothing changes for those who read the logs.
func sameReading(a, b *config.Config) bool {
	x, y := *a, *b
	x.Storage, y.Storage = config.Storage{}, config.Storage{}
	return reflect.DeepEqual(x, y)
}

// A change is another configuration to read by. made is closed when the old
// readers have ended and the new ones begin.
type change struct {
	cfg  *config.Config
	made chan struct{}
}

// follow reads the logs until ctx ends, and begins anew with each change.
func (d *daemon) follow(ctx context.Context) {
	for ctx.Err() == nil {
		f := d.newFleet(d.cfg.Load())
		reading, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() { f.run(reading); close(ended) }()
		select {
		case <-ctx.Done():
			<-ended
		case c := <-d.changes:
			stop()
			<-ended
			d.cfg.Store(c.cfg)
			d.forget()
			close(c.made)
		}
		stop()
	}
}

// forget drops what was known of the shards that were followed.
func (d *daemon) forget() {
	cfg := d.cfg.Load()
	d.metrics.Forget()
	d.health.Clear()
	d.budget.Allow(uint64(cfg.Limits.DailyBudget))
	d.keeper.Trust(cfg.Access.TrustedAccounts)
}

// hangups reloads at each SIGHUP until ctx ends.
func (d *daemon) hangups(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			_ = d.Reload(ctx) // it was logged
		}
	}
}

// logFaults logs each fault of a file with its place.
func logFaults(log zerolog.Logger, err error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			logFaults(log, one)
		}
		return
	}
	const kept = "configuration not reloaded; the old one stays in force"
	faults, ok := errors.AsType[config.Faults](err)
	if !ok {
		log.Error().Err(err).Msg(kept)
	}
	for _, f := range faults {
		log.Error().Str("file", f.File).Int("line", f.Line).Str("key", f.Key).Str("fault", f.Text).Msg(kept)
	}
}
