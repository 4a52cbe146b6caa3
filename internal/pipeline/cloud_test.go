package pipeline_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

var (
	noon    = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	alpha   = authlog.Cluster{Name: "alpha", Account: "111122223333", Region: "eu-central-1"}
	errLine = errors.New("the line is cut")
)

// A cloud stands for CloudWatch: it shows each line from some time on, and
// fails when it is told to.
type cloud struct {
	now     time.Time
	rand    *rand.Rand
	groups  []authlog.Group
	lines   []delayed
	trips   float64 // how often a page fails
	refuses error   // whatever is asked
	asked   []authlog.Window
}

type delayed struct {
	authlog.Line
	visible time.Time
}

func newCloud(seed uint64) *cloud {
	return &cloud{now: noon, rand: rand.New(rand.NewPCG(seed, 1))}
}

func (c *cloud) addGroup(cl authlog.Cluster, created time.Time, streams ...authlog.Stream) *authlog.Group {
	c.groups = append(c.groups, authlog.Group{
		Cluster: cl, ARN: "arn:aws:logs:" + cl.Region + ":" + cl.Account + ":log-group:" + cl.LogGroup(),
		Class: "STANDARD", Created: created, Streams: streams,
	})
	return &c.groups[len(c.groups)-1]
}

// put writes a line that CloudWatch shows only after the delay.
func (c *cloud) put(cl authlog.Cluster, stream, text string, at time.Time, delay time.Duration) {
	c.lines = append(c.lines, delayed{authlog.Line{Cluster: cl, Stream: stream, Time: at, Text: text}, at.Add(delay)})
}

func (c *cloud) Shard(context.Context) (authlog.Shard, error) {
	return authlog.Shard{Account: "111122223333", Region: "eu-central-1"}, c.refuses
}

func (c *cloud) Now() time.Time { return c.now }

func (c *cloud) Groups(context.Context) ([]authlog.Group, error) {
	return slices.Clone(c.groups), nil
}

func (c *cloud) Streams(_ context.Context, g authlog.Group) ([]authlog.Stream, error) {
	for _, have := range c.groups {
		if have.Cluster == g.Cluster {
			return have.Streams, nil
		}
	}
	return nil, &authlog.GoneError{LogGroup: g.ARN, Err: errLine}
}

// Read yields the window in pieces of random length, and breaks off at random.
func (c *cloud) Read(_ context.Context, w authlog.Window) iter.Seq2[authlog.Page, error] {
	c.asked = append(c.asked, w)
	return func(yield func(authlog.Page, error) bool) {
		for from := w.From; from.Before(w.To); {
			through := from.Add(time.Duration(1+c.rand.IntN(600)) * time.Second)
			if through.After(w.To) {
				through = w.To
			}
			if c.rand.Float64() < c.trips {
				yield(authlog.Page{Targets: w.Targets, From: from, Through: from}, errLine)
				return
			}
			if !yield(authlog.Page{Targets: w.Targets, From: from, Through: through, Lines: c.visible(w, from, through)}, nil) {
				return
			}
			from = through
		}
	}
}

func (c *cloud) visible(w authlog.Window, from, through time.Time) []authlog.Line {
	var lines []authlog.Line
	for _, l := range c.lines {
		if l.visible.After(c.now) || l.Time.Before(from) || !l.Time.Before(through) {
			continue
		}
		for _, t := range w.Targets {
			if t.Group.Cluster == l.Cluster && slices.Contains(t.Streams, l.Stream) && !l.Time.Before(t.Group.Created) {
				lines = append(lines, l.Line)
			}
		}
	}
	c.rand.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	slices.SortStableFunc(lines, func(a, b authlog.Line) int { return a.Time.Compare(b.Time) })
	return lines
}

// A life is one run of the daemon over a database that outlives it.
type life struct {
	tail   *pipeline.Tail
	store  *store.SQLite
	reg    *prometheus.Registry
	health *pipeline.Health
}

func begin(t *testing.T, path string, c *cloud, change func(*pipeline.Config)) *life {
	t.Helper()
	st, err := store.Open(t.Context(), path, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	cfg := pipeline.Config{
		Interval: time.Minute, SettleMin: time.Minute, SettleMax: 2 * time.Minute, Discovery: 10 * time.Minute, Lookback: time.Hour, Step: time.Hour,
		Sweeps: []time.Duration{15 * time.Minute, time.Hour}, SweepInterval: 10 * time.Minute, Diagnose: diagnose.Default(),
	}
	if change != nil {
		change(&cfg)
	}
	l := &life{store: st, reg: prometheus.NewRegistry(), health: pipeline.NewHealth()}
	kinds := []string{"denied", "granted", "sts_response", "marker", "other", "unreadable", "malformed_request"}
	m := pipeline.NewMetrics(l.reg, kinds, []string{"arn_not_mapped", "unclassified"})
	l.tail = pipeline.NewTail("test", cfg, c, st, m, l.health, zerolog.Nop())
	return l
}

func (l *life) end(t *testing.T) {
	t.Helper()
	if err := l.store.Close(); err != nil {
		t.Error(err)
	}
}

// cycles runs the tail until it has caught up, n times a minute apart.
func (l *life) cycles(t *testing.T, c *cloud, n int) {
	t.Helper()
	for range n {
		for l.tail.Cycle(t.Context()) {
		}
		c.now = c.now.Add(time.Minute)
	}
}

// sum adds up the series of a counter whose label has the value.
func (l *life) sum(t *testing.T, name, label, value string) int {
	t.Helper()
	families, err := l.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, p := range m.GetLabel() {
				if p.GetName() == label && p.GetValue() == value {
					total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	return int(total)
}

// denials returns the raw lines of all stored denials, sorted.
func (l *life) denials(t *testing.T) []string {
	t.Helper()
	all, err := l.store.Denials(t.Context(), authlog.DenialFilter{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]string, len(all))
	for i, d := range all {
		raw[i] = d.Raw
	}
	slices.Sort(raw)
	return raw
}

// grants returns how many grants the database at path has counted.
func grants(t *testing.T, path string) int {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n sql.NullInt64
	if err := db.QueryRowContext(t.Context(), "SELECT sum(n) FROM grant_hour").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return int(n.Int64)
}

func denied(i int, at time.Time) string {
	return fmt.Sprintf(`time=%q level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/r%d" client="127.0.0.1:%d" error="identity is not mapped" method=POST path=/authenticate`,
		at.UTC().Format(time.RFC3339), i, 1024+i)
}

func granted(i int, at time.Time) string {
	return fmt.Sprintf(`time=%q level=info msg="access granted" arn="arn:aws:iam::111122223333:role/r%d" client="127.0.0.1:%d" groups="[]" method=POST path=/authenticate uid="aws-iam-authenticator:111122223333:AROAEXAMPLE" username=u`,
		at.UTC().Format(time.RFC3339), i, 1024+i)
}

func dbPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "analyzer.db")
}
