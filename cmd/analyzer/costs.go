package main

import (
	"sync"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/metrics"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// costs is a meter that adds up what queries cost. Queries end in goroutines
// of the source.
type costs struct {
	*metrics.Reader

	mu               sync.Mutex
	scanned, skipped int64 // bytes
	usd              float64
}

var _ source.Meter = (*costs)(nil)

// Query counts one query that has ended.
func (c *costs) Query(account, region, status string, took time.Duration, scanned, skipped int64, usd float64) {
	c.Reader.Query(account, region, status, took, scanned, skipped, usd)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scanned += scanned
	c.skipped += skipped
	c.usd += usd
}

// sum is what it came to since the last reset.
func (c *costs) sum() (scanned, skipped int64, usd float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scanned, c.skipped, c.usd
}

// reset begins to count anew.
func (c *costs) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scanned, c.skipped, c.usd = 0, 0, 0
}
