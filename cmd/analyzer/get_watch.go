package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"
)

// watch prints the rows there are, and then each that is new or has changed,
// until ctx ends. What was newest first comes last, so that the end of the
// output is always the newest.
func (f *getFlags) watch(ctx context.Context, l *list, out printer) error {
	tick := time.NewTicker(max(f.Interval, time.Second))
	defer tick.Stop()
	shown := map[string]json.RawMessage{}
	for {
		rows, err := l.rows(ctx, f.Limit)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		var news []row
		for _, r := range slices.Backward(rows) {
			if !bytes.Equal(shown[r.key], r.raw) {
				shown[r.key] = r.raw
				news = append(news, r)
			}
		}
		if err := out.more(news); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
