package authlog

import (
	"slices"
	"time"
)

// Earliest is the first of the times, of which there must be one. The zero time
// is before all others.
func Earliest(times ...time.Time) time.Time { return slices.MinFunc(times, time.Time.Compare) }

// Latest is the last of the times, of which there must be one.
func Latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }
