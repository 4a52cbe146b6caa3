package pipeline

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Health knows how each shard is doing. It is safe for many goroutines.
type Health struct {
	mu     sync.Mutex
	shards map[string]*ShardHealth
}

// ShardHealth is how one shard is doing.
type ShardHealth struct {
	Shard       string    // account/region, or the source's name while the account is unknown
	Ready       bool      // a first window was read whole
	Error       string    // what the last cycle failed with; empty when it did not
	ReadThrough time.Time // the event time up to which all of its log groups were read; zero: none yet
}

// NewHealth builds an empty Health.
func NewHealth() *Health { return &Health{shards: map[string]*ShardHealth{}} }

// Shards lists the shards by name.
func (h *Health) Shards() []ShardHealth {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]ShardHealth, 0, len(h.shards))
	for _, s := range h.shards {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b ShardHealth) int { return strings.Compare(a.Shard, b.Shard) })
	return list
}

// Ready says whether every shard that can be reached has read a first window,
// and at least one has.
func (h *Health) Ready() bool {
	ready := false
	for _, s := range h.Shards() {
		if !s.Ready && s.Error == "" {
			return false
		}
		ready = ready || s.Ready
	}
	return ready
}

func (h *Health) add(source string) {
	h.set(source, func(s *ShardHealth) { s.Shard = source })
}

func (h *Health) set(source string, change func(*ShardHealth)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.shards[source]
	if s == nil {
		s = &ShardHealth{}
		h.shards[source] = s
	}
	change(s)
}
