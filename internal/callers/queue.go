package callers

import (
	"context"
	"errors"
	"net/netip"
	"sync"
)

// ErrBusy says that a password could not be checked now, for too many wait.
var ErrBusy = errors.New("too many passwords wait to be checked")

const (
	// mostAddresses is how many addresses have passwords that wait.
	mostAddresses = 32
	// mostOfOne is how many may wait of one address: more than a browser asks
	// at once for a page.
	mostOfOne = 16
)

// A queue lets one at a time through. Each address has a line of its own, of
// which only the first waits among those of the others, so that the many of one
// keep no other out. All are bounded: as many addresses as there may be do.
type queue struct {
	turn  chan struct{} // held by whose turn it is
	mu    sync.Mutex
	lines map[netip.Prefix]*line
}

// A line is those of one address.
type line struct {
	first chan struct{} // held by who waits among those of other addresses
	count int
}

func newQueue() *queue {
	return &queue{turn: make(chan struct{}, 1), lines: map[netip.Prefix]*line{}}
}

// wait returns when it is the turn of one from that address, which must leave
// then. It fails with ErrBusy at once where too many wait, or with the cause of
// ctx.
func (q *queue) wait(ctx context.Context, from netip.Prefix) (leave func(), err error) {
	l, err := q.enter(from)
	if err != nil {
		return nil, err
	}
	for i, turn := range []chan struct{}{l.first, q.turn} {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			if i > 0 {
				<-l.first
			}
			q.leave(from, l)
			return nil, context.Cause(ctx)
		}
	}
	return func() {
		<-q.turn
		<-l.first
		q.leave(from, l)
	}, nil
}

func (q *queue) enter(from netip.Prefix) (*line, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[from]
	if l == nil {
		if len(q.lines) >= mostAddresses {
			return nil, ErrBusy
		}
		l = &line{first: make(chan struct{}, 1)}
		q.lines[from] = l
	}
	if l.count >= mostOfOne {
		return nil, ErrBusy
	}
	l.count++
	return l, nil
}

func (q *queue) leave(from netip.Prefix, l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.count--; l.count == 0 {
		delete(q.lines, from)
	}
}
