package source_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

// busy is a cloud with three clusters of two streams and 300 lines.
func busy(t *testing.T, changes ...func(*awssim.World)) *cloud {
	t.Helper()
	c := newCloud(t, changes...)
	for _, cluster := range []string{"a", "b", "c"} {
		g := c.group(t, cluster, 2, awssim.GroupOptions{})
		for i := range 100 {
			c.write(g, i%2, 1, time.Duration(i)*500*time.Millisecond)
		}
	}
	return c
}

// behind puts a proxy before the cloud's endpoint. answered sees each call of
// the log API with its body, and may change the answer before it goes back.
func (c *cloud) behind(t *testing.T, answered func(r *http.Request, operation string, body, answer []byte) []byte) aws.Config {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		out, err := http.NewRequestWithContext(r.Context(), r.Method, c.server.URL()+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		out.Header, out.Host = r.Header, r.Host // both are signed
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			t.Error(err)
		}
		if _, op, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
			answer = answered(r, op, body, answer)
		}
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(answer) // the caller may have hung up
	}))
	t.Cleanup(proxy.Close)
	cfg := c.server.Config(region)
	cfg.BaseEndpoint = aws.String(proxy.URL)
	cfg.Retryer = quick
	return cfg
}

func TestReadIgnoresRowsOfARunningQuery(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Polls: []string{"Scheduled", "Running", "Running"}, Phantoms: 5})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"complete": 1})
	if n := c.Calls("GetQueryResults"); n != 4 {
		t.Errorf("polled %d times, want 4", n)
	}
}

func TestReadWaitsWhileAWSDoesNotKnow(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Polls: []string{"Unknown", "Running", "Unknown"}})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"complete": 1})
}

func TestReadSendsAFailedQueryAgain(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 2, Polls: []string{"Running", "Failed"}, Phantoms: 3})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"failed": 2, "complete": 1})
}

func TestReadGivesUpAQueryThatFailsThreeTimes(t *testing.T) {
	c := busy(t)
	ia := c.group(t, "ia", 1, awssim.GroupOptions{Class: awssim.InfrequentAccess})
	c.write(ia, 0, 7, time.Second)
	c.Inject(awssim.Fault{Operation: "StartQuery", Group: "/aws/eks/a/cluster", Polls: []string{"Failed"}})
	s := c.source(t, config())
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	if len(got.errs) != 1 || got.total() != 7 {
		t.Errorf("got %d lines and errors %v, want the 7 of the other batch and one error", got.total(), got.errs)
	}
	c.meter.wantQueries(t, map[string]int{"failed": 3, "complete": 1})
}

func TestReadHalvesWhatTakesTooLong(t *testing.T) {
	for _, status := range []string{"Timeout", "Cancelled"} {
		t.Run(status, func(t *testing.T) {
			c := busy(t)
			c.Inject(awssim.Fault{Operation: "StartQuery", Times: 3, Polls: []string{"Running", status}, Phantoms: 3})
			s := c.source(t, config())
			c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
			// 60, 30 and 15 s take too long; 7, 8, 15... are read.
			c.meter.wantQueries(t, map[string]int{strings.ToLower(status): 3, "complete": 4})
		})
	}
}

func TestReadPartsASecondThatTakesTooLong(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 2, Polls: []string{"Timeout"}})
	s := c.source(t, config())
	w := c.window(t, s, time.Second)
	got := read(t.Context(), t, s, w)
	if len(got.errs) > 0 || got.total() != 6 {
		t.Errorf("got %d lines and errors %v, want 6", got.total(), got.errs)
	}
	c.meter.wantQueries(t, map[string]int{"timeout": 2, "complete": 3})
}

func TestReadGivesUpASecondOfOneStreamThatAlwaysTakesTooLong(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	c.write(g, 0, 5, 0)
	c.Inject(awssim.Fault{Operation: "StartQuery", Polls: []string{"Timeout"}})
	s := c.source(t, config())
	got := read(t.Context(), t, s, c.window(t, s, 4*time.Second))
	if len(got.errs) != 1 || got.total() != 0 {
		t.Errorf("got %d lines and errors %v, want one error", got.total(), got.errs)
	}
	c.meter.wantQueries(t, map[string]int{"timeout": 3})
}

func TestReadStopsAQueryAfterItsTimeAndHalvesIt(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 1, Polls: slices.Repeat([]string{"Running"}, 100_000)})
	cfg := config()
	cfg.QueryTimeout = 50 * time.Millisecond
	s := c.source(t, cfg)
	got := read(t.Context(), t, s, c.window(t, s, time.Minute))
	c.wantAll(t, got)
	if c.meter.queries["stopped"] < 1 || c.meter.queries["complete"] < 2 {
		t.Errorf("queries ended %v", c.meter.queries)
	}
}

func TestReadOutlastsAStormOfRefusals(t *testing.T) {
	for name, fail := range map[string]awssim.Failure{
		"throttling":     awssim.Throttling,
		"limit exceeded": awssim.LimitExceeded,
		"500":            awssim.InternalFailure,
		"503":            awssim.ServiceUnavailable,
		"dropped before": awssim.DropBefore,
	} {
		t.Run(name, func(t *testing.T) {
			c := busy(t)
			for _, op := range []string{"StartQuery", "GetQueryResults"} {
				c.Inject(awssim.Fault{Operation: op, Times: 4, Fail: fail})
			}
			s := c.source(t, config())
			c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
		})
	}
}

func TestReadSaysWhenItIsThrottledForGood(t *testing.T) {
	for _, op := range []string{"StartQuery", "GetQueryResults"} {
		t.Run(op, func(t *testing.T) {
			c := busy(t, slow(time.Hour))
			s := c.source(t, config())
			w := c.window(t, s, time.Minute)
			c.Inject(awssim.Fault{Operation: op, Fail: awssim.LimitExceeded})
			got := read(t.Context(), t, s, w)
			if len(got.errs) != 1 || !errors.Is(got.errs[0], authlog.ErrThrottled) {
				t.Errorf("errors %v, want one that is ErrThrottled", got.errs)
			}
		})
	}
}

func TestReadStaysBelowTheQuotaOfQueries(t *testing.T) {
	c := newCloud(t, slow(50*time.Millisecond), func(w *awssim.World) { w.Limits.Queries = 2 })
	limits := config()
	limits.MaxConcurrent = 2
	cfg := config()
	cfg.Limits = source.NewLimits(limits)
	for i := range 6 { // batches of one group each
		g := c.group(t, fmt.Sprintf("c%d", i), 190, awssim.GroupOptions{})
		c.write(g, 0, 3, time.Second)
	}
	s := c.source(t, cfg)
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	if n := c.Refusals()["LimitExceededException"]; n > 0 {
		t.Errorf("%d queries were refused", n)
	}
}

func TestReadTakesOverAQueryWhoseAnswerWasLost(t *testing.T) {
	c := busy(t, slow(20*time.Millisecond))
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 1, Fail: awssim.DropAfter})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"complete": 1})
	if n := c.Calls("StartQuery"); n != 1 {
		t.Errorf("StartQuery was called %d times", n)
	}
}

func TestReadTellsItsQueryFromOthersOfTheSameText(t *testing.T) {
	c := busy(t, slow(20*time.Millisecond))
	// Two readers of the same clusters, both lose an answer.
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 2, Fail: awssim.DropAfter})
	s, other := c.source(t, config()), c.source(t, config())
	w := c.window(t, s, time.Minute)
	half := w
	half.To = w.From.Add(30 * time.Second)
	done := make(chan reading)
	go func() { done <- read(t.Context(), t, other, half) }()
	c.wantAll(t, read(t.Context(), t, s, w))
	if got := <-done; got.total() != c.lines*30/50 {
		t.Errorf("the other reader got %d lines, want %d", got.total(), c.lines*30/50)
	}
}

func TestReadStartsAnewWhatCannotBeFound(t *testing.T) {
	c := busy(t)
	c.Inject(awssim.Fault{Operation: "StartQuery", Times: 1, Fail: awssim.DropBefore})
	s := c.source(t, config())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	c.meter.wantQueries(t, map[string]int{"lost": 1, "complete": 1})
}

func TestReadGoesOnWhereAWSMatchedMoreThanItGave(t *testing.T) {
	c := newCloud(t)
	g := c.group(t, "prod", 1, awssim.GroupOptions{})
	for second := range 55 {
		c.write(g, 0, 200, time.Duration(second)*time.Second)
	}
	cfg := config()
	cfg.RowLimit = 100_000
	token := regexp.MustCompile(`"nextToken":"[^"]*",`)
	s := source.New(c.behind(t, func(_ *http.Request, operation string, _, answer []byte) []byte {
		if operation == "GetQueryResults" {
			return token.ReplaceAll(answer, nil)
		}
		return answer
	}), cfg, c.meter, zerolog.Nop())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	// 10,000 lines of the first page, and the rest.
	c.meter.wantQueries(t, map[string]int{"complete": 2})
}

func TestReadGoesByRowsWhereAWSGivesNoStatistics(t *testing.T) {
	c := busy(t)
	cfg := config()
	cfg.RowLimit = 50
	stats := regexp.MustCompile(`"statistics":\{[^}]*\},`)
	s := source.New(c.behind(t, func(_ *http.Request, operation string, _, answer []byte) []byte {
		if operation == "GetQueryResults" {
			return stats.ReplaceAll(answer, nil)
		}
		return answer
	}), cfg, c.meter, zerolog.Nop())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
	if c.meter.scanned != 0 {
		t.Error("the answers had statistics")
	}
}

func TestReadAsksForWholeSecondsWithBothEndsIncluded(t *testing.T) {
	c := busy(t)
	var asked struct {
		StartTime, EndTime  int64
		Limit               int
		LogGroupIdentifiers []string
	}
	s := source.New(c.behind(t, func(_ *http.Request, operation string, body, answer []byte) []byte {
		if operation == "StartQuery" {
			if err := json.Unmarshal(body, &asked); err != nil {
				t.Error(err)
			}
		}
		return answer
	}), config(), c.meter, zerolog.Nop())
	w := c.window(t, s, time.Minute)
	c.wantAll(t, read(t.Context(), t, s, w))
	if from, to := c.start.Unix(), c.start.Unix()+59; asked.StartTime != from || asked.EndTime != to || asked.Limit != 10_000 {
		t.Errorf("asked for %+v, want %d to %d, 10,000 rows", asked, from, to)
	}
	want := []string{w.Targets[0].Group.ARN, w.Targets[1].Group.ARN, w.Targets[2].Group.ARN}
	if diff := cmp.Diff(want, asked.LogGroupIdentifiers); diff != "" {
		t.Error(diff)
	}
}

func TestReadTakesARowThatIsGivenTwiceOnce(t *testing.T) {
	c := busy(t)
	s := source.New(c.behind(t, func(_ *http.Request, operation string, _, answer []byte) []byte {
		if operation != "GetQueryResults" {
			return answer
		}
		var whole map[string]json.RawMessage
		var rows []json.RawMessage
		err := errors.Join(json.Unmarshal(answer, &whole), json.Unmarshal(whole["results"], &rows))
		var twice []json.RawMessage
		for _, row := range rows {
			twice = append(twice, row, row)
		}
		doubled, e := json.Marshal(twice)
		whole["results"] = doubled
		answer, e2 := json.Marshal(whole)
		if err = errors.Join(err, e, e2); err != nil {
			t.Error(err)
		}
		return answer
	}), config(), c.meter, zerolog.Nop())
	c.wantAll(t, read(t.Context(), t, s, c.window(t, s, time.Minute)))
}

func TestReadGoesOnWithoutAGroupThatIsGone(t *testing.T) {
	c := busy(t)
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	c.region.DeleteLogGroup("/aws/eks/b/cluster")
	got := read(t.Context(), t, s, w)
	if len(got.errs) != 1 || got.total() != 200 {
		t.Fatalf("got %d lines and errors %v, want the 200 of the other groups and one error", got.total(), got.errs)
	}
	gone, ok := errors.AsType[*authlog.GoneError](got.errs[0])
	if !ok || gone.LogGroup != w.Targets[1].Group.ARN {
		t.Errorf("error %v, want a GoneError of %s", got.errs[0], w.Targets[1].Group.ARN)
	}
}

func TestReadGoesOnWithoutAGroupThatMayNotBeRead(t *testing.T) {
	c := busy(t)
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	c.Inject(awssim.Fault{Operation: "StartQuery", Group: "/aws/eks/b/cluster", Fail: awssim.AccessDenied})
	got := read(t.Context(), t, s, w)
	if len(got.errs) != 1 || got.total() != 200 {
		t.Fatalf("got %d lines and errors %v, want the 200 of the other groups and one error", got.total(), got.errs)
	}
	access, ok := errors.AsType[*authlog.AccessError](got.errs[0])
	if !ok || access.Action != "logs:StartQuery" || !strings.Contains(access.Resource, "/aws/eks/b/cluster") {
		t.Errorf("error %v, want one that names logs:StartQuery on b", got.errs[0])
	}
}

func TestReadNamesThePermissionThatIsMissing(t *testing.T) {
	c := busy(t, slow(time.Hour))
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	c.Inject(awssim.Fault{Operation: "GetQueryResults", Fail: awssim.AccessDenied})
	got := read(t.Context(), t, s, w)
	if len(got.errs) != 1 || got.total() != 0 {
		t.Fatalf("got %d lines and errors %v, want one error", got.total(), got.errs)
	}
	access, ok := errors.AsType[*authlog.AccessError](got.errs[0])
	if !ok || access.Action != "logs:GetQueryResults" {
		t.Errorf("error %v, want one that names logs:GetQueryResults", got.errs[0])
	}
	if n := c.Calls("StartQuery"); n != 1 {
		t.Errorf("%d queries started without a right to their results", n)
	}
}

func TestReadStopsItsQueriesWhenTheContextEnds(t *testing.T) {
	c := busy(t, slow(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	s := c.source(t, config())
	w := c.window(t, s, time.Minute)
	c.Inject(awssim.Fault{Operation: "GetQueryResults", Skip: 2, Times: 1, Do: cancel})
	got := read(ctx, t, s, w)
	if len(got.errs) != 1 || !errors.Is(got.errs[0], context.Canceled) {
		t.Errorf("errors %v, want one that is context.Canceled", got.errs)
	}
	c.meter.wantQueries(t, map[string]int{"stopped": 1})
	if n := c.RunningQueries(); n != 0 {
		t.Errorf("%d queries run on", n)
	}
}

func TestReadStopsAQueryWhoseAnswerTheEndOfTheContextCutOff(t *testing.T) {
	c := busy(t, slow(time.Hour))
	ctx, cancel := context.WithCancel(t.Context())
	s := source.New(c.behind(t, func(r *http.Request, operation string, _, answer []byte) []byte {
		if operation == "StartQuery" {
			cancel()
			<-r.Context().Done() // the caller hung up
		}
		return answer
	}), config(), c.meter, zerolog.Nop())
	got := read(ctx, t, s, c.window(t, s, time.Minute))
	if len(got.errs) != 1 || !errors.Is(got.errs[0], context.Canceled) {
		t.Errorf("errors %v, want one that is context.Canceled", got.errs)
	}
	if n := c.RunningQueries(); n != 0 {
		t.Errorf("%d queries run on", n)
	}
}

func TestReadStopsItsQueriesWhenTheCallerTakesNoMore(t *testing.T) {
	c := newCloud(t, slow(time.Hour))
	c.group(t, "a", 1, awssim.GroupOptions{})
	// Of a group that was made later there is a page at once.
	c.group(t, "b", 1, awssim.GroupOptions{Class: awssim.InfrequentAccess, Created: c.start.Add(30 * time.Minute)})
	polled := make(chan struct{})
	c.Inject(awssim.Fault{Operation: "GetQueryResults", Times: 1, Do: func() { close(polled) }})
	s := c.source(t, config())
	for _, err := range s.Read(t.Context(), c.window(t, s, time.Minute)) {
		if err != nil {
			t.Error(err)
		}
		<-polled
		break
	}
	if n := c.RunningQueries(); n != 0 {
		t.Errorf("%d queries run on", n)
	}
	c.meter.wantQueries(t, map[string]int{"stopped": 1})
}

func TestAutoIndexKeepsToStreamsWhereTheDataSourceSavesNothing(t *testing.T) {
	c := busy(t)
	g := c.group(t, "nosource", 1, awssim.GroupOptions{NoDataSource: true})
	c.write(g, 0, 50, time.Second)
	cfg := config()
	cfg.Index = source.IndexAuto
	s := c.source(t, cfg)
	w := c.window(t, s, time.Minute)
	for range 3 {
		c.wantAll(t, read(t.Context(), t, s, w))
	}
	// Three windows and one trial of two queries.
	c.meter.wantQueries(t, map[string]int{"complete": 5})
	for _, q := range s.Plan(w) {
		if !strings.Contains(q.Text, "@logStream in") {
			t.Errorf("query %s", q.Text)
		}
	}
}

func TestAutoIndexGoesByDataSourceWhereThatReadsLess(t *testing.T) {
	c := busy(t)
	g := c.group(t, "nosource", 1, awssim.GroupOptions{NoDataSource: true})
	c.write(g, 0, 50, time.Second)
	cfg := config()
	cfg.Index = source.IndexAuto
	s := source.New(c.behind(t, withoutStreamIndex()), cfg, c.meter, zerolog.Nop())
	w := c.window(t, s, time.Minute)
	c.wantAll(t, read(t.Context(), t, s, w))

	got := map[bool][]string{}
	for _, q := range s.Plan(w) {
		for _, target := range q.Targets {
			bySource := strings.Contains(q.Text, `@data_source_type = "authenticator"`)
			got[bySource] = append(got[bySource], target.Group.Cluster.Name)
		}
	}
	want := map[bool][]string{true: {"a", "b", "c"}, false: {"nosource"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clusters by strategy (-want +got):\n%s", diff)
	}
	c.wantAll(t, read(t.Context(), t, s, w))

	long := w
	long.To = w.From.Add(50 * time.Minute)
	for _, q := range s.Plan(long) {
		if !strings.Contains(q.Text, "@logStream in") {
			t.Errorf("a long window, which looks for what was missed, is read by %s", q.Text)
		}
	}
}

// withoutStreamIndex makes answers what they are where CloudWatch has no index
// of @logStream: a query by stream scans everything.
func withoutStreamIndex() func(*http.Request, string, []byte, []byte) []byte {
	var mu sync.Mutex
	byStream := map[string]bool{} // by query id
	scanned := regexp.MustCompile(`"(bytesScanned|estimatedBytesSkipped)":[0-9.e+]+`)
	return func(_ *http.Request, operation string, body, answer []byte) []byte {
		var id struct{ QueryID string }
		switch operation {
		case "StartQuery":
			if json.Unmarshal(answer, &id) == nil && bytes.Contains(body, []byte("@logStream in")) {
				mu.Lock()
				byStream[id.QueryID] = true
				mu.Unlock()
			}
		case "GetQueryResults":
			mu.Lock()
			defer mu.Unlock()
			if json.Unmarshal(body, &id) == nil && byStream[id.QueryID] {
				return scanned.ReplaceAllFunc(answer, func(field []byte) []byte {
					if bytes.Contains(field, []byte("Skipped")) {
						return []byte(`"estimatedBytesSkipped":0`)
					}
					return []byte(`"bytesScanned":50000000`)
				})
			}
		}
		return answer
	}
}
