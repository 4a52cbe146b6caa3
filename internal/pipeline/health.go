package pipeline

import (
	"slices"
	"strings"
	"sync"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Health knows how each shard is doing. It is safe for many goroutines.
type Health struct {
	mu     sync.Mutex
	shards map[string]*authlog.ShardStatus
	before bool // what Ready said of the shards that Clear forgot
}

// NewHealth builds an empty Health.
func NewHealth() *Health { return &Health{shards: map[string]*authlog.ShardStatus{}} }

// Ready says whether every shard that can be reached has read a first window,
// and at least one has; and how each shard is doing, by name. After Clear it
// says what it did before until that is known of the new ones.
func (h *Health) Ready() (ok bool, shards []authlog.ShardStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready()
}

func (h *Health) ready() (ok bool, shards []authlog.ShardStatus) {
	waiting := len(h.shards) == 0
	for _, s := range h.shards {
		shards = append(shards, *s)
		ok = ok || s.Ready
		waiting = waiting || !s.Ready && s.Error == ""
	}
	slices.SortFunc(shards, func(a, b authlog.ShardStatus) int { return strings.Compare(a.Shard, b.Shard) })
	if waiting {
		return h.before, shards
	}
	return ok, shards
}

// Fail notes that the shards of a source are not even known, and why.
func (h *Health) Fail(source string, err error) {
	h.set(source, func(s *authlog.ShardStatus) { s.Shard, s.Error = source, authlog.Sanitize(err.Error()) })
}

// Forget takes back what Fail noted.
func (h *Health) Forget(source string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.shards, source)
}

// Clear forgets every shard: others are followed from now on.
func (h *Health) Clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before, _ = h.ready()
	clear(h.shards)
}

func (h *Health) add(source string) {
	h.set(source, func(s *authlog.ShardStatus) { s.Shard = source })
}

func (h *Health) set(source string, change func(*authlog.ShardStatus)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.shards[source]
	if s == nil {
		s = &authlog.ShardStatus{}
		h.shards[source] = s
	}
	change(s)
}
