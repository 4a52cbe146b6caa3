package source

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// filter reads the job, which has one target, with FilterLogEvents, emits its
// pages and returns how far they go.
func (r *reader) filter(ctx context.Context, j job) (through time.Time, err error) {
	target := j.targets[0]
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupIdentifier: aws.String(target.Group.ARN),
		// Milliseconds, both ends included.
		StartTime: aws.Int64(j.from.UnixMilli()),
		EndTime:   aws.Int64(j.to.UnixMilli() - 1),
		Limit:     aws.Int32(int32(min(j.limit, maxPageRows))), //nolint:gosec // at most 10,000
	}
	if prefix := commonPrefix(target.Streams); prefix != "" {
		in.LogStreamNamePrefix = aws.String(prefix)
	}
	got := newStretch(j)
	group := got.wanted.groups[logName(target.Group)]
	for {
		out, err := call(ctx, r.Source, opFilterLogEvents, passing, func(ctx context.Context) (*cloudwatchlogs.FilterLogEventsOutput, error) {
			return r.logs.FilterLogEvents(ctx, in)
		})
		if err != nil {
			return got.page.From, err
		}
		for i := range out.Events {
			if err := got.add(group.event(&out.Events[i])); err != nil {
				return got.page.From, err
			}
		}
		// A page without events but with a token is not the last.
		if aws.ToString(out.NextToken) == "" {
			r.emit(got.cut(j.to))
			return j.to, nil
		}
		if len(got.rows) >= j.limit {
			r.part(got)
		}
		in.NextToken = out.NextToken
	}
}

// event reads one event; mine is false for one of another stream, which has
// the prefix too.
func (g *wantedGroup) event(e *types.FilteredLogEvent) (r row, mine bool) {
	stream, mine := g.streams[aws.ToString(e.LogStreamName)]
	return row{
		line: authlog.Line{
			Cluster:  g.cluster,
			Stream:   stream,
			Time:     millis(e.Timestamp),
			Ingested: millis(e.IngestionTime),
			Text:     aws.ToString(e.Message),
		},
		ptr: aws.ToString(e.EventId),
	}, mine
}

// commonPrefix is the longest prefix of all names.
func commonPrefix(names []string) string {
	prefix := names[0]
	for _, name := range names[1:] {
		n := 0
		for n < min(len(prefix), len(name)) && prefix[n] == name[n] {
			n++
		}
		prefix = prefix[:n]
	}
	return prefix
}
