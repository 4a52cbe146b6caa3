package awssim_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/parse"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// demoReader reads a served demo through its own roles.
type demoReader struct {
	demo  *awssim.Demo
	clock *clock
	srv   *awssim.Server
}

func serveDemo(t *testing.T) *demoReader {
	t.Helper()
	d := &demoReader{clock: &clock{t: noon()}}
	demo, err := awssim.NewDemo(d.clock.now, 1)
	if err != nil {
		t.Fatal(err)
	}
	d.demo = demo
	d.demo.World.Pace = awssim.Pace{}
	d.demo.World.Limits.PerSecond = map[string]float64{"FilterLogEvents": 0, "DescribeLogGroups": 0}
	srv, err := awssim.Start(demo.World)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	d.srv = srv
	return d
}

func (d *demoReader) config(s awssim.DemoSource) aws.Config {
	cfg := d.srv.Config(s.Region)
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(d.srv.Config(s.Region)), s.RoleARN,
		func(o *stscreds.AssumeRoleOptions) { o.ExternalID = aws.String(s.ExternalID) }))
	return cfg
}

// events reads the sources' authenticator lines from that time on.
func (d *demoReader) events(t *testing.T, from time.Time, sources ...awssim.DemoSource) map[authlog.Cluster][]types.FilteredLogEvent {
	t.Helper()
	all := map[authlog.Cluster][]types.FilteredLogEvent{}
	for _, s := range sources {
		c := cloudwatchlogs.NewFromConfig(d.config(s))
		groups, err := c.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/aws/eks/")})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range groups.LogGroups {
			name, _ := authlog.ClusterOf(*g.LogGroupName)
			cluster := authlog.Cluster{Name: name, Account: s.Account, Region: s.Region}
			p := cloudwatchlogs.NewFilterLogEventsPaginator(c, &cloudwatchlogs.FilterLogEventsInput{
				LogGroupIdentifier: g.LogGroupArn, LogStreamNamePrefix: aws.String("authenticator-"),
				StartTime: aws.Int64(from.UnixMilli()),
			})
			for p.HasMorePages() {
				out, err := p.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				all[cluster] = append(all[cluster], out.Events...)
			}
		}
	}
	return all
}

// demoLine is what tells a line of the log from others.
type demoLine struct {
	stream, text string
	at           int64
}

func TestTheDemoShowsMostOfWhatThereIs(t *testing.T) {
	d := serveDemo(t)
	all := d.events(t, noon().Add(-7*time.Hour), d.demo.Sources...)
	if len(all) != 6 {
		t.Errorf("%d clusters with logs", len(all))
	}
	reasons, kinds, markers := map[string]int{}, map[authlog.Kind]int{}, map[string]int{}
	lines := map[demoLine]int{}
	for cluster, events := range all {
		streams := map[string]bool{}
		for _, e := range events {
			streams[*e.LogStreamName] = true
			lines[demoLine{*e.LogStreamName, *e.Message, *e.Timestamp}]++
			ev := parse.Line(authlog.Line{Cluster: cluster, Text: *e.Message})
			kinds[ev.Kind]++
			switch ev.Kind {
			case authlog.KindDenied:
				reasons[rules.Classify(&ev)]++
			case authlog.KindMarker:
				markers[rules.MarkerCode(&ev)]++
			case authlog.KindUnreadable, authlog.KindMalformedRequest:
				t.Errorf("%v: %s", ev.Kind, *e.Message)
			case authlog.KindGranted, authlog.KindSTSResponse, authlog.KindOther:
			}
		}
		if len(streams) < 2 || len(events) < 1000 {
			t.Errorf("%v: %d lines in %d streams", cluster, len(events), len(streams))
		}
	}
	if len(reasons) < 30 || reasons["unclassified"] > 0 || reasons["arn_not_mapped"] < 100 {
		t.Errorf("%d reasons: %v", len(reasons), reasons)
	}
	if kinds[authlog.KindGranted] < 10_000 || len(markers) < 4 {
		t.Errorf("kinds %v, markers %v", kinds, markers)
	}
	twice := 0
	for _, n := range lines {
		twice += n - 1
	}
	if twice < 100 {
		t.Errorf("%d exact duplicates in one millisecond", twice)
	}
}

func TestTheSameSeedGivesTheSameDemo(t *testing.T) {
	read := func() (lines []demoLine) {
		d := serveDemo(t)
		for _, e := range d.events(t, noon().Add(-2*time.Hour), d.demo.Sources[1])[authlog.Cluster{Name: "staging", Account: home, Region: "us-east-1"}] {
			lines = append(lines, demoLine{*e.LogStreamName, *e.Message, *e.Timestamp})
		}
		return lines
	}
	first, second := read(), read()
	if len(first) == 0 || !slices.Equal(first, second) {
		t.Errorf("two demos of one seed differ: %d and %d lines", len(first), len(second))
	}
}

func TestTheDemoGoesOnUntilItsContextEnds(t *testing.T) {
	d := serveDemo(t)
	count := func() (n int, late bool) {
		for _, events := range d.events(t, noon(), d.demo.Sources[0]) {
			n += len(events)
			for _, e := range events {
				late = late || *e.IngestionTime > *e.Timestamp+3000
			}
		}
		return n, late
	}
	before, _ := count()
	for range 10 {
		d.clock.add(time.Minute)
		if err := d.demo.Advance(); err != nil {
			t.Fatal(err)
		}
	}
	after, late := count()
	if grown := after - before; grown < 200 || !late {
		t.Errorf("%d lines in ten minutes, late ones: %t", grown, late)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.demo.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestTheDemosClustersLog(t *testing.T) {
	d := serveDemo(t)
	logging := map[string]bool{}
	for _, s := range d.demo.Sources {
		c := eks.NewFromConfig(d.config(s))
		list, err := c.ListClusters(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range list.Clusters {
			out, err := c.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: &name})
			if err != nil {
				t.Fatal(err)
			}
			key := s.Account + "/" + s.Region + "/" + name
			for _, setup := range out.Cluster.Logging.ClusterLogging {
				logging[key] = logging[key] || *setup.Enabled && slices.Contains(setup.Types, "authenticator")
			}
		}
	}
	want := map[string]bool{
		"111122223333/eu-central-1/prod": true, "111122223333/eu-central-1/web": true, "111122223333/us-east-1/staging": true,
		"444455556666/eu-central-1/data": true, "444455556666/eu-central-1/sandbox": false,
		"444455556666/us-east-1/ml": true, "444455556666/us-east-1/prod": true,
	}
	if diff := cmp.Diff(want, logging); diff != "" {
		t.Errorf("logging (-want +got):\n%s", diff)
	}
}

func BenchmarkNewDemo(b *testing.B) {
	for b.Loop() {
		if _, err := awssim.NewDemo(time.Now, 1); err != nil {
			b.Fatal(err)
		}
	}
}
