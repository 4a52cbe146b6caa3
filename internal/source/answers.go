package source

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Answers bounds how many answers with lines are in memory at a time, from the
// call that fetches them until the caller of Read is done with their last
// page. All sources of a process should share one: a fleet that catches up
// would hold ten thousand lines for each of its accounts and regions.
type Answers struct {
	places chan struct{}
}

// NewAnswers makes a bound of n answers, at least one.
func NewAnswers(n int) *Answers { return &Answers{places: make(chan struct{}, max(n, 1))} }

// take blocks until there is a place. The caller calls done.
func (a *Answers) take(ctx context.Context) (*place, error) {
	select {
	case a.places <- struct{}{}:
		p := &place{of: a}
		p.keep()
		return p, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other answers to be worked off: %w", ctx.Err())
	}
}

// A place is free again when done was called as often as keep. A nil place is
// that of a page without an answer.
type place struct {
	of   *Answers
	uses atomic.Int32
}

func (p *place) keep() {
	if p != nil {
		p.uses.Add(1)
	}
}

func (p *place) done() {
	if p != nil && p.uses.Add(-1) == 0 {
		<-p.of.places
	}
}
