package api_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A counter is a store that counts by what series says.
type counter struct {
	fake

	series func(ctx context.Context, f authlog.CountFilter) ([]authlog.DenialSeries, error)
}

func (c *counter) Counts(ctx context.Context, f authlog.CountFilter) ([]authlog.DenialSeries, error) {
	return c.series(ctx, f)
}

// Whatever labels are, the rows are those that encoding/json and encoding/csv
// make of them.
func TestStatsAreWrittenAsTheEncodersDo(t *testing.T) {
	names := []string{"<script>&amp;\u2028\"\\", "ÿ,\n\t", "", " a;=1", "=cmd()", "ä€"}
	store := &counter{series: func(context.Context, authlog.CountFilter) (found []authlog.DenialSeries, err error) {
		for i, name := range names {
			found = append(found, authlog.DenialSeries{Name: name + "\x00prod", Total: int64(2 * i), Steps: []int64{int64(i), int64(i)}})
		}
		return append(found, authlog.DenialSeries{Other: true, Total: 3, Steps: []int64{1, 2}}), nil
	}}
	s := serveWith(t, api.Config{Store: store, Health: store})
	const path = "/stats?by=principal,cluster&since=2h&step=1h"
	var doc struct {
		By          []string         `json:"by"`
		StepSeconds *int             `json:"step_seconds"`
		Total       int              `json:"total"`
		Top         []map[string]any `json:"top"`
		Series      []map[string]any `json:"series"`
	}
	encoded := func(v any) string {
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(v); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	body := s.get(t, path).body
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(encoded(doc), string(body)); diff != "" || len(doc.Top) != 7 || len(doc.Series) != 14 || doc.Total != 33 {
		t.Errorf("%d and %d rows: %s", len(doc.Top), len(doc.Series), diff)
	}
	var lines strings.Builder
	table := [][]string{{"time", "principal", "cluster", "other", "count"}}
	for _, row := range doc.Series {
		lines.WriteString(encoded(row))
		table = append(table, []string{
			row["time"].(string), authlog.Defuse(row["principal"].(string)), row["cluster"].(string), fmt.Sprint(row["other"]), fmt.Sprint(row["count"]),
		})
	}
	if diff := cmp.Diff(lines.String(), string(s.ask(t, path, "Accept", "application/x-ndjson").body)); diff != "" {
		t.Error(diff)
	}
	var want bytes.Buffer
	if err := csv.NewWriter(&want).WriteAll(table); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(s.ask(t, path, "Accept", "text/csv").body)); diff != "" {
		t.Error(diff)
	}
}

// much is a store, and what asks it for as many rows as there may be.
func much() (store *counter, path string) {
	const steps, series = 495, 100
	found := make([]authlog.DenialSeries, series)
	for i := range found {
		arn := fmt.Sprintf("arn:aws:iam::111122223333:role/service-%03d", i)
		found[i] = authlog.DenialSeries{
			Name:  strings.Join([]string{"arn_not_mapped", "mapping", "cluster_admin", arn, "role", "prod", "111122223333", "eu-central-1"}, "\x00"),
			Steps: make([]int64, steps),
		}
	}
	path = "/stats?by=reason,layer,who_acts,principal,kind,cluster,account,region&limit=99&step=1m&since=495m"
	return &counter{series: func(context.Context, authlog.CountFilter) ([]authlog.DenialSeries, error) { return found, nil }}, path
}

// discarded is an answer that nobody keeps.
type discarded struct {
	header http.Header
	status int
	size   int
}

func (d *discarded) Header() http.Header    { return d.header }
func (d *discarded) WriteHeader(status int) { d.status = status }

func (d *discarded) Write(b []byte) (int, error) {
	d.size += len(b)
	return len(b), nil
}

// answerMuch answers with as many rows as there may be, in that form.
func answerMuch(tb testing.TB, form string) (answer func(), last *discarded) {
	tb.Helper()
	store, path := much()
	mux := api.New(api.Config{Store: store, Health: store, Log: zerolog.Nop(), Now: func() time.Time { return now }})
	last = &discarded{}
	return func() {
		req := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, path, http.NoBody)
		req.Header.Set("Accept", form)
		*last = discarded{header: http.Header{}}
		mux.ServeHTTP(last, req)
		if last.status != http.StatusOK {
			tb.Fatalf("status %d", last.status)
		}
	}, last
}

// What rows take does not grow with how many there are.
func TestManyRowsOfStatsTakeLittleMemory(t *testing.T) {
	for _, form := range []string{"application/json", "application/x-ndjson", "text/csv"} {
		answer, last := answerMuch(t, form)
		answer()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		answer()
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 2<<20 || last.size < 4<<20 {
			t.Errorf("%s: %d bytes took %d", form, last.size, took)
		}
	}
}

func BenchmarkManyRowsOfStats(b *testing.B) {
	for _, form := range []string{"application/json", "application/x-ndjson", "text/csv"} {
		b.Run(form, func(b *testing.B) {
			answer, last := answerMuch(b, form)
			b.ReportAllocs()
			for b.Loop() {
				answer()
			}
			b.SetBytes(int64(last.size))
		})
	}
}

// Beyond a few, who wants statistics waits, and leaves when he likes.
func TestFewStatsAreCountedAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		begun := make(chan struct{}, 100)
		store := &counter{series: func(context.Context, authlog.CountFilter) ([]authlog.DenialSeries, error) {
			begun <- struct{}{}
			<-answer
			return nil, nil
		}}
		mux := api.New(api.Config{Store: store, Health: store, Log: zerolog.Nop(), Now: func() time.Time { return now }})
		ask := func(ctx context.Context) <-chan int {
			status := make(chan int, 1)
			go func() {
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/stats", http.NoBody))
				status <- w.Code
			}()
			return status
		}
		var answers []<-chan int
		for range 6 {
			answers = append(answers, ask(t.Context()))
		}
		synctest.Wait() // or he who leaves might be among the first
		leaving, leave := context.WithCancel(t.Context())
		left := ask(leaving)
		synctest.Wait()
		if len(begun) != 4 {
			t.Errorf("%d are counted at a time", len(begun))
		}
		leave()
		if got := <-left; got != 499 {
			t.Errorf("who left got %d", got)
		}
		answer <- struct{}{}
		synctest.Wait()
		if len(begun) != 5 {
			t.Errorf("after one was answered %d had begun", len(begun))
		}
		close(answer)
		for _, status := range answers {
			if got := <-status; got != http.StatusOK {
				t.Errorf("status %d", got)
			}
		}
	})
}
