package access

import (
	"context"
	"time"
)

// Due is when a cluster is to be read again.
func (r *Reader) Due(ctx context.Context, name string) (time.Time, error) {
	_, due, err := r.current(ctx, name)
	return due, err
}

// Pauses are those after each failure of a row, the API server having answered
// last that long ago.
func Pauses(away time.Duration, row ...error) (list []time.Duration) {
	p := &pauses{}
	for _, err := range row {
		now := time.Now()
		p.reached = now.Add(-away)
		list = append(list, p.next(err, now))
	}
	return list
}

// ErrExpired is that a watch cannot go on.
var ErrExpired = errExpired
