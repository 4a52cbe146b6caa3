package awssim

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim/insights"
)

const (
	queryTimeout = time.Hour          // of running
	queriesKept  = 7 * 24 * time.Hour // CloudWatch Logs quotas
	maxQueries   = 10_000             // kept in one region, for the sake of memory
)

// The statuses of a query.
const (
	scheduled = "Scheduled"
	running   = "Running"
	complete  = "Complete"
	failed    = "Failed"
	cancelled = "Cancelled"
	timedOut  = "Timeout"
	unknown   = "Unknown"
)

// A query is one that StartQuery started. What it reads is settled then: it
// sees what was visible at that moment.
type query struct {
	id, text string
	caller   *identity
	parsed   *insights.Query
	groups   []*LogGroup
	from, to int64 // ms, both ends included
	limit    int
	at       int64 // when it was started, ms of the world
	pace     Pace
	seed     uint64 // of the order of rows with equal time
	salt     uint64 // of @ptr
	polls    []string
	phantoms int

	mu     sync.Mutex
	asked  int    // polls so far
	seen   bool   // a poll has answered that it is over
	final  string // once it is over otherwise than by completing
	ended  int64  // when it was, ms
	billed bool
	stats  statistics
	rows   *resultRows // nil: to be read again
}

// total is how long the query takes, in ms.
func (q *query) total() int64 { return (q.pace.Scheduled + q.pace.Running).Milliseconds() }

// status is what the query is at now; polls that a fault gave words for are to
// be answered before it completes. The caller holds mu.
func (q *query) status(now int64) string {
	runs := now - q.at - q.pace.Scheduled.Milliseconds() // for so long
	busy := runs < q.pace.Running.Milliseconds() || q.asked < len(q.polls)
	switch {
	case q.final != "":
		return q.final
	case runs < 0:
		return scheduled
	case busy && runs > queryTimeout.Milliseconds():
		q.end(timedOut, now)
		return timedOut
	case busy:
		return running
	}
	return complete
}

// poll is the status that GetQueryResults answers next.
func (q *query) poll(now int64) string {
	s := q.status(now)
	if !isFinal(s) && q.asked < len(q.polls) {
		if s = q.polls[q.asked]; isFinal(s) {
			q.end(s, now)
		}
	}
	q.asked++
	q.seen = q.seen || s == complete || isFinal(s)
	return s
}

func isFinal(status string) bool {
	return status == failed || status == cancelled || status == timedOut
}

func (q *query) end(status string, now int64) { q.final, q.ended = status, now }

// stop ends the query. It reports false if it was over already.
func (q *query) stop(now int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.status(now); s != scheduled && s != running {
		return false
	}
	q.end(cancelled, now)
	return true
}

func (q *query) orphan(now int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.status(now)
	return (s == complete || s == timedOut) && !q.seen
}

// settle bills the query once it is over. A query that was ended is billed for
// the share of its time that it ran.
func (q *query) settle(now int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.status(now)
	// A query that was added a moment ago may not have been read yet.
	if q.billed || q.stats.LogGroupsScanned == 0 || s == scheduled || s == running {
		return
	}
	share := 1.0
	if q.final != "" && q.total() > 0 {
		share = min(1, max(0, float64(q.ended-q.at)/float64(q.total())))
	}
	q.billed = true
	q.caller.account.w.usage.bill(q.caller.account.id, share*q.stats.BytesScanned)
}

// add keeps the query unless as many as allowed are under way.
func (r *Region) add(q *query, allowed int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underWay(q.at) >= allowed {
		return false
	}
	r.forget(q.at)
	r.queries[q.id] = q
	r.order = append(r.order, q)
	return true
}

// forget drops what is too old or too much.
func (r *Region) forget(now int64) {
	for len(r.order) > 0 && (len(r.order) >= maxQueries || now-r.order[0].at > queriesKept.Milliseconds()) {
		r.order[0].settle(now)
		delete(r.queries, r.order[0].id)
		r.order = r.order[1:]
	}
}

func (r *Region) running(now int64) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.underWay(now)
}

// underWay counts the queries that hold one of the account's slots. The caller
// holds mu.
func (r *Region) underWay(now int64) int {
	n := 0
	for _, q := range slices.Backward(r.order) {
		q.mu.Lock()
		s := q.status(now)
		q.mu.Unlock()
		if s == scheduled || s == running {
			n++
		}
		if now-q.at > (queryTimeout + 2*time.Hour).Milliseconds() {
			break
		}
	}
	return n
}

func (r *Region) query(id string) *query {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.queries[id]
}

func (r *Region) allQueries() []*query {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.order)
}

func (q *query) rng() *rand.Rand { return rand.New(rand.NewPCG(q.seed, 1)) }
