package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/metrics"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/rules"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// A fleet is what the readers of all accounts and regions share.
type fleet struct {
	cfg    *config.Config
	store  pipeline.Store
	lines  *metrics.Lines
	reader *metrics.Reader
	meter  source.Meter // usually reader
	health *pipeline.Health
	log    zerolog.Logger

	rows  int                 // of a query; 0: the default
	saved func(*authlog.Page) // told of each page; nil: nobody
}

// tails makes a reader for each region of each source.
func (f *fleet) tails(ctx context.Context) ([]*pipeline.Tail, error) {
	var tails []*pipeline.Tail
	limits := map[string]*source.Limits{}
	for i := range f.cfg.Sources {
		s := &f.cfg.Sources[i]
		regions := s.Regions
		if len(regions) == 0 {
			regions = []string{""}
		}
		for _, region := range regions {
			sc := sourceConfig(s, &f.cfg.Limits, region)
			sc.RowLimit = max(sc.RowLimit, f.rows)
			awscfg, err := source.LoadAWS(ctx, sc)
			if err != nil {
				return nil, fmt.Errorf("source %d: %w", i+1, err)
			}
			name := shardName(s.RoleARN, awscfg.Region)
			if limits[name] == nil {
				limits[name] = source.NewLimits(sc)
			}
			sc.Limits = limits[name]
			pc := tailConfig(&f.cfg.Tail)
			pc.Saved = f.saved
			src := source.New(awscfg, sc, f.meter, f.log)
			tails = append(tails, pipeline.NewTail(name, pc, src, f.store, f.lines, f.reader, f.health, f.log))
		}
	}
	return tails, nil
}

func sourceConfig(s *config.Source, l *config.Limits, region string) source.Config {
	sc := source.Default()
	sc.Region = region
	sc.RoleARN, sc.ExternalID, sc.SessionTags = s.RoleARN, s.ExternalID, s.SessionTags
	sc.Include, sc.Exclude = s.Clusters.Include, s.Clusters.Exclude
	sc.LinkedAccounts = s.LinkedAccounts
	sc.MaxConcurrent = l.ConcurrentQueries
	sc.Rates.StartQuery, sc.Rates.GetResults, sc.Rates.Describe = l.StartQueryRate, l.GetResultsRate, l.DescribeRate
	sc.QueryTimeout = time.Duration(l.QueryTimeout)
	return sc
}

func tailConfig(t *config.Tail) pipeline.Config {
	pc := pipeline.Config{
		Interval:      time.Duration(t.Interval),
		SettleMin:     time.Duration(t.Settle.Min),
		SettleMax:     time.Duration(t.Settle.Max),
		Discovery:     time.Duration(t.Discovery),
		Lookback:      time.Duration(t.Lookback),
		Step:          time.Duration(t.Step),
		SweepInterval: time.Duration(t.Sweep.Interval),
	}
	for _, age := range t.Sweep.After {
		pc.Sweeps = append(pc.Sweeps, time.Duration(age))
	}
	return pc
}

// shardName is how a shard is called before its account is known.
func shardName(roleARN, region string) string {
	if roleARN == "" {
		return region
	}
	return roleARN + " in " + region
}

// outcomes are the values of the label outcome.
func outcomes() []string {
	names := make([]string, 0, len(authlog.Kinds()))
	for _, k := range authlog.Kinds() {
		names = append(names, k.String())
	}
	return names
}

// reasonCodes are the values of the label reason.
func reasonCodes() []string {
	all := rules.All()
	codes := make([]string, len(all))
	for i := range all {
		codes[i] = all[i].Code
	}
	return codes
}
