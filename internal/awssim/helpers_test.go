package awssim_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

const (
	home   = "111122223333"
	other  = "444455556666"
	region = "eu-central-1"
	prod   = "/aws/eks/prod/cluster"
	authA  = "authenticator-0123456789abcdef0123456789abcdef"
	authB  = "authenticator-fedcba9876543210fedcba9876543210"
	audit  = "kube-apiserver-audit-0123456789abcdef0123456789abcdef"
)

// clock is a world's time that moves when a test says so.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// noon is where the fixtures begin, long past: a signature may go by the
// world's clock or by the real one, and a test of it needs the two apart.
func noon() time.Time { return time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC) }

// fixture is a served world with one log group of two authenticator streams
// and an audit stream, made an hour before noon. No request rate is limited.
type fixture struct {
	*awssim.World
	clock  *clock
	srv    *awssim.Server
	region *awssim.Region
	group  *awssim.LogGroup
	logs   *cloudwatchlogs.Client
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{clock: &clock{t: noon()}}
	f.World = awssim.NewWorld(f.clock.now)
	f.Pace = awssim.Pace{}
	f.Limits.PerSecond = map[string]float64{
		"DescribeLogGroups": 0, "DescribeLogStreams": 0, "StartQuery": 0, "GetQueryResults": 0, "StopQuery": 0,
		"DescribeQueries": 0, "FilterLogEvents": 0, "GetLogEvents": 0,
	}
	f.region = f.Account(home).Region(region)
	f.group = addGroup(t, f.region, prod, awssim.GroupOptions{Created: noon().Add(-time.Hour)})
	for _, name := range []string{authA, authB, audit} {
		addStream(t, f.group, name)
	}
	f.serve(t)
	f.logs = f.client(region)
	return f
}

func (f *fixture) serve(t *testing.T) {
	t.Helper()
	srv, err := awssim.Start(f.World)
	if err != nil {
		t.Fatal(err)
	}
	f.srv = srv
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
}

func addGroup(t *testing.T, r *awssim.Region, name string, opts awssim.GroupOptions) *awssim.LogGroup {
	t.Helper()
	g, err := r.CreateLogGroup(name, opts)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func addStream(t *testing.T, g *awssim.LogGroup, name string) *awssim.Stream {
	t.Helper()
	st, err := g.CreateStream(name, noon().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// stubborn is a configuration whose clients repeat nothing that AWS answered,
// only what broke on the way.
func stubborn(cfg aws.Config) aws.Config {
	cfg.DisableClockSkewCorrection = true // which needs a repeated call after each step of the world's clock
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Retryables = []retry.IsErrorRetryable{retry.RetryableConnectionError{}}
			o.RateLimiter = noLimit{}
			o.MaxAttempts = 5
		})
	}
	return cfg
}

type noLimit struct{}

func (noLimit) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (noLimit) AddTokens(uint) error { return nil }

func (f *fixture) client(region string) *cloudwatchlogs.Client {
	return cloudwatchlogs.NewFromConfig(stubborn(f.srv.Config(region)))
}

// put stores events at the given offsets from noon; each is visible at once.
func (f *fixture) put(t *testing.T, stream, text string, offsets ...time.Duration) {
	t.Helper()
	for _, d := range offsets {
		f.group.Stream(stream).Put(awssim.Event{Time: noon().Add(d), Message: text})
	}
}

// input asks the group's last hour.
func (f *fixture) input(query string) *cloudwatchlogs.StartQueryInput {
	return &cloudwatchlogs.StartQueryInput{
		StartTime: aws.Int64(noon().Add(-time.Hour).Unix()), EndTime: aws.Int64(f.clock.now().Unix()),
		QueryString: &query, LogGroupIdentifiers: []string{f.group.ARN()},
	}
}

func (f *fixture) start(t *testing.T, in *cloudwatchlogs.StartQueryInput) string {
	t.Helper()
	out, err := f.logs.StartQuery(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.QueryId
}

func (f *fixture) poll(t *testing.T, id string) *cloudwatchlogs.GetQueryResultsOutput {
	t.Helper()
	out, err := f.logs.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ask runs a query over the last hour to its end.
func (f *fixture) ask(t *testing.T, query string) *cloudwatchlogs.GetQueryResultsOutput {
	t.Helper()
	out := f.poll(t, f.start(t, f.input(query)))
	if out.Status != types.QueryStatusComplete {
		t.Fatalf("status = %s", out.Status)
	}
	return out
}

// column takes one field out of each row; "" where the row has none.
func column(rows [][]types.ResultField, name string) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		for _, field := range row {
			if *field.Field == name {
				out[i] = *field.Value
			}
		}
	}
	return out
}

// wantCode fails the test unless the error is AWS's of that code. It returns
// its message.
func wantCode(t *testing.T, err error, code string) string {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Fatalf("error = %v, want %s", err, code)
	}
	return api.ErrorMessage()
}
