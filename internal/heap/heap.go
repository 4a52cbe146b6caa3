// Package heap keeps the garbage collector thrifty. What stays in memory is
// small here and what passes through is not: collecting more often costs a few
// percent of a core and saves much of the memory. It must never hold any.
package heap

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// headroom is how much may be allocated between two collections, in bytes,
// unless that is less than leastPercent of what stays or more than all of it.
const headroom = 32 << 20

// Percentages of what stays, as GOGC has them.
const leastPercent, mostPercent = 30, 100

// Tune adapts the collector to what stays until ctx ends. It does nothing where
// the environment sets GOGC.
func Tune(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(leastPercent)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := leastPercent; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// To set it stops the program for a moment.
		if percent := Percent(live()); percent < last || percent > last*5/4 {
			debug.SetGCPercent(percent)
			last = percent
		}
	}
}

// live is what the last collection left, in bytes.
func live() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Percent is the GOGC for a heap of which so many bytes stay.
func Percent(live uint64) int {
	return int(min(max(headroom*100/max(live, 1), leastPercent), mostPercent)) //nolint:gosec // at most 100
}
