package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/rs/zerolog"
)

// watch prints the rows there are, and then each that is new or has changed,
// until ctx ends. What was newest first comes last, so that the end of the
// output is always the newest. A daemon that answered once may fail to, as when
// it is started anew: it is asked again.
func (f *getFlags) watch(ctx context.Context, l *list, out printer, log zerolog.Logger) error {
	tick := time.NewTicker(max(f.Interval, time.Second))
	defer tick.Stop()
	shown := map[string]json.RawMessage{}
	for answered := false; ; {
		rows, err := l.rows(ctx, f.Limit)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !answered:
			return err
		case err != nil:
			log.Warn().Err(err).Msg("no answer; will be asked again")
		default:
			answered = true
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
