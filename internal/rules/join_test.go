package rules_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// entry makes one line of a stream, written at that time and delivered 700 ms
// later. Its text is unique.
func entry(kind authlog.Kind, at time.Time, from, text string, pairs ...string) authlog.Event {
	ev := authlog.Event{
		Line:   authlog.Line{Stream: from, Time: at.Add(700 * time.Millisecond), Text: text},
		Kind:   kind,
		Logged: at.Truncate(time.Second),
		Msg:    kind.String(),
	}
	for i := 0; i < len(pairs); i += 2 {
		ev.Fields = append(ev.Fields, authlog.Field{Key: pairs[i], Value: pairs[i+1]})
	}
	return ev
}

func response(at time.Time, from, client, role, session string) authlog.Event {
	return entry(authlog.KindSTSResponse, at, from, "response "+session,
		"arn", "arn:aws:sts::111122223333:assumed-role/"+role+"/"+session, "client", client,
		"session", session, "userid", "AROA"+role, "accountid", "111122223333")
}

func outcome(kind authlog.Kind, at time.Time, from, client, role, text string) authlog.Event {
	return entry(kind, at, from, text, "arn", "arn:aws:iam::111122223333:role/"+role, "client", client,
		"error", "identity is not mapped", "uid", "aws-iam-authenticator:111122223333:AROA"+role)
}

func TestJoinerGivesEachOutcomeTheResponseOfItsRequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *authlog.Event)
		found  bool
	}{
		{"of the same second", func(*authlog.Event) {}, true},
		{"of 10 s before", func(r *authlog.Event) { r.Logged = r.Logged.Add(-rules.JoinWindow) }, true},
		{"of 11 s before", func(r *authlog.Event) { r.Logged = r.Logged.Add(-rules.JoinWindow - time.Second) }, false},
		{"of the second after", func(r *authlog.Event) { r.Logged = r.Logged.Add(time.Second) }, false},
		{"delivered late", func(r *authlog.Event) { r.Time = r.Time.Add(300 * time.Millisecond) }, true},
		{"of another stream", func(r *authlog.Event) { r.Stream = "authenticator-2" }, false},
		{"of another cluster", func(r *authlog.Event) { r.Cluster.Name = "other" }, false},
		{"of another account's cluster", func(r *authlog.Event) { r.Cluster.Account = "444455556666" }, false},
		{"of another client", func(r *authlog.Event) { r.Fields[1].Value = "127.0.0.1:2" }, false},
		{"of another role", func(r *authlog.Event) { r.Fields[0].Value = "arn:aws:sts::111122223333:assumed-role/Ops/bob" }, false},
		{"of another account", func(r *authlog.Event) { r.Fields[0].Value = "arn:aws:sts::444455556666:assumed-role/Dev/bob" }, false},
		{"of an ARN that is none", func(r *authlog.Event) { r.Fields[0].Value = "arn:aws:sts::111122223333:assumed-role/Dev" }, false},
	} {
		for _, kind := range []authlog.Kind{authlog.KindDenied, authlog.KindGranted} {
			r := response(noon, "authenticator-1", "127.0.0.1:1", "Dev", "bob")
			c.change(&r)
			events := []authlog.Event{r, outcome(kind, noon, "authenticator-1", "127.0.0.1:1", "Dev", "outcome")}
			var j rules.Joiner
			got := j.Page(events)
			want := []rules.Identity{{}, {}}
			if c.found {
				want[1] = rules.Identity{Found: true, Session: "bob", UserID: "AROADev", Account: "111122223333"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v, a response %s: %s", kind, c.name, diff)
			}
		}
	}
}

func TestJoinerTakesTheNearestResponse(t *testing.T) {
	ms := time.Millisecond
	events := []authlog.Event{
		response(noon, "s", "c", "Dev", "alice"),
		response(noon.Add(40*ms), "s", "c", "Dev", "bob"),
		outcome(authlog.KindDenied, noon.Add(41*ms), "s", "c", "Dev", "first"),
		outcome(authlog.KindDenied, noon.Add(42*ms), "s", "c", "Dev", "second"),
		response(noon.Add(43*ms), "s", "c", "Dev", "carol"),
	}
	var j rules.Joiner
	got := j.Page(events)
	if got[2].Session != "bob" || got[3].Session != "alice" {
		t.Errorf("first %q, second %q", got[2].Session, got[3].Session)
	}
}

func TestJoinerGivesAResponseTwiceOnlyWhenNoOtherIdentityIsNear(t *testing.T) {
	again := func(sessions ...string) rules.Identity {
		var events []authlog.Event
		for _, s := range sessions {
			events = append(events, response(noon, "s", "c", "Dev", s))
		}
		for i := range len(sessions) + 1 {
			events = append(events, outcome(authlog.KindDenied, noon.Add(time.Second), "s", "c", "Dev", fmt.Sprint("outcome ", i)))
		}
		var j rules.Joiner
		found := j.Page(events)
		return found[len(found)-1]
	}
	if got := again("bob"); got.Session != "bob" {
		t.Errorf("one identity near: %+v", got)
	}
	if got := again("bob", "alice"); got.Found {
		t.Errorf("two identities near: %+v", got)
	}
}

func TestJoinerHoldsAGrantToItsUID(t *testing.T) {
	r := response(noon, "s", "c", "Dev", "bob")
	r.Fields[3].Value = "AROAOther"
	var j rules.Joiner
	got := j.Page([]authlog.Event{r, outcome(authlog.KindGranted, noon, "s", "c", "Dev", "grant")})
	if got[1].Found {
		t.Errorf("the grant of AROADev got the response of AROAOther: %+v", got[1])
	}
}

func TestJoinerHoldsAnOutcomeToItsEndpoint(t *testing.T) {
	endpoint := func(ev authlog.Event, host string) authlog.Event {
		ev.Fields = append(ev.Fields, authlog.Field{Key: "stsendpoint", Value: host})
		return ev
	}
	events := []authlog.Event{
		endpoint(response(noon, "s", "c", "Dev", "alice"), "sts.us-west-2.amazonaws.com"),
		endpoint(response(noon.Add(time.Millisecond), "s", "c", "Dev", "bob"), "sts.amazonaws.com"),
		endpoint(outcome(authlog.KindGranted, noon.Add(2*time.Millisecond), "s", "c", "Dev", "grant"), "sts.us-west-2.amazonaws.com"),
	}
	var j rules.Joiner
	if got := j.Page(events)[2]; got.Session != "alice" || got.Endpoint != "us-west-2" {
		t.Errorf("the grant of us-west-2 got %+v", got)
	}
}

func TestJoinerReadsThePageBeforeAgainWithTheSameResult(t *testing.T) {
	events := storm(rand.New(rand.NewPCG(1, 2)))
	var j rules.Joiner
	first := j.Page(events)
	if diff := cmp.Diff(first, j.Page(events)); diff != "" {
		t.Error(diff)
	}
}

// storm makes some minutes of concurrent requests on few connections: the
// worst there is to join. Each request has a session of its own.
func storm(rng *rand.Rand) []authlog.Event {
	var events []authlog.Event
	at := noon
	for i := range 300 {
		at = at.Add(time.Duration(rng.IntN(300)) * time.Millisecond)
		from, client := fmt.Sprint("authenticator-", rng.IntN(2)), fmt.Sprint("127.0.0.1:", rng.IntN(2))
		role, kind := fmt.Sprint("Role", rng.IntN(2)), authlog.KindDenied
		if rng.IntN(2) == 0 {
			kind = authlog.KindGranted
		}
		events = append(events,
			response(at, from, client, role, fmt.Sprint("session-", i)),
			outcome(kind, at.Add(time.Duration(rng.IntN(50))*time.Millisecond), from, client, role, fmt.Sprint("outcome ", i)))
	}
	slices.SortStableFunc(events, func(a, b authlog.Event) int { return a.Time.Compare(b.Time) })
	return events
}

// byText joins the pages one after the other and returns what was found for
// each outcome.
func byText(pages ...[]authlog.Event) map[string]rules.Identity {
	var j rules.Joiner
	all := map[string]rules.Identity{}
	for _, p := range pages {
		for i, id := range j.Page(p) {
			if p[i].Kind != authlog.KindSTSResponse {
				all[p[i].Text] = id
			}
		}
	}
	return all
}

func TestJoinerGivesEveryOutcomeOneResponseOfItsOrigin(t *testing.T) {
	for seed := range uint64(20) {
		events := storm(rand.New(rand.NewPCG(seed, 0)))
		origin := map[string]string{}
		for i := range events {
			if ev := &events[i]; ev.Kind == authlog.KindSTSResponse {
				origin[ev.Get("session")] = ev.Stream + ev.Get("client") + ev.Get("userid")
			}
		}
		found := byText(events)
		given := map[string]bool{}
		for i := range events {
			ev := &events[i]
			if ev.Kind == authlog.KindSTSResponse {
				continue
			}
			id := found[ev.Text]
			want := ev.Stream + ev.Get("client") + "AROA" + ev.Get("arn")[len("arn:aws:iam::111122223333:role/"):]
			if !id.Found || origin[id.Session] != want || given[id.Session] {
				t.Fatalf("seed %d: %s of %s got %+v", seed, ev.Text, want, id)
			}
			given[id.Session] = true
		}
	}
}

func TestJoinerDoesNotDependOnTheOrderWithinASecond(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		events := storm(rng)
		want := byText(events)
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		slices.SortStableFunc(events, func(a, b authlog.Event) int { return a.Logged.Compare(b.Logged) })
		if diff := cmp.Diff(want, byText(events)); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

func TestJoinerDoesNotDependOnWherePagesAreCut(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 2))
		events := storm(rng)
		want := byText(events)
		slices.SortStableFunc(events, func(a, b authlog.Event) int { return a.Logged.Compare(b.Logged) })
		var pages [][]authlog.Event
		start := 0
		for i := 1; i < len(events); i++ {
			if !events[i].Logged.Equal(events[i-1].Logged) && rng.IntN(3) == 0 {
				pages = append(pages, events[start:i])
				start = i
			}
		}
		if diff := cmp.Diff(want, byText(append(pages, events[start:])...)); diff != "" {
			t.Fatalf("seed %d, %d pages: %s", seed, len(pages), diff)
		}
	}
}

func TestJoinerForgetsWhatNoLaterLineCanComeFrom(t *testing.T) {
	var j rules.Joiner
	before := heap()
	for page := range 50 {
		at := noon.Add(time.Duration(page) * 2 * rules.JoinWindow)
		j.Page(responses(at, 1000))
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("%d bytes are kept after 50 pages", grown)
	}
	runtime.KeepAlive(&j)
}

func TestJoinerLimitsWhatItKeepsOfOneSecond(t *testing.T) {
	var j rules.Joiner
	before := heap()
	for page := range 10 {
		events := responses(noon, 10_000)
		for i := range events {
			events[i].Stream = fmt.Sprint("authenticator-", page)
		}
		j.Page(events)
	}
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("%d bytes are kept of one second", grown)
	}
	runtime.KeepAlive(&j)
}

func responses(at time.Time, n int) []authlog.Event {
	events := make([]authlog.Event, n)
	for i := range events {
		events[i] = response(at, "s", fmt.Sprint("127.0.0.1:", i), "Dev", fmt.Sprint("session-", at.Unix(), "-", i))
	}
	return events
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkJoinerPage(b *testing.B) {
	events := storm(rand.New(rand.NewPCG(1, 1)))
	b.ReportAllocs()
	for b.Loop() {
		var j rules.Joiner
		j.Page(events)
	}
	b.ReportMetric(float64(len(events)), "events/op")
}
