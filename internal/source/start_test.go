package source_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

func TestReadTakesOverAQueryWhoseAnswerWasLost(t *testing.T) {
	c := busy(t, slow(20*time.Millisecond))
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 1, Fail: awssim.DropAfter})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"complete": 1})
	if n := c.Calls("StartQuery"); n != 1 {
		t.Errorf("StartQuery was called %d times", n)
	}
}

func TestReadTellsItsQueryFromOthersOfTheSameText(t *testing.T) {
	c := busy(t, slow(20*time.Millisecond))
	// Two readers of the same clusters, both lose an answer.
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 2, Fail: awssim.DropAfter})
	s, other := c.source(t, config()), c.source(t, config())
	w := c.window(t, s, time.Minute)
	half := w
	half.To = w.From.Add(30 * time.Second)
	done := make(chan reading)
	go func() { done <- read(t.Context(), t, other, half) }()
	c.wantAll(t, read(t.Context(), t, s, w))
	if got := <-done; got.total() != c.lines*30/50 {
		t.Errorf("the other reader got %d lines, want %d", got.total(), c.lines*30/50)
	}
}

func TestReadStartsAnewWhatCannotBeFound(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 1, Fail: awssim.DropBefore})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"lost": 1, "complete": 1})
}

func TestReadStopsItsQueriesWhenTheContextEnds(t *testing.T) {
	c := busy(t, slow(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	c.Inject(awssim.Fault{Operation: "GetQueryResults", Skip: 2, Times: 1, Do: cancel})
	got := read(ctx, t, s, w)
	if len(got.errs) != 1 || !errors.Is(got.errs[0], context.Canceled) {
		t.Errorf("errors %v, want one that is context.Canceled", got.errs)
	}
	c.meter.wantQueries(t, map[string]int{"stopped": 1})
	if n := c.RunningQueries(); n != 0 {
		t.Errorf("%d queries run on", n)
	}
}

func TestReadStopsAQueryWhoseAnswerTheEndOfTheContextCutOff(t *testing.T) {
	c := busy(t, slow(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	s := source.New(c.behind(t, func(r *http.Request, operation string, _, answer []byte) []byte {
		if operation == "StartQuery" {
			cancel()
			<-r.Context().Done() // the caller hung up
		}
		return answer
	}), config(), c.meter, zerolog.Nop())
	got := read(ctx, t, s, c.window(t, s, time.Minute))
	if len(got.errs) != 1 || !errors.Is(got.errs[0], context.Canceled) {
		t.Errorf("errors %v, want one that is context.Canceled", got.errs)
	}
	if n := c.RunningQueries(); n != 0 {
		t.Errorf("%d queries run on", n)
	}
}

func TestReadStopsItsQueriesWhenTheCallerTakesNoMore(t *testing.T) {
	c := newCloud(t, slow(time.Hour))
	c.group(t, "a", 1, awssim.GroupOptions{})
	// Of a group that was made later there is a page at once.
	c.group(t, "b", 1, awssim.GroupOptions{Class: awssim.InfrequentAccess, Created: c.start.Add(30 * time.Minute)})
	polled := make(chan struct{})
	c.Inject(awssim.Fault{Operation: "GetQueryResults", Times: 1, Do: func() { close(polled) }})
	s := c.source(t, config())
	for _, err := range s.Read(t.Context(), c.window(t, s, time.Minute)) {
		if err != nil {
			t.Error(err)
		}
		<-polled
		break
	}
	if n := c.RunningQueries(); n != 0 {
		t.Errorf("%d queries run on", n)
	}
	c.meter.wantQueries(t, map[string]int{"stopped": 1})
}
