package source

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// stopTimeout bounds what is still done for queries after the context ended.
const stopTimeout = 10 * time.Second

// start starts the query of the job and returns its id.
//
// StartQuery is not idempotent: when its answer is lost, a query may run that
// nobody knows of, billed and holding a slot. So each attempt ends with a
// comment of its own, by which DescribeQueries shows whether it came through;
// then it is taken over. An id is returned also when ctx has ended meanwhile:
// whoever waits for the query stops it then.
func (r *reader) start(ctx context.Context, j job) (id string, err error) {
	targets := j.begun()
	groups := make([]string, len(targets))
	for i, t := range targets {
		groups[i] = t.Group.ARN
	}
	text := Text(j.index, names(targets), j.limit)
	in := &cloudwatchlogs.StartQueryInput{
		LogGroupIdentifiers: groups,
		// Insights includes both ends, each a whole second; our spans do not
		// include the second one.
		StartTime: aws.Int64(j.from.Unix()),
		EndTime:   aws.Int64(j.to.Unix() - 1),
		Limit:     aws.Int32(int32(j.limit)), //nolint:gosec // at most 100,000, see Validate
	}
	for try := 0; ; try++ {
		mark := rand.Text()
		in.QueryString = aws.String(text + " # eks-authlog " + mark)
		if id, err = r.send(ctx, in); err == nil || !ambiguous(err) {
			return id, err
		}
		if id, ok := r.orphan(ctx, mark); ok {
			return id, nil
		}
		if try == r.cfg.Retries || pause(ctx, jitter(r.cfg.Backoff<<try)) != nil {
			return "", err
		}
	}
}

// send calls StartQuery; an ambiguous failure is not repeated.
func (r *reader) send(ctx context.Context, in *cloudwatchlogs.StartQueryInput) (id string, err error) {
	surely := func(err error) bool { return passing(err) && !ambiguous(err) }
	out, err := call(ctx, r.Source, opStartQuery, surely, func(ctx context.Context) (*cloudwatchlogs.StartQueryOutput, error) {
		return r.logs.StartQuery(ctx, in, func(o *cloudwatchlogs.Options) { o.Retryer = unsure{o.Retryer} })
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.QueryId), nil
}

// orphan looks for the query of a StartQuery whose answer was lost, also when
// ctx has ended.
func (r *reader) orphan(ctx context.Context, mark string) (id string, ok bool) {
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	id, err := r.find(look, mark)
	switch {
	case err != nil:
		r.log.Warn().Err(err).Msg("a query may run that nobody waits for")
	case id != "":
		r.log.Warn().Str("query_id", id).Msg("answer of StartQuery lost, query taken over")
		return id, true
	}
	r.count("lost", time.Now(), nil)
	return "", false
}

// find is the id of the query with that mark, or "". It looks twice, because
// what was only just started may not be listed yet.
func (r *reader) find(ctx context.Context, mark string) (id string, err error) {
	for range 2 {
		// In the order that a query goes through them, so that it is not missed
		// between two calls.
		for _, status := range [...]types.QueryStatus{types.QueryStatusScheduled, types.QueryStatusRunning, types.QueryStatusComplete} {
			if id, err = r.findIn(ctx, status, mark); err != nil || id != "" {
				return id, err
			}
		}
		if err = pause(ctx, r.cfg.PollMin); err != nil {
			return "", err
		}
	}
	return "", nil
}

// findIn looks among the queries of one status. Of complete ones, which AWS
// keeps for days, it looks at the first thousand.
func (r *reader) findIn(ctx context.Context, status types.QueryStatus, mark string) (id string, err error) {
	in := &cloudwatchlogs.DescribeQueriesInput{Status: status, MaxResults: aws.Int32(1000)}
	for {
		out, err := call(ctx, r.Source, opDescribeQueries, passing, func(ctx context.Context) (*cloudwatchlogs.DescribeQueriesOutput, error) {
			return r.logs.DescribeQueries(ctx, in)
		})
		if err != nil {
			return "", fmt.Errorf("look for a query: %w", err)
		}
		for i := range out.Queries {
			if strings.Contains(aws.ToString(out.Queries[i].QueryString), mark) {
				return aws.ToString(out.Queries[i].QueryId), nil
			}
		}
		if aws.ToString(out.NextToken) == "" || status == types.QueryStatusComplete {
			return "", nil
		}
		in.NextToken = out.NextToken
	}
}
