package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// lists are all of them.
func lists() []string {
	return []string{
		"/clusters", "/clusters/prod/denials", "/clusters/prod/principals",
		"/clusters/prod/lockouts", "/lockouts", "/diagnoses",
	}
}

// populated has nine of each kind of thing on the cluster prod and some
// elsewhere, several of them at one time.
func populated(t *testing.T) *service {
	t.Helper()
	st := openStore(t)
	var b authlog.Batch
	for i := range 12 {
		c := []authlog.Cluster{prod, prod, prod, staging}[i%4]
		at := now.Add(-time.Duration(i/3) * time.Hour)
		arn := fmt.Sprintf("arn:aws:iam::111122223333:role/=<%02d>", i)
		d := denialAt(c, at, i)
		d.Principal = &authlog.Principal{ARN: arn, Kind: authlog.PrincipalRole}
		found := diagnosisOf(c, "mapping_lost", arn, at)
		found.Affected = []authlog.Affected{{ARN: arn, Kind: authlog.PrincipalRole, Count: 1, FirstSeen: at, LastSeen: at}}
		b.Denials, b.Diagnoses = append(b.Denials, d), append(b.Diagnoses, found)
		other := denialAt(authlog.Cluster{Name: fmt.Sprint("c-", i), Account: "111122223333", Region: "eu-central-1"}, at, 100+i)
		b.Denials = append(b.Denials, other)
	}
	b.Diagnoses = append(b.Diagnoses, resolved(diagnosisOf(prod, "mapping_lost", "over", now)))
	if err := st.Save(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return serve(t, st, &fake{})
}

// things are those of all pages of a list, in JSON, following the header Link.
func things(t *testing.T, s *service, path string) (all []map[string]any) {
	t.Helper()
	for next := path; next != ""; {
		r := s.get(t, next)
		for name, v := range decode[map[string]json.RawMessage](t, r, http.StatusOK) {
			var page []map[string]any
			if name == "next" {
				continue
			}
			if err := json.Unmarshal(v, &page); err != nil {
				t.Fatalf("%s: %s: %v", next, name, err)
			}
			all = append(all, page...)
		}
		next = linked(t, r)
	}
	return all
}

// with adds parameters to a path.
func with(path string, pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return path + "?" + v.Encode()
}

func TestEveryListComesInPagesBothWays(t *testing.T) {
	s := populated(t)
	for _, path := range lists() {
		whole := things(t, s, path)
		if len(whole) < 9 {
			t.Fatalf("%s has %d", path, len(whole))
		}
		if diff := cmp.Diff(whole, things(t, s, with(path, "limit", "2"))); diff != "" {
			t.Errorf("%s in pages: %s", path, diff)
		}
		other := "asc"
		if path == "/clusters" {
			other = "desc"
		}
		slices.Reverse(whole)
		if diff := cmp.Diff(whole, things(t, s, with(path, "order", other, "limit", "2"))); diff != "" {
			t.Errorf("%s %s: %s", path, other, diff)
		}
		if diff := cmp.Diff(whole, things(t, s, with(path, "order", other))); diff != "" {
			t.Errorf("%s %s, whole: %s", path, other, diff)
		}
	}
}

func TestEveryListHasTheSameThingsInEveryForm(t *testing.T) {
	s := populated(t)
	for _, path := range lists() {
		want := things(t, s, path)
		var got []map[string]any
		for line := range bytes.Lines(s.ask(t, path, "Accept", "application/x-ndjson").body) {
			got = append(got, asJSON(t, line).(map[string]any))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s NDJSON: %s", path, diff)
		}
		table, err := csv.NewReader(bytes.NewReader(s.ask(t, path, "Accept", "text/csv").body)).ReadAll()
		if err != nil || len(table) != len(want)+1 {
			t.Fatalf("%s CSV: %d lines, %v", path, len(table), err)
		}
		for i, thing := range want {
			for j, name := range table[0] {
				checkCell(t, path, name, thing, table[i+1][j])
			}
		}
		decodeProblem(t, s.ask(t, path, "Accept", "image/png"), http.StatusNotAcceptable)
	}
}

// checkCell compares a cell with what JSON says, where that is one text or
// number.
func checkCell(t *testing.T, path, name string, thing map[string]any, cell string) {
	t.Helper()
	name, part, nested := strings.Cut(name, ".")
	value, ok := thing[name]
	if !ok {
		t.Errorf("%s: a column %s", path, name)
	}
	if m, ok := value.(map[string]any); ok && nested {
		value = m[part]
	}
	switch v := value.(type) {
	case []any, map[string]any:
	case nil:
		if cell != "" {
			t.Errorf("%s: %s is %q", path, name, cell)
		}
	default:
		if text := fmt.Sprint(v); cell != text {
			t.Errorf("%s: %s is %q, want %q", path, name, cell, text)
		}
	}
}

func TestEveryListShowsTheFieldsThatAreAskedFor(t *testing.T) {
	s := populated(t)
	for _, path := range lists() {
		whole := things(t, s, path)
		var names []string
		for name := range whole[0] {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			pair := []string{name, names[(i+1)%len(names)]}
			got := things(t, s, with(path, "fields", strings.Join(pair, ","), "limit", "5"))
			if len(got) != len(whole) || len(got[0]) != 2 {
				t.Fatalf("%s %q: %d things, the first is %v", path, pair, len(got), got[0])
			}
			for j := range got {
				if diff := cmp.Diff(map[string]any{pair[0]: whole[j][pair[0]], pair[1]: whole[j][pair[1]]}, got[j]); diff != "" {
					t.Fatalf("%s %q: %s", path, pair, diff)
				}
			}
		}
		if p := decodeProblem(t, s.get(t, with(path, "fields", names[0]+","+names[0])), http.StatusBadRequest); p.Parameter != "fields" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

func TestEveryListTakesMatchers(t *testing.T) {
	s := populated(t)
	for path, filters := range map[string]map[string]int{
		"/clusters":                 {`cluster="prod"`: 1, `cluster=~"c-.*"`: 12, `status!="denials"`: 14, `region="mars"`: 0},
		"/clusters/prod/principals": {`principal=~".*0[0-5].*"`: 5, `kind="node"`: 0, `kind="role"`: 9, `principal="arn:aws:iam::111122223333:role/=<04>"`: 1, `account="111122223333"`: 9},
		"/clusters/prod/lockouts":   {`subject=~".*0[0-5].*"`: 5, `severity="critical"`: 0, `confidence="high"`: 9},
		"/lockouts": {
			`cluster="staging"`: 3, `principal=~"arn:.*",cluster!="prod"`: 3, `state="resolved"`: 1, `state=~".*"`: 13,
			`principal="over"`: 0, `principal="",state="resolved"`: 1, `subject="arn:aws:iam::111122223333:role/=<04>"`: 1, `cluster="prod",cluster="staging"`: 0, `code="mapping_lost"`: 12,
		},
		"/diagnoses": {`who_acts=""`: 0, `region=~"eu-.*"`: 12, `account!="111122223333"`: 0},
	} {
		for filter, want := range filters {
			for _, limit := range []string{"2", "500"} {
				if got := things(t, s, with(path, "filter", filter, "limit", limit)); len(got) != want {
					t.Errorf("%s %s: %d, want %d", path, filter, len(got), want)
				}
			}
		}
		for _, wrong := range []string{`layer="sts"`, `=x`, `cluster=~"("`} {
			if p := decodeProblem(t, s.get(t, with(path, "filter", wrong)), http.StatusBadRequest); p.Parameter != "filter" {
				t.Errorf("%s %s: %+v", path, wrong, p)
			}
		}
	}
}

// A diagnosis of the tests lasts an hour, a principal no time.
func TestListsOfATime(t *testing.T) {
	s := populated(t)
	at := func(hours int) string { return now.Add(time.Duration(hours) * time.Hour).Format(time.RFC3339) }
	for path, want := range map[string]int{
		with("/lockouts", "start", at(0)):                                3,
		with("/lockouts", "start", at(-1)):                               6,
		with("/lockouts", "end", at(-3)):                                 3, // those that began four hours ago
		with("/lockouts", "start", at(-2), "end", at(-1)):                6, // of them three ended later
		with("/clusters/prod/lockouts", "since", "90m"):                  5,
		with("/diagnoses", "since", "1s", "state", "all"):                4,
		with("/clusters/prod/principals", "start", at(-1)):               5,
		with("/clusters/prod/principals", "end", at(-1)):                 4,
		with("/clusters/prod/principals", "since", "1s"):                 3,
		with("/clusters/prod/principals", "start", at(1)):                0,
		with("/clusters/prod/principals", "end", "1970-01-02T00:00:00Z"): 0,
	} {
		if got := things(t, s, path); len(got) != want {
			t.Errorf("%s: %d, want %d", path, len(got), want)
		}
	}
	for _, path := range []string{"/lockouts", "/clusters/prod/principals"} {
		u, err := url.Parse(linked(t, s.get(t, with(path, "since", "90m", "limit", "1"))))
		if err != nil || u.Query().Get("start") != now.Add(-90*time.Minute).Format(time.RFC3339) || u.Query().Has("since") {
			t.Errorf("%s: the next page is %v %v", path, u, err)
		}
	}
}

func TestTheNextPageOfALongTimeIsTaken(t *testing.T) {
	s := populated(t)
	for _, path := range lists()[1:] {
		if got, want := things(t, s, with(path, "since", "100y", "limit", "4")), things(t, s, path); len(got) != len(want) {
			t.Errorf("%s: %d, want %d", path, len(got), len(want))
		}
	}
	for _, path := range lists()[1:] {
		if p := decodeProblem(t, s.get(t, with(path, "since", "1h", "end", "0")), http.StatusBadRequest); p.Parameter != "end" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}
