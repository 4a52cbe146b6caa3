package source

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// The operations, as AWS, IAM policies and the meter name them.
const (
	opStartQuery         = "StartQuery"
	opGetQueryResults    = "GetQueryResults"
	opStopQuery          = "StopQuery"
	opDescribeQueries    = "DescribeQueries"
	opDescribeLogGroups  = "DescribeLogGroups"
	opDescribeLogStreams = "DescribeLogStreams"
	opFilterLogEvents    = "FilterLogEvents"
	opGetCallerIdentity  = "GetCallerIdentity"
	opListRegions        = "ListRegions"
)

// A Meter counts what the reading costs. account is empty until AWS has said
// whose credentials they are. Its methods are called from many goroutines.
type Meter interface {
	// Call is told of each call of the AWS API; what the SDK repeats by
	// itself is one call.
	Call(account, region, op string, err error)
	// Query is told of each query that has ended, and how: complete, failed,
	// timeout or cancelled by AWS, stopped by us, or lost, which is one whose
	// StartQuery got no answer and that could not be found. scanned and
	// skipped are bytes, usd is the list price of scanned.
	Query(account, region, status string, took time.Duration, scanned, skipped int64, usd float64)
	// Overflow is told of each second of one stream that had more lines than
	// a query returns, so that it was read by FilterLogEvents.
	Overflow(account, region string)
}

// A Source reads what one set of credentials sees in one region. Its methods
// may be called from several goroutines.
type Source struct {
	cfg    Config
	logs   *cloudwatchlogs.Client
	sts    *sts.Client
	keys   aws.CredentialsProvider
	meter  Meter
	limits *Limits
	clock  *clock
	log    zerolog.Logger

	verdicts verdicts

	mu    sync.Mutex
	shard authlog.Shard // known once Account is set
}

// New makes a source with the credentials and region of awscfg (see LoadAWS).
// It calls nothing yet. cfg must be valid; its zero fields take their defaults.
func New(awscfg aws.Config, cfg Config, meter Meter, log zerolog.Logger) *Source {
	cfg = cfg.withDefaults()
	fill(&cfg.Region, awscfg.Region)
	awscfg.Region = cfg.Region
	if cfg.Limits == nil {
		cfg.Limits = NewLimits(cfg)
	}
	clock := newClock(cfg.Clock, log)
	awscfg.APIOptions = append(slices.Clone(awscfg.APIOptions), clock.watch)
	return &Source{
		cfg:    cfg,
		logs:   cloudwatchlogs.NewFromConfig(awscfg),
		sts:    sts.NewFromConfig(awscfg),
		keys:   awscfg.Credentials,
		meter:  meter,
		limits: cfg.Limits,
		clock:  clock,
		log:    log,
		shard:  authlog.Shard{Region: cfg.Region},
	}
}

// Shard asks AWS once whose credentials these are.
func (s *Source) Shard(ctx context.Context) (authlog.Shard, error) {
	if sh := s.known(); sh.Account != "" {
		return sh, nil
	}
	out, err := call(ctx, s, opGetCallerIdentity, passing, func(ctx context.Context) (*sts.GetCallerIdentityOutput, error) {
		return s.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	})
	if err != nil {
		return authlog.Shard{}, fmt.Errorf("ask whose credentials these are: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shard.Account = aws.ToString(out.Account)
	return s.shard, nil
}

// Now is the time by AWS's clock, as far as its answers have told it; before
// the first one it is ours. UTC.
func (s *Source) Now() time.Time { return s.clock.now() }

func (s *Source) known() authlog.Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shard
}

// call runs one call of the API within the limits and counts it. While again
// allows it, it is repeated after a pause; ctx ends the pause. The error has
// the type that callers tell apart.
func call[O any](ctx context.Context, s *Source, op string, again func(error) bool, f func(context.Context) (O, error)) (O, error) {
	for try := 0; ; try++ {
		if err := s.limits.wait(ctx, op); err != nil {
			var none O
			return none, err
		}
		out, err := f(ctx)
		sh := s.known()
		s.meter.Call(sh.Account, sh.Region, op, err)
		if err == nil || try == s.cfg.Retries || !again(err) && !s.renewed(err) {
			return out, typed(op, err)
		}
		if pause(ctx, jitter(s.cfg.Backoff<<try)) != nil {
			return out, typed(op, err)
		}
	}
}

// renewed reports whether err says that the credentials are over and they will
// now be asked for anew. Their cache goes by our clock, which may be wrong, and
// sessions can be revoked.
func (s *Source) renewed(err error) bool {
	switch code(err) {
	case "ExpiredToken", "ExpiredTokenException":
		cache, ok := s.keys.(interface{ Invalidate() })
		if ok {
			cache.Invalidate()
		}
		return ok
	}
	return false
}

// maxBackoff keeps the last pauses of a long series of retries bearable.
const maxBackoff = time.Minute

// jitter is a random time between half of d and d.
func jitter(d time.Duration) time.Duration {
	d = min(max(d, 2), maxBackoff)
	return d/2 + rand.N(d/2)
}

// pause waits for d, or less when ctx ends, and then returns its error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
