package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/schollz/progressbar/v3"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// backfillRows is how many rows a query of history may return: what CloudWatch
// allows, for there are fewer queries to start then.
const backfillRows = 100_000

type backfillCmd struct {
	ConfigFile string `name:"config.file" help:"Configuration file of serve." placeholder:"FILE"`
	Since      string `help:"How far back to begin, e.g. 7d." placeholder:"DURATION" xor:"from" required:""`
	Start      string `help:"When to begin: RFC 3339 or Unix seconds." placeholder:"TIME" xor:"from" required:""`
	End        string `help:"When to end, exclusive; now unless given." placeholder:"TIME"`
}

// Help says how it goes together with serve.
func (c *backfillCmd) Help() string {
	return `Each log group is read from its creation, or as far as its retention reaches, at the most. What was
read before, by serve or by an earlier backfill, is not read again. Stopped with Ctrl-C, it goes on
where it was when it is called again; serve goes on with it too.

The database can be open in one process only: stop serve first.

  analyzer backfill --since 7d
  analyzer backfill --start 2026-11-01T00:00:00Z --end 2026-11-08T00:00:00Z`
}

// Run reads the history of all shards, one after the other.
func (c *backfillCmd) Run(ctx context.Context, r *run) (err error) {
	start, end, err := c.span(time.Now())
	if err != nil {
		return err
	}
	cfg, err := loadConfig(c.ConfigFile)
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, cfg.Storage.Path, r.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	reg := prometheus.NewRegistry()
	m := pipeline.NewMetrics(reg, outcomes(), reasonCodes())
	p := &progress{costs: costs{Reader: m.Reader}, out: r.stderr, terminal: isTerminal(r.stderr)}
	f := &fleet{
		cfg: cfg, store: st, metrics: m, meter: p, health: pipeline.NewHealth(), log: r.log, rows: backfillRows, saved: p.page,
		claims: pipeline.NewClaims(),
	}
	var faults []error
	var tails []*pipeline.Tail
	for i := range cfg.Sources {
		readers, err := f.readers(ctx, &cfg.Sources[i])
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", sourceName(&cfg.Sources[i]), err))
		}
		for _, r := range readers {
			tails = append(tails, f.tail(r))
		}
	}
	f.claims.Expect(len(tails))
	for _, t := range tails {
		_ = t.Announce(ctx) // what keeps it from listing is told by Backfill
	}
	for _, t := range tails {
		p.follow(t)
		if err := t.Backfill(ctx, start, end); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", t.Name(), err))
		}
	}
	p.end()
	if ctx.Err() != nil {
		fmt.Fprintln(r.stderr, "stopped; call it again to go on")
		return &exitError{status: 130}
	}
	return errors.Join(faults...)
}

// span is what the flags ask for.
func (c *backfillCmd) span(now time.Time) (start, end time.Time, err error) {
	end = now
	if c.End != "" {
		if end, err = parseTime(c.End); err != nil {
			return start, end, fmt.Errorf("--end: %w", err)
		}
	}
	if c.Since != "" {
		d, err := model.ParseDuration(c.Since)
		if err != nil {
			return start, end, fmt.Errorf("--since: %w", err)
		}
		start = now.Add(-time.Duration(d))
	} else if start, err = parseTime(c.Start); err != nil {
		return start, end, fmt.Errorf("--start: %w", err)
	}
	if !start.Before(end) {
		return start, end, fmt.Errorf("it would begin at %s and end at %s", start.Format(time.RFC3339), end.Format(time.RFC3339))
	}
	return start, end, nil
}

func parseTime(s string) (time.Time, error) {
	if sec, err := strconv.ParseFloat(s, 64); err == nil {
		return time.UnixMilli(int64(sec * 1000)).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%q is neither RFC 3339 nor Unix seconds", s)
	}
	return t.UTC(), nil
}

// progress shows how far a backfill has come: a bar for a person, and what it
// came to at the end for anyone.
type progress struct {
	costs
	out      io.Writer
	terminal bool
	tail     *pipeline.Tail
	bar      *progressbar.ProgressBar
	windows  int
	lines    int
}

// follow goes over to the next shard.
func (p *progress) follow(t *pipeline.Tail) {
	p.end()
	p.tail = t
	p.windows, p.lines = 0, 0
	p.reset()
	if p.terminal {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(p.out),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
	}
}

// page is told of each page that was saved.
func (p *progress) page(page *authlog.Page) {
	p.windows++
	p.lines += len(page.Lines)
	if p.bar == nil {
		return
	}
	left, all := p.tail.Left()
	p.bar.ChangeMax64(max(int64(all/time.Second), 1))
	p.bar.Describe(p.text())
	_ = p.bar.Set64(int64((all - left) / time.Second)) // a bar that cannot be drawn is no reason to stop
}

func (p *progress) text() string {
	scanned, _, usd := p.sum()
	return fmt.Sprintf("%s: %d windows, %d lines, %.1f MB scanned, %.4f USD", p.tail.Name(), p.windows, p.lines, float64(scanned)/1e6, usd)
}

// end says what the shard came to.
func (p *progress) end() {
	if p.tail == nil {
		return
	}
	if p.bar != nil {
		_ = p.bar.Finish() // as above
	}
	fmt.Fprintln(p.out, p.text())
	p.tail = nil
}
