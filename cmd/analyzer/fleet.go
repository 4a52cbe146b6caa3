package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/config"
	"github.com/eks-authlog/eks-authlog/internal/metrics"
	"github.com/eks-authlog/eks-authlog/internal/pipeline"
	"github.com/eks-authlog/eks-authlog/internal/rules"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// A fleet is what the readers of all accounts and regions share.
type fleet struct {
	cfg     *config.Config
	store   pipeline.Store
	metrics pipeline.Metrics
	meter   source.Meter
	health  *pipeline.Health
	budget  *pipeline.Budget
	claims  *pipeline.Claims
	keeper  *access.Keeper // nil: nothing is asked besides the logs
	log     zerolog.Logger

	rows  int                 // of a query; 0: the default
	saved func(*authlog.Page) // told of each page; nil: nobody

	mu      sync.Mutex
	limits  map[string]*source.Limits // by account and region, as far as known
	answers *source.Answers           // of all
}

// answersAtOnce is how many answers of queries, each of ten thousand lines at
// most, are worked on at a time: enough for all cores, and the bound of memory
// while a fleet catches up.
const answersAtOnce = 4

// run reads all sources until ctx ends.
func (f *fleet) run(ctx context.Context) {
	f.claims = pipeline.NewClaims()
	f.claims.Expect(len(f.cfg.Sources))
	var wait sync.WaitGroup
	for i := range f.cfg.Sources {
		wait.Go(func() { f.follow(ctx, &f.cfg.Sources[i]) })
	}
	wait.Wait()
}

// follow reads one source until ctx ends. While it cannot be told which
// regions to read, it is asked for again and named in the health; the other
// sources go on.
func (f *fleet) follow(ctx context.Context, s *config.Source) {
	readers, err := f.readers(ctx, s)
	f.claims.Expect(len(readers))
	f.claims.Arrive() // the source itself; its readers come later
	for ; err != nil; readers, err = f.readers(ctx, s) {
		f.health.Fail(sourceName(s), err)
		f.log.Warn().Err(err).Str("source", sourceName(s)).Msg("will be tried again")
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(f.cfg.Tail.Interval)):
		}
	}
	f.health.Forget(sourceName(s))
	var wait sync.WaitGroup
	for _, r := range readers {
		t := f.tail(r)
		wait.Go(func() { t.Run(ctx) })
		wait.Go(func() { f.keep(ctx, r) })
	}
	wait.Wait()
}

// readers makes a reader for each region of a source.
func (f *fleet) readers(ctx context.Context, s *config.Source) ([]*reader, error) {
	regions, err := f.regions(ctx, s)
	if err != nil {
		return nil, err
	}
	var readers []*reader
	for _, region := range regions {
		r, err := f.source(ctx, s, region)
		if err != nil {
			return nil, err
		}
		readers = append(readers, r)
	}
	return readers, nil
}

// tail makes what follows the logs of one region.
func (f *fleet) tail(r *reader) *pipeline.Tail {
	pc := tailConfig(&f.cfg.Tail)
	pc.Diagnose = diagnoseConfig(&f.cfg.Diagnose)
	pc.Saved, pc.Budget, pc.Claims = f.saved, f.budget, f.claims
	if f.keeper != nil {
		pc.Access = f.keeper
	}
	return pipeline.NewTail(r.name, pc, r, f.store, f.metrics, f.health, f.log)
}

// regions are those to read, the empty name for that of the AWS chain.
func (f *fleet) regions(ctx context.Context, s *config.Source) ([]string, error) {
	switch {
	case len(s.Regions) == 0:
		return []string{""}, nil
	case !s.Regions.All():
		return s.Regions, nil
	}
	awscfg, err := loadAWS(ctx, s, &f.cfg.Limits, f.log)
	if err != nil {
		return nil, err
	}
	return source.Regions(ctx, awscfg)
}

// loadAWS is the AWS configuration of a source in its first region. To ask for
// all regions any will do where the machine has none of its own.
func loadAWS(ctx context.Context, s *config.Source, l *config.Limits, log zerolog.Logger) (aws.Config, error) {
	region := ""
	if len(s.Regions) > 0 && !s.Regions.All() {
		region = s.Regions[0]
	}
	awscfg, err := source.LoadAWS(ctx, sourceConfig(s, l, region), log)
	if err != nil && s.Regions.All() {
		return source.LoadAWS(ctx, sourceConfig(s, l, "us-east-1"), log)
	}
	return awscfg, err
}

// A reader reads the logs of one region, and has what it does so with.
type reader struct {
	*source.Source
	name string
	aws  aws.Config
	cfg  source.Config
}

// source makes the reader of one region.
func (f *fleet) source(ctx context.Context, s *config.Source, region string) (*reader, error) {
	sc := sourceConfig(s, &f.cfg.Limits, region)
	sc.RowLimit = max(sc.RowLimit, f.rows)
	awscfg, err := source.LoadAWS(ctx, sc, f.log)
	if err != nil {
		return nil, err
	}
	name := sourceName(s) + " in " + awscfg.Region
	if s.RoleARN == "" {
		name = awscfg.Region
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.limits == nil {
		f.limits, f.answers = map[string]*source.Limits{}, source.NewAnswers(answersAtOnce)
	}
	// The role's account is in its ARN; the chain's own is one more.
	key := accountOf(s.RoleARN) + "/" + awscfg.Region
	if f.limits[key] == nil {
		f.limits[key] = source.NewLimits(sc)
	}
	sc.Limits, sc.Answers = f.limits[key], f.answers
	return &reader{Source: source.New(awscfg, sc, f.meter, f.log), name: name, aws: awscfg, cfg: sc}, nil
}

// sourceName is how a source is called before its account is known.
func sourceName(s *config.Source) string {
	if s.RoleARN == "" {
		return "the credentials of the AWS chain"
	}
	return s.RoleARN
}

// accountOf is the account in the ARN of a role, or "".
func accountOf(roleARN string) string {
	if parts := strings.Split(roleARN, ":"); len(parts) > 4 {
		return parts[4]
	}
	return ""
}

// A meter counts what queries cost, for the metrics and for the budget.
type meter struct {
	*metrics.Reader
	budget *pipeline.Budget
}

// Query counts one query that has ended.
func (m meter) Query(account, region, status string, took time.Duration, scanned, skipped int64, usd float64) {
	m.Reader.Query(account, region, status, took, scanned, skipped, usd)
	m.budget.Add(account, scanned, time.Now())
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
	sc.PricePerGB = l.PricePerGB
	if s.LogGroup != "" {
		sc.Pattern = s.LogGroup
	}
	if s.Mode != "" {
		sc.Mode = source.Mode(s.Mode)
	}
	if s.Index != "" {
		sc.Index = source.Index(s.Index)
	}
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
