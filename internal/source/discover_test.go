package source_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// clusters are the names of the groups' clusters.
func clusters(groups []authlog.Group) []string {
	var all []string
	for _, g := range groups {
		all = append(all, g.Cluster.Name)
	}
	return all
}

func TestGroupsTellsAllOfAGroup(t *testing.T) {
	c := newCloud(t)
	made := c.start.Add(-48 * time.Hour)
	g := c.group(t, "prod", 2, awssim.GroupOptions{Created: made, RetentionDays: 30})
	c.write(g, 1, 1, time.Second)
	groups, err := c.source(t, config()).Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []authlog.Group{{
		Cluster:   authlog.Cluster{Name: "prod", Account: account, Region: region},
		ARN:       "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/eks/prod/cluster",
		Class:     "STANDARD",
		Created:   made,
		Retention: 30 * 24 * time.Hour,
		Streams: []authlog.Stream{
			{Name: streamName(0), Created: made},
			// Written an hour ago, by when CloudWatch shows it.
			{Name: streamName(1), Created: made, LastIngested: c.start.Add(2500 * time.Millisecond)},
		},
	}}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Error(diff)
	}
}

func TestGroupsPagesThroughGroupsAndStreams(t *testing.T) {
	c := newCloud(t)
	var want []string
	for i := range 120 {
		name := fmt.Sprintf("c%03d", i)
		want = append(want, name)
		c.group(t, name, 1, awssim.GroupOptions{})
	}
	c.group(t, "wide", 130, awssim.GroupOptions{})
	groups, err := c.source(t, config()).Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(want, "wide"), clusters(groups)); diff != "" {
		t.Error(diff)
	}
	if n := len(groups[120].Streams); n != 130 {
		t.Errorf("%d streams of 130", n)
	}
}

func TestGroupsKeepsToLogGroupsOfClusters(t *testing.T) {
	c := newCloud(t)
	c.group(t, "prod", 1, awssim.GroupOptions{})
	c.group(t, "delivered", 1, awssim.GroupOptions{Class: awssim.Delivery})
	for _, name := range []string{"/aws/eks/prod/pods", "/aws/eks/prod/x/cluster", "/aws/eks//cluster", "/aws/lambda/f"} {
		if _, err := c.region.CreateLogGroup(name, awssim.GroupOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	groups, err := c.source(t, config()).Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"prod"}, clusters(groups)); diff != "" {
		t.Error(diff)
	}
}

func TestGroupsChoosesClustersByName(t *testing.T) {
	c := newCloud(t)
	for _, name := range []string{"prod-eu", "prod-us", "dev-eu", "prod-old"} {
		c.group(t, name, 1, awssim.GroupOptions{})
	}
	for _, test := range []struct {
		name   string
		change func(*source.Config)
		want   []string
	}{
		{"include", func(c *source.Config) { c.Include = []string{"prod-*"} }, []string{"prod-eu", "prod-old", "prod-us"}},
		{"exclude", func(c *source.Config) { c.Exclude = []string{"*-eu", "prod-us"} }, []string{"prod-old"}},
		{"both", func(c *source.Config) { c.Include, c.Exclude = []string{"prod-*"}, []string{"*-old"} }, []string{"prod-eu", "prod-us"}},
		{"pattern", func(c *source.Config) { c.Pattern = "/aws/eks/dev-*/cluster" }, []string{"dev-eu"}},
	} {
		cfg := config()
		test.change(&cfg)
		groups, err := c.source(t, cfg).Groups(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, clusters(groups)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestGroupsReadsLinkedAccountsWhenAsked(t *testing.T) {
	c := newCloud(t)
	c.group(t, "here", 1, awssim.GroupOptions{})
	c.region.Monitor("444455556666")
	there, err := c.Account("444455556666").Region(region).CreateLogGroup("/aws/eks/there/cluster",
		awssim.GroupOptions{Created: c.start.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.CreateStream(streamName(0), c.start); err != nil {
		t.Fatal(err)
	}
	c.write(there, 0, 3, time.Second)

	cfg := config()
	groups, err := c.source(t, cfg).Groups(t.Context())
	if err != nil || !slices.Equal(clusters(groups), []string{"here"}) {
		t.Errorf("got %v, %v, want this account's group", clusters(groups), err)
	}
	cfg.LinkedAccounts = true
	s := c.source(t, cfg)
	w := c.window(t, s, time.Minute)
	got := read(t.Context(), t, s, w)
	c.wantAll(t, got)
	for line := range got.lines {
		if want := (authlog.Cluster{Name: "there", Account: "444455556666", Region: region}); line.Cluster != want {
			t.Errorf("line of %v, want of %v", line.Cluster, want)
		}
	}
}

func TestGroupsTellsClustersOfOneNameInTwoAccountsApart(t *testing.T) {
	c := newCloud(t)
	here := c.group(t, "prod", 1, awssim.GroupOptions{})
	c.region.Monitor("444455556666")
	there, err := c.Account("444455556666").Region(region).CreateLogGroup("/aws/eks/prod/cluster",
		awssim.GroupOptions{Created: c.start.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.CreateStream(streamName(0), c.start); err != nil {
		t.Fatal(err)
	}
	c.write(here, 0, 2, time.Second)
	c.write(there, 0, 3, time.Second)
	cfg := config()
	cfg.LinkedAccounts = true
	s := c.source(t, cfg)
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	c.wantAll(t, got)
	byAccount := map[string]int{}
	for line := range got.lines {
		byAccount[line.Cluster.Account]++
	}
	if diff := cmp.Diff(map[string]int{account: 2, "444455556666": 3}, byAccount); diff != "" {
		t.Error(diff)
	}
}

func TestGroupsLeavesOutAGroupThatVanishesMeanwhile(t *testing.T) {
	c := newCloud(t)
	c.group(t, "a", 1, awssim.GroupOptions{})
	c.group(t, "b", 1, awssim.GroupOptions{})
	c.Inject(awssim.Fault{Operation: "DescribeLogStreams", Times: 1, Do: func() { c.region.DeleteLogGroup("/aws/eks/b/cluster") }})
	cfg := config()
	cfg.MaxConcurrent = 1
	groups, err := c.source(t, cfg).Groups(t.Context())
	if err != nil || !slices.Equal(clusters(groups), []string{"a"}) {
		t.Errorf("got %v, %v, want a alone", clusters(groups), err)
	}
}

func TestGroupsShowsTheOthersWhereTheStreamsOfOneMayNotBeListed(t *testing.T) {
	c := newCloud(t)
	for _, name := range []string{"a", "b", "c"} {
		c.group(t, name, 2, awssim.GroupOptions{})
	}
	c.Inject(awssim.Fault{Operation: "DescribeLogStreams", Group: "/aws/eks/b/cluster", Fail: awssim.AccessDenied})
	groups, err := c.source(t, config()).Groups(t.Context())
	access, ok := errors.AsType[*authlog.AccessError](err)
	if !ok || access.Action != "logs:DescribeLogStreams" || !strings.Contains(access.Resource, "/aws/eks/b/cluster") {
		t.Errorf("error %v, want one that names logs:DescribeLogStreams on b", err)
	}
	if diff := cmp.Diff([]string{"a", "c"}, clusters(groups)); diff != "" {
		t.Error(diff)
	}
}

func TestGroupsSaysWhichPermissionIsMissing(t *testing.T) {
	c := newCloud(t)
	c.Inject(awssim.Fault{Operation: "DescribeLogGroups", Fail: awssim.AccessDenied})
	groups, err := c.source(t, config()).Groups(t.Context())
	access, ok := errors.AsType[*authlog.AccessError](err)
	if !ok || access.Action != "logs:DescribeLogGroups" || groups != nil {
		t.Errorf("got %v, %v, want an error that names logs:DescribeLogGroups", groups, err)
	}
}

func TestStreamsOfAGoneGroup(t *testing.T) {
	c := newCloud(t)
	s := c.source(t, config())
	_, err := s.Streams(t.Context(), target("nowhere", "STANDARD", 0).Group)
	if gone, ok := errors.AsType[*authlog.GoneError](err); !ok || !strings.HasSuffix(gone.LogGroup, "/aws/eks/nowhere/cluster") {
		t.Errorf("error %v, want a GoneError", err)
	}
}

func TestStreamsOfAGroupWithoutAuthenticatorStreamsAreNone(t *testing.T) {
	c := newCloud(t)
	c.group(t, "prod", 0, awssim.GroupOptions{})
	streams, err := c.source(t, config()).Streams(t.Context(), target("prod", "STANDARD", 0).Group)
	if err != nil || streams == nil || len(streams) > 0 {
		t.Errorf("got %v, %v, want no streams, but known ones", streams, err)
	}
}
