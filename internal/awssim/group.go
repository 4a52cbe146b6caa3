package awssim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// The log group classes. Only a STANDARD group has field indexes.
const (
	Standard         = "STANDARD"
	InfrequentAccess = "INFREQUENT_ACCESS"
	Essentials       = "ESSENTIALS"
	Delivery         = "DELIVERY" // cannot be queried
)

// GroupOptions are the properties of a log group.
type GroupOptions struct {
	Class         string    // "": STANDARD
	RetentionDays int       // 0: events never expire
	Created       time.Time // zero: now. Events before it cannot be queried
	// NoDataSource leaves @data_source_name and @data_source_type away, as in
	// groups whose logs CloudWatch does not know the source of.
	NoDataSource bool
}

// A LogGroup holds streams of events.
type LogGroup struct {
	region  *Region
	name    string
	opts    GroupOptions
	created int64 // ms
	id      uint64

	mu      sync.RWMutex
	streams map[string]*Stream
	puts    uint64 // events taken so far; numbers them
}

func newLogGroup(r *Region, name string, opts GroupOptions) *LogGroup {
	if opts.Class == "" {
		opts.Class = Standard
	}
	if opts.Created.IsZero() {
		opts.Created = r.account.w.Now()
	}
	return &LogGroup{
		region: r, name: name, opts: opts, created: opts.Created.UnixMilli(), id: rand.Uint64(),
		streams: map[string]*Stream{},
	}
}

// Name is the group's name.
func (g *LogGroup) Name() string { return g.name }

// ARN is the group's ARN without the trailing ":*": what logGroupIdentifiers
// take.
func (g *LogGroup) ARN() string {
	return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s", g.region.name, g.region.account.id, g.name)
}

// oldest is the time in ms before which nothing can be read any more at now.
func (g *LogGroup) oldest(now int64) int64 {
	if g.opts.RetentionDays == 0 {
		return g.created
	}
	return max(g.created, now-int64(g.opts.RetentionDays)*24*time.Hour.Milliseconds())
}

// CreateStream makes a stream that exists from created on (zero: now). It
// fails if there is one of that name.
func (g *LogGroup) CreateStream(name string, created time.Time) (*Stream, error) {
	if created.IsZero() {
		created = g.region.account.w.Now()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams[name] != nil {
		return nil, fmt.Errorf("stream %s exists in %s", name, g.ARN())
	}
	st := &Stream{group: g, name: name, created: created.UnixMilli()}
	g.streams[name] = st
	return st, nil
}

// DeleteStream removes a stream with its events.
func (g *LogGroup) DeleteStream(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.streams, name)
}

// Stream returns the stream of that name, or nil.
func (g *LogGroup) Stream(name string) *Stream {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.streams[name]
}

// sorted returns the streams that exist at now, by name. The caller holds mu.
func (g *LogGroup) sorted(now int64) []*Stream {
	out := make([]*Stream, 0, len(g.streams))
	for st := range maps.Values(g.streams) {
		if st.created <= now {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(a, b *Stream) int { return strings.Compare(a.name, b.name) })
	return out
}

// dataSource is the value of @data_source_type for an EKS control plane
// stream: its name without the trailing id. "" where CloudWatch knows none.
func (st *Stream) dataSource() string {
	if st.group.opts.NoDataSource || !strings.HasPrefix(st.group.name, "/aws/eks/") {
		return ""
	}
	i := strings.LastIndexByte(st.name, '-')
	if i < 0 {
		return ""
	}
	return st.name[:i]
}
