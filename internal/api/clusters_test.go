package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestClustersShowsEveryField(t *testing.T) {
	s := serveFake(t, &fake{clusters: []authlog.ClusterSummary{
		{
			Cluster: prod, LastEvent: now.Add(-time.Minute), LastDenial: now.Add(-time.Hour - 250*time.Millisecond),
			Denials24h: 7, PrincipalsDenied24h: 2, ReadThrough: now,
		},
		{Cluster: authlog.Cluster{Name: "new", Account: "444455556666", Region: "us-east-1"}},
	}})
	want := `{"clusters":[
		{"name":"prod","account":"111122223333","region":"eu-central-1","log_group":"/aws/eks/prod/cluster",
		 "last_event":"2026-11-24T11:59:00Z","last_denial":"2026-11-24T10:59:59.75Z",
		 "denials_24h":7,"principals_denied_24h":2,"status":"denials"},
		{"name":"new","account":"444455556666","region":"us-east-1","log_group":"/aws/eks/new/cluster",
		 "last_event":null,"last_denial":null,"denials_24h":0,"principals_denied_24h":0,"status":"pending"}]}`
	r := s.get(t, "/clusters")
	if diff := cmp.Diff(asJSON(t, []byte(want)), decode[any](t, r, http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
}

func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNoClustersIsAnEmptyList(t *testing.T) {
	r := serveFake(t, &fake{}).get(t, "/clusters")
	if got := string(r.body); got != "{\"clusters\":[]}\n" {
		t.Errorf("got %s", got)
	}
}

func TestStatusPutsWhatCannotBeSeenFirst(t *testing.T) {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name        string
		read, event time.Time
		denials     int64
		want        string
	}{
		{"nothing read", time.Time{}, time.Time{}, 0, "pending"},
		{"read long ago", ago(31 * time.Minute), ago(31 * time.Minute), 5, "pending"},
		{"read, no event ever", now, time.Time{}, 0, "silent"},
		{"read, last event too old", now, ago(30*time.Minute + time.Second), 5, "silent"},
		{"last event just young enough", now, ago(30 * time.Minute), 0, "ok"},
		{"denials", ago(2 * time.Minute), ago(3 * time.Minute), 1, "denials"},
		{"no denials", ago(2 * time.Minute), ago(3 * time.Minute), 0, "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serveFake(t, &fake{clusters: []authlog.ClusterSummary{
				{Cluster: prod, ReadThrough: c.read, LastEvent: c.event, Denials24h: c.denials},
			}})
			doc := decode[struct{ Clusters []struct{ Status string } }](t, s.get(t, "/clusters"), http.StatusOK)
			if len(doc.Clusters) != 1 || doc.Clusters[0].Status != c.want {
				t.Errorf("got %+v, want %s", doc, c.want)
			}
		})
	}
}
