package pipeline

import (
	"sync"
	"time"
)

// A Budget spreads what may be scanned a day over the day. It is shared by the
// shards of all accounts and safe for many goroutines.
type Budget struct {
	bytes float64 // of one account and day, UTC; 0: no limit
	mu    sync.Mutex
	day   int64
	used  map[string]float64 // by account
}

// maxStretch bounds how much longer a window may grow.
const maxStretch = 60

// NewBudget allows each account so many bytes a day; 0 is no limit.
func NewBudget(bytes uint64) *Budget {
	return &Budget{bytes: float64(bytes), used: map[string]float64{}}
}

// Allow changes how many bytes a day each account may scan; what was used today
// stays so.
func (b *Budget) Allow(bytes uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes = float64(bytes)
}

// Add takes in that a query of the account scanned so many bytes.
func (b *Budget) Add(account string, scanned int64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	b.used[account] += float64(scanned)
}

// Stretch is by how much the account's interval must grow, at least 1, so that
// what is left of the budget lasts until the end of the day.
func (b *Budget) Stretch(account string, now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	used := b.used[account]
	if b.bytes == 0 || used == 0 {
		return 1
	}
	passed := now.Sub(time.Unix(b.day*86400, 0)).Hours() / 24
	// What was used is seen against an hour at least: the first queries of a
	// day must not look like a habit.
	allowed := b.bytes * max(passed, 1.0/24)
	return min(max(used/allowed, 1), maxStretch)
}

// turn begins a new day.
func (b *Budget) turn(now time.Time) {
	if day := now.Unix() / 86400; day != b.day {
		b.day = day
		clear(b.used)
	}
}
