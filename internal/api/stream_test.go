package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/feed"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// told is the n-th denial of c, whose error says which one it is.
func told(c authlog.Cluster, at time.Time, n int) authlog.Denial {
	d := denialAt(c, at, n)
	d.Error = strconv.Itoa(n)
	return d
}

// web is in another account and region than prod.
var web = authlog.Cluster{Name: "web", Account: "444455556666", Region: "us-east-1"}

func saveBatch(t *testing.T, st *store.SQLite, b authlog.Batch) {
	t.Helper()
	if err := st.Save(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func TestTheStreamTellsWhatIsSaved(t *testing.T) {
	st := openStore(t, told(prod, now.Add(-time.Hour), 0))
	s := serve(t, st, &fake{})
	sse := s.stream(t, "")
	d := diagnosisOf(prod, "mapping_lost", "arn:aws:iam::111122223333:role/x", now)
	saveBatch(t, st, authlog.Batch{Denials: []authlog.Denial{told(prod, now, 1)}, Diagnoses: []authlog.Diagnosis{d}})
	saveBatch(t, st, authlog.Batch{Denials: []authlog.Denial{told(prod, now.Add(-2*time.Hour), 2)}}) // late
	d.State, d.Resolution = authlog.DiagnosisResolved, &authlog.Resolution{Time: now, By: authlog.ResolvedByGrant, Why: "it was granted"}
	saveBatch(t, st, authlog.Batch{Diagnoses: []authlog.Diagnosis{d}})

	got := sse.want(4)
	if diff := cmp.Diff([]string{"denial 1", "diagnosis_opened mapping_lost", "denial 2", "diagnosis_resolved mapping_lost"}, short(got)); diff != "" {
		t.Fatal(diff)
	}
	list := decode[struct{ Denials []any }](t, s.get(t, "/clusters/prod/denials"), http.StatusOK)
	if diff := cmp.Diff(list.Denials[0], asJSON(t, []byte(got[0].data))); diff != "" {
		t.Errorf("a denial is not what lists show: %s", diff)
	}
	found := decode[struct{ Lockouts []any }](t, s.get(t, "/lockouts?state=resolved"), http.StatusOK)
	if diff := cmp.Diff(found.Lockouts[0], asJSON(t, []byte(got[3].data))); diff != "" {
		t.Errorf("a diagnosis is not what lists show: %s", diff)
	}
	for _, e := range got {
		checkEvents(t, fmt.Appendf(nil, "event: %s\ndata: %s\n\n", e.name, e.data))
	}
}

// A reader that is cut off anywhere, while the service restarts and more is
// saved, late lines among it, gets exactly the rest.
func TestAStreamResumesWithoutGapAcrossARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	open := func() *store.SQLite {
		st, err := store.Open(t.Context(), path, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	st := open()
	f, stop := feedOf(t, st, feed.Config{})
	sse := serveWith(t, api.Config{Store: st, Feed: f}).stream(t, "")
	ids := []string{sse.id}
	for n := range 20 {
		saveBatch(t, st, authlog.Batch{Denials: []authlog.Denial{told(prod, now.Add(-time.Duration(n)*time.Hour), n)}})
		ids = append(ids, sse.want(1)[0].id)
	}
	stop()
	if e := sse.next(); e != (event{}) {
		t.Errorf("after the end came %+v", e)
	}
	for n := 20; n < 30; n++ {
		saveBatch(t, st, authlog.Batch{Denials: []authlog.Denial{told(prod, now.Add(-time.Duration(n)*time.Minute), n)}})
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}

	st = open()
	t.Cleanup(func() { _ = st.Close() })
	s := serve(t, st, &fake{})
	for i, id := range ids {
		var want []string
		for n := i; n < 30; n++ {
			want = append(want, fmt.Sprint("denial ", n))
		}
		again := s.stream(t, "", "Last-Event-ID", id)
		if diff := cmp.Diff(want, short(again.want(len(want)))); diff != "" {
			t.Fatalf("after %d: %s", i, diff)
		}
	}
	// The header goes before the parameter, as a browser keeps its URL.
	again := s.stream(t, "?last_event_id="+ids[0], "Last-Event-ID", ids[19])
	if got := short(again.want(1)); got[0] != "denial 19" {
		t.Errorf("got %v", got)
	}
	if got := short(s.stream(t, "?last_event_id="+ids[5]).want(1)); got[0] != "denial 5" {
		t.Errorf("got %v", got)
	}
}

func TestStreamFiltersChoose(t *testing.T) {
	st := openStore(t, told(prod, now.Add(-time.Hour), 0), told(web, now.Add(-time.Hour), 0))
	s := serve(t, st, &fake{})
	begin := s.stream(t, "").id
	a, b := told(prod, now, 1), told(web, now, 2)
	a.Principal = &authlog.Principal{ARN: "arn:aws:iam::111122223333:role/x", Kind: authlog.PrincipalRole}
	b.Reason = "sts_expired_credentials"
	critical := diagnosisOf(prod, "mapping_lost", "arn:aws:iam::111122223333:role/x", now)
	critical.Severity = authlog.SeverityCritical
	info := diagnosisOf(web, "log_gap", "", now)
	info.Severity = authlog.SeverityInfo
	saveBatch(t, st, authlog.Batch{Denials: []authlog.Denial{a, b}, Diagnoses: []authlog.Diagnosis{critical, info}})
	const one, two, lost, gap = "denial 1", "denial 2", "diagnosis_opened mapping_lost", "diagnosis_opened log_gap"
	for query, want := range map[string][]string{
		"":                     {one, two, lost, gap},
		"cluster=prod":         {one, lost},
		"account=444455556666": {two, gap},
		"region=eu-central-1":  {one, lost},
		"filter=" + url.QueryEscape(`reason="arn_not_mapped"`):    {one},
		"filter=" + url.QueryEscape(`reason!=""`):                 {one, two},
		"filter=" + url.QueryEscape(`layer="sts"`):                {two},
		"filter=" + url.QueryEscape(`event=~"diagnosis_.*"`):      {lost, gap},
		"filter=" + url.QueryEscape(`severity=~"critical|info"`):  {lost, gap},
		"filter=" + url.QueryEscape(`code="log_gap"`):             {gap},
		"filter=" + url.QueryEscape(`principal=~".*role/x"`):      {one, lost},
		"filter=" + url.QueryEscape(`kind=""`):                    {two, lost, gap},
		"filter=" + url.QueryEscape(`cluster=~"we.*",event!="x"`): {two, gap},
		"filter=" + url.QueryEscape(`who_acts="cluster_admin"`):   {one, lost},
		"cluster=web&filter=" + url.QueryEscape(`severity=""`):    {two},
	} {
		got := short(s.stream(t, "?"+query+"&last_event_id="+begin).want(len(want)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
}

func TestAStreamTellsWhatWasPruned(t *testing.T) {
	st := openStore(t)
	s := serve(t, st, &fake{})
	sse := s.stream(t, "")
	begin := sse.id
	save(t, st, told(prod, now.Add(-48*time.Hour), 1))
	save(t, st, told(prod, now, 2))
	ids := sse.want(2)
	if err := st.Prune(t.Context(), now.Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	s = serve(t, st, &fake{})
	got := s.stream(t, "", "Last-Event-ID", begin).want(2)
	if diff := cmp.Diff([]string{"gap", "denial 2"}, short(got)); diff != "" {
		t.Error(diff)
	}
	checkEvents(t, fmt.Appendf(nil, "event: gap\ndata: %s\n\n", got[0].data))
	if got := short(s.stream(t, "", "Last-Event-ID", ids[0].id).want(1)); got[0] != "denial 2" {
		t.Errorf("behind what was pruned: %v", got)
	}
}

func TestStreamRefusals(t *testing.T) {
	st := openStore(t, told(prod, now, 1))
	s := serve(t, st, &fake{})
	id := s.stream(t, "").id
	for query, parameter := range map[string]string{
		"last_event_id=7":           "last_event_id",
		"last_event_id=" + id + "0": "last_event_id",
		"filter=colour%3D%22red%22": "filter",
		"filter=nonsense":           "filter",
		"account=1":                 "account",
		"limit=1":                   "limit",
	} {
		if p := decodeProblem(t, s.get(t, "/stream?"+query), http.StatusBadRequest); p.Parameter != parameter {
			t.Errorf("%s: %+v", query, p)
		}
	}
	decodeProblem(t, s.get(t, "/stream?cluster=nosuch"), http.StatusNotFound)
	decodeProblem(t, s.ask(t, "/stream", "Accept", "application/json"), http.StatusNotAcceptable)
	for _, accept := range []string{"text/event-stream", "*/*", "text/*;q=0.1"} {
		if r := s.ask(t, "/stream", "Accept", accept); r.status != http.StatusOK {
			t.Errorf("Accept %s: %d", accept, r.status)
		}
	}
	if r := s.do(t, http.MethodHead, "/stream"); r.status != http.StatusOK || len(r.body) > 0 {
		t.Errorf("HEAD: %d %s", r.status, r.body)
	}
	f, stop := feedOf(t, st, feed.Config{Followers: 1})
	full := serveWith(t, api.Config{Store: st, Feed: f})
	full.stream(t, "")
	decodeProblem(t, full.get(t, "/stream"), http.StatusServiceUnavailable)
	stop()
	decodeProblem(t, full.get(t, "/stream"), http.StatusServiceUnavailable)
	decodeProblem(t, serveWith(t, api.Config{Store: bare{st}}).get(t, "/stream"), http.StatusNotImplemented)
}

// A browser stops for good where the id it sends by itself is refused.
func TestAnIDOfAnotherDatabaseBeginsNow(t *testing.T) {
	id := serve(t, openStore(t, told(prod, now, 1)), &fake{}).stream(t, "").id
	st := openStore(t, told(prod, now, 2))
	s := serve(t, st, &fake{})
	if p := decodeProblem(t, s.get(t, "/stream?last_event_id="+id), http.StatusBadRequest); !strings.Contains(p.Detail, "leave it out") {
		t.Errorf("%+v", p)
	}
	own := s.stream(t, "").id
	for i, header := range []string{id, "A" + own, "x"} {
		sse := s.stream(t, "?last_event_id="+own, "Last-Event-ID", header)
		gap := sse.want(1)[0]
		checkEvents(t, fmt.Appendf(nil, "event: gap\ndata: %s\n\n", gap.data))
		if gap.name != "gap" || !strings.Contains(gap.data, `"unknown_id"`) {
			t.Errorf("%s: %+v", header, gap)
		}
		again := s.stream(t, "", "Last-Event-ID", sse.id)
		save(t, st, told(prod, now, 3+i))
		for _, sse := range []*stream{sse, again} {
			if got := short(sse.want(1)); got[0] != fmt.Sprint("denial ", 3+i) {
				t.Errorf("%s: %v", header, got)
			}
		}
		own = again.id
	}
}

// bare is a store without changes.
type bare struct{ api.Store }

// A reader that takes in nothing neither holds the writer up nor costs memory;
// when it reads again it is told where to go on, and nothing is lost.
func TestASlowReaderIsDroppedAndResumes(t *testing.T) {
	st := openStore(t)
	f, _ := feedOf(t, st, feed.Config{Kept: 20})
	s := serveWith(t, api.Config{Store: st, Feed: f})
	slow, quick := s.stream(t, ""), s.stream(t, "")
	long := strings.Repeat("x", 400<<10)
	const n = 80 // some 30 MB, more than sockets hold
	for i := range n {
		d := told(prod, now, i)
		d.Client = long
		save(t, st, d)
		if got := short(quick.want(1)); got[0] != fmt.Sprint("denial ", i) {
			t.Fatalf("the quick reader got %v for %d", got, i)
		}
	}
	var got []string
	for {
		e := slow.want(1)[0]
		if e.name == "dropped" {
			checkEvents(t, fmt.Appendf(nil, "event: dropped\ndata: %s\n\n", e.data))
			break
		}
		got = append(got, short([]event{e})...)
	}
	if e := slow.next(); e != (event{}) || len(got) == n {
		t.Errorf("after it was dropped, having read %d, came %+v", len(got), e)
	}
	got = append(got, short(s.stream(t, "", "Last-Event-ID", slow.id).want(n-len(got)))...)
	for i, name := range got {
		if name != fmt.Sprint("denial ", i) {
			t.Fatalf("%s at %d", name, i)
		}
	}
	if body := s.get(t, "/metrics").body; !bytes.Contains(body, []byte(`eks_authn_stream_readers_dropped_total{reason="slow"} 1`)) {
		t.Errorf("metrics: %s", body)
	}
}

func TestNoEventBreaksItsLine(t *testing.T) {
	d := told(prod, now, 1)
	d.Error = "a\n\ndata: {}\r\nevent: denial\u2028\x00"
	d.Client = "</script>"
	frame := api.Frame("ID", &authlog.Change{Kind: authlog.ChangeDenial, Denial: &d})
	if lines := bytes.Split(frame, []byte("\n")); len(lines) != 5 || bytes.ContainsAny(frame, "\r\x00<") {
		t.Errorf("%q", frame)
	}
	checkEvents(t, frame)
}

func TestTheStreamOfATeamTellsOfNoOtherCluster(t *testing.T) {
	st := openStore(t)
	saveFindings(t, st, redRole, redOne, redTwo)
	saveFindings(t, st, blueRole, blueOne, blueTwo, greenOne)
	who := teams()
	s := serveWith(t, api.Config{Store: st, Callers: who})
	read := func(token, query string) *stream {
		return s.stream(t, query, "Authorization", "Bearer "+token)
	}
	red, redShared, every := read(ownToken, ""), read(ownToken, "?cluster=shared"), read(adminToken, "")
	begin := red.id
	for i, c := range []authlog.Cluster{blueOne, redOne, blueTwo, greenOne, redTwo, blueTwo} {
		save(t, st, told(c, now.Add(-48*time.Hour), i))
	}
	if got := short(every.want(6)); got[0] != "denial 0" || got[5] != "denial 5" {
		t.Errorf("an admin got %v", got)
	}
	tell := func(events []event, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, short(events)); diff != "" {
			t.Error(diff)
		}
		mustNotTell(t, "the stream", "", reply{body: fmt.Append(nil, events)})
	}
	tell(red.want(2), "denial 1", "denial 4")
	tell(redShared.want(1), "denial 4")
	last := red.id

	// That something of others was pruned is nobody's business either.
	save(t, st, told(blueOne, now.Add(-48*time.Hour), 6), told(redOne, now, 7))
	if err := st.Prune(t.Context(), now.Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	tell(read(ownToken, "?last_event_id="+last).want(1), "denial 7")
	tell(read(ownToken, "?filter=event%3D%22denial%22&last_event_id="+begin).want(1), "gap")
	if got := short(read(adminToken, "?last_event_id="+last).want(1)); got[0] != "gap" {
		t.Errorf("an admin got %v", got)
	}
}

// The ids that a token gets tell nothing of what it does not see: neither by
// staying the same while that is quiet, nor by changing when it is not.
func TestStreamIDsTellNothingOfOtherClusters(t *testing.T) {
	st := openStore(t)
	s := serveWith(t, api.Config{Store: st, Callers: teams()})
	seen := map[string]bool{}
	for i := range 20 {
		if i%5 == 4 {
			save(t, st, told(blueOne, now, i))
		}
		seen[s.stream(t, "", "Authorization", "Bearer "+ownToken).id] = true
	}
	if len(seen) != 20 {
		t.Errorf("20 streams began with %d ids", len(seen))
	}
}

// What many readers cost is bounded: idle ones and stuck ones hold no events,
// and who reads gets all of them in order meanwhile.
func TestManyReadersHoldUpNobody(t *testing.T) {
	const idle, slow, n = 200, 20, 300
	st := openStore(t, told(prod, now, n), told(web, now, n))
	s := serve(t, st, &fake{})
	quick := s.stream(t, "?cluster=prod")
	for range idle {
		s.stream(t, "?cluster=web")
	}
	for range slow {
		s.stream(t, "?cluster=prod") // never read again
	}
	before := heap()
	long := strings.Repeat("x", 50<<10)
	for i := range n {
		d := told(prod, now, i)
		d.Client = long
		save(t, st, d)
		if got := short(quick.want(1)); got[0] != fmt.Sprint("denial ", i) {
			t.Fatalf("%v at %d", got, i)
		}
	}
	// 15 MB of events: kept once, not once for each reader.
	if grown := heap() - before; grown > 64<<20 {
		t.Errorf("the heap has grown by %d MB", grown>>20)
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
