package tailtest_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/source"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// settings are what a case changes of how the tail runs.
type settings struct {
	source   source.Config
	tail     pipeline.Config
	accounts []string // a tail for each
	dir      string   // of the database
}

func defaults(t *testing.T) *settings {
	t.Helper()
	s := &settings{source: source.Default(), accounts: []string{account}, dir: t.TempDir()}
	s.source.PollMin, s.source.PollMax = time.Millisecond, 2*time.Millisecond
	s.source.Backoff = time.Millisecond
	s.source.Rates = source.Rates{StartQuery: 1e6, GetResults: 1e6, Describe: 1e6, Streams: 1e6, Filter: 1e6}
	s.tail = pipeline.Config{
		Interval: time.Minute, SettleMin: time.Minute, SettleMax: 3 * time.Minute,
		Discovery: 5 * time.Minute, Lookback: time.Hour, Step: time.Hour,
		Sweeps: []time.Duration{5 * time.Minute}, SweepInterval: 2 * time.Minute, Diagnose: diagnose.Default(),
	}
	return s
}

func (s *settings) path() string { return filepath.Join(s.dir, "analyzer.db") }

// A life is one run of the daemon's tails over a database that outlives it.
type life struct {
	store  *store.SQLite
	tails  []*pipeline.Tail
	health *pipeline.Health
	reg    *prometheus.Registry
	path   string

	denials, grants int // that were stored before it
}

// begin opens the database and builds the tails.
func begin(t *testing.T, w *world, s *settings) *life {
	t.Helper()
	st, err := store.Open(t.Context(), s.path(), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	l := &life{store: st, health: pipeline.NewHealth(), reg: prometheus.NewRegistry(), path: s.path()}
	outcomes := []string{}
	for _, k := range authlog.Kinds() {
		outcomes = append(outcomes, k.String())
	}
	m := pipeline.NewMetrics(l.reg, outcomes, []string{"arn_not_mapped"})
	for _, id := range s.accounts {
		awscfg := w.server.ConfigFor(w.Account(id), region)
		awscfg.Retryer = quick
		src := source.New(awscfg, s.source, m.Reader, zerolog.Nop())
		l.tails = append(l.tails, pipeline.NewTail(id, s.tail, src, st, m, l.health, zerolog.Nop()))
	}
	l.denials, l.grants = l.storedDenials(t), l.storedGrants(t)
	return l
}

// end closes the database and checks that the life counted what it stored.
func (l *life) end(t *testing.T) {
	t.Helper()
	if got, want := l.counted(t, "denied"), l.storedDenials(t)-l.denials; got != want {
		t.Errorf("%d denials counted in the metrics, %d stored", got, want)
	}
	if got, want := l.counted(t, "granted"), l.storedGrants(t)-l.grants; got != want {
		t.Errorf("%d grants counted in the metrics, %d stored", got, want)
	}
	if err := l.store.Close(); err != nil {
		t.Error(err)
	}
}

// cycle lets each tail read until it has caught up or failed.
func (l *life) cycle(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, tail := range l.tails {
		n := 0
		for tail.Cycle(ctx) {
			if n++; n > 100 {
				t.Fatal("behind for ever")
			}
		}
	}
}

// counted adds up the lines of an outcome in the metrics.
func (l *life) counted(t *testing.T, outcome string) int {
	t.Helper()
	families, err := l.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, f := range families {
		if f.GetName() != "eks_authn_events_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, p := range m.GetLabel() {
				if p.GetName() == "outcome" && p.GetValue() == outcome {
					total += m.GetCounter().GetValue()
				}
			}
		}
	}
	return int(total)
}

// found pages through the denials and counts them by text.
func (l *life) found(t *testing.T) map[string]int {
	t.Helper()
	texts := map[string]int{}
	filter := authlog.DenialFilter{Ascending: true, Limit: 10_000}
	for {
		page, err := l.store.Denials(t.Context(), filter)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			texts[page[i].Raw]++
		}
		if len(page) < filter.Limit {
			return texts
		}
		filter.After = page[len(page)-1].ID
	}
}

func (l *life) storedDenials(t *testing.T) int {
	t.Helper()
	return l.query(t, "SELECT count(*) FROM denial")
}

func (l *life) storedGrants(t *testing.T) int {
	t.Helper()
	return l.query(t, "SELECT ifnull(sum(n), 0) FROM grant_hour")
}

func (l *life) query(t *testing.T, text string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+l.path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// check compares what was found with what was written.
func (l *life) check(t *testing.T, w *world) {
	t.Helper()
	lost, doubled, total := 0, 0, 0
	found := l.found(t)
	for text, n := range w.denials {
		total += n
		lost += max(0, n-found[text])
		if n > found[text] && lost < 5 {
			t.Logf("lost: %s", text)
		}
	}
	for text, n := range found {
		doubled += max(0, n-w.denials[text])
		if n > w.denials[text] && doubled < 5 {
			t.Logf("%d times instead of %d: %s", n, w.denials[text], text)
		}
	}
	grants := l.storedGrants(t)
	if lost > 0 || doubled > 0 || grants != w.grants {
		t.Errorf("of %d denials %d are lost and %d doubled; %d grants found, %d written", total, lost, doubled, grants, w.grants)
	}
	for i, f := range w.faults {
		if f.Hits() == 0 {
			t.Errorf("fault %d has hit nothing", i)
		}
	}
	if w.lines < 10_000 {
		t.Errorf("only %d lines: too few to show much", w.lines)
	}
}

// quick is the SDK's retryer without its pauses.
func quick() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
		o.RateLimiter = ratelimit.None
	})
}
