package awssim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

func TestEventsPutInAnyOrderAreReadInOrder(t *testing.T) {
	f := newFixture(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var times []int
	for range 200 {
		var batch []awssim.Event
		for range rng.IntN(20) {
			ms := -1 - rng.IntN(500_000)
			times = append(times, ms)
			batch = append(batch, awssim.Event{Time: noon().Add(time.Duration(ms) * time.Millisecond), Message: strconv.Itoa(ms)})
		}
		f.group.Stream(authA).Put(batch...)
	}
	slices.Sort(times)
	rows := column(f.ask(t, tail).Results, "@message")
	if len(rows) != len(times) {
		t.Fatalf("%d rows of %d events", len(rows), len(times))
	}
	for i, ms := range times {
		if rows[i] != strconv.Itoa(ms) {
			t.Fatalf("row %d is %s, want %d", i, rows[i], ms)
		}
	}
}

func TestEventsMayBePutWhileTheyAreRead(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	for _, name := range []string{authA, authB} {
		wg.Go(func() {
			for i := range 500 {
				f.put(t, name, "x", -time.Duration(i+1)*time.Second)
			}
		})
	}
	seen := 0
	for seen < 1000 {
		n := len(f.ask(t, tail).Results)
		if n < seen {
			t.Fatalf("%d rows after %d", n, seen)
		}
		seen = n
	}
	wg.Wait()
}

// million is a group with a million events in an hour.
func million(b *testing.B) (*awssim.World, *awssim.LogGroup) {
	b.Helper()
	w := awssim.NewWorld(noon)
	w.Pace = awssim.Pace{}
	w.Limits = awssim.Limits{PerSecond: map[string]float64{"StartQuery": 0, "GetQueryResults": 0}, Queries: 1 << 30}
	g, err := w.Account(home).Region(region).CreateLogGroup(prod, awssim.GroupOptions{Created: noon().Add(-time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	for i, name := range []string{authA, authB} {
		st, err := g.CreateStream(name, noon().Add(-time.Hour))
		if err != nil {
			b.Fatal(err)
		}
		events := make([]awssim.Event, 500_000)
		for j := range events {
			at := noon().Add(-time.Hour + time.Duration(j)*7200*time.Microsecond + time.Duration(i))
			events[j] = awssim.Event{Time: at, Message: `time="2026-11-24T11:00:00Z" level=warning msg="access denied" arn="arn:aws:iam::111122223333:role/dev" client="127.0.0.1:39694" error="identity is not mapped" method=POST path=/authenticate`}
		}
		st.Put(events...)
	}
	return w, g
}

// BenchmarkFleet reads a minute of 2,000 groups in 20 accounts and 2 regions,
// 50 groups a query: one round of a fleet's reader.
func BenchmarkFleet(b *testing.B) {
	w := awssim.NewWorld(noon)
	w.Pace = awssim.Pace{}
	w.Limits = awssim.Limits{PerSecond: map[string]float64{"StartQuery": 0, "GetQueryResults": 0}, Queries: 1 << 30}
	names := make([]string, 50)
	for a := range 20 {
		for _, name := range []string{"eu-central-1", "us-east-1"} {
			r := w.Account(fmt.Sprintf("1111222233%02d", a)).Region(name)
			for i := range names {
				names[i] = fmt.Sprintf("/aws/eks/c%d/cluster", i)
				g, err := r.CreateLogGroup(names[i], awssim.GroupOptions{Created: noon().Add(-time.Hour)})
				if err != nil {
					b.Fatal(err)
				}
				for _, stream := range []string{authA, authB, audit} {
					st, err := g.CreateStream(stream, noon().Add(-time.Hour))
					if err != nil {
						b.Fatal(err)
					}
					st.Put(awssim.Event{Time: noon().Add(-30 * time.Second), Message: "x"}, awssim.Event{Time: noon().Add(-20 * time.Second), Message: "y"})
				}
			}
		}
	}
	srv, err := awssim.Start(w)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := srv.Close(); err != nil {
			b.Error(err)
		}
	})
	for b.Loop() {
		for a := range 20 {
			for _, name := range []string{"eu-central-1", "us-east-1"} {
				c := cloudwatchlogs.NewFromConfig(srv.ConfigFor(w.Account(fmt.Sprintf("1111222233%02d", a)), name))
				q, err := c.StartQuery(b.Context(), &cloudwatchlogs.StartQueryInput{
					StartTime: aws.Int64(noon().Unix() - 60), EndTime: aws.Int64(noon().Unix() - 1), QueryString: aws.String(tail),
					LogGroupIdentifiers: names,
				})
				if err != nil {
					b.Fatal(err)
				}
				out, err := c.GetQueryResults(b.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: q.QueryId})
				if err != nil || len(out.Results) != 200 {
					b.Fatal(len(out.Results), err)
				}
			}
		}
	}
}

// BenchmarkQuery starts a query over a group of a million events and fetches
// its first page, as a reader of a minute and of the whole hour does.
func BenchmarkQuery(b *testing.B) {
	w, g := million(b)
	srv, err := awssim.Start(w)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := srv.Close(); err != nil {
			b.Error(err)
		}
	})
	c := cloudwatchlogs.NewFromConfig(srv.Config(region))
	for name, span := range map[string]time.Duration{"minute": time.Minute, "hour": time.Hour} {
		b.Run(name, func(b *testing.B) {
			rows := 0
			for b.Loop() {
				q, err := c.StartQuery(b.Context(), &cloudwatchlogs.StartQueryInput{
					StartTime: aws.Int64(noon().Add(-span).Unix()), EndTime: aws.Int64(noon().Unix() - 1), QueryString: aws.String(tail),
					LogGroupIdentifiers: []string{g.ARN()}, Limit: aws.Int32(10_000),
				})
				if err != nil {
					b.Fatal(err)
				}
				out, err := c.GetQueryResults(b.Context(), &cloudwatchlogs.GetQueryResultsInput{QueryId: q.QueryId})
				if err != nil {
					b.Fatal(err)
				}
				rows += len(out.Results)
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
