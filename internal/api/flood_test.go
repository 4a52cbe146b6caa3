package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/api"
)

// A flooded service is asked from any address.
type flooded struct {
	mux *chi.Mux
	log *logText
}

func flood(limits api.Limits) *flooded {
	f := &flooded{log: &logText{}}
	f.mux = api.New(api.Config{Store: &fake{}, Health: &fake{}, Limits: limits, Log: zerolog.New(f.log)})
	return f
}

func (f *flooded) ask(t *testing.T, address string, times int) {
	t.Helper()
	for range times {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/clusters", http.NoBody)
		req.RemoteAddr = address
		f.mux.ServeHTTP(httptest.NewRecorder(), req)
	}
}

// refusals are the lines of the log that tell of them, in short, since it was
// last asked.
func (f *flooded) refusals(t *testing.T) (found []string) {
	t.Helper()
	for text := range strings.Lines(f.log.String()) {
		var l struct {
			Message, Address string
			Status, Count    int
		}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(l.Message, "refused") {
			found = append(found, fmt.Sprint(l.Message, " ", l.Address, " ", l.Status, " ", l.Count))
		}
	}
	return found
}

func TestAFloodOfRefusalsIsTwoLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := flood(api.Limits{Rate: 0.001})
		const one, other = "192.0.2.1:1", "[2001:db8::1]:1"
		f.ask(t, one, 1+3000)
		f.ask(t, other, 1+1)
		want := []string{"request refused " + one + " 429 0", "request refused " + other + " 429 0"}
		if diff := cmp.Diff(want, f.refusals(t)); diff != "" {
			t.Error(diff)
		}
		pass(11 * time.Second)
		want = append(want, "more requests refused 192.0.2.1/32 429 2999") // of the other there are no more
		if diff := cmp.Diff(want, f.refusals(t)); diff != "" {
			t.Error(diff)
		}
		f.ask(t, one, 5)
		pass(11 * time.Second)
		want = append(want, "request refused "+one+" 429 0", "more requests refused 192.0.2.1/32 429 4")
		if diff := cmp.Diff(want, f.refusals(t)); diff != "" {
			t.Error(diff)
		}
	})
}

// Of very many addresses those are forgotten that were not heard of longest, but
// not what there was to say of them.
func TestAFloodFromManyAddressesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := flood(api.Limits{Rate: 0.001})
		f.ask(t, "192.0.2.1:1", 1+3)
		for i := range 10_000 {
			f.ask(t, fmt.Sprintf("[2001:db8:0:%x::1]:1", i), 2)
		}
		if want := "more requests refused 192.0.2.1/32 429 2"; !slices.Contains(f.refusals(t), want) {
			t.Errorf("not told when it was forgotten: %s", want)
		}
	})
}
