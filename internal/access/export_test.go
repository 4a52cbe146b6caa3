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
