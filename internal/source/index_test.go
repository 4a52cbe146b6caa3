package source_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
	"github.com/eks-authlog/eks-authlog/internal/source"
)

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
