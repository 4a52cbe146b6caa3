package awssim_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

const tail = `fields @timestamp, @message | filter @logStream in ["` + authA + `", "` + authB + `"] | sort @timestamp asc`

func TestStartQueryRefuses(t *testing.T) {
	f := newFixture(t)
	addLinkedOnce(t, f)
	addGroup(t, f.region, "/delivery", awssim.GroupOptions{Class: awssim.Delivery})
	addGroup(t, f.region, "/young", awssim.GroupOptions{Created: noon().Add(time.Hour)})
	many := func(n int) []string {
		names := make([]string, n)
		for i := range names {
			names[i] = prod
		}
		return names
	}
	tests := []struct {
		name   string
		change func(*cloudwatchlogs.StartQueryInput)
		code   string
		text   string
	}{
		{"51 names", func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupIdentifiers, in.LogGroupNames = nil, many(51) }, "InvalidParameterException", "length less than or equal to 50"},
		{"51 identifiers", func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupIdentifiers = many(51) }, "InvalidParameterException", "length less than or equal to 50"},
		{"no group", func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupIdentifiers = nil }, "InvalidParameterException", ""},
		{"names and identifiers", func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupNames = many(1) }, "InvalidParameterException", "Exactly one"},
		{"name and identifiers", func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupName = aws.String(prod) }, "InvalidParameterException", "Exactly one"},
		{"an ARN ending in :*", func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupIdentifiers[0] += ":*" }, "InvalidParameterException", "regular expression pattern"},
		{"a wildcard", func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupIdentifiers[0] = "/aws/eks/*" }, "InvalidParameterException", ""},
		{"an ARN of another region", func(in *cloudwatchlogs.StartQueryInput) {
			in.LogGroupIdentifiers[0] = strings.Replace(in.LogGroupIdentifiers[0], region, "us-east-1", 1)
		}, "InvalidParameterException", "region"},
		{"a group that is not there", func(in *cloudwatchlogs.StartQueryInput) {
			in.LogGroupIdentifiers = append(in.LogGroupIdentifiers, "/aws/eks/gone/cluster")
		}, "ResourceNotFoundException", "Log group '/aws/eks/gone/cluster' does not exist for account ID '111122223333'"},
		{"an account that is not linked", func(in *cloudwatchlogs.StartQueryInput) {
			in.LogGroupIdentifiers[0] = strings.Replace(in.LogGroupIdentifiers[0], home, "777788889999", 1)
		}, "ResourceNotFoundException", "for account ID '777788889999'"},
		{"a linked group by name", func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupIdentifiers[0] = "/aws/eks/linked/cluster" }, "ResourceNotFoundException", ""},
		{"a group of class DELIVERY", func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupIdentifiers[0] = "/delivery" }, "InvalidParameterException", "DELIVERY"},
		{"a limit of 100,001", func(in *cloudwatchlogs.StartQueryInput) { in.Limit = aws.Int32(100_001) }, "InvalidParameterException", "100000"},
		{"a limit of 0", func(in *cloudwatchlogs.StartQueryInput) { in.Limit = aws.Int32(0) }, "InvalidParameterException", ""},
		{"an end before the start", func(in *cloudwatchlogs.StartQueryInput) { *in.EndTime = *in.StartTime - 1 }, "InvalidParameterException", "End time"},
		{"milliseconds", func(in *cloudwatchlogs.StartQueryInput) { *in.EndTime *= 1000 }, "InvalidParameterException", "seconds"},
		{"SQL", func(in *cloudwatchlogs.StartQueryInput) { in.QueryLanguage = types.QueryLanguageSql }, "InvalidParameterException", ""},
		{"10,001 characters", func(in *cloudwatchlogs.StartQueryInput) {
			*in.QueryString += strings.Repeat(" ", 10_001-len(*in.QueryString))
		}, "MalformedQueryException", "10001"},
		{"a command it does not know", func(in *cloudwatchlogs.StartQueryInput) { in.QueryString = aws.String("fields @message | parse x") }, "MalformedQueryException", "([18,23])"},
		{"a window before one group's creation", func(in *cloudwatchlogs.StartQueryInput) {
			in.LogGroupIdentifiers = append(in.LogGroupIdentifiers, "/young")
		}, "MalformedQueryException", "before the log groups creation time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := f.input(tail)
			tt.change(in)
			_, err := f.logs.StartQuery(t.Context(), in)
			if message := wantCode(t, err, tt.code); !strings.Contains(message, tt.text) {
				t.Errorf("message %q, want %q in it", message, tt.text)
			}
		})
	}
	if n := f.Orphans() + f.RunningQueries(); n != 0 {
		t.Errorf("%d queries were started", n)
	}
}

func TestStartQueryTakesWhatAWSTakes(t *testing.T) {
	f := newFixture(t)
	addLinkedOnce(t, f)
	for name, change := range map[string]func(*cloudwatchlogs.StartQueryInput){
		"50 identifiers": func(in *cloudwatchlogs.StartQueryInput) { in.LogGroupIdentifiers = slices.Repeat([]string{prod}, 50) },
		"a name": func(in *cloudwatchlogs.StartQueryInput) {
			in.LogGroupIdentifiers, in.LogGroupName = nil, aws.String(prod)
		},
		"an ARN of a link": func(in *cloudwatchlogs.StartQueryInput) {
			in.LogGroupIdentifiers[0] = "arn:aws:logs:eu-central-1:444455556666:log-group:/aws/eks/linked/cluster"
		},
		"one second":         func(in *cloudwatchlogs.StartQueryInput) { in.StartTime = in.EndTime },
		"a limit of 100,000": func(in *cloudwatchlogs.StartQueryInput) { in.Limit = aws.Int32(100_000) },
		"10,000 characters": func(in *cloudwatchlogs.StartQueryInput) {
			*in.QueryString += strings.Repeat(" ", 10_000-len(*in.QueryString))
		},
	} {
		in := f.input(tail)
		change(in)
		if _, err := f.logs.StartQuery(t.Context(), in); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMalformedQueriesSayWhere(t *testing.T) {
	f := newFixture(t)
	_, err := f.logs.StartQuery(t.Context(), f.input("fields é | bad"))
	var malformed *types.MalformedQueryException
	if !errors.As(err, &malformed) {
		t.Fatal(err)
	}
	at := malformed.QueryCompileError.Location
	if *at.StartCharOffset != 7 || *at.EndCharOffset != 8 {
		t.Errorf("location [%d,%d]", *at.StartCharOffset, *at.EndCharOffset)
	}
}

func TestAWindowIncludesBothItsSecondsWhole(t *testing.T) {
	f := newFixture(t)
	for _, ms := range []int{-10_001, -10_000, -9_999, -5_001, -5_000, -4_001, -4_000} {
		f.put(t, authA, strconv.Itoa(ms), time.Duration(ms)*time.Millisecond)
	}
	in := f.input(tail)
	*in.StartTime, *in.EndTime = noon().Unix()-10, noon().Unix()-5
	rows := f.poll(t, f.start(t, in)).Results
	want := []string{"-10000", "-9999", "-5001", "-5000", "-4001"}
	if diff := cmp.Diff(want, column(rows, "@message")); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestRowsHaveTheFieldsAskedForAndPtr(t *testing.T) {
	f := newFixture(t)
	f.group.Stream(authA).Put(awssim.Event{
		Time: noon().Add(-time.Minute - 877*time.Millisecond), Ingested: noon().Add(-58 * time.Second), Message: "hello",
	})
	rows := f.ask(t, `fields @timestamp, @ingestionTime, @logstream, @message as m, @log, @logStream, @aws.region, @data_source_type | filter @message = "hello"`).Results
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	var names []string
	values := map[string]string{}
	for _, field := range rows[0] {
		names = append(names, *field.Field)
		values[*field.Field] = *field.Value
	}
	// @logstream is not a field: it is left out.
	if diff := cmp.Diff([]string{"@timestamp", "@ingestionTime", "m", "@log", "@logStream", "@aws.region", "@data_source_type", "@ptr"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if values["@ptr"] == "" {
		t.Error("no @ptr")
	}
	delete(values, "@ptr")
	want := map[string]string{
		"@timestamp": "2026-01-14 11:58:59.123", "@ingestionTime": "2026-01-14 11:59:02.000", "m": "hello", "@log": home + ":" + prod,
		"@logStream": authA, "@aws.region": region, "@data_source_type": "authenticator",
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	rows = f.ask(t, `filter @message = "hello"`).Results
	if got := column(rows, "@timestamp"); len(rows[0]) != 3 || got[0] != "2026-01-14 11:58:59.123" {
		t.Errorf("without fields: %v", rows)
	}
}

func TestWithoutSortTheNewestComeFirst(t *testing.T) {
	f := newFixture(t)
	f.put(t, authA, "1", -3*time.Minute)
	f.put(t, authB, "2", -2*time.Minute)
	f.put(t, authA, "3", -time.Minute)
	if diff := cmp.Diff([]string{"3", "2", "1"}, column(f.ask(t, `fields @message`).Results, "@message")); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"3", "2"}, column(f.ask(t, `fields @message | limit 2`).Results, "@message")); diff != "" {
		t.Errorf("limited (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1", "2"}, column(f.ask(t, `fields @message | sort @timestamp asc | limit 2`).Results, "@message")); diff != "" {
		t.Errorf("oldest (-want +got):\n%s", diff)
	}
	got := column(f.ask(t, `fields @message as m, @logStream | sort @logStream desc, m asc`).Results, "m")
	if diff := cmp.Diff([]string{"2", "1", "3"}, got); diff != "" {
		t.Errorf("by stream (-want +got):\n%s", diff)
	}
}

func TestTiesComeInRandomOrder(t *testing.T) {
	f := newFixture(t)
	for i := range 30 {
		f.put(t, authA, strconv.Itoa(i), -time.Minute)
	}
	first := column(f.ask(t, tail).Results, "@message")
	for range 10 {
		if !slices.Equal(first, column(f.ask(t, tail).Results, "@message")) {
			return
		}
	}
	t.Error("ten queries gave 30 ties in one order")
}

func TestAtTheLimitChanceDecidesAmongTies(t *testing.T) {
	f := newFixture(t)
	for i := range 30 {
		f.put(t, authA, strconv.Itoa(i), -time.Minute)
	}
	seen := map[string]bool{}
	for range 10 {
		out := f.ask(t, tail+" | limit 3")
		if len(out.Results) != 3 || out.Statistics.RecordsMatched != 30 || out.Statistics.ResultCount != 3 {
			t.Fatalf("%d rows, %+v", len(out.Results), *out.Statistics)
		}
		for _, m := range column(out.Results, "@message") {
			seen[m] = true
		}
	}
	if len(seen) <= 3 {
		t.Errorf("always the same rows %v", seen)
	}
}

func TestLimitIsTheSmallerOfTextAndRequest(t *testing.T) {
	f := newFixture(t)
	for i := range 20 {
		f.put(t, authA, "x", -time.Duration(i+1)*time.Second)
	}
	for _, tt := range []struct {
		text string
		api  *int32
		want int
	}{
		{"", nil, 20}, {" | limit 5", nil, 5}, {"", aws.Int32(7), 7}, {" | limit 5", aws.Int32(7), 5}, {" | limit 9", aws.Int32(7), 7},
	} {
		in := f.input(tail + tt.text)
		in.Limit = tt.api
		if n := len(f.poll(t, f.start(t, in)).Results); n != tt.want {
			t.Errorf("text %q, limit %d: %d rows, want %d", tt.text, aws.ToInt32(tt.api), n, tt.want)
		}
	}
}

func TestLateEventsShowUpWhenVisible(t *testing.T) {
	f := newFixture(t)
	f.group.Stream(authA).Put(
		awssim.Event{Time: noon().Add(-2 * time.Minute), Message: "early"},
		awssim.Event{Time: noon().Add(-2 * time.Minute), Ingested: noon().Add(-time.Minute), Visible: noon().Add(30 * time.Second), Message: "late"},
	)
	before := f.start(t, f.input(tail))
	f.clock.add(29 * time.Second)
	if got := column(f.ask(t, tail).Results, "@message"); !slices.Equal(got, []string{"early"}) {
		t.Errorf("before it is visible: %q", got)
	}
	f.clock.add(time.Second)
	got := column(f.ask(t, tail).Results, "@message")
	slices.Sort(got)
	if !slices.Equal(got, []string{"early", "late"}) {
		t.Errorf("when it is visible: %q", got)
	}
	if got := column(f.poll(t, before).Results, "@message"); !slices.Equal(got, []string{"early"}) {
		t.Errorf("a query started before shows %q", got)
	}
}

func TestNothingFromBeforeTheGroupOrOutOfRetention(t *testing.T) {
	f := newFixture(t)
	g := addGroup(t, f.region, "/kept", awssim.GroupOptions{RetentionDays: 1, Created: noon().AddDate(0, 0, -30)})
	st := addStream(t, g, authA)
	st.Put(awssim.Event{Time: noon().Add(-25 * time.Hour), Message: "expired"}, awssim.Event{Time: noon().Add(-23 * time.Hour), Message: "kept"})
	f.put(t, authA, "too early", -61*time.Minute)
	f.put(t, authA, "in time", -59*time.Minute)
	in := f.input(tail)
	in.LogGroupIdentifiers = append(in.LogGroupIdentifiers, g.ARN())
	*in.StartTime = noon().AddDate(0, 0, -3).Unix()
	rows := f.poll(t, f.start(t, in)).Results
	if diff := cmp.Diff([]string{"kept", "in time"}, column(rows, "@message")); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	*in.EndTime = noon().Add(-26 * time.Hour).Unix()
	_, err := f.logs.StartQuery(t.Context(), in)
	wantCode(t, err, "MalformedQueryException")
}

func TestAGroupMadeAnewHasNothingOfTheOld(t *testing.T) {
	f := newFixture(t)
	f.put(t, authA, "old", -10*time.Minute)
	f.region.DeleteLogGroup(prod)
	if _, err := f.logs.StartQuery(t.Context(), f.input(tail)); err == nil {
		t.Error("a deleted group was queried")
	}
	f.group = addGroup(t, f.region, prod, awssim.GroupOptions{Created: noon().Add(-time.Minute)})
	addStream(t, f.group, authA)
	f.put(t, authA, "new", -time.Second)
	if got := column(f.ask(t, tail).Results, "@message"); !slices.Equal(got, []string{"new"}) {
		t.Errorf("rows %q", got)
	}
}

func TestOnlyEqualityUsesTheIndexOfAStandardGroup(t *testing.T) {
	f := newFixture(t)
	ia := addGroup(t, f.region, "/ia", awssim.GroupOptions{Class: awssim.InfrequentAccess, Created: noon().Add(-time.Hour)})
	plain := addGroup(t, f.region, "/aws/eks/plain/cluster", awssim.GroupOptions{NoDataSource: true, Created: noon().Add(-time.Hour)})
	for _, g := range []*awssim.LogGroup{f.group, ia, plain} {
		for _, name := range []string{authA, authB, audit} {
			st := g.Stream(name)
			if st == nil {
				st = addStream(t, g, name)
			}
			st.Put(awssim.Event{Time: noon().Add(-time.Minute), Message: strings.Repeat("a", 100)})
		}
		g.Stream(audit).SetNoise(10, 1000) // a second
	}
	const noise = 3600 * 1000 // bytes of the hour
	tests := []struct {
		group            *awssim.LogGroup
		filter           string
		scanned, skipped float64 // bytes
		rows             int
	}{
		{f.group, `@logStream in ["` + authA + `", "` + authB + `"]`, 200, noise + 100, 2},
		{f.group, `@logStream = "` + authA + `"`, 100, noise + 200, 1},
		{f.group, `@data_source_type = "authenticator"`, 200, noise + 100, 2},
		{f.group, `@logStream like "authenticator"`, noise + 300, 0, 2},
		{f.group, `@message like "a"`, noise + 300, 0, 3},
		{f.group, `@logStream = "` + authA + `" or @message like "nothing"`, noise + 300, 0, 1},
		{ia, `@logStream in ["` + authA + `"]`, noise + 300, 0, 1},
		{plain, `@data_source_type = "authenticator"`, noise + 300, 0, 0},
		{plain, `@logStream = "` + authA + `"`, 100, noise + 200, 1},
	}
	for _, tt := range tests {
		in := f.input("filter " + tt.filter)
		in.LogGroupIdentifiers = []string{tt.group.ARN()}
		out := f.poll(t, f.start(t, in))
		s := out.Statistics
		if s.BytesScanned != tt.scanned || s.EstimatedBytesSkipped != tt.skipped || len(out.Results) != tt.rows {
			t.Errorf("%s: %s: scanned %.0f, skipped %.0f, %d rows; want %.0f, %.0f, %d",
				tt.group.Name(), tt.filter, s.BytesScanned, s.EstimatedBytesSkipped, len(out.Results), tt.scanned, tt.skipped, tt.rows)
		}
		if (s.EstimatedRecordsSkipped > 0) != (tt.skipped > 0) || s.LogGroupsScanned != 1 || s.RecordsMatched != float64(tt.rows) {
			t.Errorf("%s: statistics %+v", tt.filter, *s)
		}
	}
}

func TestStatsCountsInGroups(t *testing.T) {
	f := newFixture(t)
	f.put(t, authA, "x", -time.Minute, -2*time.Minute, -3*time.Minute)
	f.put(t, authB, "x", -time.Minute)
	rows := f.ask(t, `stats count(*) as n by @logStream | sort n asc`).Results
	if diff := cmp.Diff([]string{"1", "3"}, column(rows, "n")); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{authB, authA}, column(rows, "@logStream")); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	rows = f.ask(t, `filter @message = "y" | stats count(*)`).Results
	if diff := cmp.Diff([]string{"0"}, column(rows, "count(*)")); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
}
