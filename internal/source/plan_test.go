package source_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// target makes a target of the cluster with that many streams.
func target(cluster, class string, streams int) authlog.Target {
	c := authlog.Cluster{Name: cluster, Account: account, Region: region}
	t := authlog.Target{Group: authlog.Group{
		Cluster: c,
		ARN:     "arn:aws:logs:" + region + ":" + account + ":log-group:" + c.LogGroup(),
		Class:   class,
	}}
	for i := range streams {
		t.Streams = append(t.Streams, fmt.Sprintf("authenticator-%032x", i))
	}
	return t
}

// planned is the plan of an offline source for a window of an hour.
func planned(cfg source.Config, targets ...authlog.Target) []source.Query {
	s := source.New(aws.Config{Region: region}, cfg, &meter{}, zerolog.Nop())
	return s.Plan(authlog.Window{Targets: targets, From: time.Unix(0, 0), To: time.Unix(3600, 0)})
}

func TestPlanAsksForWholeLinesOldestFirst(t *testing.T) {
	got := planned(source.Config{RowLimit: 500}, target("prod", "STANDARD", 2))
	want := `fields @timestamp, @ingestionTime, @message, @logStream, @log, @ptr` +
		` | filter @logStream in ["authenticator-00000000000000000000000000000000","authenticator-00000000000000000000000000000001"]` +
		` | sort @timestamp asc | limit 500`
	if len(got) != 1 || got[0].Text != want {
		t.Errorf("got %d queries, the first is\n%s\nwant one,\n%s", len(got), got[0].Text, want)
	}
}

func TestPlanSendsAtMostFiftyGroupsInOneQuery(t *testing.T) {
	var targets []authlog.Target
	for i := range 101 {
		targets = append(targets, target(fmt.Sprintf("c%03d", i), "STANDARD", 2))
	}
	var sizes []int
	for _, q := range planned(source.Config{}, targets...) {
		sizes = append(sizes, len(q.Targets))
	}
	if diff := cmp.Diff([]int{50, 50, 1}, sizes); diff != "" {
		t.Error(diff)
	}
}

func TestPlanKeepsLogClassesApart(t *testing.T) {
	queries := planned(source.Config{},
		target("a", "STANDARD", 1), target("b", "INFREQUENT_ACCESS", 1), target("c", "STANDARD", 1))
	got := map[string][]string{}
	for _, q := range queries {
		for _, t := range q.Targets {
			got[q.Class] = append(got[q.Class], t.Group.Cluster.Name)
		}
	}
	want := map[string][]string{"STANDARD": {"a", "c"}, "INFREQUENT_ACCESS": {"b"}}
	if diff := cmp.Diff(want, got); diff != "" || len(queries) != 2 {
		t.Errorf("%d queries: %s", len(queries), diff)
	}
}

func TestPlanSpreadsAGroupWithTooManyStreams(t *testing.T) {
	queries := planned(source.Config{}, target("small", "STANDARD", 3), target("huge", "STANDARD", 500), target("other", "STANDARD", 3))
	if len(queries) < 3 {
		t.Fatalf("500 streams of 49 characters in %d queries", len(queries))
	}
	checkPlan(t, queries, target("small", "STANDARD", 3), target("huge", "STANDARD", 500), target("other", "STANDARD", 3))
	for _, q := range queries {
		for _, target := range q.Targets {
			if name := target.Group.Cluster.Name; name != "huge" && len(target.Streams) != 3 {
				t.Errorf("the streams of %s, which fit into one query, were parted", name)
			}
		}
	}
}

func TestPlanWithoutStreamNamesInTheTextIsBoundByGroupsAlone(t *testing.T) {
	for _, index := range []source.Index{source.IndexDataSource, source.IndexNone} {
		queries := planned(source.Config{Index: index}, target("a", "STANDARD", 500), target("b", "STANDARD", 500))
		if len(queries) != 1 {
			t.Errorf("%s: %d queries", index, len(queries))
		}
		checkPlan(t, queries, target("a", "STANDARD", 500), target("b", "STANDARD", 500))
	}
}

// checkPlan holds the limits of StartQuery, and that each stream of each group
// is asked for once.
func checkPlan(t *testing.T, queries []source.Query, targets ...authlog.Target) {
	t.Helper()
	left := map[string]int{}
	for _, target := range targets {
		for _, stream := range target.Streams {
			left[target.Group.ARN+"/"+stream] = 1
		}
	}
	for _, q := range queries {
		// The comment that a query is found again by needs room too.
		if len(q.Text) > 10_000-41 {
			t.Errorf("query of %d characters", len(q.Text))
		}
		if len(q.Targets) > 50 {
			t.Errorf("query over %d groups", len(q.Targets))
		}
		groups := map[string]bool{}
		for _, target := range q.Targets {
			if groups[target.Group.ARN] {
				t.Errorf("%s twice in one query", target.Group.ARN)
			}
			groups[target.Group.ARN] = true
			if target.Group.Class != q.Class {
				t.Errorf("a group of class %s in a query for %s", target.Group.Class, q.Class)
			}
			for _, stream := range target.Streams {
				left[target.Group.ARN+"/"+stream]--
				if strings.Contains(q.Text, "@logStream in") && !strings.Contains(q.Text, `"`+stream+`"`) {
					t.Errorf("the text does not name %s", stream)
				}
			}
		}
	}
	for stream, n := range left {
		if n != 0 {
			t.Errorf("%s is asked for %d times", stream, 1-n)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(uint64(1), uint16(60), uint16(4), uint16(50))
	f.Add(uint64(2), uint16(3), uint16(900), uint16(512))
	f.Add(uint64(3), uint16(200), uint16(1), uint16(20))
	f.Fuzz(func(t *testing.T, seed uint64, groups, streams, length uint16) {
		random := rand.New(rand.NewPCG(seed, seed))
		var targets []authlog.Target
		for i := range groups % 200 {
			class := []string{"STANDARD", "INFREQUENT_ACCESS"}[random.IntN(2)]
			one := target(fmt.Sprintf("c%d", i), class, 0)
			for n := range random.IntN(int(streams%200) + 1) {
				// AWS allows names of 512 characters.
				name := fmt.Sprintf("authenticator-%d-%s", n, strings.Repeat("f", random.IntN(int(length%480)+1)))
				one.Streams = append(one.Streams, name)
			}
			targets = append(targets, one)
		}
		checkPlan(t, planned(source.Config{}, targets...), targets...)
	})
}
