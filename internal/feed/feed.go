// Package feed hands out what was saved, in the order of saving, to many
// followers at once. It asks the store; whoever saves does not know of it and
// never waits for a follower. It queues nothing for anybody: a follower has a
// place in one shared stretch of the newest changes, and who falls out of it is
// told so and must come again.
package feed

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Store is what a feed asks of the store.
type Store interface {
	// ChangeBounds tells how far the changes reach.
	ChangeBounds(ctx context.Context) (authlog.ChangeBounds, error)
	// PrunedAfter returns the clusters of which a change after that place was
	// pruned.
	PrunedAfter(ctx context.Context, place int64) ([]authlog.Cluster, error)
	// Changes returns the first changes after that place, in the order of
	// saving, at most limit.
	Changes(ctx context.Context, after int64, limit int) ([]authlog.Change, error)
}

// What Next and Follow fail with.
var (
	// ErrSlow says that a follower fell behind what is kept for all.
	ErrSlow = errors.New("the reader is too slow")
	// ErrStopped says that the feed has ended.
	ErrStopped = errors.New("the service stops")
	// ErrFull says that there are as many followers as there may be.
	ErrFull = errors.New("too many followers")
)

// Config are the settings of a Feed. A zero field means its default.
type Config struct {
	Interval  time.Duration // between two questions to the store while someone follows: 250 ms
	Followers int           // at once: 20,000
	Kept      int           // changes kept for all followers: 10,000
	KeptBytes int           // of their frames: 16 MiB
}

// part is how many changes one call of Next gives at most, and how many are
// read at a time for a follower who comes from further back: a slow one holds
// no more than that.
const part = 64

// batch is how many changes are read at a time for all.
const batch = 1000

// A Feed follows a store. It is safe to share.
type Feed struct {
	cfg    Config
	store  Store
	render func(id string, c *authlog.Change) []byte
	log    zerolog.Logger
	turns  chan struct{} // held while reading for one follower
	takers chan struct{} // held while taking from what is kept
	wake   chan struct{} // a first follower came

	mu        sync.RWMutex
	ids       *ids // nil until the store was asked
	followers int
	stopped   bool
	topics    map[string]*topic // by the name of a cluster; "" is of all
	kept      []*entry          // in the order of saving; never changed in place
	bytes     int               // of their frames
	start     int64             // kept has all changes after it; -1: nothing is kept
	last      int64             // and up to here
}

// A topic is what followers of one cluster wait for: who follows a quiet one is
// not woken by others.
type topic struct {
	news    chan struct{} // closed when there are any
	dropped int64         // what is kept lacks its changes up to here at most; -1: nothing is kept
}

// An entry is a change and what callers see of it.
type entry struct {
	change authlog.Change
	frame  []byte
}

// New makes a feed of the store. Render makes what callers see of a change,
// once for all of them; it must not keep the change.
func New(cfg Config, store Store, render func(id string, c *authlog.Change) []byte, log zerolog.Logger) *Feed {
	def := func(n *int, fallback int) {
		if *n == 0 {
			*n = fallback
		}
	}
	def(&cfg.Followers, 20_000)
	def(&cfg.Kept, 10_000)
	def(&cfg.KeptBytes, 16<<20)
	if cfg.Interval == 0 {
		cfg.Interval = 250 * time.Millisecond
	}
	return &Feed{
		cfg: cfg, store: store, render: render, log: log, start: -1,
		turns: make(chan struct{}, 2), takers: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), wake: make(chan struct{}, 1), topics: map[string]*topic{},
	}
}

// Run asks the store for news as long as someone follows. When ctx is done it
// ends all followers and returns.
func (f *Feed) Run(ctx context.Context) {
	defer f.stop()
	tick := time.NewTicker(f.cfg.Interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		if f.idle() {
			select {
			case <-ctx.Done():
				return
			case <-f.wake:
			}
		}
		if err := f.poll(ctx); err != nil && ctx.Err() == nil {
			f.log.Warn().Err(err).Msg("what was saved could not be read; will be tried again")
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// idle reports whether nobody follows, and then keeps nothing.
func (f *Feed) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.followers > 0 {
		return false
	}
	f.kept, f.bytes, f.start, f.topics = nil, 0, -1, map[string]*topic{}
	return true
}

func (f *Feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	for _, t := range f.topics {
		close(t.news)
	}
}

// poll takes over what was saved since the last time.
func (f *Feed) poll(ctx context.Context) error {
	if f.start < 0 {
		b, err := f.store.ChangeBounds(ctx)
		if err != nil {
			return err
		}
		f.keep(nil, b.Last)
	}
	for {
		changes, err := f.store.Changes(ctx, f.last, batch)
		if err != nil || len(changes) == 0 {
			return err
		}
		f.keep(f.entries(changes), changes[len(changes)-1].Place)
		if len(changes) < batch {
			return nil
		}
	}
}

func (f *Feed) entries(changes []authlog.Change) []*entry {
	made := make([]*entry, len(changes))
	for i := range changes {
		e := &entry{change: changes[i]}
		e.frame = f.render(f.ids.id(e.change.Place), &e.change)
		if d := e.change.Denial; d != nil {
			short := *d
			short.Raw = "" // may be long, and nobody asks for it
			e.change.Denial = &short
		}
		made[i] = e
	}
	return made
}

// keep adds the newest, up to that place, drops the oldest beyond the bounds,
// and wakes who follows their clusters.
func (f *Feed) keep(newest []*entry, last int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	woken := map[string]bool{"": true}
	if f.start < 0 {
		f.start = last
		for name, t := range f.topics {
			t.dropped, woken[name] = last, true
		}
	}
	f.last = last
	f.kept = append(f.kept, newest...)
	for _, e := range newest {
		f.bytes += len(e.frame)
		woken[e.cluster()] = true
	}
	f.drop()
	for name := range woken {
		if t := f.topics[name]; t != nil {
			close(t.news)
			t.news = make(chan struct{})
		}
	}
}

func (f *Feed) drop() {
	n := 0
	for ; len(f.kept)-n > f.cfg.Kept || f.bytes > f.cfg.KeptBytes && n < len(f.kept); n++ {
		e := f.kept[n]
		f.start = e.change.Place
		f.bytes -= len(e.frame)
		for _, name := range []string{"", e.cluster()} {
			if t := f.topics[name]; t != nil {
				t.dropped = f.start
			}
		}
	}
	if n > 0 {
		f.kept = slices.Clone(f.kept[n:])
	}
}

func (e *entry) cluster() string { return e.change.Cluster().Name }
