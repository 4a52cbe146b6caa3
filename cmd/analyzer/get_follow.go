package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/tmaxmax/go-sse"

	"github.com/eks-authlog/eks-authlog/internal/client"
)

const (
	// maxEvent is how long an event of the stream may be, in bytes.
	maxEvent = 4 << 20
	// maxSilence is how long a stream may show no sign of life; it has one every
	// 15 seconds.
	maxSilence = 45 * time.Second
	// comeAgain is how long to wait when the stream was lost.
	comeAgain = 2 * time.Second
)

// A denialFollower prints denials as the daemon saves them. Those are not the
// newest by time, for lines come late: only the stream has them all.
type denialFollower struct {
	ask    *asker
	params client.StreamParams
	list   *list
	limit  int // of those that are there at the beginning
	out    printer
	log    zerolog.Logger
	shown  map[string]bool // what was there at the beginning; nil until it was printed
}

// follow prints the denials that there are, the newest last, and then each that
// is saved, until ctx ends.
func (c *getDenialsCmd) follow(ctx context.Context, r *run) error {
	ask, err := c.asker(r)
	if err != nil {
		return err
	}
	l := ask.denials(c.Cluster, c.params())
	f := &denialFollower{
		ask: ask, list: l, limit: c.Limit, log: r.log, out: newPrinter(c.Output, l, r.stdout, time.Now),
		params: client.StreamParams{
			Cluster: &c.Cluster, Account: given(c.Account), Region: given(c.Region), Filter: append(slices.Clone(c.Filter), `event="denial"`),
		},
	}
	if err := f.run(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

// run follows one connection after the other, until one cannot be taken up
// again.
func (f *denialFollower) run(ctx context.Context) error {
	for {
		err := f.stream(ctx)
		lost, ok := errors.AsType[*lostError](err)
		if !ok || f.shown == nil {
			return err
		}
		if ctx.Err() == nil {
			f.log.Warn().Err(lost.cause).Msg("the stream was lost; it goes on where it broke off")
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(comeAgain):
		}
	}
}

// A lostError is the end of a stream that may be taken up again.
type lostError struct{ cause error }

func (e *lostError) Error() string { return e.cause.Error() }

// stream follows one connection to its end.
func (f *denialFollower) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	res, err := f.ask.streams.Stream(ctx, &f.params) //nolint:bodyclose // it is closed, though read in a closure
	if err != nil {
		return &lostError{f.ask.unreachable(err)}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return f.refused(res)
	}
	silence := time.AfterFunc(maxSilence, cancel)
	defer silence.Stop()
	alive := readerFunc(func(b []byte) (int, error) {
		n, err := res.Body.Read(b)
		silence.Reset(maxSilence)
		return n, err
	})
	for ev, err := range sse.Read(alive, &sse.ReadConfig{MaxEventSize: maxEvent}) {
		if err != nil {
			return &lostError{err}
		}
		if err := f.take(ctx, &ev); err != nil {
			return err
		}
	}
	return &lostError{io.ErrUnexpectedEOF}
}

// refused is final but for a daemon that stops or has too much to do, or that
// does not know the cluster any more: with another database it will again.
func (f *denialFollower) refused(res *http.Response) error {
	answer, err := client.ParseStreamResponse(res)
	if err == nil {
		err = f.ask.refused(res, answer.ApplicationProblemJSONDefault, false)
	}
	if res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests ||
		res.StatusCode == http.StatusNotFound && f.shown != nil {
		return &lostError{err}
	}
	return err
}

// take prints what an event tells. The first one is a place to go on from and
// tells nothing: from it on nothing is missed, so that what is there now can be
// asked for.
func (f *denialFollower) take(ctx context.Context, ev *sse.Event) error {
	if ev.LastEventID != "" {
		f.params.LastEventID = &ev.LastEventID
	}
	if f.shown == nil {
		if err := f.begin(ctx); err != nil {
			return err
		}
	}
	switch ev.Type {
	case "denial":
		return f.denial(json.RawMessage(ev.Data))
	case "gap", "dropped":
		var notice struct{ Reason, Detail string }
		if err := json.Unmarshal([]byte(ev.Data), &notice); err != nil {
			return fmt.Errorf("read the event %s: %w", ev.Type, err)
		}
		f.log.Warn().Str("detail", escape(notice.Detail)).Msg("the stream has a gap or is behind")
		if notice.Reason == "unknown_id" {
			return f.begin(ctx)
		}
	}
	return nil
}

// begin prints what there is now. A daemon that has another database has it
// anew, and what was printed of it may come again.
func (f *denialFollower) begin(ctx context.Context) error {
	rows, err := f.list.rows(ctx, f.limit)
	if err != nil {
		return err
	}
	slices.Reverse(rows)
	f.shown = make(map[string]bool, len(rows))
	for _, r := range rows {
		f.shown[r.key] = true
	}
	return f.out.more(rows)
}

func (f *denialFollower) denial(raw json.RawMessage) error {
	var d client.Denial
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("read the event denial: %w", err)
	}
	if f.shown[d.ID] {
		return nil
	}
	return f.out.more([]row{{key: d.ID, raw: raw, cells: denialCells(&d)}})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
