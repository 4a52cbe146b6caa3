package diagnose

import (
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// anonymous is what is kept of the denials of one reason that do not say who
// it was.
type anonymous struct {
	track
	latest
	recent []mark // the newest, in order: for the distances between them
	notes  spans  // by STS endpoint, host or parameter
}

const (
	maxRecent = 64
	maxNotes  = 16
	maxNote   = 128 // bytes
)

func (a *anonymous) clone() *anonymous {
	return &anonymous{track: *a.track.clone(), latest: a.latest, recent: slices.Clone(a.recent), notes: slices.Clone(a.notes)}
}

func (a *anonymous) see(m mark, raw string, f *rules.Facts, clock int64, keep time.Duration) {
	a.add(m, raw, clock, keep)
	a.latest.see(m, f)
	if i, found := slices.BinarySearchFunc(a.recent, m, compareMarks); !found {
		a.recent = slices.Insert(a.recent, i, m)
		a.recent = slices.Delete(a.recent, 0, max(0, len(a.recent)-maxRecent))
	}
	for _, note := range [...]string{f.Endpoint, f.Param, f.Host, f.Scheme, f.Region} {
		if note != "" {
			a.notes.see(strings.ToValidUTF8(note[:min(len(note), maxNote)], ""), "", m, maxNotes)
			break
		}
	}
}

// A token is what was seen of one token, by its X-Amz-Date.
type token struct {
	track
	date int64 // seconds since 1970; what the client's clock said
}

const maxTokens = 256

func (t *token) clone() *token { return &token{track: *t.track.clone(), date: t.date} }

// age is how old the token was, by the authenticator's clock, when it was
// first seen.
func (t *token) age() time.Duration {
	return time.Duration(secondOf(t.first())-t.date) * time.Second
}

// A tally counts what went wrong in one minute without saying who it was.
type tally struct {
	throttled, outage, unidentified crowd

	reasons uint64 // a bit for each reason of the unidentified
}

// A crowd is a number of denials and the connections they came on.
type crowd struct {
	n           int64
	first, last mark
	clients     []string // at most maxClients
}

const (
	maxClients = 8
	tallyFor   = day // how long tallies are kept
)

func (t *tally) clone() *tally {
	c := *t
	c.throttled.clients = slices.Clone(t.throttled.clients)
	c.outage.clients = slices.Clone(t.outage.clients)
	return &c
}

func (c *crowd) see(client string, m mark) {
	c.n++
	c.first, c.last = earlier(c.first, m), later(c.last, m)
	if client == "" {
		return
	}
	i, found := slices.BinarySearch(c.clients, client)
	if !found && len(c.clients) < maxClients {
		c.clients = slices.Insert(c.clients, i, strings.Clone(client))
	}
}

// reasonBit gives each reason a bit; there are fewer than 64.
func reasonBit(reason string) uint64 {
	i, _ := slices.BinarySearchFunc(reasonCodes, reason, strings.Compare)
	return 1 << (i % 64)
}

func countReasons(set uint64) int { return bits.OnesCount64(set) }

var reasonCodes = func() (codes []string) {
	for _, r := range rules.All() {
		codes = append(codes, r.Code)
	}
	return codes
}()

// A ring counts in slots of equal width up to the clock.
type ring struct {
	width int64 // seconds
	slots []uint16
	head  int64 // number of the newest slot
}

func newRing(width, span int64) ring { return ring{width: width, slots: make([]uint16, span/width)} }

// add counts one at a second within the span that ends at the clock or an
// hour after it, and nothing elsewhere.
func (r *ring) add(second, clock int64) {
	const ahead = 3600
	n := int64(len(r.slots))
	to := max(clock, min(second, clock+ahead)) / r.width
	for i := max(r.head+1, to-n+1); i <= to; i++ {
		r.slots[i%n] = 0
	}
	r.head = max(r.head, to)
	i := second / r.width
	if i > r.head || i <= r.head-n {
		return
	}
	if s := &r.slots[i%n]; *s < 1<<16-1 {
		*s++
	}
}

// at is the count of the slot that holds a second; a nil ring has none.
func (r *ring) at(second int64) int64 {
	if r == nil {
		return 0
	}
	i := second / r.width
	if i > r.head || i <= r.head-int64(len(r.slots)) || i < 0 {
		return 0
	}
	return int64(r.slots[i%int64(len(r.slots))])
}

func (r *ring) clone() *ring {
	return &ring{width: r.width, slots: slices.Clone(r.slots), head: r.head}
}
