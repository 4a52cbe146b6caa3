package access

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Run keeps the aws-auth of every cluster that Access was asked for current
// with a watch, until ctx is done. Without it aws-auth is read whenever EKS is.
func (r *Reader) Run(ctx context.Context) error {
	r.running.Store(true)
	defer r.running.Store(false)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	for {
		for _, c := range r.unfollowed() {
			watchers.Go(func() {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				if c.auth.begin(cancel) {
					r.follow(ctx, c)
				}
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		}
	}
}

// unfollowed gives the clusters whose aws-auth can be read and that nobody
// follows yet, and marks them.
func (r *Reader) unfollowed() []*cluster {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*cluster
	for _, c := range r.clusters {
		c.auth.mu.Lock()
		if (c.auth.kube != nil || r.cfg.AWSAuthFiles[c.name] != "") && !c.auth.followed {
			c.auth.followed = true
			out = append(out, c)
		}
		c.auth.mu.Unlock()
	}
	return out
}

// begin keeps what ends the following; false where the cluster is gone already.
func (s *authState) begin(cancel context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = cancel
	return !s.ended
}

// The pauses before a watch is opened anew: short, so that an edit is seen
// within 10 s, and long where it is a matter of permission or of a network that
// does not lead there.
const (
	pauseFirst   = 500 * time.Millisecond
	pauseMost    = 5 * time.Second
	pauseRefused = time.Minute
	pauseFar     = 2 * time.Minute
	filePoll     = 2 * time.Second // between two looks at a file
)

// pauses grow from one failure to the next.
type pauses struct {
	last    time.Duration
	reached time.Time // when the API server answered last
}

// next is how long to wait after an attempt.
func (p *pauses) next(err error, now time.Time) time.Duration {
	most := pauseMost
	if now.Sub(p.reached) > pauseFar {
		most = pauseFar
	}
	switch _, refused := errors.AsType[*authlog.AccessError](err); {
	case refused:
		p.last, p.reached = pauseRefused, now
		return p.last
	case err == nil || errors.Is(err, errExpired):
		p.last = 0
	}
	p.last = min(max(2*p.last, pauseFirst), most)
	return p.last
}

// follow reads and watches the aws-auth of one cluster until ctx is done or
// the cluster is gone.
func (r *Reader) follow(ctx context.Context, c *cluster) {
	p := &pauses{reached: time.Now()}
	for {
		err := r.followOnce(ctx, c, p)
		if ctx.Err() != nil {
			return
		}
		pause := p.next(err, time.Now())
		if err != nil {
			r.log.Debug().Err(err).Str("cluster", c.name).Dur("pause", pause).Msg("watch of aws-auth ended")
		}
		wait(ctx, pause)
	}
}

// followOnce reads aws-auth and watches it.
func (r *Reader) followOnce(ctx context.Context, c *cluster, p *pauses) error {
	if file := r.cfg.AWSAuthFiles[c.name]; file != "" {
		wait(ctx, filePoll)
		r.readFile(c, file)
		return nil
	}
	c.auth.mu.Lock()
	k := c.auth.kube
	c.auth.mu.Unlock()
	if err := r.get(ctx, c, k); err != nil {
		return err
	}
	p.reached = time.Now()
	var opened time.Time
	err := k.watch(ctx, func() error {
		// The watch tells of what there is, but not of a deletion before it.
		cm, err := k.get(ctx)
		if err != nil {
			return err
		}
		if cm == nil {
			r.took(c, nil, k.source)
		}
		c.auth.watch(true, nil)
		opened = time.Now()
		return nil
	}, func(cm *configMap) { r.took(c, cm, k.source) })
	if now := time.Now(); !opened.IsZero() {
		if p.reached = now; now.Sub(opened) > pauseMost {
			p.last = 0
		}
	}
	refused, _ := errors.AsType[*authlog.AccessError](err)
	c.auth.watch(false, refused)
	if err != nil && refused == nil && ctx.Err() == nil && !errors.Is(err, errExpired) {
		r.lost(c, err)
	}
	return err
}

// watch keeps whether a watch is open, and that it may not be.
func (s *authState) watch(open bool, refused *authlog.AccessError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching, s.refused = open, nil; refused != nil {
		s.refused = refused
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
