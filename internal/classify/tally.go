package classify

import (
	"hash/maphash"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// maxPrincipals bounds the memory that distinct principals take: a tally keeps
// no more of them, and its counts of principals are lower bounds then.
const maxPrincipals = 100_000

// kinds is how many there are.
const kinds = int(authlog.KindOther) + 1

// hashSeed makes the hashes of principals, so that all workers agree.
var hashSeed = maphash.MakeSeed()

// A tally is what some lines came to.
type tally struct {
	kinds   [kinds]int64
	reasons map[string]*reason
	held    int  // principals in all reasons
	full    bool // a principal was left out
}

// A reason is what was denied for one reason.
type reason struct {
	denials     int64
	first, last time.Time
	principals  map[uint64]struct{} // hashes of ARNs
}

func newTally() *tally { return &tally{reasons: map[string]*reason{}} }

// count adds one line.
func (t *tally) count(ev *authlog.Event) {
	t.kinds[ev.Kind]++
	if ev.Kind != authlog.KindDenied {
		return
	}
	code := rules.Classify(ev)
	r := t.reasons[code]
	if r == nil {
		r = &reason{principals: map[uint64]struct{}{}}
		t.reasons[code] = r
	}
	r.denials++
	r.seen(ev.At())
	if arn := ev.Get("arn"); arn != "" {
		t.hold(r, maphash.String(hashSeed, arn))
	}
}

// hold keeps a principal as long as there is room.
func (t *tally) hold(r *reason, principal uint64) {
	if _, ok := r.principals[principal]; ok {
		return
	}
	if t.held >= maxPrincipals {
		t.full = true
		return
	}
	t.held++
	r.principals[principal] = struct{}{}
}

// seen widens the span of time; a zero time is none.
func (r *reason) seen(at time.Time) {
	if at.IsZero() {
		return
	}
	if r.first.IsZero() || at.Before(r.first) {
		r.first = at
	}
	if at.After(r.last) {
		r.last = at
	}
}

// add adds another tally.
func (t *tally) add(o *tally) {
	for k, n := range o.kinds {
		t.kinds[k] += n
	}
	t.full = t.full || o.full
	for code, from := range o.reasons {
		r := t.reasons[code]
		if r == nil {
			r = &reason{principals: map[uint64]struct{}{}}
			t.reasons[code] = r
		}
		r.denials += from.denials
		r.seen(from.first)
		r.seen(from.last)
		for p := range from.principals {
			t.hold(r, p)
		}
	}
}

// lines is how many there were.
func (t *tally) lines() int64 {
	var n int64
	for _, k := range t.kinds {
		n += k
	}
	return n
}

// principals is how many different ones were denied.
func (t *tally) principals() int {
	all := map[uint64]struct{}{}
	for _, r := range t.reasons {
		for p := range r.principals {
			all[p] = struct{}{}
		}
	}
	return len(all)
}
