package source_test

import (
	"sync"
	"time"
)

const (
	account = "111122223333"
	region  = "eu-central-1"
)

// meter keeps what it is told.
type meter struct {
	mu        sync.Mutex
	calls     map[string]int // by operation
	queries   map[string]int // by how they ended
	scanned   int64
	skipped   int64
	usd       float64
	overflows int
}

func (m *meter) Call(_, _, op string, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls == nil {
		m.calls = map[string]int{}
	}
	m.calls[op]++
}

func (m *meter) Query(_, _, status string, _ time.Duration, scanned, skipped int64, usd float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.queries == nil {
		m.queries = map[string]int{}
	}
	m.queries[status]++
	m.scanned += scanned
	m.skipped += skipped
	m.usd += usd
}

func (m *meter) Overflow(_, _ string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.overflows++
}
