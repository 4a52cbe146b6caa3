package awssim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// listGroups pages to the end; it returns the names and the sizes of the pages.
func listGroups(t *testing.T, f *fixture, in *cloudwatchlogs.DescribeLogGroupsInput) (groups []types.LogGroup, pages []int) {
	t.Helper()
	p := cloudwatchlogs.NewDescribeLogGroupsPaginator(f.logs, in)
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		groups, pages = append(groups, out.LogGroups...), append(pages, len(out.LogGroups))
	}
	return groups, pages
}

func groupNames(groups []types.LogGroup) []string {
	var names []string
	for _, g := range groups {
		names = append(names, *g.LogGroupName)
	}
	return names
}

func TestDescribeLogGroupsShowsWhatAWSShows(t *testing.T) {
	f := newFixture(t)
	addGroup(t, f.region, "/aws/eks/ia/cluster", awssim.GroupOptions{Class: awssim.InfrequentAccess, RetentionDays: 7})
	groups, _ := listGroups(t, f, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/aws/eks/")})
	if diff := cmp.Diff([]string{"/aws/eks/ia/cluster", prod}, groupNames(groups)); diff != "" {
		t.Fatalf("names (-want +got):\n%s", diff)
	}
	ia, std := groups[0], groups[1]
	if *std.LogGroupArn != "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/eks/prod/cluster" || *std.Arn != *std.LogGroupArn+":*" {
		t.Errorf("ARNs %s, %s", *std.LogGroupArn, *std.Arn)
	}
	if *std.CreationTime != noon().Add(-time.Hour).UnixMilli() || std.LogGroupClass != types.LogGroupClassStandard || std.RetentionInDays != nil {
		t.Errorf("group %+v", std)
	}
	if ia.LogGroupClass != types.LogGroupClassInfrequentAccess || *ia.RetentionInDays != 7 {
		t.Errorf("group %+v", ia)
	}
}

func TestDescribeLogGroupsByPatternShowsThreeMembers(t *testing.T) {
	f := newFixture(t)
	groups, _ := listGroups(t, f, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePattern: aws.String("prod/")})
	if len(groups) != 1 || groups[0].LogGroupArn != nil || groups[0].LogGroupClass != "" || groups[0].CreationTime == nil {
		t.Errorf("groups %+v", groups)
	}
}

func TestDescribeLogGroupsPagesBy50InOrderOfNames(t *testing.T) {
	f := newFixture(t)
	for i := range 120 {
		addGroup(t, f.region, fmt.Sprintf("/x/%03d", 119-i), awssim.GroupOptions{})
	}
	groups, pages := listGroups(t, f, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/x/")})
	if diff := cmp.Diff([]int{50, 50, 20}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if names := groupNames(groups); !slices.IsSorted(names) || len(slices.Compact(names)) != 120 {
		t.Errorf("names %q", names)
	}
}

func TestDescribeLogGroupsKeepsItsPlaceWhileGroupsGo(t *testing.T) {
	f := newFixture(t)
	for i := range 6 {
		addGroup(t, f.region, fmt.Sprintf("/x/%d", i), awssim.GroupOptions{})
	}
	in := &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/x/"), Limit: aws.Int32(3)}
	first, err := f.logs.DescribeLogGroups(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	f.region.DeleteLogGroup("/x/0")
	f.region.DeleteLogGroup("/x/2")
	in.NextToken = first.NextToken
	second, err := f.logs.DescribeLogGroups(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/x/3", "/x/4", "/x/5"}, groupNames(second.LogGroups)); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
}

func TestDescribeLogGroupsOfAClassListsBothCheapClasses(t *testing.T) {
	f := newFixture(t)
	addGroup(t, f.region, "/a", awssim.GroupOptions{Class: awssim.InfrequentAccess})
	addGroup(t, f.region, "/b", awssim.GroupOptions{Class: awssim.Essentials})
	for class, want := range map[types.LogGroupClass][]string{
		types.LogGroupClassStandard:         {prod},
		types.LogGroupClassInfrequentAccess: {"/a", "/b"},
	} {
		groups, _ := listGroups(t, f, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupClass: class})
		if diff := cmp.Diff(want, groupNames(groups)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", class, diff)
		}
	}
}

func TestLinkedAccountsAreListedWhenAskedFor(t *testing.T) {
	f := newFixture(t)
	addGroup(t, f.Account(other).Region(region), "/aws/eks/linked/cluster", awssim.GroupOptions{})
	addGroup(t, f.Account("777788889999").Region(region), "/aws/eks/foreign/cluster", awssim.GroupOptions{})
	f.region.Monitor(other)
	tests := []struct {
		in   cloudwatchlogs.DescribeLogGroupsInput
		want []string
	}{
		{cloudwatchlogs.DescribeLogGroupsInput{}, []string{prod}},
		{cloudwatchlogs.DescribeLogGroupsInput{IncludeLinkedAccounts: aws.Bool(true)}, []string{"/aws/eks/linked/cluster", prod}},
		{cloudwatchlogs.DescribeLogGroupsInput{IncludeLinkedAccounts: aws.Bool(true), AccountIdentifiers: []string{other}}, []string{"/aws/eks/linked/cluster"}},
		{cloudwatchlogs.DescribeLogGroupsInput{IncludeLinkedAccounts: aws.Bool(true), AccountIdentifiers: []string{"777788889999"}}, nil},
	}
	for _, tt := range tests {
		groups, _ := listGroups(t, f, &tt.in)
		if diff := cmp.Diff(tt.want, groupNames(groups)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestDescribeLogGroupsRefuses(t *testing.T) {
	f := newFixture(t)
	for name, in := range map[string]*cloudwatchlogs.DescribeLogGroupsInput{
		"51 a page":                {Limit: aws.Int32(51)},
		"prefix and pattern":       {LogGroupNamePrefix: aws.String("/a"), LogGroupNamePattern: aws.String("b")},
		"a wildcard":               {LogGroupNamePrefix: aws.String("/aws/eks/*")},
		"accounts without linked":  {AccountIdentifiers: []string{other}},
		"21 accounts":              {IncludeLinkedAccounts: aws.Bool(true), AccountIdentifiers: slices.Repeat([]string{other}, 21)},
		"identifiers and a prefix": {LogGroupIdentifiers: []string{prod}, LogGroupNamePrefix: aws.String("/a")},
		"a token of its own":       {NextToken: aws.String("%%%")},
		"an unknown class":         {LogGroupClass: "CHEAP"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.logs.DescribeLogGroups(t.Context(), in)
			wantCode(t, err, "InvalidParameterException")
		})
	}
}

func TestDescribeLogStreamsOrdersAndPages(t *testing.T) {
	f := newFixture(t)
	for i := range 60 {
		st := addStream(t, f.group, fmt.Sprintf("authenticator-%032x", i))
		st.Put(awssim.Event{Time: noon().Add(-50*time.Minute - time.Duration(i)*time.Second), Message: "x"})
	}
	list := func(in cloudwatchlogs.DescribeLogStreamsInput) (names []string, pages []int) {
		in.LogGroupIdentifier = aws.String(f.group.ARN())
		p := cloudwatchlogs.NewDescribeLogStreamsPaginator(f.logs, &in)
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, len(out.LogStreams))
			for _, s := range out.LogStreams {
				names = append(names, *s.LogStreamName)
			}
		}
		return names, pages
	}
	names, pages := list(cloudwatchlogs.DescribeLogStreamsInput{LogStreamNamePrefix: aws.String("authenticator-")})
	if diff := cmp.Diff([]int{50, 12}, pages); diff != "" || !slices.IsSorted(names) || slices.Contains(names, audit) {
		t.Errorf("by prefix: pages %v, names %q", pages, names)
	}
	names, _ = list(cloudwatchlogs.DescribeLogStreamsInput{OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true)})
	if len(names) != 63 || names[0] != fmt.Sprintf("authenticator-%032x", 0) || names[59] != fmt.Sprintf("authenticator-%032x", 59) {
		t.Errorf("by time: %q", names)
	}
	names, _ = list(cloudwatchlogs.DescribeLogStreamsInput{Descending: aws.Bool(true), Limit: aws.Int32(7)})
	slices.Reverse(names)
	if len(names) != 63 || !slices.IsSorted(names) {
		t.Errorf("descending: %q", names)
	}
}

func TestStreamTimesLagBehind(t *testing.T) {
	f := newFixture(t)
	f.put(t, authA, "old", -45*time.Minute)
	f.put(t, authA, "new", -time.Minute)
	last := func() *int64 {
		out, err := f.logs.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(prod), LogStreamNamePrefix: aws.String(authA)})
		if err != nil {
			t.Fatal(err)
		}
		return out.LogStreams[0].LastEventTimestamp
	}
	if got := *last(); got != noon().Add(-45*time.Minute).UnixMilli() {
		t.Errorf("lastEventTimestamp = %d: it is eventually consistent", got)
	}
	f.clock.add(time.Hour)
	if got := *last(); got != noon().Add(-time.Minute).UnixMilli() {
		t.Errorf("lastEventTimestamp an hour later = %d", got)
	}
}

func TestAStreamIsListedFromItsCreationOn(t *testing.T) {
	f := newFixture(t)
	name := "authenticator-" + strings.Repeat("a", 32)
	if _, err := f.group.CreateStream(name, noon().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		out, err := f.logs.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(prod), LogStreamNamePrefix: &name})
		if err != nil {
			t.Fatal(err)
		}
		return len(out.LogStreams)
	}
	if n := count(); n != 0 {
		t.Errorf("%d streams before the creation", n)
	}
	f.clock.add(time.Minute)
	if n := count(); n != 1 {
		t.Errorf("%d streams after the creation", n)
	}
}

func TestDescribeLogStreamsRefuses(t *testing.T) {
	f := newFixture(t)
	for name, tt := range map[string]struct {
		in   cloudwatchlogs.DescribeLogStreamsInput
		code string
	}{
		"a prefix ordered by time":    {cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(prod), LogStreamNamePrefix: aws.String("a"), OrderBy: types.OrderByLastEventTime}, "InvalidParameterException"},
		"name and identifier":         {cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(prod), LogGroupIdentifier: aws.String(prod)}, "InvalidParameterException"},
		"neither name nor identifier": {cloudwatchlogs.DescribeLogStreamsInput{}, "InvalidParameterException"},
		"an ARN with a star":          {cloudwatchlogs.DescribeLogStreamsInput{LogGroupIdentifier: aws.String(f.group.ARN() + ":*")}, "InvalidParameterException"},
		"51 a page":                   {cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String(prod), Limit: aws.Int32(51)}, "InvalidParameterException"},
		"a group that is not there":   {cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String("/aws/eks/gone/cluster")}, "ResourceNotFoundException"},
		"a linked group by name":      {cloudwatchlogs.DescribeLogStreamsInput{LogGroupIdentifier: aws.String("/aws/eks/linked/cluster")}, "ResourceNotFoundException"},
	} {
		t.Run(name, func(t *testing.T) {
			addLinkedOnce(t, f)
			_, err := f.logs.DescribeLogStreams(t.Context(), &tt.in)
			wantCode(t, err, tt.code)
		})
	}
}

// addLinkedOnce gives the fixture a linked account with a group of its own.
func addLinkedOnce(t *testing.T, f *fixture) {
	t.Helper()
	r := f.Account(other).Region(region)
	if r.LogGroup("/aws/eks/linked/cluster") == nil {
		addGroup(t, r, "/aws/eks/linked/cluster", awssim.GroupOptions{})
		f.region.Monitor(other)
	}
}
