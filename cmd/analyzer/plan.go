package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/metrics"
)

type planCmd struct {
	ConfigFile string        `name:"config.file" help:"Configuration file of serve." placeholder:"FILE"`
	Sample     time.Duration `help:"How much of the newest log is read once to learn how many bytes that scans; 0 reads nothing and costs nothing." default:"5m"`
}

// Help says what it costs.
func (c *planCmd) Help() string {
	return `Only reads. The sample runs the queries that serve would run over the last minutes, once, and is
billed as they are.`
}

// Run shows what serve would do with this configuration.
func (c *planCmd) Run(ctx context.Context, r *run) error {
	cfg, err := loadConfig(c.ConfigFile)
	if err != nil {
		return err
	}
	cost := &costs{Reader: metrics.NewReader(metrics.NewRegistry("", ""))}
	p := &planner{cfg: cfg, sample: c.Sample, cost: cost, out: r.stdout}
	p.fleet = &fleet{cfg: cfg, meter: cost, log: r.log}
	for i := range cfg.Sources {
		regions, err := p.fleet.regions(ctx, &cfg.Sources[i])
		if err != nil {
			p.fault(sourceName(&cfg.Sources[i]), err)
		}
		for _, region := range regions {
			if err := p.shard(ctx, &cfg.Sources[i], region); err != nil {
				return err
			}
		}
	}
	return p.end(ctx)
}

type planner struct {
	cfg     *config.Config
	fleet   *fleet
	sample  time.Duration
	cost    *costs
	out     io.Writer
	queries float64 // a minute
	faults  []string
	missing []string // IAM actions
}

func (p *planner) fault(where string, err error) {
	if e, ok := errors.AsType[*authlog.AccessError](err); ok && !slices.Contains(p.missing, e.Action) {
		p.missing = append(p.missing, e.Action)
	}
	p.faults = append(p.faults, fmt.Sprintf("%s: %v", where, err))
}

// shard plans one account and region.
func (p *planner) shard(ctx context.Context, s *config.Source, region string) error {
	src, err := p.fleet.source(ctx, s, region)
	if err != nil {
		p.fault(sourceName(s), err)
		return nil
	}
	shard, err := src.Shard(ctx)
	if err != nil {
		p.fault(src.name, err)
		return nil
	}
	groups, err := src.Groups(ctx)
	if err != nil {
		p.fault(shard.String(), err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	w := authlog.Window{From: now.Add(-p.sample), To: now}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "account %s, region %s\n  log group\tclass\tstreams\tretention\n", shard.Account, shard.Region)
	for _, g := range groups {
		t := authlog.Target{Group: g}
		for _, st := range g.Streams {
			t.Streams = append(t.Streams, st.Name)
		}
		w.Targets = append(w.Targets, t)
		kept := "for ever"
		if g.Retention > 0 {
			kept = fmt.Sprintf("%d days", int(g.Retention.Hours()/24))
		}
		fmt.Fprintf(table, "  %s\t%s\t%d\t%s\n", g.Cluster.LogGroup(), g.Class, len(g.Streams), kept)
	}
	queries := src.Plan(w)
	perMinute := float64(len(queries)) * p.perMinute()
	p.queries += perMinute
	fmt.Fprintf(table, "  %d log groups, %d queries at a time, %.1f a minute\n\n", len(groups), len(queries), perMinute)
	if err := table.Flush(); err != nil {
		return err
	}
	if p.sample <= 0 {
		return nil
	}
	for _, err := range src.Read(ctx, w) {
		if err != nil {
			p.fault(shard.String(), err)
		}
	}
	return ctx.Err()
}

// perMinute is how often a batch of log groups is queried.
func (p *planner) perMinute() float64 {
	t := &p.cfg.Tail
	n := time.Minute.Seconds() / time.Duration(t.Interval).Seconds()
	return n + float64(len(t.Sweep.After))*time.Minute.Seconds()/time.Duration(t.Sweep.Interval).Seconds()
}

// rereads is how often a byte is read until its second is settled and swept,
// with the longest settle time: at the worst.
func (p *planner) rereads() float64 {
	t := &p.cfg.Tail
	return (time.Duration(t.Settle.Max)+time.Duration(t.Interval)).Seconds()/time.Duration(t.Interval).Seconds() + float64(len(t.Sweep.After))
}

// end sums up.
func (p *planner) end(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fmt.Fprintf(p.out, "%.1f queries a minute in all\n", p.queries)
	if p.sample > 0 {
		scanned, skipped, _ := p.cost.sum()
		perDay := p.rereads() * (24 * time.Hour).Seconds() / p.sample.Seconds()
		for _, line := range []struct {
			what  string
			bytes int64
		}{
			{"expected with the index", scanned},
			{"expected without it", scanned + skipped},
		} {
			bytes := float64(line.bytes) * perDay
			fmt.Fprintf(p.out, "%s: at most %s a day, %.4f USD\n", line.what, humanize.Bytes(uint64(bytes)), bytes/1e9*p.cfg.Limits.PricePerGB)
		}
	}
	for _, action := range p.missing {
		fmt.Fprintf(p.out, "missing permission: %s\n", action)
	}
	if len(p.faults) == 0 {
		fmt.Fprintln(p.out, "missing permissions: none")
		return nil
	}
	for _, f := range p.faults {
		fmt.Fprintln(p.out, "failed: "+authlog.Sanitize(f))
	}
	return &exitError{status: 1}
}
