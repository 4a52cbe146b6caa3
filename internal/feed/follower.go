package feed

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// ErrUnknownID says that an id is none that this feed gave out.
var ErrUnknownID = errors.New("not an id of this feed")

// A Follower is one reader. It is not safe to share, and must be closed.
type Follower struct {
	feed  *Feed
	place int64 // everything up to here was given or passed over
	live  bool  // it has reached what is kept for all
	topic *topic
	in    Interest
	ids   *ids

	asked authlog.Cluster // the last one that in was asked of
	saw   bool            // and what it said

	// Missed says that changes after the id to resume from are gone: they were
	// pruned, or the store is an older copy of the one that gave out the id.
	Missed bool
	// Lost says that the id to resume from is of another store, and that the
	// follower begins now instead.
	Lost bool
}

// An Interest is what a follower wants to get.
type Interest struct {
	Cluster string // only of clusters of that name; "": of all
	// Sees says of which clusters the follower may learn. It and Wants are
	// called by Follow and by the follower's Next only.
	Sees func(authlog.Cluster) bool
	// Wants chooses among the changes of those clusters; it must not change
	// its argument.
	Wants func(*authlog.Change) bool
}

func (i *Interest) sees(c authlog.Cluster) bool {
	return (i.Cluster == "" || i.Cluster == c.Name) && i.Sees(c)
}

// Follow begins after the change with that id, or with what is saved from now
// on if it is "". The error is ErrUnknownID, ErrFull, ErrStopped or the store's.
func (f *Feed) Follow(ctx context.Context, after string, in Interest) (*Follower, error) {
	b, err := f.store.ChangeBounds(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := newIDs(b.Secret)
	if err != nil {
		return nil, err
	}
	r := &Follower{feed: f, ids: ids, place: b.Last, in: in}
	if after != "" {
		if err := r.resume(ctx, after); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.stopped:
		return nil, ErrStopped
	case f.followers >= f.cfg.Followers:
		return nil, ErrFull
	}
	f.followers++
	if r.topic = f.topics[in.Cluster]; r.topic == nil {
		r.topic = &topic{news: make(chan struct{}), dropped: f.start}
		f.topics[in.Cluster] = r.topic
	}
	if f.ids == nil {
		f.ids = ids
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return r, nil
}

// resume puts a follower that is at the newest place behind the change with
// that id.
func (r *Follower) resume(ctx context.Context, after string) error {
	place, ok := r.ids.place(after)
	if !ok {
		return ErrUnknownID
	}
	pruned, err := r.feed.store.PrunedAfter(ctx, place)
	r.Missed = place > r.place || slices.ContainsFunc(pruned, r.in.sees)
	r.place = min(place, r.place)
	return err
}

func (r *Follower) wants(c *authlog.Change) bool {
	if of := c.Cluster(); of != r.asked {
		r.asked, r.saw = of, r.in.sees(of)
	}
	return r.saw && r.in.Wants(c)
}

// Close lets another follow instead.
func (r *Follower) Close() {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	r.feed.followers--
}

// ID is the id to resume from.
func (r *Follower) ID() string { return r.ids.id(r.place) }

// Next returns the frames of the next changes, a few at a time, one after the
// other. It waits for them, but not much longer than that: then there are none
// and no error. The error is ErrSlow, ErrStopped, the store's or that of ctx.
func (r *Follower) Next(ctx context.Context, wait time.Duration) ([]byte, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		frames, news, err := r.look(ctx)
		if err != nil || len(frames) > 0 {
			return frames, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			return nil, nil
		case <-news:
		}
	}
}

// look returns what there is for the follower now, and what to wait for before
// it looks again.
func (r *Follower) look(ctx context.Context) (frames []byte, news <-chan struct{}, err error) {
	f := r.feed
	f.mu.RLock()
	dropped, news, last, kept, stopped := r.topic.dropped, r.topic.news, f.last, f.kept, f.stopped
	f.mu.RUnlock()
	switch {
	case stopped:
		return nil, nil, ErrStopped
	case dropped < 0:
		return nil, news, nil
	case r.place >= dropped:
		r.live = true
		frames, err = r.take(ctx, kept, last)
		return frames, news, err
	case r.live:
		return nil, nil, ErrSlow
	}
	frames, err = r.catchUp(ctx)
	return frames, closed(), err // there is more to look at
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

// take goes on in what is kept for all. Few readers take at a time: many would
// keep whoever saves from running.
func (r *Follower) take(ctx context.Context, kept []*entry, last int64) (frames []byte, err error) {
	i, found := slices.BinarySearchFunc(kept, r.place, func(e *entry, place int64) int { return cmp.Compare(e.change.Place, place) })
	if found {
		i++
	}
	if i < len(kept) {
		select {
		case r.feed.takers <- struct{}{}:
			defer func() { <-r.feed.takers }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var chosen [][]byte
	for ; i < len(kept) && len(chosen) < part; i++ {
		e := kept[i]
		r.place = e.change.Place
		if r.wants(&e.change) {
			chosen = append(chosen, e.frame)
		}
	}
	if i == len(kept) {
		r.place = max(r.place, last)
	}
	return bytes.Join(chosen, nil), nil
}

// catchUp reads from the store what is not kept any more. Few read at a time,
// so that whoever saves does not starve.
func (r *Follower) catchUp(ctx context.Context) (frames []byte, err error) {
	f := r.feed
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	b, err := f.store.ChangeBounds(ctx)
	if err != nil {
		return nil, err
	}
	changes, err := f.store.Changes(ctx, r.place, part)
	if err != nil {
		return nil, err
	}
	for i := range changes {
		c := &changes[i]
		r.place = c.Place
		if r.wants(c) {
			frames = append(frames, f.render(r.ids.id(c.Place), c)...)
		}
	}
	if len(changes) < part {
		r.place = max(r.place, b.Last)
	}
	return frames, nil
}
