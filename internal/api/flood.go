package api

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/rs/zerolog"
)

// floodTime is for how long refusals of one kind to one address are counted, the
// first being logged: who sends thousands a second would fill the log.
const floodTime = 10 * time.Second

// A flood is who is refused, and how.
type flood struct {
	from   netip.Prefix
	status int
}

// A tally is how many more there were, until its timer ends it.
type tally struct {
	more  int
	timer *time.Timer
}

// floods are those of the last while. An address that is forgotten for others
// begins anew.
type floods struct {
	log zerolog.Logger

	mu   sync.Mutex
	open *simplelru.LRU[flood, *tally]
}

func newFloods(log zerolog.Logger) *floods {
	f := &floods{log: log}
	open, err := simplelru.NewLRU(maxAddresses, f.ended)
	if err != nil {
		panic(err) // only a size below 1 can cause it
	}
	f.open = open
	return f
}

// first reports whether a refusal is to be logged; it is counted if not.
func (f *floods) first(of flood) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t, ok := f.open.Get(of); ok {
		t.more++
		return false
	}
	t := &tally{}
	t.timer = time.AfterFunc(floodTime, func() { f.end(of, t) })
	f.open.Add(of, t)
	return true
}

// end forgets a tally, unless there is a later one.
func (f *floods) end(of flood, t *tally) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now, ok := f.open.Peek(of); ok && now == t {
		f.open.Remove(of)
	}
}

// ended logs how many more there were. It is called for each that is removed.
func (f *floods) ended(of flood, t *tally) {
	t.timer.Stop()
	if t.more == 0 {
		return
	}
	address := "" // as of a Unix socket
	if of.from.IsValid() {
		address = of.from.String()
	}
	f.log.Warn().Str("address", address).Int("status", of.status).Int("count", t.more).Msg("more requests refused")
}

type floodsKey struct{}

// countFloods lets refusals be counted.
func countFloods(log zerolog.Logger) func(http.Handler) http.Handler {
	f := newFloods(log)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), floodsKey{}, f)))
		})
	}
}

// isMore reports whether a refusal is one of many, and counts it then.
func isMore(r *http.Request, status int) bool {
	f, ok := r.Context().Value(floodsKey{}).(*floods)
	return ok && !f.first(flood{network(r.RemoteAddr), status})
}
