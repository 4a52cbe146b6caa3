package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// statsService has denials of the three hours before now: of the deployer every
// ten minutes, of the auditor every half hour, of nobody known every hour, and
// once of the auditor on another cluster.
func statsService(t *testing.T) *service {
	t.Helper()
	var list []authlog.Denial
	add := func(c authlog.Cluster, every time.Duration, reason, arn string) {
		for at := now.Add(-3 * time.Hour); at.Before(now); at = at.Add(every) {
			d := denialAt(c, at, len(list))
			if d.Reason = reason; arn != "" {
				d.Principal = &authlog.Principal{ARN: arn, Kind: authlog.PrincipalRole}
			}
			list = append(list, d)
		}
	}
	add(prod, 10*time.Minute, "arn_not_mapped", deployer)
	add(prod, 30*time.Minute, "arn_not_mapped", auditor)
	add(prod, time.Hour, "sts_expired_credentials", "")
	add(web, 3*time.Hour, "arn_not_mapped", auditor)
	return serve(t, openStore(t, list...), &fake{})
}

const (
	deployer = "arn:aws:iam::111122223333:role/deployer"
	auditor  = "arn:aws:iam::111122223333:role/auditor"
)

type statsDoc struct {
	By          []string
	StepSeconds *int `json:"step_seconds"`
	Total       int
	Top, Series []map[string]any
}

func row(count int, other bool, labels ...string) map[string]any {
	r := map[string]any{"count": float64(count), "other": other}
	for i := 0; i < len(labels); i += 2 {
		r[labels[i]] = labels[i+1]
	}
	return r
}

func TestStatsTellWhoseDenialsAreMost(t *testing.T) {
	s := statsService(t)
	for path, want := range map[string][]map[string]any{
		"/clusters/prod/denials/stats": {row(24, false, "reason", "arn_not_mapped"), row(3, false, "reason", "sts_expired_credentials")},
		"/clusters/prod/denials/stats?by=reason,principal": {
			row(18, false, "reason", "arn_not_mapped", "principal", deployer), row(6, false, "reason", "arn_not_mapped", "principal", auditor),
			row(3, false, "reason", "sts_expired_credentials", "principal", ""),
		},
		"/clusters/prod/denials/stats?by=principal&limit=1": {row(18, false, "principal", deployer), row(9, true, "principal", "other")},
		"/clusters/prod/denials/stats?by=kind,layer":        {row(24, false, "kind", "role", "layer", "mapping"), row(3, false, "kind", "", "layer", "sts")},
		"/clusters/prod/denials/stats?since=1h":             {row(8, false, "reason", "arn_not_mapped"), row(1, false, "reason", "sts_expired_credentials")},
		"/clusters/prod/denials/stats?since=1m":             {},
		"/clusters/web/denials/stats?by=cluster,account,region": {
			row(1, false, "cluster", "web", "account", web.Account, "region", web.Region),
		},
		"/stats?by=cluster":                                                                     {row(27, false, "cluster", "prod"), row(1, false, "cluster", "web")},
		"/stats?by=cluster&cluster=web":                                                         {row(1, false, "cluster", "web")},
		"/stats?by=account&principal=" + auditor:                                                {row(6, false, "account", prod.Account), row(1, false, "account", web.Account)},
		"/stats?reason=sts_expired_credentials":                                                 {row(3, false, "reason", "sts_expired_credentials")},
		"/stats?filter=" + url.QueryEscape(`kind=""`):                                           {row(3, false, "reason", "sts_expired_credentials")},
		"/stats?by=who_acts&region=" + web.Region:                                               {row(1, false, "who_acts", "cluster_admin")},
		"/stats?filter=" + url.QueryEscape(`layer="x"`):                                         {},
		"/stats?by=cluster&filter=" + url.QueryEscape(`principal=~".*auditor",cluster!="prod"`): {row(1, false, "cluster", "web")},
	} {
		got := decode[statsDoc](t, s.get(t, path), http.StatusOK)
		total := 0
		for _, r := range want {
			total += int(r["count"].(float64))
		}
		if diff := cmp.Diff(want, got.Top); diff != "" || got.Total != total || got.StepSeconds != nil || len(got.Series) > 0 {
			t.Errorf("%s: %+v %s", path, got, diff)
		}
	}
}

// A series has a row for each step, also where there was nothing, and adds up
// to what top says.
func TestStatsOverTimeHaveNoGaps(t *testing.T) {
	s := statsService(t)
	got := decode[statsDoc](t, s.get(t, "/clusters/prod/denials/stats?by=principal&limit=1&step=30m&since=4h"), http.StatusOK)
	var want []map[string]any
	for at := now.Add(-4 * time.Hour); at.Before(now); at = at.Add(30 * time.Minute) {
		a, b := row(0, false, "principal", deployer), row(0, true, "principal", "other")
		if !at.Before(now.Add(-3 * time.Hour)) {
			a["count"], b["count"] = 3.0, 1.0
			if at.Minute() == 0 {
				b["count"] = 2.0
			}
		}
		for _, r := range []map[string]any{a, b} {
			r["time"] = at.Format(time.RFC3339)
			want = append(want, r)
		}
	}
	if diff := cmp.Diff(want, got.Series); diff != "" || *got.StepSeconds != 1800 {
		t.Error(diff)
	}
	sums := map[any]float64{}
	for _, r := range got.Series {
		sums[r["principal"]] += r["count"].(float64)
	}
	for _, r := range got.Top {
		if sums[r["principal"]] != r["count"] {
			t.Errorf("the steps of %v add up to %v, the top has %v", r["principal"], sums[r["principal"]], r["count"])
		}
	}
	// Steps begin at whole multiples; the first is cut by start.
	got = decode[statsDoc](t, s.get(t, "/clusters/prod/denials/stats?step=1h&start=2026-11-24T09:35:00Z&end=2026-11-24T10:15:00Z"), http.StatusOK)
	if len(got.Series) != 4 || got.Series[0]["time"] != "2026-11-24T09:00:00Z" || got.Series[0]["count"] != 2.0 || got.Series[2]["count"] != 3.0 {
		t.Errorf("%+v", got.Series)
	}
	// Grafana's $__interval may be milliseconds.
	if got := decode[statsDoc](t, s.get(t, "/stats?step=200ms&since=1m"), http.StatusOK); *got.StepSeconds != 1 {
		t.Errorf("%+v", got)
	}
}

func TestStatsAsTables(t *testing.T) {
	s := statsService(t)
	for accept, want := range map[string]string{
		"text/csv": "time,principal,other,count\n" +
			"2026-11-24T11:00:00Z," + deployer + ",false,6\n2026-11-24T11:00:00Z,other,true,3\n",
		"application/x-ndjson": `{"count":6,"other":false,"principal":"` + deployer + `","time":"2026-11-24T11:00:00Z"}` + "\n" +
			`{"count":3,"other":true,"principal":"other","time":"2026-11-24T11:00:00Z"}` + "\n",
	} {
		r := s.ask(t, "/clusters/prod/denials/stats?by=principal&limit=1&since=1h&step=1h", "Accept", accept)
		if diff := cmp.Diff(want, string(r.body)); diff != "" {
			t.Errorf("%s: %s", accept, diff)
		}
	}
	r := s.ask(t, "/stats?by=cluster", "Accept", "text/csv")
	if diff := cmp.Diff("cluster,other,count\nprod,false,27\nweb,false,1\n", string(r.body)); diff != "" {
		t.Error(diff)
	}
	evil := denialAt(prod, now.Add(-time.Minute), 1)
	evil.Principal = &authlog.Principal{ARN: "=HYPERLINK(\"http://evil\")", Kind: authlog.PrincipalUnknown}
	s = serve(t, openStore(t, evil), &fake{})
	lines, err := csv.NewReader(bytes.NewReader(s.ask(t, "/stats?by=principal", "Accept", "text/csv").body)).ReadAll()
	if err != nil || lines[1][0] != "'"+evil.Principal.ARN {
		t.Errorf("%q %v", lines, err)
	}
}

func TestStatsRefusals(t *testing.T) {
	s := statsService(t)
	for query, parameter := range map[string]string{
		"by=colour":                           "by",
		"by=reason,reason":                    "by",
		"by=reason,":                          "by",
		"step=0s":                             "step",
		"step=x":                              "step",
		"limit=101":                           "limit",
		"limit=0":                             "limit",
		"start=2026-11-25T00:00:00Z":          "start",
		"since=1h&start=2026-11-24T00:00:00Z": "since",
		"step=1s&since=2h":                    "step",
		"step=1m&since=7d&limit=10":           "step",
		"by=principal&since=32d":              "by",
		"since=60d&filter=kind%3D%22role%22":  "filter",
		"fields=reason":                       "fields",
		"filter=session%3D%22x%22":            "filter",
		"next=x":                              "next",
		"step=1h&since=90d&limit=100&by=cluster&x=": "x",
	} {
		p := decodeProblem(t, s.get(t, "/stats?"+query), http.StatusBadRequest)
		if p.Parameter != parameter {
			t.Errorf("%s: %+v", query, p)
		}
	}
	decodeProblem(t, s.get(t, "/stats?cluster=nosuch"), http.StatusNotFound)
	decodeProblem(t, s.get(t, "/clusters/nosuch/denials/stats"), http.StatusNotFound)
	for _, path := range []string{
		"/clusters/prod/denials/stats?by=principal&since=90d", "/stats?by=principal&since=90d&principal=" + auditor,
		"/stats?by=principal&since=31d", "/stats?since=100y&step=52w",
	} {
		if r := s.get(t, path); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

// The step that a refusal names is taken.
func TestARefusedStepNamesOneThatIsTaken(t *testing.T) {
	s := statsService(t)
	for _, query := range []string{"since=2h", "since=90d&limit=100", "since=3d&limit=1", "since=100y&limit=7"} {
		p := decodeProblem(t, s.get(t, "/stats?step=1s&"+query), http.StatusBadRequest)
		_, rest, _ := strings.Cut(p.Detail, "take at least ")
		least, _, _ := strings.Cut(rest, ",")
		if r := s.get(t, "/stats?step="+least+"&"+query); r.status != http.StatusOK {
			t.Errorf("%s with step %s: %d %s", query, least, r.status, r.body)
		}
	}
}

func TestStatsThatDidNotChangeAreNotSentAgain(t *testing.T) {
	s := statsService(t)
	const path = "/stats?by=cluster&step=10m"
	tag := s.get(t, path).header.Get("ETag")
	if r := s.ask(t, path, "If-None-Match", tag); tag == "" || r.status != http.StatusNotModified {
		t.Errorf("%q: %d", tag, r.status)
	}
}

// Grafana's Infinity data source sends a GET and reads rows below a root by the
// names of columns; the older JSON one sends a GET with parameters and reads a
// JSONPath for each column. Neither is told more than that.
func TestGrafanaReadsStatsByURLAndColumnsAlone(t *testing.T) {
	s := statsService(t)
	from, to := now.Add(-3*time.Hour), now
	// What ${__from:date}, ${__to:date:seconds} and $__interval become.
	query := "?by=principal&start=" + url.QueryEscape(from.Format("2006-01-02T15:04:05.000Z")) + fmt.Sprint("&end=", to.Unix()) + "&step=1h"
	for name, headers := range map[string][]string{
		"Infinity, JSON":    {"Accept", "application/json;q=0.9,text/plain", "User-Agent", "Grafana/12.3.0", "Accept-Encoding", "gzip"},
		"Infinity, browser": {"Accept", "application/json, text/plain, */*"},
		"JSON API":          {"Accept", "*/*"},
		"no preference":     nil,
	} {
		r := s.ask(t, "/clusters/prod/denials/stats"+query, headers...)
		var doc any
		if err := json.Unmarshal(plainBody(t, r), &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows := doc.(map[string]any)["series"].([]any) // the root selector "series", the path $.series[*]
		sums, last := map[string]float64{}, ""
		for _, r := range rows {
			flat := r.(map[string]any)
			at, principal, count := flat["time"].(string), flat["principal"].(string), flat["count"].(float64)
			if _, err := time.Parse(time.RFC3339, at); err != nil || at < last {
				t.Errorf("%s: time %s after %s: %v", name, at, last, err)
			}
			last = at
			sums[principal] += count
		}
		if diff := cmp.Diff(map[string]float64{deployer: 18, auditor: 6, "": 3}, sums); diff != "" || len(rows) != 9 {
			t.Errorf("%s: %d rows %s", name, len(rows), diff)
		}
	}
	table := s.ask(t, "/clusters/prod/denials/stats"+query, "Accept", "text/csv,application/json;q=0.5")
	lines, err := csv.NewReader(bytes.NewReader(table.body)).ReadAll()
	if err != nil || len(lines) != 10 || strings.Join(lines[0], " ") != "time principal other count" {
		t.Errorf("CSV: %q %v", lines, err)
	}
	// Both try the connection with the base URL.
	if r := s.ask(t, "/", "Accept", "*/*"); r.status != http.StatusOK {
		t.Errorf("the connection test got %d", r.status)
	}
}
