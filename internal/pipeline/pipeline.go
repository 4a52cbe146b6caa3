// Package pipeline is the way of a line: it asks a source for pages of lines,
// drops those that were counted before, parses and classifies the rest, and
// saves findings, dedupe state and cursor in one transaction; then it counts
// what was new. It knows neither AWS nor SQL: it declares what it calls.
//
// A line is lost only if it becomes visible in CloudWatch later than the sweep
// reaches back. None is counted twice: see fresh.
package pipeline

import (
	"context"
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/metrics"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A Source reads the log groups of one shard.
type Source interface {
	// Shard says which account and region it reads.
	Shard(ctx context.Context) (authlog.Shard, error)
	// Groups lists the log groups of clusters with their authenticator streams.
	// With an error it returns what could be listed all the same.
	Groups(ctx context.Context) ([]authlog.Group, error)
	// Streams lists the authenticator streams of one group anew.
	Streams(ctx context.Context, g authlog.Group) ([]authlog.Stream, error)
	// Read yields the window's lines in pages. An error comes with a page that
	// names the targets it concerns; the others go on.
	Read(ctx context.Context, w authlog.Window) iter.Seq2[authlog.Page, error]
	// Now is the time by the clock that lines are shown by: AWS's, not ours.
	Now() time.Time
}

// A Store keeps what the pipeline finds.
type Store interface {
	// Cursors returns the cursors of these clusters, all lanes.
	Cursors(ctx context.Context, clusters []authlog.Cluster) ([]authlog.Cursor, error)
	// Seen returns the keys counted in these minutes, both ends included.
	Seen(ctx context.Context, c authlog.Cluster, from, to int64) ([]authlog.Seen, error)
	// Save writes the batch whole or not at all.
	Save(ctx context.Context, b authlog.Batch) error

	// What follows is asked once, for the diagnoses to go on from.

	// GrantSpans sums grants up by the hour from fine on, by the day before.
	GrantSpans(ctx context.Context, c authlog.Cluster, since, fine time.Time) ([]authlog.GrantSpan, error)
	// DenialSpans sums up denials by the day.
	DenialSpans(ctx context.Context, c authlog.Cluster, from, until time.Time) ([]authlog.DenialSpan, error)
	// Markers lists the newest ones, at most limit.
	Markers(ctx context.Context, c authlog.Cluster, since time.Time, limit int) ([]authlog.Marker, error)
	// Denials lists the newest ones that the filter chooses.
	Denials(ctx context.Context, f authlog.DenialFilter) ([]authlog.Denial, error)
	// Diagnoses lists those that the filter chooses.
	Diagnoses(ctx context.Context, f authlog.DiagnosisFilter) ([]authlog.Diagnosis, error)
}

// Config are the settings of a Tail.
type Config struct {
	Interval  time.Duration // between two windows
	SettleMin time.Duration // how long a second is read again with every window:
	SettleMax time.Duration // between these, by how late lines were
	Discovery time.Duration // between two listings of log groups
	Lookback  time.Duration // how much history a new cluster is read with
	Step      time.Duration // the longest window while catching up
	// Sweeps are the ages at which every second is read once more.
	Sweeps        []time.Duration
	SweepInterval time.Duration // how much is swept at a time
	// Budget makes the interval longer when too much is scanned; nil: never.
	Budget *Budget
	// Claims keep what several tails can read to one of them; nil: this tail
	// is alone.
	Claims *Claims
	// Access tells what is known of the clusters besides their logs; nil:
	// nothing.
	Access Access
	// Diagnose holds the thresholds of the diagnoses.
	Diagnose diagnose.Config
	// Saved is told of each page that was saved; nil: nobody.
	Saved func(*authlog.Page)
}

// Metrics are those that a Tail sets.
type Metrics struct {
	Lines    *metrics.Lines
	Reader   *metrics.Reader
	Lockouts *metrics.Lockouts
}

// NewMetrics registers the metrics on reg; package metrics says what outcomes
// and reasons are.
func NewMetrics(reg prometheus.Registerer, outcomes, reasons []string) Metrics {
	values := metrics.LabelValues{Outcomes: outcomes, Reasons: reasons}
	for _, m := range rules.Markers() {
		values.Markers = append(values.Markers, m.Code)
	}
	return Metrics{metrics.NewLines(reg, values), metrics.NewReader(reg), metrics.NewLockouts(reg)}
}

// Forget drops the gauges of what was followed, before other tails begin. The
// counters stay.
func (m *Metrics) Forget() {
	m.Lines.Forget()
	m.Reader.Forget()
	m.Lockouts.Forget()
}

// A Tail follows the log groups of one shard.
type Tail struct {
	cfg    Config
	src    Source
	store  Store
	lines  *metrics.Lines
	reader *metrics.Reader
	health *Health
	name   string
	log    zerolog.Logger

	shard  authlog.Shard // zero until the account is known
	lanes  map[authlog.Cluster][]*lane
	settle *settling
	listed time.Time // last discovery

	arrived bool // at its claims
	copies  int  // log groups that are left to others

	lockouts *lockouts
}

// NewTail builds the tail of one source. Name is how /-/ready and the log call
// it until its account is known.
func NewTail(name string, cfg Config, src Source, store Store, m Metrics, health *Health, log zerolog.Logger) *Tail {
	health.add(name)
	if cfg.Claims == nil {
		cfg.Claims = NewClaims()
	}
	return &Tail{
		cfg: cfg, src: src, store: store, lines: m.Lines, reader: m.Reader, health: health, name: name,
		log: log.With().Str("shard", name).Logger(), lanes: map[authlog.Cluster][]*lane{},
		settle: newSettling(cfg.SettleMin, cfg.SettleMax), lockouts: newLockouts(cfg.Diagnose, m.Lockouts),
	}
}

// Name is the shard's name: its account and region once they are known.
func (t *Tail) Name() string {
	if t.shard.Account == "" {
		return t.name
	}
	return t.shard.String()
}

// Run follows the log until ctx is done. Whatever fails is reported and tried
// again, with the cursor where it was.
func (t *Tail) Run(ctx context.Context) {
	for ctx.Err() == nil {
		started := time.Now()
		wait := t.cfg.Interval
		behind := t.Cycle(ctx)
		stretch := t.stretch()
		if behind && stretch == 1 {
			wait = 0
		}
		wait = time.Duration(float64(wait) * stretch)
		select {
		case <-ctx.Done():
		case <-time.After(max(wait-time.Since(started), 0)):
		}
	}
}

// stretch is by how much the budget makes the interval longer.
func (t *Tail) stretch() float64 {
	if t.cfg.Budget == nil {
		return 1
	}
	return t.cfg.Budget.Stretch(t.shard.Account, t.src.Now())
}
