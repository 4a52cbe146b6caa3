package awssim_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

func TestFailuresComeInAWSsWords(t *testing.T) {
	f := newFixture(t)
	for failure, want := range map[awssim.Failure][3]string{ // logs, sts, eks
		awssim.Throttling:         {"ThrottlingException", "Throttling", "TooManyRequestsException"},
		awssim.LimitExceeded:      {"LimitExceededException", "LimitExceededException", "LimitExceededException"},
		awssim.ServiceUnavailable: {"ServiceUnavailableException", "ServiceUnavailableException", "ServiceUnavailableException"},
		awssim.InternalFailure:    {"InternalFailure", "InternalFailure", "InternalFailure"},
		awssim.AccessDenied:       {"AccessDeniedException", "AccessDenied", "AccessDeniedException"},
		awssim.ExpiredToken:       {"ExpiredTokenException", "ExpiredToken", "ExpiredTokenException"},
	} {
		in := f.Inject(awssim.Fault{Fail: failure})
		logs, query, rest := callAll(t, f.srv.Config(region))
		in.Remove()
		wantCode(t, logs, want[0])
		wantCode(t, query, want[1])
		wantCode(t, rest, want[2])
	}
	if logs, query, rest := callAll(t, f.srv.Config(region)); logs != nil || query != nil || rest != nil {
		t.Errorf("after the faults: %v, %v, %v", logs, query, rest)
	}
}

func TestAccessDeniedNamesCallerActionAndResource(t *testing.T) {
	f := newFixture(t)
	f.region.AddCluster(awssim.Cluster{Name: "prod"})
	f.Inject(awssim.Fault{Fail: awssim.AccessDenied})
	cfg := stubborn(f.srv.Config(region))
	_, start := f.logs.StartQuery(t.Context(), f.input(tail))
	_, results := f.logs.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: aws.String("x")})
	_, cluster := eks.NewFromConfig(cfg).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("prod")})
	_, assume := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::444455556666:role/reader"), RoleSessionName: aws.String("tail"),
	})
	const user = "User: arn:aws:iam::111122223333:user/analyzer is not authorized to perform: "
	for want, err := range map[string]error{
		"logs:StartQuery on resource: arn:aws:logs:eu-central-1:111122223333:log-group:/aws/eks/prod/cluster:log-stream: because": start,
		"logs:GetQueryResults on resource: arn:aws:logs:eu-central-1:111122223333:log-group::log-stream: because":                 results,
		"eks:DescribeCluster on resource: arn:aws:eks:eu-central-1:111122223333:cluster/prod because":                             cluster,
		"sts:AssumeRole on resource: arn:aws:iam::444455556666:role/reader because":                                               assume,
	} {
		if err == nil || !strings.Contains(err.Error(), user+want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestFaultsHitOnlyTheCallsTheyName(t *testing.T) {
	f := newFixture(t)
	addGroup(t, f.region, "/other", awssim.GroupOptions{})
	addGroup(t, f.Account(home).Region("us-east-1"), prod, awssim.GroupOptions{})
	describe := func(c *cloudwatchlogs.Client, group string) bool {
		_, err := c.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupIdentifier: &group})
		return err == nil
	}
	f.Account(other) // has the same region without a group
	theirs := cloudwatchlogs.NewFromConfig(stubborn(f.srv.ConfigFor(f.Account(other), region)))
	addGroup(t, f.Account(other).Region(region), prod, awssim.GroupOptions{})
	tests := []struct {
		fault awssim.Fault
		want  []bool // ok: own group, other group, other region, other account
	}{
		{awssim.Fault{}, []bool{false, false, false, false}},
		{awssim.Fault{Operation: "StartQuery"}, []bool{true, true, true, true}},
		{awssim.Fault{Operation: "DescribeLogStreams", Region: region}, []bool{false, false, true, false}},
		{awssim.Fault{Account: other}, []bool{true, true, true, false}},
		{awssim.Fault{Group: prod}, []bool{false, true, false, false}},
		{awssim.Fault{Group: prod, Region: region, Account: home}, []bool{false, true, true, true}},
	}
	for _, tt := range tests {
		tt.fault.Fail = awssim.InternalFailure
		in := f.Inject(tt.fault)
		got := []bool{
			describe(f.logs, f.group.ARN()), describe(f.logs, "/other"), describe(f.client("us-east-1"), prod), describe(theirs, prod),
		}
		in.Remove()
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.fault, got, tt.want)
		}
	}
}

func TestFaultsCountCalls(t *testing.T) {
	f := newFixture(t)
	run := func(fault awssim.Fault, calls int) (failed []int, hits int) {
		fault.Operation, fault.Fail = "DescribeLogGroups", awssim.Throttling
		in := f.Inject(fault)
		defer in.Remove()
		for i := range calls {
			if _, err := f.logs.DescribeLogGroups(t.Context(), nil); err != nil {
				failed = append(failed, i+1)
			}
		}
		return failed, in.Hits()
	}
	for _, tt := range []struct {
		fault awssim.Fault
		want  []int
	}{
		{awssim.Fault{}, []int{1, 2, 3, 4, 5, 6}},
		{awssim.Fault{Times: 2}, []int{1, 2}},
		{awssim.Fault{Skip: 4}, []int{5, 6}},
		{awssim.Fault{Every: 3}, []int{3, 6}},
		{awssim.Fault{Every: 2, Skip: 1, Times: 2}, []int{3, 5}},
	} {
		failed, hits := run(tt.fault, 6)
		if diff := cmp.Diff(tt.want, failed); diff != "" || hits != len(tt.want) {
			t.Errorf("%+v: calls %v failed, %d hits, want %v", tt.fault, failed, hits, tt.want)
		}
	}
	if n := f.Refusals()["ThrottlingException"]; n != 6+2+2+2+2 {
		t.Errorf("%d calls were throttled", n)
	}
}

func TestTheSDKGetsOverThrottling(t *testing.T) {
	f := newFixture(t)
	f.Inject(awssim.Fault{Operation: "DescribeLogGroups", Times: 1, Fail: awssim.Throttling})
	if _, err := cloudwatchlogs.NewFromConfig(f.srv.Config(region)).DescribeLogGroups(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if n := f.Calls("DescribeLogGroups"); n < 2 {
		t.Errorf("%d calls", n)
	}
}

func TestADroppedAnswerLeavesAnOrphan(t *testing.T) {
	f := newFixture(t)
	f.Pace = awssim.Pace{Running: time.Minute}
	f.put(t, authA, "0123456789", -time.Minute)
	drop := f.Inject(awssim.Fault{Operation: "StartQuery", Times: 1, Fail: awssim.DropAfter})
	id := f.start(t, f.input(tail)) // the SDK starts a second one
	f.poll(t, id)
	if drop.Hits() != 1 || f.RunningQueries() != 2 || f.Orphans() != 0 {
		t.Errorf("%d hits, %d queries under way, %d orphans", drop.Hits(), f.RunningQueries(), f.Orphans())
	}
	f.clock.add(time.Minute)
	f.poll(t, id)
	if n := f.Billed(home); n != 20 || f.Orphans() != 1 {
		t.Errorf("billed %.0f bytes with %d orphans: an orphan costs what any query costs", n, f.Orphans())
	}
}

func TestAConnectionDroppedBeforeTheCallStartsNothing(t *testing.T) {
	f := newFixture(t)
	drop := f.Inject(awssim.Fault{Operation: "StopQuery", Fail: awssim.DropBefore})
	f.Pace = awssim.Pace{Running: time.Minute}
	id := f.start(t, f.input(tail))
	if _, err := f.logs.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: &id}); err == nil {
		t.Error("no error although no answer came")
	}
	if drop.Hits() == 0 || f.RunningQueries() == 0 {
		t.Errorf("%d hits, %d queries under way", drop.Hits(), f.RunningQueries())
	}
}

func TestAQueryCanEndOtherwise(t *testing.T) {
	for _, status := range []types.QueryStatus{types.QueryStatusFailed, types.QueryStatusTimeout, types.QueryStatusCancelled} {
		f := newFixture(t)
		f.put(t, authA, "x", -time.Minute)
		f.Inject(awssim.Fault{Operation: "StartQuery", Times: 1, Polls: []string{"Running", string(status)}})
		id := f.start(t, f.input(tail))
		for i, want := range []types.QueryStatus{types.QueryStatusRunning, status, status} {
			if out := f.poll(t, id); out.Status != want || i > 0 && len(out.Results) > 0 {
				t.Errorf("poll %d: %s with %d rows, want %s", i, out.Status, len(out.Results), want)
			}
		}
		if got := f.ask(t, tail).Results; len(got) != 1 {
			t.Errorf("the next query has %d rows", len(got))
		}
	}
}

func TestUnknownAndRunningPassBy(t *testing.T) {
	f := newFixture(t)
	f.put(t, authA, "x", -time.Minute, -2*time.Minute, -3*time.Minute, -4*time.Minute)
	f.Inject(awssim.Fault{Operation: "StartQuery", Polls: []string{"Unknown", "Running", "Unknown"}, Phantoms: 2})
	id := f.start(t, f.input(tail))
	var statuses []types.QueryStatus
	rows := map[types.QueryStatus][]string{}
	for range 4 {
		out := f.poll(t, id)
		statuses = append(statuses, out.Status)
		rows[out.Status] = column(out.Results, "@timestamp")
	}
	if diff := cmp.Diff([]types.QueryStatus{"Unknown", "Running", "Unknown", "Complete"}, statuses); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	ghosts := slices.DeleteFunc(rows["Running"], func(ts string) bool { return slices.Contains(rows["Complete"], ts) })
	if len(ghosts) != 2 || len(rows["Complete"]) != 4 || len(rows["Unknown"]) != 0 {
		t.Errorf("%d phantoms among the running rows, %d complete rows, %d unknown rows", len(ghosts), len(rows["Complete"]), len(rows["Unknown"]))
	}
}

func TestAStuckQueryHoldsItsSlotUntilStopped(t *testing.T) {
	f := newFixture(t)
	f.Inject(awssim.Fault{Operation: "StartQuery", Polls: slices.Repeat([]string{"Running"}, 100), Times: 1})
	id := f.start(t, f.input(tail))
	for range 3 {
		if out := f.poll(t, id); out.Status != types.QueryStatusRunning {
			t.Errorf("status %s", out.Status)
		}
	}
	if n := f.RunningQueries(); n != 1 {
		t.Errorf("%d queries under way", n)
	}
	if _, err := f.logs.StopQuery(t.Context(), &cloudwatchlogs.StopQueryInput{QueryId: &id}); err != nil {
		t.Fatal(err)
	}
	if f.RunningQueries() != 0 || f.poll(t, id).Status != types.QueryStatusCancelled || f.Orphans() != 0 {
		t.Errorf("%d queries under way, %d orphans", f.RunningQueries(), f.Orphans())
	}
}

func TestAQueryThatRunsForAnHourTimesOut(t *testing.T) {
	f := newFixture(t)
	f.Pace = awssim.Pace{Running: 2 * time.Hour}
	id := f.start(t, f.input(tail))
	f.clock.add(time.Hour)
	if out := f.poll(t, id); out.Status != types.QueryStatusRunning {
		t.Errorf("after an hour: %s", out.Status)
	}
	f.clock.add(time.Second)
	if out := f.poll(t, id); out.Status != types.QueryStatusTimeout {
		t.Errorf("after more than an hour: %s", out.Status)
	}
}

func TestAFaultOfAGroupHitsThePollsOfItsQueries(t *testing.T) {
	f := newFixture(t)
	addGroup(t, f.region, "/other", awssim.GroupOptions{Created: noon().Add(-time.Hour)})
	f.Inject(awssim.Fault{Operation: "GetQueryResults", Group: prod, Fail: awssim.ServiceUnavailable})
	in := f.input(tail)
	in.LogGroupIdentifiers = []string{"/other"}
	f.poll(t, f.start(t, in))
	id := f.start(t, f.input(tail))
	_, err := f.logs.GetQueryResults(t.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: &id})
	wantCode(t, err, "ServiceUnavailableException")
}

func TestPtrsMayChangeBetweenQueries(t *testing.T) {
	f := newFixture(t)
	f.put(t, authA, "x", -time.Minute, -time.Minute)
	first, same := column(f.ask(t, tail).Results, "@ptr"), column(f.ask(t, tail).Results, "@ptr")
	f.Inject(awssim.Fault{Operation: "StartQuery", NewPtrs: true})
	changed := column(f.ask(t, tail).Results, "@ptr")
	slices.Sort(first)
	slices.Sort(same)
	if !slices.Equal(first, same) || first[0] == first[1] {
		t.Errorf("@ptr %q and then %q", first, same)
	}
	if slices.Contains(first, changed[0]) || slices.Contains(first, changed[1]) || changed[0] == changed[1] {
		t.Errorf("@ptr %q after %q", changed, first)
	}
}

func TestAFaultCanChangeTheWorldBetweenCalls(t *testing.T) {
	f := newFixture(t)
	f.put(t, authA, "x", -time.Minute)
	f.Inject(awssim.Fault{Operation: "GetQueryResults", Times: 1, Do: func() { f.region.DeleteLogGroup(prod) }})
	if out := f.ask(t, tail); len(out.Results) != 1 {
		t.Errorf("a running query of a deleted group has %d rows", len(out.Results))
	}
	_, err := f.logs.StartQuery(t.Context(), f.input(tail))
	wantCode(t, err, "ResourceNotFoundException")
}

func TestADelayedCallGivesUpWithItsCaller(t *testing.T) {
	f := newFixture(t)
	f.Inject(awssim.Fault{Operation: "DescribeLogGroups", Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.logs.DescribeLogGroups(ctx, nil); err == nil {
		t.Error("no error from a call that takes an hour")
	}
}

func TestRequestRatesAreLimited(t *testing.T) {
	f := newFixture(t)
	f.Limits.PerSecond = map[string]float64{"DescribeLogGroups": 0.001}
	if _, err := f.logs.DescribeLogGroups(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	_, err := f.logs.DescribeLogGroups(t.Context(), nil)
	if message := wantCode(t, err, "ThrottlingException"); message != "Rate exceeded" {
		t.Errorf("message %q", message)
	}
	// Another region has a rate of its own.
	if _, err := f.client("us-east-1").DescribeLogGroups(t.Context(), nil); err != nil {
		t.Errorf("in another region: %v", err)
	}
	want := map[awssim.CallKey]int{
		{Account: home, Region: region, Operation: "DescribeLogGroups"}:      2,
		{Account: home, Region: "us-east-1", Operation: "DescribeLogGroups"}: 1,
	}
	if diff := cmp.Diff(want, f.CallsBy()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
