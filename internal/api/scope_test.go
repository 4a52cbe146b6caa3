package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// callers are those of a map from their tokens.
type callers map[string]authlog.Caller

func (c callers) Schemes() []string { return []string{"Bearer"} }

func (c callers) Token(token string) (authlog.Caller, bool) {
	caller, ok := c[token]
	return caller, ok
}

func (c callers) User(context.Context, netip.Prefix, string, string) (authlog.Caller, bool, error) {
	return authlog.Caller{}, false, nil
}

const (
	ownToken   = "token-of-the-red-team"
	otherToken = "token-of-the-blue-team"
	allToken   = "token-of-prometheus"
	adminToken = "token-of-an-admin"
)

func teams() callers {
	return callers{
		ownToken:   {Name: "red", Scope: authlog.Scope{Clusters: []string{"red-*", "shared"}, Accounts: []string{"111122223333"}}},
		otherToken: {Name: "blue", Scope: authlog.Scope{Clusters: []string{"*"}, Accounts: []string{"999900001111"}}},
		allToken:   {Name: "prometheus", Scope: authlog.Everything()},
		adminToken: {Name: "admin", Scope: authlog.Everything(), Admin: true},
	}
}

var (
	redOne  = authlog.Cluster{Name: "red-1", Account: "111122223333", Region: "eu-central-1"}
	redTwo  = authlog.Cluster{Name: "shared", Account: "111122223333", Region: "eu-central-1"}
	blueOne = authlog.Cluster{Name: "blue-1", Account: "999900001111", Region: "ca-west-1"}
	blueTwo = authlog.Cluster{Name: "shared", Account: "999900001111", Region: "sa-east-1"}
	// Clusters without a log, of which only EKS knows.
	redThree  = authlog.Cluster{Name: "red-3", Account: "111122223333", Region: "eu-central-1"}
	blueThree = authlog.Cluster{Name: "blue-3", Account: "999900001111", Region: "ca-west-1"}

	greenOne = authlog.Cluster{Name: "green-1", Account: "111122223333", Region: "eu-central-1"} // in red's account, and not red's
)

const (
	redRole   = "arn:aws:iam::111122223333:role/red-deploy"
	blueRole  = "arn:aws:iam::999900001111:role/blue-deploy"
	sharedSSO = "arn:aws:iam::777788889999:role/auditor" // comes to every cluster
)

// secrets are what must not reach the red team.
func secrets() []string {
	return []string{
		"blue", "green", "999900001111", "ca-west-1", "sa-east-1",
		authlog.DiagnosisID(blueOne, "mapping_lost", blueRole), authlog.DiagnosisID(blueTwo, "mapping_lost", sharedSSO),
	}
}

// findingsOf are what a store has of a cluster.
func findingsOf(c authlog.Cluster, role string) (b authlog.Batch) {
	for i, arn := range []string{role, sharedSSO, role, role, sharedSSO} {
		at := now.Add(-time.Duration(i+1) * 10 * time.Minute)
		d := denialAt(c, at, i)
		d.Error, d.Raw = "ARN is not mapped: "+arn, "on "+c.Name
		d.Principal = &authlog.Principal{ARN: arn, Kind: authlog.PrincipalRole, Account: strings.Split(arn, ":")[4], Session: c.Name + "-session"}
		b.Denials = append(b.Denials, d)
		b.Grants = append(b.Grants, authlog.Grant{Cluster: c, Time: at.Add(-5 * time.Hour), Username: c.Name, Principal: *d.Principal})
	}
	for _, arn := range []string{role, sharedSSO} {
		d := diagnosisOf(c, "mapping_lost", arn, now.Add(-10*time.Minute))
		d.Summary = "On " + c.Name
		b.Diagnoses = append(b.Diagnoses, d)
	}
	b.Cursors = []authlog.Cursor{{
		Cluster: c, Created: now.AddDate(-1, 0, 0), Start: now.AddDate(0, 0, -1), Watermark: now.Add(-time.Minute), Through: now,
		Streams: []string{"authenticator-0123456789abcdef0123456789abcdef"},
	}}
	return b
}

func saveFindings(t *testing.T, st *store.SQLite, role string, clusters ...authlog.Cluster) {
	t.Helper()
	for _, c := range clusters {
		if err := st.Save(t.Context(), findingsOf(c, role)); err != nil {
			t.Fatal(err)
		}
	}
}

// A route says how the routes are tried.
type route struct {
	paths  []string
	body   string
	open   bool // for who shows no token too
	forAll bool // only for who may see every cluster
	admin  bool // only for an admin
}

func routes() map[string]route {
	other := func(format string) []string {
		var paths []string
		for _, name := range []string{"red-1", "red-3", "shared", "blue-1", "blue-3", "green-1", "nowhere"} {
			paths = append(paths, fmt.Sprintf(format, name))
		}
		return paths
	}
	ids := []string{"nothing"}
	for _, c := range []authlog.Cluster{redOne, redTwo, blueOne, blueTwo, greenOne} {
		ids = append(ids, authlog.DiagnosisID(c, "mapping_lost", sharedSSO))
	}
	return map[string]route{
		"/": {paths: []string{"/"}},
		"/clusters": {paths: []string{
			"/clusters", "/clusters?limit=1", "/clusters?limit=1&order=desc&fields=name,region", "/clusters?filter=cluster%3D~%22blue.*%22", "/clusters?filter=status!%3D%22ok%22&limit=1",
		}},
		"/clusters/{name}":         {paths: append(other("/clusters/%s"), other("/clusters/%s?account=999900001111")...)},
		"/clusters/{name}/access":  {paths: append(other("/clusters/%s/access"), other("/clusters/%s/access?account=999900001111")...)},
		"/clusters/{name}/creator": {paths: append(other("/clusters/%s/creator"), other("/clusters/%s/creator?account=999900001111")...)},
		"/clusters/{name}/denials": {paths: slices.Concat(
			other("/clusters/%s/denials"), other("/clusters/%s/denials?limit=2&order=asc"), other("/clusters/%s/denials?account=999900001111"),
			other("/clusters/%s/denials?filter=principal%%3D~%%22.*%%22"), other("/clusters/%s/denials?region=ca-west-1"),
			other("/clusters/%s/denials?principal="+url.QueryEscape(sharedSSO)), other("/clusters/%s/denials?principal="+url.QueryEscape(blueRole)),
		)},
		"/clusters/{name}/denials/stats": {paths: slices.Concat(
			other("/clusters/%s/denials/stats"), other("/clusters/%s/denials/stats?by=cluster,account,region,principal,kind&step=1h"),
			other("/clusters/%s/denials/stats?account=999900001111"), other("/clusters/%s/denials/stats?by=principal&filter=principal%%3D~%%22.*%%22"),
		)},
		"/stats": {paths: []string{
			"/stats", "/stats?by=cluster,account,region&step=6h", "/stats?by=principal,kind&since=7d", "/stats?cluster=blue-1", "/stats?cluster=shared&by=account",
			"/stats?filter=cluster%3D%22green-1%22", "/stats?region=ca-west-1&step=5m&limit=1",
		}},
		"/clusters/{name}/lockouts": {paths: slices.Concat(
			other("/clusters/%s/lockouts?limit=1"), other("/clusters/%s/lockouts?account=999900001111"), other("/clusters/%s/lockouts?limit=1&order=asc&filter=severity!%%3D%%22%%22"),
		)},
		"/clusters/{name}/principals": {paths: slices.Concat(
			other("/clusters/%s/principals?limit=1"), other("/clusters/%s/principals?denied=true&account=999900001111"),
			other("/clusters/%s/principals?limit=1&order=asc&filter=principal%%3D~%%22.*%%22"), other("/clusters/%s/principals?filter=principal%%3D%%22"+strings.ReplaceAll(url.QueryEscape(blueRole), "%", "%%")+"%%22&since=90d"),
		)},
		"/lockouts": {paths: []string{
			"/lockouts", "/lockouts?limit=1", "/lockouts?limit=1&order=asc&fields=cluster,subject", "/lockouts?filter=cluster%3D~%22blue.*%22", "/lockouts?filter=confidence!%3D%22%22&limit=1&since=90d",
			"/lockouts?filter=cluster%3D%22green-1%22&state=all", "/lockouts?end=2000000000&limit=1", "/lockouts?filter=principal%3D%22" + url.QueryEscape(blueRole) + "%22", "/lockouts?cluster=blue-1", "/lockouts?account=999900001111&state=all",
		}},
		"/diagnoses": {paths: []string{"/diagnoses", "/diagnoses?limit=1", "/diagnoses?cluster=shared", "/diagnoses?region=ca-west-1", "/diagnoses?filter=region%3D%22ca-west-1%22&order=asc"}},
		"/diagnoses/{id}": {paths: func() (paths []string) {
			for _, id := range ids {
				paths = append(paths, "/diagnoses/"+id)
			}
			return paths
		}()},
		"/principals/*": {paths: []string{"/principals/" + redRole, "/principals/" + sharedSSO, "/principals/" + blueRole, "/principals/x"}},
		// What is answered without end is tried elsewhere.
		"/stream": {paths: append(other("/stream?last_event_id=x&cluster=%s"),
			"/stream?cluster=blue-1", "/stream?cluster=green-1", "/stream?cluster=nowhere", "/stream?region=x", "/stream?last_event_id=x")},
		"/explain": {paths: []string{"/explain"}, body: "error: You must be logged in to the server (Unauthorized)"},
		"/lint/aws-auth": {
			paths: append(other("/lint/aws-auth?cluster=%s&would_lock_out=true"), other("/lint/aws-auth?cluster=%s&account=999900001111")...),
			body:  "mapRoles: |\n  - rolearn: " + redRole + "\n    username: x\n",
		},
		"/catalogue/diagnoses":        {paths: []string{"/catalogue/diagnoses"}},
		"/catalogue/diagnoses/{code}": {paths: []string{"/catalogue/diagnoses/mapping_lost"}},
		"/reasons":                    {paths: []string{"/reasons"}},
		"/reasons/{code}":             {paths: []string{"/reasons/arn_not_mapped"}},
		"/problems/{type}":            {paths: []string{"/problems/unknown-cluster"}},
		"/openapi.json":               {paths: []string{"/openapi.json"}},
		"/openapi.yaml":               {paths: []string{"/openapi.yaml"}},
		"/-/healthy":                  {paths: []string{"/-/healthy"}, open: true},
		"/-/ready":                    {paths: []string{"/-/ready"}, open: true},
		"/metrics":                    {paths: []string{"/metrics"}, forAll: true},
		"/-/reload":                   {paths: []string{"/-/reload"}, admin: true},
		"/debug/pprof/{profile}":      {paths: []string{"/debug/pprof/goroutine", "/debug/pprof/x"}, admin: true},
	}
}

// eachRequest calls try for each method and path of each route that is served.
// It fails for a route that the table does not say how to try.
func eachRequest(t *testing.T, s *service, try func(t *testing.T, want route, method, path string)) {
	t.Helper()
	table := routes()
	served := map[string]bool{}
	err := chi.Walk(s.mux, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served[pattern] = true
		want, ok := table[pattern]
		if !ok {
			t.Errorf("%s %s: say in the table of routes who may ask for it", method, pattern)
		}
		for _, path := range want.paths {
			try(t, want, method, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pattern := range table {
		if !served[pattern] {
			t.Errorf("%s is in the table of routes and not served", pattern)
		}
	}
}

// request sends one with that token, "" for none.
func (s *service) request(t *testing.T, method, path, body, token string) reply {
	t.Helper()
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, rd)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return s.send(t, req)
}

// A manager has nothing to reload.
type manager struct{}

func (manager) Reload(context.Context) error { return nil }

// The world of the tests of scopes: the service of everyone, and one that was
// never told of any cluster but the red team's.
func twoWorlds(t *testing.T) (everyones, reds *service) {
	t.Helper()
	everything, mine := openStore(t), openStore(t)
	saveFindings(t, everything, redRole, redOne, redTwo)
	saveFindings(t, everything, blueRole, blueOne, blueTwo, greenOne)
	saveFindings(t, mine, redRole, redOne, redTwo)
	health := &fake{ready: true, shards: []authlog.ShardStatus{{Shard: "999900001111/ca-west-1", Error: "no permission on blue-1"}}}
	everyones = serveWith(t, api.Config{
		Store: everything, Health: health, Explainer: explainer{}, Callers: teams(), Manager: manager{}, Access: boardOf(redOne, redTwo, redThree, blueOne, blueTwo, blueThree, greenOne),
	})
	return everyones, serveWith(t, api.Config{Store: mine, Health: &fake{ready: true}, Explainer: explainer{}, Access: boardOf(redOne, redTwo, redThree)})
}

func TestNobodyIsAnsweredWithoutATokenOfTheService(t *testing.T) {
	s, _ := twoWorlds(t)
	for name, token := range map[string]string{"none": "", "wrong": "token-of-the-red-teem", "empty": " "} {
		eachRequest(t, s, func(t *testing.T, want route, method, path string) {
			t.Helper()
			r := s.request(t, method, path, want.body, token)
			if want.open {
				if r.status != http.StatusOK {
					t.Errorf("%s %s, token %s: status %d", method, path, name, r.status)
				}
			} else if r.status != http.StatusUnauthorized || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s %s, token %s: status %d, WWW-Authenticate %q", method, path, name, r.status, r.header.Get("WWW-Authenticate"))
			}
			mustNotTell(t, method+" "+path, path, r)
		})
	}
	if r := s.request(t, http.MethodGet, "/no/such/route", "", ""); r.status != http.StatusUnauthorized {
		t.Errorf("where there is no route: status %d", r.status)
	}
	if r := s.request(t, http.MethodDelete, "/clusters", "", ""); r.status != http.StatusUnauthorized {
		t.Errorf("with another method: status %d", r.status)
	}
}

// For the red team the service is one that has nothing but the red team's
// clusters: every status, header and body is the same.
func TestATeamIsAnsweredAsIfOtherClustersDidNotExist(t *testing.T) {
	s, alone := twoWorlds(t)
	eachRequest(t, s, func(t *testing.T, want route, method, path string) {
		t.Helper()
		for next := path; next != ""; {
			got := s.request(t, method, next, want.body, ownToken)
			mustNotTell(t, method+" "+next, next, got)
			if want.forAll || want.admin {
				if got.status != http.StatusForbidden {
					t.Errorf("%s %s: status %d", method, next, got.status)
				}
				return
			}
			sameAnswer(t, method+" "+next, alone.request(t, method, next, want.body, ""), got)
			next = strings.TrimSuffix(strings.TrimPrefix(got.header.Get("Link"), "<"), `>; rel="next"`)
		}
	})
}

func TestAnotherTeamSeesItsOwn(t *testing.T) {
	s, _ := twoWorlds(t)
	for _, c := range []struct{ token, has, lacks string }{
		{ownToken, "red-1", "blue-1"}, {otherToken, "blue-1", "red-1"}, {allToken, "blue-1", "nowhere"}, {adminToken, "green-1", "nowhere"},
	} {
		r := s.request(t, http.MethodGet, "/clusters", "", c.token)
		if r.status != http.StatusOK || !bytes.Contains(r.body, []byte(c.has)) || bytes.Contains(r.body, []byte(c.lacks)) {
			t.Errorf("%s: %d %s", c.token, r.status, r.body)
		}
	}
	// One name, two clusters: who sees one of them need not choose.
	for token, status := range map[string]int{ownToken: http.StatusOK, otherToken: http.StatusOK, allToken: http.StatusConflict} {
		if r := s.request(t, http.MethodGet, "/clusters/shared", "", token); r.status != status {
			t.Errorf("%s: status %d, want %d", token, r.status, status)
		}
	}
}

func TestWhoSeesEverythingIsRefusedNothing(t *testing.T) {
	s, _ := twoWorlds(t)
	eachRequest(t, s, func(t *testing.T, want route, method, path string) {
		t.Helper()
		for _, token := range []string{allToken, adminToken} {
			r := s.request(t, method, path, want.body, token)
			refused := r.status == http.StatusUnauthorized || r.status == http.StatusForbidden
			if refused != (want.admin && token != adminToken) {
				t.Errorf("%s %s for %s: status %d", method, path, token, r.status)
			}
		}
	})
	for token, names := range map[string]bool{"": false, ownToken: false, allToken: true, adminToken: true} {
		r := s.request(t, http.MethodGet, "/-/ready", "", token)
		if named := bytes.Contains(r.body, []byte("999900001111")); r.status != http.StatusOK || named != names {
			t.Errorf("/-/ready for %q: %d %s", token, r.status, r.body)
		}
	}
}

func TestATokenIsReadFromOneAuthorizationHeader(t *testing.T) {
	s, _ := twoWorlds(t)
	for header, want := range map[string]int{
		"Bearer " + ownToken:   http.StatusOK,
		"bearer   " + ownToken: http.StatusOK,
		ownToken:               http.StatusUnauthorized,
		"Basic " + ownToken:    http.StatusUnauthorized,
		"Bearer":               http.StatusUnauthorized,
		"Bearer " + ownToken + ", Bearer " + adminToken: http.StatusUnauthorized,
	} {
		if r := s.ask(t, "/clusters", "Authorization", header); r.status != want {
			t.Errorf("%q: status %d, want %d", header, r.status, want)
		}
	}
	if r := s.ask(t, "/clusters", "Authorization", "Bearer "+ownToken, "Authorization", "Bearer "+adminToken); r.status != http.StatusUnauthorized {
		t.Errorf("two headers: status %d", r.status)
	}
}

// sameAnswer compares all but what names the request.
func sameAnswer(t *testing.T, what string, want, got reply) {
	t.Helper()
	for _, r := range []reply{want, got} {
		for _, name := range []string{"Request-Id", "Date"} {
			r.header.Del(name)
		}
	}
	if diff := cmp.Diff(map[string]any{"status": want.status, "header": want.header, "body": string(want.body)},
		map[string]any{"status": got.status, "header": got.header, "body": string(got.body)}); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

// mustNotTell finds nothing of another team's in an answer that was not in the
// request.
func mustNotTell(t *testing.T, what, request string, r reply) {
	t.Helper()
	var header strings.Builder
	if err := r.header.Write(&header); err != nil {
		t.Fatal(err)
	}
	text := header.String() + string(plainBody(t, r))
	for _, secret := range secrets() {
		if strings.Contains(text, secret) && !strings.Contains(request, secret) {
			t.Errorf("%s tells %q: %s", what, secret, text)
		}
	}
}
