package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/eks-authlog/eks-authlog/internal/store/storetest"
)

// A question is what a dashboard, script or person asks.
type question struct {
	name   string
	path   string
	rate   int    // a second
	accept string // "": anything
	pages  int    // how many pages make one question; 0 is 1
}

// took is how long answers took, and how long they were.
type took struct {
	p50, p99 time.Duration
	bytes    float64 // of one answer
	failed   float64 // the share that was not answered with success
}

func (s *apiServer) questions(ctx context.Context, only string) ([]question, error) {
	big := "/clusters/" + storetest.Cluster(0).Name
	var first struct{ Next string }
	if err := s.get(ctx, big+"/denials", &first); err != nil {
		return nil, err
	}
	var lockouts struct{ Lockouts []struct{ ID string } }
	if err := s.get(ctx, "/lockouts?limit=1", &lockouts); err != nil {
		return nil, err
	}
	if first.Next == "" || len(lockouts.Lockouts) == 0 {
		return nil, errors.New("the store lacks denials or lockouts")
	}
	all := []question{
		{name: "clusters", path: "/clusters", rate: 5},
		{name: "one cluster", path: big, rate: 5},
		{name: "denials, first page", path: big + "/denials", rate: 50},
		{name: "denials, second page", path: big + "/denials?next=" + first.Next, rate: 50},
		// Tried on one denial after the other.
		{name: "denials, principal by a pattern", path: big + "/denials?filter=" + url.QueryEscape(`principal=~".*role-0-1[0-9]"`), rate: 2},
		{name: "denials of 24 h by reason", path: big + "/denials?since=24h&reason=" + storetest.Reasons()[0], rate: 20},
		{name: "denials of one principal", path: big + "/denials?principal=" + url.QueryEscape(storetest.Role(0, 0)), rate: 20},
		{name: "stats of 24 h by reason", path: big + "/denials/stats?since=24h&by=reason&step=1h", rate: 5},
		{name: "stats of the fleet, 24 h", path: "/stats?since=24h&by=cluster&step=1h", rate: 5},
		{name: "lockouts", path: "/lockouts", rate: 20},
		{name: "one diagnosis", path: "/diagnoses/" + lockouts.Lockouts[0].ID, rate: 50},
		{name: "principals of a cluster", path: big + "/principals", rate: 10},
		{name: "one principal", path: "/principals/" + storetest.Role(0, 0), rate: 20},
		{name: "NDJSON of 10,000, 10 pages", path: big + "/denials?limit=1000", accept: "application/x-ndjson", pages: 10, rate: 1},
		{name: "metrics", path: "/metrics", rate: 5},
	}
	return slices.DeleteFunc(all, func(q question) bool { return !strings.Contains(q.name, only) || !s.serves(ctx, q.path) }), nil
}

// serves reports whether there is a route.
func (s *apiServer) serves(ctx context.Context, path string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		return false
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	return err == nil && errors.Join(res.Body.Close()) == nil && res.StatusCode != http.StatusNotFound
}

func (s *apiServer) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

func (q *question) run(ctx context.Context, server string, span time.Duration) (took, error) {
	if q.pages > 0 {
		return q.export(ctx, server, span)
	}
	// The first answers fill the caches that a service in use has filled.
	q.attack(server, time.Second)
	m := q.attack(server, span)
	if m.Success < 0.5 {
		return took{}, fmt.Errorf("%.1f %% succeeded: %v %s", m.Success*100, m.StatusCodes, strings.Join(m.Errors, ", "))
	}
	return took{m.Latencies.P50, m.Latencies.P99, m.BytesIn.Mean, 1 - m.Success}, ctx.Err()
}

// attack asks at the question's rate, whether the answers come or not.
func (q *question) attack(server string, span time.Duration) (m vegeta.Metrics) {
	targets := vegeta.NewStaticTargeter(vegeta.Target{
		Method: http.MethodGet, URL: server + q.path,
		// Asked for by name, it is not unpacked here: that is the reader's work,
		// and here it would take the core of the server.
		Header: http.Header{"Accept-Encoding": {"gzip"}},
	})
	attacker := vegeta.NewAttacker(vegeta.Timeout(30 * time.Second)) // can be used once
	for r := range attacker.Attack(targets, vegeta.Rate{Freq: q.rate, Per: time.Second}, span, q.name) {
		m.Add(r)
	}
	m.Close()
	return m
}

// export follows the pages, one export after the other.
func (q *question) export(ctx context.Context, server string, span time.Duration) (took, error) {
	var all []time.Duration
	var bytes int64
	for begin := time.Now(); time.Since(begin) < span || len(all) < 10; {
		start, path := time.Now(), q.path
		for range q.pages {
			n, next, err := q.page(ctx, server+path)
			if err != nil {
				return took{}, err
			}
			bytes += n
			path = next
		}
		all = append(all, time.Since(start))
	}
	slices.Sort(all)
	return took{all[len(all)/2], all[len(all)*99/100], float64(bytes) / float64(len(all)), 0}, nil
}

func (q *question) page(ctx context.Context, link string) (n int64, next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Accept", q.accept)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	n, err = io.Copy(io.Discard, res.Body)
	next, _, ok := strings.Cut(strings.TrimPrefix(res.Header.Get("Link"), "<"), ">")
	if err == nil && (res.StatusCode != http.StatusOK || !ok) {
		err = fmt.Errorf("%s, next page %q", res.Status, next)
	}
	return n, next, err
}
