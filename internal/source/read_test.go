package source_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

func TestReadYieldsLinesAsTheyWereWritten(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	at := c.start.Add(1500 * time.Millisecond)
	g.Stream(streamName(0)).Put(awssim.Event{Time: at, Ingested: at.Add(time.Second), Message: "\"quoted\" \\ \u00e9\nsecond"})
	s := c.source(t, config())
	var got []authlog.Line
	for page, err := range s.Read(t.Context(), c.window(t, s, time.Minute)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Lines...)
	}
	want := []authlog.Line{{
		Cluster:  authlog.Cluster{Name: "prod", Account: account, Region: region},
		Stream:   streamName(0),
		Time:     at,
		Ingested: at.Add(time.Second),
		Text:     "\"quoted\" \\ \u00e9\nsecond",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadTakesTheFirstSecondAndLeavesTheLast(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	for _, ms := range []int{-1, 0, 999, 59_999, 60_000} {
		c.write(g, 0, 1, time.Duration(ms)*time.Millisecond)
	}
	s := c.source(t, config())
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	var texts []string
	for line := range got.lines {
		texts = append(texts, line.Text)
	}
	if len(texts) != 3 || got.lines[authlog.Line{}] != 0 {
		t.Errorf("got %q, want lines 2, 3 and 4", texts)
	}
	next := c.window(t, s, time.Minute)
	next.From, next.To = next.To, next.To.Add(time.Minute)
	if n := len(read(t.Context(), t, s, next).lines); n != 1 {
		t.Errorf("the window that follows has %d lines, want 1", n)
	}
}

func TestReadTellsEqualLinesApart(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	same := awssim.Event{Time: c.start.Add(time.Second), Message: "the same"}
	g.Stream(streamName(0)).Put(same, same, same)
	s := c.source(t, config())
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	if got.total() != 3 || len(got.lines) != 1 {
		t.Errorf("three equal lines were read as %v", got.lines)
	}
}

func TestReadOfManyClustersTakesFewQueries(t *testing.T) {
	c := newCloud(t)
	for i := range 120 {
		g := c.group(t, fmt.Sprintf("c%03d", i), 2, awssim.GroupOptions{})
		c.write(g, 0, 2, time.Second)
		c.write(g, 1, 1, 2*time.Second)
	}
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"complete": 3})
	if n := c.Refusals()["InvalidParameterException"]; n > 0 {
		t.Errorf("AWS refused %d calls", n)
	}
}

func TestReadKeepsToTheQueryLengthWithManyStreams(t *testing.T) {
	c := newCloud(t)
	for _, cluster := range []string{"a", "b"} {
		g := c.group(t, cluster, 450, awssim.GroupOptions{})
		for i := range 450 {
			c.write(g, i, 1, time.Duration(i)*100*time.Millisecond)
		}
	}
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
}

func TestReadKeepsLogClassesApart(t *testing.T) {
	c := newCloud(t)
	for i, class := range []string{awssim.Standard, awssim.InfrequentAccess, awssim.Essentials} {
		g := c.group(t, fmt.Sprintf("c%d", i), 1, awssim.GroupOptions{Class: class})
		c.write(g, 0, 2, time.Second)
	}
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"complete": 3})
}

func TestReadResumesWhereTheRowLimitCut(t *testing.T) {
	c := newCloud(t)
	a, b := c.group(t, "a", 2, awssim.GroupOptions{}), c.group(t, "b", 1, awssim.GroupOptions{})
	for second := range 50 {
		for ms := range 3 {
			at := time.Duration(second)*time.Second + time.Duration(ms)*time.Millisecond
			c.write(a, 0, 1, at)
			c.write(a, 1, 1, at)
			c.write(b, 0, 1, at)
		}
	}
	cfg := config()
	cfg.RowLimit = 40 // the lines of four seconds and a part of the fifth
	s := c.source(t, cfg)
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	// Each query but the last yields four whole seconds of the fifty.
	c.meter.wantQueries(t, map[string]int{"complete": 13})
}

func TestReadPagesThroughALongAnswer(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 2, awssim.GroupOptions{})
	for second := range 50 {
		c.write(g, 0, 105, time.Duration(second)*time.Second)
		c.write(g, 1, 105, time.Duration(second)*time.Second+time.Millisecond)
	}
	cfg := config()
	cfg.RowLimit = 100_000
	s := c.source(t, cfg)
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	c.wantAll(t, got)
	c.meter.wantQueries(t, map[string]int{"complete": 1})
	if got.pages != 2 {
		t.Errorf("10,500 lines came in %d pages; each answer of 10,000 rows can be handed out as it comes", got.pages)
	}
}

func TestReadPartsASecondWithTooManyLinesByStream(t *testing.T) {
	c := newCloud(t)
	a, b := c.group(t, "a", 4, awssim.GroupOptions{}), c.group(t, "b", 4, awssim.GroupOptions{})
	for _, g := range []*awssim.LogGroup{a, b} {
		for i := range 4 {
			c.write(g, i, 1, 0)
			c.write(g, i, 30, 7*time.Second)
			c.write(g, i, 1, 9*time.Second)
		}
	}
	cfg := config()
	cfg.RowLimit = 100
	s := c.source(t, cfg)
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	if c.meter.overflows != 0 || c.meter.calls["FilterLogEvents"] != 0 {
		t.Error("FilterLogEvents was asked for streams that fit into a query each")
	}
}

func TestReadPagesThroughASecondOfOneStreamWithTooManyLines(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 3, awssim.GroupOptions{})
	for i := range 3 {
		c.write(g, i, 5, 6*time.Second)
		c.write(g, i, 5, 8*time.Second)
	}
	c.write(g, 1, 2_500, 7*time.Second)
	c.write(g, 2, 3, 7*time.Second)
	cfg := config()
	cfg.RowLimit = 1000
	s := c.source(t, cfg)
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	if c.meter.overflows != 1 {
		t.Errorf("%d overflows counted, want 1", c.meter.overflows)
	}
}

func TestReadGivesAClassWithoutFilterLogEventsTheLongestQuery(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 2, awssim.GroupOptions{Class: awssim.InfrequentAccess})
	c.write(g, 0, 300, 7*time.Second)
	c.write(g, 1, 1, 7*time.Second)
	cfg := config()
	cfg.RowLimit = 100
	s := c.source(t, cfg)
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	if n := c.Calls("FilterLogEvents"); n != 0 {
		t.Errorf("FilterLogEvents called %d times", n)
	}
}

func TestReadLeavesOutTheTimeBeforeALogGroupWasMade(t *testing.T) {
	c := newCloud(t)
	old := c.group(t, "old", 1, awssim.GroupOptions{})
	young := c.group(t, "young", 1, awssim.GroupOptions{Created: c.start.Add(50 * time.Minute)})
	c.write(old, 0, 3, time.Second)
	c.write(young, 0, 3, 51*time.Minute)
	s := c.source(t, config())
	w := c.window(t, s, 55*time.Minute)
	c.wantAll(t, read(t.Context(), t, s, w))

	early := w
	early.To = c.start.Add(time.Minute)
	got := read(t.Context(), t, s, early)
	if len(got.errs) > 0 || len(got.lines) != 3 {
		t.Errorf("got %d lines and errors %v, want the 3 of the old group", len(got.lines), got.errs)
	}
	if n := c.Refusals()["MalformedQueryException"]; n > 0 {
		t.Errorf("%d queries ended before their group was made", n)
	}
}

func TestReadTellsWhatItCosts(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	c.write(g, 0, 1000, time.Second)
	cfg := config()
	cfg.PricePerGB = 7
	s := c.source(t, cfg)
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	m := c.meter
	if float64(m.scanned) != c.Billed(account) || m.scanned == 0 {
		t.Errorf("counted %d bytes scanned, billed are %.0f", m.scanned, c.Billed(account))
	}
	if want := float64(m.scanned) * 7e-9; m.usd < want*0.999 || m.usd > want*1.001 {
		t.Errorf("counted %g USD, want %g", m.usd, want)
	}
	// The audit stream writes 100 kB a second.
	if m.skipped < 5_000_000 {
		t.Errorf("the index skipped %d bytes only", m.skipped)
	}
}

func TestReadDoesNotReadOtherStreams(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 3, awssim.GroupOptions{})
	for i := range 3 {
		c.write(g, i, 10, time.Second)
	}
	for _, index := range []source.Index{source.IndexStream, source.IndexDataSource, source.IndexNone} {
		cfg := config()
		cfg.Index = index
		s := c.source(t, cfg)
		w := c.window(t, s, time.Minute)
		w.Targets[0].Streams = w.Targets[0].Streams[1:2]
		got := read(t.Context(), t, s, w)
		if len(got.errs) > 0 || len(got.lines) != 10 {
			t.Errorf("%s: read %d lines of one stream, errors %v", index, len(got.lines), got.errs)
		}
	}
}

func TestReadNamesStreamsThatNoQueryCanName(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 2, awssim.GroupOptions{})
	c.write(g, 0, 2, time.Second)
	if _, err := g.CreateStream(`authenticator-" or 1=1`, c.start); err != nil {
		t.Fatal(err)
	}
	s := c.source(t, config())
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	if len(got.errs) != 1 || got.total() != 2 {
		t.Errorf("got %d lines and errors %v, want 2 lines and one error", got.total(), got.errs)
	}
}

func TestReadOfNothingAsksNothing(t *testing.T) {
	c := newCloud(t)
	s := c.source(t, config())
	for page, err := range s.Read(t.Context(), authlog.Window{From: c.start, To: c.start.Add(time.Minute)}) {
		t.Errorf("yielded %v, %v", page, err)
	}
	w := authlog.Window{From: c.start, To: c.start, Targets: []authlog.Target{target("prod", "STANDARD", 1)}}
	for page, err := range s.Read(t.Context(), w) {
		t.Errorf("yielded %v, %v for an empty span", page, err)
	}
	if n := c.Calls("StartQuery"); n > 0 {
		t.Errorf("%d queries", n)
	}
}
