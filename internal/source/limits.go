package source

import (
	"context"
	"fmt"

	"golang.org/x/time/rate"
)

// Limits hold the calls of all sources of one account and region below its
// quotas: a token bucket for each kind of call and a number of slots for
// queries under way. They are safe to share.
type Limits struct {
	slots   chan struct{}
	start   *rate.Limiter
	results *rate.Limiter
	streams *rate.Limiter
	filter  *rate.Limiter
	rest    *rate.Limiter
}

// NewLimits makes the limits that MaxConcurrent and Rates of cfg describe.
func NewLimits(cfg Config) *Limits {
	cfg = cfg.withDefaults()
	bucket := func(perSecond float64) *rate.Limiter {
		return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
	}
	return &Limits{
		slots:   make(chan struct{}, cfg.MaxConcurrent),
		start:   bucket(cfg.Rates.StartQuery),
		results: bucket(cfg.Rates.GetResults),
		streams: bucket(cfg.Rates.Streams),
		filter:  bucket(cfg.Rates.Filter),
		rest:    bucket(cfg.Rates.Describe),
	}
}

// wait blocks until op may be called.
func (l *Limits) wait(ctx context.Context, op string) error {
	b := l.rest
	switch op {
	case opStartQuery:
		b = l.start
	case opGetQueryResults:
		b = l.results
	case opDescribeLogStreams:
		b = l.streams
	case opFilterLogEvents:
		b = l.filter
	}
	if err := b.Wait(ctx); err != nil {
		return fmt.Errorf("wait to call %s: %w", op, err)
	}
	return nil
}

// slot blocks until a query may run. The caller calls release when it has
// ended.
func (l *Limits) slot(ctx context.Context) (release func(), err error) {
	select {
	case l.slots <- struct{}{}:
		return func() { <-l.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a query slot: %w", ctx.Err())
	}
}
