package pipeline

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Claims see to it that a line is followed once although it can be read twice:
// by two sources that list the same log group, as an account and the
// monitoring account that it shares its groups with do, or from the copy that
// log centralization keeps in another account or region (Amazon CloudWatch
// Logs User Guide, "Cross-account cross-Region log centralization").
//
// A copy is known by its stream: the 32 hexadecimal digits that EKS puts into
// the name are of one instance of one control plane. AWS does not say how it
// names the streams of a copy; a name that begins as the original's is taken
// for one. The stream that was created first is the original.
//
// They are shared by the tails of a process and safe for many goroutines.
type Claims struct {
	mu       sync.Mutex
	awaited  int           // who has not listed for the first time yet
	complete chan struct{} // closed when nobody is awaited
	owners   map[authlog.Cluster]*Tail
	streams  map[string]claim // by instance
}

type claim struct {
	cluster authlog.Cluster
	created time.Time
}

// NewClaims makes claims without owners that await nobody.
func NewClaims() *Claims {
	c := &Claims{complete: make(chan struct{}), owners: map[authlog.Cluster]*Tail{}, streams: map[string]claim{}}
	close(c.complete)
	return c
}

// Expect makes the tails wait before they read for n more that will list their
// log groups: which of two is the original can be told when both are known.
func (c *Claims) Expect(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaited == 0 && n > 0 {
		c.complete = make(chan struct{})
	}
	c.awaited += n
}

// Arrive says that one of those expected has listed its log groups, or could
// not.
func (c *Claims) Arrive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaited == 0 {
		return
	}
	if c.awaited--; c.awaited == 0 {
		close(c.complete)
	}
}

// wait blocks until all have arrived, for so long at most.
func (c *Claims) wait(ctx context.Context, most time.Duration) {
	c.mu.Lock()
	complete := c.complete
	c.mu.Unlock()
	select {
	case <-complete:
	case <-time.After(most):
	case <-ctx.Done():
	}
}

// keep returns what of the groups is t's to follow, and takes it for t as far
// as nobody has it yet.
func (c *Claims) keep(t *Tail, groups []authlog.Group) []authlog.Group {
	c.mu.Lock()
	defer c.mu.Unlock()
	var kept []authlog.Group
	for _, g := range groups {
		if owner := c.owners[g.Cluster]; owner != nil && owner != t {
			continue
		}
		var streams []authlog.Stream
		for _, s := range g.Streams {
			if c.take(g.Cluster, &s) {
				streams = append(streams, s)
			}
		}
		if len(streams) == 0 && len(g.Streams) > 0 {
			continue // a copy, all of it
		}
		g.Streams = streams
		c.owners[g.Cluster] = t
		kept = append(kept, g)
	}
	return kept
}

// take reports whether the stream is the cluster's, or has become so.
func (c *Claims) take(cluster authlog.Cluster, s *authlog.Stream) bool {
	id := instance(s.Name)
	if id == "" {
		return true
	}
	held, ok := c.streams[id]
	elsewhere := held.cluster.Account != cluster.Account || held.cluster.Region != cluster.Region
	switch {
	case ok && !elsewhere:
		return true
	case ok && (c.awaited == 0 || !s.Created.Before(held.created)):
		return false
	}
	c.streams[id] = claim{cluster: cluster, created: s.Created}
	return true
}

// release gives back what t has of clusters that are not there any more.
func (c *Claims) release(t *Tail, there map[authlog.Cluster]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.owners, func(cluster authlog.Cluster, owner *Tail) bool { return owner == t && !there[cluster] })
	maps.DeleteFunc(c.streams, func(_ string, held claim) bool { return c.owners[held.cluster] == nil })
}

// instance is the part of a stream's name that no other instance of a control
// plane has; empty for a name that is not of EKS's form.
func instance(stream string) string {
	const digits = 32
	id, ok := strings.CutPrefix(stream, "authenticator-")
	if !ok || len(id) < digits || strings.Trim(id[:digits], "0123456789abcdef") != "" {
		return ""
	}
	return id[:digits]
}
