package metrics_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/eks-authlog/eks-authlog/internal/metrics"
)

// The list is an API: dashboards and alerts read it.
const api = `
eks_authn_access_missing_permission gauge account,action,region
eks_authn_access_read_timestamp_seconds gauge account,cluster,region
eks_authn_access_tier gauge account,cluster,region
eks_authn_aws_calls_total counter account,operation,region,result
eks_authn_build_info gauge goversion,revision,version
eks_authn_config_last_reload_success_timestamp_seconds gauge 
eks_authn_config_last_reload_successful gauge 
eks_authn_cursor_timestamp_seconds gauge account,region
eks_authn_denials_total counter account,cluster,reason,region
eks_authn_denied_principals gauge account,cluster,reason,region
eks_authn_diagnosis_active gauge account,cluster,diagnosis,region,severity
eks_authn_diagnosis_affected_principals gauge account,cluster,diagnosis,region
eks_authn_events_total counter account,cluster,outcome,region
eks_authn_last_event_timestamp_seconds gauge account,cluster,region
eks_authn_line_lateness_seconds histogram account,region
eks_authn_logging_enabled gauge account,cluster,region
eks_authn_markers_total counter account,cluster,marker,region
eks_authn_principal_denials_other_total counter 
eks_authn_principal_denials_total counter account,cluster,principal,reason,region
eks_authn_queries_total counter account,region,status
eks_authn_query_cost_usd_total counter account,region
eks_authn_query_duration_seconds histogram account,region
eks_authn_query_overflows_total counter account,region
eks_authn_query_scanned_bytes_total counter account,region
eks_authn_query_skipped_bytes_total counter account,region
eks_authn_source_errors_total counter account,error,region
eks_authn_unclassified_denials_total counter account,cluster,region
eks_authn_unreadable_lines_total counter account,cluster,region
`

func TestNamesTypesAndLabels(t *testing.T) {
	reg := metrics.NewRegistry("v1", "abc")
	lines := metrics.NewLines(reg, metrics.LabelValues{Outcomes: []string{"denied"}, Reasons: []string{"arn_not_mapped"}, Markers: []string{"aws_auth_read"}})
	reader := metrics.NewReader(reg)
	lockouts := metrics.NewLockouts(reg)
	metrics.NewReload(reg, time.Unix(1, 0))
	lockouts.Diagnosis("prod", "111122223333", "eu-central-1", "never_mapped", "info", true)
	lockouts.Affected("prod", "111122223333", "eu-central-1", "never_mapped", 1)
	lockouts.Denied("prod", "111122223333", "eu-central-1", "arn_not_mapped", 1)
	lockouts.Principal("prod", "111122223333", "eu-central-1", "arn:aws:iam::111122223333:role/x", "arn_not_mapped")
	known := metrics.NewAccess(reg)
	known.Read("prod", "111122223333", "eu-central-1", 1, "yes")
	known.Missing("111122223333", "eu-central-1", "iam:GetRole", true)
	c := lines.Cluster("prod", "111122223333", "eu-central-1")
	c.Event("denied", time.Unix(1, 0))
	c.Late(time.Second)
	reader.Shard("111122223333", "eu-central-1")
	reader.Call("111122223333", "eu-central-1", "StartQuery", errors.New("no"))
	reader.Query("111122223333", "eu-central-1", "complete", time.Second, 1, 2, 3)
	reader.Overflow("111122223333", "eu-central-1")
	reader.Cursor("111122223333", "eu-central-1", time.Unix(1, 0))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	foreign := 0
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "eks_authn_") {
			foreign++
			continue
		}
		var labels []string
		for _, p := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, p.GetName())
		}
		slices.Sort(labels)
		got = append(got, fmt.Sprintf("%s %s %s", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ",")))
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", f.GetName())
		}
	}
	if diff := cmp.Diff(strings.Split(strings.Trim(api, "\n"), "\n"), got); diff != "" {
		t.Error(diff)
	}
	if foreign == 0 {
		t.Error("no Go or process metrics")
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
}

func TestASeenClusterHasAZeroForEachReason(t *testing.T) {
	reg := prometheus.NewRegistry()
	lines := metrics.NewLines(reg, metrics.LabelValues{
		Outcomes: []string{"denied", "granted"}, Reasons: []string{"a", "b", "c"}, Markers: []string{"x", "y"},
	})
	lines.Cluster("prod", "111122223333", "eu-central-1")
	for name, want := range map[string]int{"eks_authn_denials_total": 3, "eks_authn_events_total": 2, "eks_authn_markers_total": 2, "eks_authn_unclassified_denials_total": 1} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n != want {
			t.Errorf("%s has %d series, want %d (%v)", name, n, want, err)
		}
	}
}

func TestAClusterWithoutLinesHasNoEventTime(t *testing.T) {
	reg := prometheus.NewRegistry()
	metrics.NewLines(reg, metrics.LabelValues{Outcomes: []string{"denied"}}).Cluster("prod", "1", "r")
	if n, err := testutil.GatherAndCount(reg, "eks_authn_last_event_timestamp_seconds"); err != nil || n != 0 {
		t.Errorf("%d series before any line (%v)", n, err)
	}
}

func TestTheNewestEventTimeStands(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := metrics.NewLines(reg, metrics.LabelValues{Outcomes: []string{"denied"}}).Cluster("prod", "1", "r")
	c.Event("denied", time.Unix(200, 5e8))
	c.Event("denied", time.Unix(100, 0)) // late
	want := `
# HELP eks_authn_last_event_timestamp_seconds Event time of the newest line of the cluster that this process has read.
# TYPE eks_authn_last_event_timestamp_seconds gauge
eks_authn_last_event_timestamp_seconds{account="1",cluster="prod",region="r"} 200.5
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "eks_authn_last_event_timestamp_seconds"); err != nil {
		t.Error(err)
	}
}

func TestPrincipalsBeyondTheFirstTwoHundredAreOther(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := metrics.NewLockouts(reg)
	for i := range 300 {
		m.Principal("prod", "1", "r", fmt.Sprintf("arn:aws:iam::111122223333:role/r%d", i), "arn_not_mapped")
	}
	m.Principal("prod", "1", "r", "arn:aws:iam::111122223333:role/r0", "arn_not_mapped")
	if n, err := testutil.GatherAndCount(reg, "eks_authn_principal_denials_total"); err != nil || n != 201 {
		t.Errorf("%d series, want 200 and other (%v)", n, err)
	}
	want := `
# HELP eks_authn_principal_denials_other_total Refused requests whose principal has no series of its own.
# TYPE eks_authn_principal_denials_other_total counter
eks_authn_principal_denials_other_total 100
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "eks_authn_principal_denials_other_total"); err != nil {
		t.Error(err)
	}
}

// BenchmarkScrape is what one scrape of 2,000 clusters costs, and what they
// hold in memory between scrapes.
func BenchmarkScrape(b *testing.B) {
	var outcomes, reasons []string
	for i := range 7 {
		outcomes = append(outcomes, fmt.Sprintf("outcome_%d", i))
	}
	for i := range 56 {
		reasons = append(reasons, fmt.Sprintf("reason_%d", i))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	reg := prometheus.NewRegistry()
	lines := metrics.NewLines(reg, metrics.LabelValues{Outcomes: outcomes, Reasons: reasons})
	for i := range 2000 {
		lines.Cluster(fmt.Sprintf("cluster-%04d", i), "111122223333", "eu-central-1")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		if _, err := reg.Gather(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/2000, "B/cluster")
}

// What is not known has no series, so that nobody takes it for 0.
func TestLoggingHasASeriesOnlyWhereItIsKnown(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := metrics.NewAccess(reg)
	want := func(text string) {
		t.Helper()
		if text != "" {
			text = `
# HELP eks_authn_logging_enabled Whether EKS says that the authenticator log of a cluster is on: 1 or 0; absent where that is not known.
# TYPE eks_authn_logging_enabled gauge
eks_authn_logging_enabled{account="111122223333",cluster="prod",region="eu-central-1"} ` + text + "\n"
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "eks_authn_logging_enabled"); err != nil {
			t.Error(err)
		}
	}
	for _, step := range []struct{ logging, want string }{{"", ""}, {"no", "0"}, {"yes", "1"}, {"", ""}, {"no", "0"}} {
		m.Read("prod", "111122223333", "eu-central-1", 1, step.logging)
		want(step.want)
	}
	m.Gone("prod", "111122223333", "eu-central-1")
	want("")
}
