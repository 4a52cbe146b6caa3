package awssim_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

func TestAQueryIsScheduledThenRunningThenComplete(t *testing.T) {
	f := newFixture(t)
	f.Pace = awssim.Pace{Scheduled: time.Second, Running: 2 * time.Second}
	for i := range 10 {
		f.put(t, authA, strconv.Itoa(i), -time.Duration(i+1)*time.Second)
	}
	id := f.start(t, f.input(tail))
	for _, step := range []struct {
		after time.Duration
		want  types.QueryStatus
		rows  int
	}{
		{0, types.QueryStatusScheduled, 0},
		{time.Second, types.QueryStatusRunning, 5},
		{1999 * time.Millisecond, types.QueryStatusRunning, 5},
		{time.Millisecond, types.QueryStatusComplete, 10},
	} {
		f.clock.add(step.after)
		out := f.poll(t, id)
		if out.Status != step.want || len(out.Results) != step.rows {
			t.Errorf("%v later: %s with %d rows, want %s with %d", step.after, out.Status, len(out.Results), step.want, step.rows)
		}
		if n := f.RunningQueries(); (n == 1) != (step.want != types.QueryStatusComplete) {
			t.Errorf("%s: %d queries under way", step.want, n)
		}
	}
}

func TestRunningRowsAtTheLimitMayVanish(t *testing.T) {
	f := newFixture(t)
	f.Pace = awssim.Pace{Running: time.Second}
	for i := range 40 {
		f.put(t, authA, strconv.Itoa(i), -time.Duration(i+1)*time.Second)
	}
	id := f.start(t, f.input(tail+" | limit 20"))
	partial := column(f.poll(t, id).Results, "@message")
	f.clock.add(time.Second)
	final := column(f.poll(t, id).Results, "@message")
	if len(final) != 20 || !slices.ContainsFunc(partial, func(m string) bool { return !slices.Contains(final, m) }) {
		t.Errorf("partial %q, final %q: want rows that are withdrawn", partial, final)
	}
}

func TestResultsArePagedBy10000(t *testing.T) {
	f := newFixture(t)
	const total = 25_000
	events := make([]awssim.Event, total)
	for i := range events {
		events[i] = awssim.Event{Time: noon().Add(-time.Hour + time.Duration(i)*time.Millisecond), Message: strconv.Itoa(i)}
	}
	f.group.Stream(authA).Put(events...)
	in := f.input(tail)
	in.Limit = aws.Int32(100_000)
	id := f.start(t, in)
	var messages []string
	var token *string
	for page := range 3 {
		out, err := f.logs.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: &id, NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		if want := min(10_000, total-page*10_000); len(out.Results) != want || out.Statistics.ResultCount != total {
			t.Errorf("page %d: %d rows of %.0f", page, len(out.Results), out.Statistics.ResultCount)
		}
		messages, token = append(messages, column(out.Results, "@message")...), out.NextToken
	}
	if token != nil {
		t.Error("a token after the last page")
	}
	for i, m := range messages {
		if m != strconv.Itoa(i) {
			t.Fatalf("row %d is %s", i, m)
		}
	}
	out, err := f.logs.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: &id, MaxItems: aws.Int32(7)})
	if err != nil || len(out.Results) != 7 || out.NextToken == nil {
		t.Fatalf("MaxItems 7: %v, %v", out, err)
	}
	f.clock.add(time.Hour + time.Second)
	_, err = f.logs.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: &id, NextToken: out.NextToken})
	wantCode(t, err, "InvalidParameterException")
}

func TestDroppedRowsAreReadAgainInTheSameOrder(t *testing.T) {
	f := newFixture(t)
	for i := range 200 {
		f.put(t, authA, strconv.Itoa(i), -time.Minute) // ties
	}
	id := f.start(t, f.input(tail))
	first := column(f.poll(t, id).Results, "@message")
	big := make([]awssim.Event, 70_000)
	for i := range big {
		big[i] = awssim.Event{Time: noon().Add(-30 * time.Minute), Ingested: noon().Add(time.Second), Message: "b"}
	}
	f.group.Stream(authB).Put(big...)
	f.clock.add(2 * time.Second)
	for range 3 {
		in := f.input(tail)
		in.Limit = aws.Int32(100_000)
		f.start(t, in)
	}
	if again := column(f.poll(t, id).Results, "@message"); !slices.Equal(first, again) {
		t.Error("the rows of a query changed")
	}
}

func TestDefaultLimitIs10000(t *testing.T) {
	f := newFixture(t)
	events := make([]awssim.Event, 10_050)
	for i := range events {
		events[i] = awssim.Event{Time: noon().Add(-time.Minute), Message: "x"}
	}
	f.group.Stream(authA).Put(events...)
	out := f.ask(t, tail)
	if len(out.Results) != 10_000 || out.NextToken != nil || out.Statistics.RecordsMatched != 10_050 {
		t.Errorf("%d rows, token %v, %+v", len(out.Results), out.NextToken, *out.Statistics)
	}
}

func TestGetQueryResultsRefuses(t *testing.T) {
	f := newFixture(t)
	id := f.start(t, f.input(tail))
	for name, tt := range map[string]struct {
		in   cloudwatchlogs.GetQueryResultsInput
		code string
	}{
		"an unknown query":   {cloudwatchlogs.GetQueryResultsInput{QueryId: aws.String("00000000-0000-0000-0000-000000000000")}, "ResourceNotFoundException"},
		"10,001 a page":      {cloudwatchlogs.GetQueryResultsInput{QueryId: &id, MaxItems: aws.Int32(10_001)}, "InvalidParameterException"},
		"0 a page":           {cloudwatchlogs.GetQueryResultsInput{QueryId: &id, MaxItems: aws.Int32(0)}, "InvalidParameterException"},
		"a token of its own": {cloudwatchlogs.GetQueryResultsInput{QueryId: &id, NextToken: aws.String("x")}, "InvalidParameterException"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.logs.GetQueryResults(t.Context(), &tt.in)
			wantCode(t, err, tt.code)
		})
	}
	// A query belongs to its account and region.
	_, err := f.client("us-east-1").GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: &id})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestConcurrentQueriesAreLimited(t *testing.T) {
	f := newFixture(t)
	f.Pace = awssim.Pace{Running: time.Minute}
	f.Limits.Queries = 3
	var ids []string
	for range 3 {
		ids = append(ids, f.start(t, f.input(tail)))
	}
	_, err := f.logs.StartQuery(t.Context(), f.input(tail))
	if message := wantCode(t, err, "LimitExceededException"); message != "Account maximum query concurrency limit of [3] reached." {
		t.Errorf("message %q", message)
	}
	// Each region has slots of its own, and a stopped query gives its slot up.
	addGroup(t, f.Account(home).Region("us-east-1"), prod, awssim.GroupOptions{Created: noon().Add(-time.Hour)})
	in := f.input(tail)
	in.LogGroupIdentifiers = []string{prod}
	if _, err := f.client("us-east-1").StartQuery(t.Context(), in); err != nil {
		t.Errorf("in another region: %v", err)
	}
	if out, err := f.logs.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: &ids[0]}); err != nil || !out.Success {
		t.Fatal(out, err)
	}
	f.start(t, f.input(tail))
}

func TestAStoppedQueryIsCancelledAndBilledInPart(t *testing.T) {
	f := newFixture(t)
	f.Pace = awssim.Pace{Running: 10 * time.Second}
	f.put(t, authA, "0123456789", -time.Minute)
	id := f.start(t, f.input(tail))
	f.clock.add(4 * time.Second)
	if n := f.Billed(home); n != 0 {
		t.Errorf("billed %.1f bytes while it runs", n)
	}
	if _, err := f.logs.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: &id}); err != nil {
		t.Fatal(err)
	}
	if out := f.poll(t, id); out.Status != types.QueryStatusCancelled || len(out.Results) != 0 {
		t.Errorf("%s with %d rows", out.Status, len(out.Results))
	}
	if n := f.Billed(home); n != 4 {
		t.Errorf("billed %.1f bytes of 10 for 4 of 10 seconds", n)
	}
	_, err := f.logs.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: &id})
	wantCode(t, err, "InvalidParameterException")
}

func TestQueriesAreBilledOnce(t *testing.T) {
	f := newFixture(t)
	f.put(t, authA, "0123456789", -time.Minute)
	id := f.start(t, f.input(tail))
	for range 3 {
		f.poll(t, id)
	}
	if n := f.Billed(home); n != 10 {
		t.Errorf("billed %.1f bytes, want 10", n)
	}
}

func TestDescribeQueriesListsTheNewestFirst(t *testing.T) {
	f := newFixture(t)
	f.Pace = awssim.Pace{Running: time.Minute}
	f.put(t, authA, "0123456789", -time.Minute)
	var ids []string
	for range 3 {
		ids = append(ids, f.start(t, f.input(tail)))
		f.clock.add(25 * time.Second)
	}
	out, err := f.logs.DescribeQueries(t.Context(), &cloudwatchlogs.DescribeQueriesInput{LogGroupName: aws.String(prod)})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Queries) != 3 || *out.Queries[0].QueryId != ids[2] || *out.Queries[2].QueryId != ids[0] {
		t.Fatalf("queries %+v", out.Queries)
	}
	newest, oldest := out.Queries[0], out.Queries[2]
	if newest.Status != types.QueryStatusRunning || *newest.QueryDuration != 25_000 || *newest.QueryString != tail {
		t.Errorf("newest %s after %d ms: %s", newest.Status, *newest.QueryDuration, *newest.QueryString)
	}
	if oldest.Status != types.QueryStatusComplete || *oldest.QueryDuration != 60_000 || *oldest.BytesScanned != 10 ||
		*oldest.UserIdentity != "arn:aws:iam::111122223333:user/analyzer" {
		t.Errorf("oldest %+v", oldest)
	}
	out, err = f.logs.DescribeQueries(t.Context(), &cloudwatchlogs.DescribeQueriesInput{Status: types.QueryStatusRunning, MaxResults: aws.Int32(1)})
	if err != nil || len(out.Queries) != 1 || out.NextToken == nil {
		t.Fatalf("first page of the running %+v, %v", out, err)
	}
	out, err = f.logs.DescribeQueries(t.Context(), &cloudwatchlogs.DescribeQueriesInput{Status: types.QueryStatusRunning, MaxResults: aws.Int32(1), NextToken: out.NextToken})
	if err != nil || len(out.Queries) != 1 || *out.Queries[0].QueryId != ids[1] || out.NextToken != nil {
		t.Errorf("second page of the running %+v, %v", out, err)
	}
}
