package awssim_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// filterAll pages to the end. It returns the messages and the size of each
// page, and fails the test if an event comes twice.
func filterAll(t *testing.T, f *fixture, in cloudwatchlogs.FilterLogEventsInput) (messages []string, pages []int) {
	t.Helper()
	if in.LogGroupName == nil {
		in.LogGroupName = aws.String(prod)
	}
	ids := map[string]bool{}
	p := cloudwatchlogs.NewFilterLogEventsPaginator(f.logs, &in)
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(out.Events))
		for _, e := range out.Events {
			if ids[*e.EventId] {
				t.Errorf("event %s %q comes twice", *e.EventId, *e.Message)
			}
			ids[*e.EventId] = true
			messages = append(messages, *e.Message)
		}
	}
	return messages, pages
}

func TestFilterLogEventsChooses(t *testing.T) {
	f := newFixture(t)
	f.put(t, authA, `msg="access denied" error="x y"`, -3*time.Minute)
	f.put(t, authB, `msg="access granted"`, -2*time.Minute)
	f.put(t, audit, `{"verb":"get"}`, -time.Minute)
	const denied, granted, get = `msg="access denied" error="x y"`, `msg="access granted"`, `{"verb":"get"}`
	ms := func(d time.Duration) *int64 { return aws.Int64(noon().Add(d).UnixMilli()) }
	tests := []struct {
		name string
		in   cloudwatchlogs.FilterLogEventsInput
		want []string
	}{
		{"all", cloudwatchlogs.FilterLogEventsInput{}, []string{denied, granted, get}},
		{"a prefix", cloudwatchlogs.FilterLogEventsInput{LogStreamNamePrefix: aws.String("authenticator-")}, []string{denied, granted}},
		{"names", cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{authB, audit}}, []string{granted, get}},
		{"from a time on", cloudwatchlogs.FilterLogEventsInput{StartTime: ms(-2 * time.Minute)}, []string{granted, get}},
		{"to a time, included", cloudwatchlogs.FilterLogEventsInput{EndTime: ms(-2 * time.Minute)}, []string{denied, granted}},
		{"a word", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String("access")}, []string{denied, granted}},
		{"a quoted term", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`"access denied"`)}, []string{denied}},
		{"a quote in a term", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`"msg=\"access granted\""`)}, []string{granted}},
		{"two terms", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`access "x y"`)}, []string{denied}},
		{"none of", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`access -denied`)}, []string{granted}},
		{"one of", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`?verb ?granted`)}, []string{granted, get}},
		{"case matters", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`Access`)}, nil},
	}
	for _, tt := range tests {
		got, _ := filterAll(t, f, tt.in)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestFilterLogEventsOrdersByTimeThenArrival(t *testing.T) {
	f := newFixture(t)
	f.put(t, authB, "1", -time.Minute)
	f.put(t, authA, "2", -time.Minute)
	f.put(t, authB, "3", -time.Minute)
	f.put(t, authA, "0", -2*time.Minute)
	for limit := range int32(4) {
		in := cloudwatchlogs.FilterLogEventsInput{}
		if limit > 0 {
			in.Limit = aws.Int32(limit)
		}
		if got, _ := filterAll(t, f, in); !slices.Equal(got, []string{"0", "1", "2", "3"}) {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
}

func TestFilterLogEventsHasEmptyPagesWithToken(t *testing.T) {
	f := newFixture(t)
	g := addGroup(t, f.region, "/old", awssim.GroupOptions{Created: noon().Add(-24 * time.Hour)})
	addStream(t, g, authA).Put(awssim.Event{Time: noon().Add(-30 * time.Minute), Message: "late in the day"})
	messages, pages := filterAll(t, f, cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/old"), StartTime: aws.Int64(noon().Add(-24 * time.Hour).UnixMilli())})
	if len(messages) != 1 || len(pages) < 10 || pages[0] != 0 {
		t.Errorf("messages %q on pages %v", messages, pages)
	}
	f.put(t, authA, "x", -time.Minute)
	f.Inject(awssim.Fault{Operation: "FilterLogEvents", EmptyPages: 3, Times: 1})
	_, pages = filterAll(t, f, cloudwatchlogs.FilterLogEventsInput{StartTime: aws.Int64(noon().Add(-time.Minute).UnixMilli())})
	if diff := cmp.Diff([]int{0, 0, 0, 1}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestFilterLogEventsPagesByCountAndBytes(t *testing.T) {
	f := newFixture(t)
	small, big := make([]awssim.Event, 10_500), make([]awssim.Event, 5)
	for i := range small {
		small[i] = awssim.Event{Time: noon().Add(-time.Minute), Message: strconv.Itoa(i)}
	}
	for i := range big {
		big[i] = awssim.Event{Time: noon().Add(-time.Minute), Message: strings.Repeat(strconv.Itoa(i), 400_000)}
	}
	f.group.Stream(authA).Put(small...)
	f.group.Stream(authB).Put(big...)
	start := aws.Int64(noon().Add(-time.Minute).UnixMilli())
	messages, pages := filterAll(t, f, cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{authA}, StartTime: start})
	if len(messages) != 10_500 || pages[0] != 10_000 || pages[1] != 500 {
		t.Errorf("%d messages on pages %v", len(messages), pages)
	}
	messages, pages = filterAll(t, f, cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{authB}, StartTime: start})
	if len(messages) != 5 || pages[0] != 2 {
		t.Errorf("%d messages on pages %v", len(messages), pages)
	}
}

func TestFilterLogEventsShowsWhatIsIngested(t *testing.T) {
	f := newFixture(t)
	f.group.Stream(authA).Put(awssim.Event{Time: noon(), Ingested: noon().Add(5 * time.Second), Visible: noon().Add(time.Minute), Message: "x"})
	f.clock.add(4 * time.Second)
	if got, _ := filterAll(t, f, cloudwatchlogs.FilterLogEventsInput{}); len(got) != 0 {
		t.Errorf("before it is ingested: %q", got)
	}
	f.clock.add(time.Second)
	if got, _ := filterAll(t, f, cloudwatchlogs.FilterLogEventsInput{}); len(got) != 1 {
		t.Errorf("after it is ingested: %q", got)
	}
}

func TestFilterLogEventsRefuses(t *testing.T) {
	f := newFixture(t)
	for name, tt := range map[string]struct {
		in   cloudwatchlogs.FilterLogEventsInput
		code string
	}{
		"prefix and names":          {cloudwatchlogs.FilterLogEventsInput{LogStreamNamePrefix: aws.String("a"), LogStreamNames: []string{authA}}, "InvalidParameterException"},
		"101 names":                 {cloudwatchlogs.FilterLogEventsInput{LogStreamNames: slices.Repeat([]string{authA}, 101)}, "InvalidParameterException"},
		"an unknown stream":         {cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{"gone"}}, "ResourceNotFoundException"},
		"10,001 a page":             {cloudwatchlogs.FilterLogEventsInput{Limit: aws.Int32(10_001)}, "InvalidParameterException"},
		"an end before the start":   {cloudwatchlogs.FilterLogEventsInput{StartTime: aws.Int64(2), EndTime: aws.Int64(1)}, "InvalidParameterException"},
		"a token of its own":        {cloudwatchlogs.FilterLogEventsInput{NextToken: aws.String("x")}, "InvalidParameterException"},
		"a JSON pattern":            {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`{$.x = 1}`)}, "InvalidParameterException"},
		"a term that wants quotes":  {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`level=warning`)}, "InvalidParameterException"},
		"a quote that does not end": {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`"x`)}, "InvalidParameterException"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.in.LogGroupName = aws.String(prod)
			_, err := f.logs.FilterLogEvents(t.Context(), &tt.in)
			wantCode(t, err, tt.code)
		})
	}
	f.region.DeleteLogGroup(prod)
	_, err := f.logs.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(prod)})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestGetLogEventsGoesBothWays(t *testing.T) {
	f := newFixture(t)
	for i := range 5 {
		f.put(t, authA, strconv.Itoa(i), time.Duration(i-5)*time.Minute)
	}
	get := func(in cloudwatchlogs.GetLogEventsInput) (messages []string, out *cloudwatchlogs.GetLogEventsOutput) {
		in.LogGroupIdentifier, in.LogStreamName, in.Limit = aws.String(f.group.ARN()), aws.String(authA), aws.Int32(2)
		out, err := f.logs.GetLogEvents(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			messages = append(messages, *e.Message)
		}
		return messages, out
	}
	var all []string
	in := cloudwatchlogs.GetLogEventsInput{StartFromHead: aws.Bool(true)}
	for range 4 {
		got, out := get(in)
		all = append(all, got...)
		if len(got) == 0 && *out.NextForwardToken != *in.NextToken {
			t.Errorf("at the end the token changes from %s to %s", *in.NextToken, *out.NextForwardToken)
		}
		in.NextToken = out.NextForwardToken
	}
	if !slices.Equal(all, []string{"0", "1", "2", "3", "4"}) {
		t.Errorf("forward %q", all)
	}
	last, out := get(cloudwatchlogs.GetLogEventsInput{})
	before, _ := get(cloudwatchlogs.GetLogEventsInput{NextToken: out.NextBackwardToken})
	if !slices.Equal(last, []string{"3", "4"}) || !slices.Equal(before, []string{"1", "2"}) {
		t.Errorf("backward %q, %q", last, before)
	}
	// The end is exclusive here, other than with FilterLogEvents.
	span, _ := get(cloudwatchlogs.GetLogEventsInput{
		StartTime: aws.Int64(noon().Add(-4 * time.Minute).UnixMilli()), EndTime: aws.Int64(noon().Add(-3 * time.Minute).UnixMilli()),
	})
	if !slices.Equal(span, []string{"1"}) {
		t.Errorf("span %q", span)
	}
}
