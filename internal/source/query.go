package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// failedRetries is how often a query that AWS failed is sent again.
const failedRetries = 2

// query reads the job with one Insights query and emits what of its answer is
// whole: all of it, or up to the second that the row limit cut through. It
// returns how far that is; errOverflow and errTooMuch say that the job must be
// narrowed.
func (r *reader) query(ctx context.Context, j job) (through time.Time, err error) {
	for try := 0; ; try++ {
		var a answer
		if a, err = r.run(ctx, j); err == nil {
			j.from, err = r.collect(ctx, j, a)
		}
		if !errors.Is(err, errFailed) || try == failedRetries {
			return j.from, err
		}
	}
}

// An answer is that of a complete query.
type answer struct {
	id    string
	first *cloudwatchlogs.GetQueryResultsOutput // its first rows
	place *place
}

// run starts the query of the job and waits until it is complete. Unless it
// fails, collect must follow.
func (r *reader) run(ctx context.Context, j job) (a answer, err error) {
	release, err := r.limits.slot(ctx)
	if err != nil {
		return a, err
	}
	defer release()
	began := time.Now()
	id, err := r.start(ctx, j)
	if err != nil {
		return a, fmt.Errorf("start query on %d log groups: %w", len(j.targets), err)
	}
	return r.await(ctx, j, id, began)
}

// await polls until the query is complete. Rows that come before that are
// partial and may be withdrawn. A query that is not waited for is stopped.
func (r *reader) await(ctx context.Context, j job, id string, began time.Time) (answer, error) {
	var last *types.QueryStatistics
	for wait := r.cfg.PollMin; ; wait = min(wait*3/2, r.cfg.PollMax) {
		a, err := r.poll(ctx, j, id, wait)
		if err == nil {
			last = a.first.Statistics
			if status, bad := outcome(a.first.Status); status != "" {
				r.count(status, began, last)
				if bad != nil {
					a.place.done()
				}
				return a, bad
			}
			a.place.done()
			if time.Since(began) > r.cfg.QueryTimeout {
				err = errTooMuch
			}
		}
		if err != nil {
			r.stop(ctx, id)
			r.count("stopped", began, last)
			return a, fmt.Errorf("query %s: %w", id, err)
		}
	}
}

// poll waits and then asks for the state of the query and its first rows,
// which take a place unless it fails.
func (r *reader) poll(ctx context.Context, j job, id string, wait time.Duration) (a answer, err error) {
	if err := pause(ctx, wait); err != nil {
		return a, err
	}
	a.id = id
	if a.place, err = r.cfg.Answers.take(ctx); err != nil {
		return a, err
	}
	if a.first, err = r.results(ctx, j, id, nil); err != nil {
		a.place.done()
	}
	return a, err
}

// outcome is what the meter calls a query that ended with this status, and what
// is bad about it. Scheduled, Running, Unknown and what AWS may invent have no
// name: they are not final.
func outcome(status types.QueryStatus) (name string, bad error) {
	switch status {
	case types.QueryStatusComplete:
		return "complete", nil
	case types.QueryStatusFailed:
		return "failed", errFailed
	case types.QueryStatusTimeout:
		return "timeout", errTooMuch
	case types.QueryStatusCancelled:
		return "cancelled", errTooMuch
	default:
		return "", nil
	}
}

// results fetches the state of a query and a page of its rows.
func (r *reader) results(ctx context.Context, j job, id string, token *string) (*cloudwatchlogs.GetQueryResultsOutput, error) {
	in := &cloudwatchlogs.GetQueryResultsInput{QueryId: aws.String(id), NextToken: token}
	if j.limit > maxPageRows {
		in.MaxItems = aws.Int32(maxPageRows)
	}
	out, err := call(ctx, r.Source, opGetQueryResults, passing, func(ctx context.Context) (*cloudwatchlogs.GetQueryResultsOutput, error) {
		return r.logs.GetQueryResults(ctx, in)
	})
	switch code(err) {
	case codeNotFound, codeInvalid: // the query or the page is not kept any more
		return nil, fmt.Errorf("%w: results: %v", errFailed, err) //nolint:errorlint // of the query, not of a log group
	}
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	return out, nil
}

// collect pages through the rows of a complete query and emits them as far as
// they are whole.
func (r *reader) collect(ctx context.Context, j job, a answer) (time.Time, error) {
	defer a.place.done()
	out, got, stats := a.first, newStretch(j), orZero(a.first.Statistics)
	got.place = a.place
	r.judge(j, stats)
	for {
		if err := got.take(out.Results); err != nil {
			return got.page.From, err
		}
		if aws.ToString(out.NextToken) == "" {
			break
		}
		r.part(got)
		var err error
		if out, err = r.results(ctx, j, a.id, out.NextToken); err != nil {
			return got.page.From, err
		}
	}
	matched := int(max(stats.RecordsMatched, stats.ResultCount))
	switch {
	case got.taken < j.limit && matched <= got.taken:
		r.emit(got.cut(j.to))
		return j.to, nil
	case got.taken == 0:
		return j.from, fmt.Errorf("%w: query %s matched %d lines and returned none", errFailed, a.id, matched)
	}
	r.part(got)
	if got.page.From.Equal(j.from) {
		return j.from, errOverflow
	}
	return got.page.From, nil
}

// part emits the seconds that are whole when more rows will follow.
func (r *reader) part(got *stretch) {
	second := got.last.Truncate(time.Second)
	if second.After(got.to) {
		second = got.to
	}
	if second.After(got.page.From) {
		r.emit(got.cut(second))
	}
}

// stop ends a query that nobody waits for any more, also when ctx is over.
func (r *reader) stop(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	_, err := call(ctx, r.Source, opStopQuery, passing, func(ctx context.Context) (*cloudwatchlogs.StopQueryOutput, error) {
		return r.logs.StopQuery(ctx, &cloudwatchlogs.StopQueryInput{QueryId: aws.String(id)})
	})
	// AWS refuses to stop a query that has ended by itself.
	if err != nil && code(err) != codeInvalid && code(err) != codeNotFound {
		r.log.Warn().Err(err).Str("query_id", id).Msg("query not stopped, it is billed to its end")
	}
}

// count tells the meter how a query ended.
func (r *reader) count(status string, began time.Time, s *types.QueryStatistics) {
	stats := orZero(s)
	usd := stats.BytesScanned / 1e9 * r.cfg.PricePerGB
	sh := r.known()
	r.meter.Query(sh.Account, sh.Region, status, time.Since(began),
		int64(stats.BytesScanned), int64(stats.EstimatedBytesSkipped), usd)
}

// orZero are the statistics of an answer, all zero where it has none.
func orZero(s *types.QueryStatistics) types.QueryStatistics {
	if s == nil {
		return types.QueryStatistics{}
	}
	return *s
}
