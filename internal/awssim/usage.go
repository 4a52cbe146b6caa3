package awssim

import (
	"maps"
	"sync"
)

// CallKey names what calls are counted by.
type CallKey struct{ Account, Region, Operation string }

// usage counts what was asked of the endpoint.
type usage struct {
	mu       sync.Mutex
	calls    map[CallKey]int
	refusals map[string]int     // by error code
	billed   map[string]float64 // bytes scanned by account
}

func (u *usage) called(c *call) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calls == nil {
		u.calls = map[CallKey]int{}
	}
	u.calls[CallKey{c.account.id, c.region.name, c.operation}]++
}

func (u *usage) refused(e *apiError) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.refusals == nil {
		u.refusals = map[string]int{}
	}
	u.refusals[e.code]++
}

func (u *usage) bill(account string, bytes float64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.billed == nil {
		u.billed = map[string]float64{}
	}
	u.billed[account] += bytes
}

// Calls counts the calls of an operation over all accounts and regions, the
// refused ones included.
func (w *World) Calls(operation string) int {
	n := 0
	for k, v := range w.CallsBy() {
		if k.Operation == operation {
			n += v
		}
	}
	return n
}

// CallsBy counts all calls whose signature was good.
func (w *World) CallsBy() map[CallKey]int {
	w.usage.mu.Lock()
	defer w.usage.mu.Unlock()
	return maps.Clone(w.usage.calls)
}

// Refusals counts the answers that were errors, by AWS's error code.
func (w *World) Refusals() map[string]int {
	w.usage.mu.Lock()
	defer w.usage.mu.Unlock()
	return maps.Clone(w.usage.refusals)
}

// Billed is the number of bytes that queries of the account have scanned. A
// query counts when it is over, a stopped one for the share it had done.
func (w *World) Billed(account string) float64 {
	w.settle()
	w.usage.mu.Lock()
	defer w.usage.mu.Unlock()
	return w.usage.billed[account]
}

// RunningQueries counts the queries that are scheduled or running now.
func (w *World) RunningQueries() int {
	n := 0
	for _, r := range w.allRegions() {
		n += r.running(w.nowMillis())
	}
	return n
}

// Orphans counts the queries that ran to their end, and are billed, although
// nobody stopped them or fetched that end: what a lost answer of StartQuery or
// a killed reader leaves behind.
func (w *World) Orphans() int {
	n := 0
	for _, r := range w.allRegions() {
		for _, q := range r.allQueries() {
			if q.orphan(w.nowMillis()) {
				n++
			}
		}
	}
	return n
}

// settle bills the queries that are over by now.
func (w *World) settle() {
	for _, r := range w.allRegions() {
		for _, q := range r.allQueries() {
			q.settle(w.nowMillis())
		}
	}
}
