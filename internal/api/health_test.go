package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestReadyNamesEveryShardAndWhatFailed(t *testing.T) {
	f := &fake{shards: []authlog.ShardStatus{
		{Shard: "111122223333/eu-central-1", Ready: true, ReadThrough: now.Add(-time.Minute)},
		{Shard: "444455556666/us-east-1", Error: "start query: AccessDeniedException"},
	}}
	s := serveFake(t, f)
	const shards = `"shards":[
		{"shard":"111122223333/eu-central-1","ready":true,"error":"","read_through":"2026-11-24T11:59:00Z"},
		{"shard":"444455556666/us-east-1","ready":false,"error":"start query: AccessDeniedException","read_through":null}]}`

	got := decode[any](t, s.get(t, "/-/ready"), http.StatusServiceUnavailable)
	if diff := cmp.Diff(asJSON(t, []byte(`{"ready":false,`+shards)), got); diff != "" {
		t.Error(diff)
	}
	f.ready = true // a shard that cannot be reached does not make the others unready
	got = decode[any](t, s.get(t, "/-/ready"), http.StatusOK)
	if diff := cmp.Diff(asJSON(t, []byte(`{"ready":true,`+shards)), got); diff != "" {
		t.Error(diff)
	}
}

func TestHealthyDependsOnNothing(t *testing.T) {
	s := serveFake(t, &fake{err: errors.New("the store is gone")})
	if doc := decode[struct{ Healthy bool }](t, s.get(t, "/-/healthy"), http.StatusOK); !doc.Healthy {
		t.Error("not healthy")
	}
}

func TestMetricsSpeaksOpenMetricsToWhoAsks(t *testing.T) {
	s := serveFake(t, &fake{})
	if got := s.ask(t, "/metrics", "Accept", "application/openmetrics-text; version=1.0.0").header.Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text") {
		t.Errorf("Content-Type %q", got)
	}
}

func TestRequestsAreCountedByRouteAndNeverByPath(t *testing.T) {
	s := serveFake(t, &fake{denials: denialsBefore(prod, now, 1)})
	for _, path := range []string{"/clusters/prod/denials", "/clusters/other/denials", "/clusters/x/denials?limit=0", "/secret", "/secret2"} {
		s.get(t, path)
	}
	s.do(t, "BREW", "/clusters")
	s.do(t, "POST", "/clusters")

	got := map[string]float64{}
	families, err := s.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "eks_authn_http_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			got[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{
		"code=200 handler=/clusters/{name}/denials method=GET": 2,
		"code=400 handler=/clusters/{name}/denials method=GET": 1,
		"code=404 handler=none method=GET":                     2,
		"code=405 handler=none method=other":                   1,
		"code=405 handler=none method=POST":                    1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAMetricThatFailsLeavesTheOthers(t *testing.T) {
	f := &fake{}
	s := serveFake(t, f)
	bad := prometheus.NewDesc("bad", "Never there.", nil, nil)
	s.reg.MustRegister(failing{bad})
	s.get(t, "/clusters")
	r := s.get(t, "/metrics")
	if r.status != http.StatusOK || !strings.Contains(string(r.body), "eks_authn_http_requests_total") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if !strings.Contains(s.log.String(), "metrics not gathered") {
		t.Errorf("nothing in the log: %s", s.log)
	}
}

type failing struct{ desc *prometheus.Desc }

func (f failing) Describe(ch chan<- *prometheus.Desc) { ch <- f.desc }

func (f failing) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(f.desc, errors.New("no value"))
}
