package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

const cursorLines = 10_000 // in an hour

// A lag is how late the lines of each of two streams are shown.
type lag struct {
	name string
	late func(stream int, rnd *rand.Rand) time.Duration
}

func lags() []lag {
	seconds := func(n float64, rnd *rand.Rand) time.Duration {
		return time.Duration(n * (0.5 + rnd.Float64()) * float64(time.Second))
	}
	return []lag{
		{"2 s and 4 s", func(i int, rnd *rand.Rand) time.Duration { return seconds([]float64{2, 4}[i], rnd) }},
		{"5 s and 90 s", func(i int, rnd *rand.Rand) time.Duration { return seconds([]float64{5, 90}[i], rnd) }},
		{"1 to 4 minutes", func(_ int, rnd *rand.Rand) time.Duration { return seconds(150, rnd) }},
	}
}

// A neighbour is the cursor of another tool: the span of event time, both ends
// included, that it asks for at now, after newest, the last line it took.
type neighbour struct {
	name string
	span func(now, newest time.Time) (from, to time.Time)
}

func neighbours() []neighbour {
	return []neighbour{
		{"event time of the newest line", func(now, newest time.Time) (time.Time, time.Time) { return newest, now }},
		{"the same plus 1 ms", func(now, newest time.Time) (time.Time, time.Time) { return newest.Add(time.Millisecond), now }},
		{"fixed shift of 2 min", func(now, _ time.Time) (time.Time, time.Time) {
			return now.Add(-3 * time.Minute), now.Add(-2*time.Minute - time.Millisecond)
		}},
		{"overlap of 10 min, not deduplicated", func(now, _ time.Time) (time.Time, time.Time) { return now.Add(-10 * time.Minute), now }},
	}
}

// cursors follows the same delayed streams with each cursor, a minute apart,
// and prints what was lost and what was taken more than once.
func cursors(ctx context.Context, out io.Writer) error {
	_, _ = fmt.Fprintf(out, "%d lines in an hour, read every minute: lost / doubled\n", cursorLines)
	tw := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	rows := map[string]string{}
	names := []string{"cursor"}
	for _, l := range lags() {
		rows["cursor"] += "\t" + l.name
		for _, n := range neighbours() {
			result, err := follow(l, func(s *sky) (map[string]int, error) { return s.neighbour(ctx, n) }) //nolint:contextcheck // follow closes its server
			if err != nil {
				return err
			}
			rows[n.name] += "\t" + result
		}
		result, err := follow(l, func(s *sky) (map[string]int, error) { return s.ours(ctx) }) //nolint:contextcheck // follow closes its server
		if err != nil {
			return err
		}
		rows["analyzer"] += "\t" + result
	}
	for _, n := range neighbours() {
		names = append(names, n.name)
	}
	for _, name := range append(names, "analyzer") {
		_, _ = fmt.Fprintln(tw, name+rows[name])
	}
	return tw.Flush()
}

// A sky is a served AWS with one log group of two streams.
type sky struct {
	clock  *stepped
	server *awssim.Server
	begin  time.Time
	texts  map[string]int // written
}

// follow runs a reader over new streams of that lag.
func follow(l lag, read func(*sky) (map[string]int, error)) (string, error) {
	s := &sky{clock: &stepped{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}, texts: map[string]int{}}
	s.begin = s.clock.now()
	w := newWorld(s.clock.now)
	streams, err := newGroup(w.Account("111122223333").Region(benchRegion), "prod", s.begin.Add(-time.Hour))
	if err != nil {
		return "", err
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range cursorLines {
		at := s.begin.Add(time.Duration(i) * time.Hour / cursorLines).Truncate(time.Millisecond)
		text := fmt.Sprintf("time=%q level=warning msg=\"access denied\" arn=\"arn:aws:iam::111122223333:role/r%d\" client=\"127.0.0.1:%d\" error=\"identity is not mapped\" method=POST path=/authenticate",
			at.Format(time.RFC3339), i, 32768+i)
		stream := rnd.IntN(len(streams))
		shown := at.Add(l.late(stream, rnd))
		streams[stream].Put(awssim.Event{Time: at, Ingested: shown, Visible: shown, Message: text})
		s.texts[text]++
	}
	if s.server, err = awssim.Start(w); err != nil {
		return "", err
	}
	defer s.server.Close()
	found, err := read(s)
	if err != nil {
		return "", err
	}
	lost, doubled := 0, 0
	for text, n := range s.texts {
		lost += max(0, n-found[text])
		doubled += max(0, found[text]-n)
	}
	return fmt.Sprintf("%.1f%% / %.1f%%", 100*float64(lost)/cursorLines, 100*float64(doubled)/cursorLines), nil
}

// minutes go by until the last line has been shown and could be read.
func (s *sky) minutes(each func(now time.Time) error) error {
	for range 85 {
		s.clock.add(time.Minute)
		if err := each(s.clock.now()); err != nil {
			return err
		}
	}
	return nil
}

// neighbour takes whatever FilterLogEvents shows for the cursor's spans.
func (s *sky) neighbour(ctx context.Context, n neighbour) (map[string]int, error) {
	client := cloudwatchlogs.NewFromConfig(s.server.Config(benchRegion))
	found, newest := map[string]int{}, s.begin
	return found, s.minutes(func(now time.Time) error {
		from, to := n.span(now, newest)
		if to.Before(from) || to.Before(s.begin) {
			return nil
		}
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(client, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String("/aws/eks/prod/cluster"), LogStreamNamePrefix: aws.String("authenticator-"),
			StartTime: aws.Int64(max(from.UnixMilli(), s.begin.UnixMilli())), EndTime: aws.Int64(to.UnixMilli()),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for i := range page.Events {
				found[aws.ToString(page.Events[i].Message)]++
				if at := time.UnixMilli(aws.ToInt64(page.Events[i].Timestamp)); at.After(newest) {
					newest = at
				}
			}
		}
		return nil
	})
}

// ours follows with the real tail and its settings, and looks into its store.
func (s *sky) ours(ctx context.Context) (map[string]int, error) {
	found := map[string]int{}
	return found, withStore(ctx, func(st *store.SQLite) error {
		t := newTail(s.server.Config(benchRegion), sourceConfig(), tailConfig(time.Minute), st, newMetrics())
		if err := s.minutes(func(time.Time) error { settle(ctx, t); return nil }); err != nil {
			return err
		}
		denials, err := st.Denials(ctx, authlog.DenialFilter{Limit: 10 * cursorLines})
		for i := range denials {
			found[denials[i].Raw]++
		}
		return err
	})
}
