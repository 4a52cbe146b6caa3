package diagnose

import (
	"bytes"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A mark is when a line was written: its ID, whose order is that of time and,
// within a second, arbitrary but always the same.
type mark = authlog.ID

func compareMarks(a, b mark) int { return bytes.Compare(a[:], b[:]) }

func secondOf(m mark) int64 { return m.Time().Unix() }

func earlier(a, b mark) mark {
	if a == (mark{}) || b != (mark{}) && compareMarks(b, a) < 0 {
		return b
	}
	return a
}

func later(a, b mark) mark {
	if compareMarks(a, b) < 0 {
		return b
	}
	return a
}

// markOf makes the mark of a finding without an ID.
func markOf(id authlog.ID, at time.Time) mark {
	if id == (authlog.ID{}) {
		return authlog.NewID(at, authlog.Key{})
	}
	return id
}

// A series counts lines by the minute for the last hour, by ten minutes
// for two days, and by the day before that. Counting into a wider cell is the
// same as counting into narrower ones and joining them, so what a series holds
// depends on the lines and the clock alone, not on the order of the lines.
type series struct {
	cells  []cell // by start
	tick   int64  // the clock they were last joined for, in ten minutes
	coarse bool   // ten minutes is the narrowest
}

// A cell is what one stretch of time holds.
type cell struct {
	start       uint32 // seconds since 1970, until 2106
	n           uint32 // stops at its greatest
	first, last mark
}

// Widths of cells in seconds, and for how long they are kept that narrow.
const (
	minute, tenMinutes, day = 60, 600, 86_400

	minutesFor = 3600
	tensFor    = 2 * day
)

// edges are the times from which on cells are a minute and ten minutes wide,
// and before which nothing is kept.
func (s *series) edges(keep time.Duration) (minutes, tens, oldest int64) {
	now := s.tick * tenMinutes
	floorDay := func(t int64) int64 { return t - t%day }
	minutes = now - minutesFor
	if s.coarse {
		minutes = math.MaxInt64
	}
	return minutes, floorDay(now - tensFor), floorDay(now - seconds(keep))
}

func startOf(second, minutes, tens int64) uint32 {
	width := int64(day)
	switch {
	case second >= minutes:
		width = minute
	case second >= tens:
		width = tenMinutes
	}
	return uint32(second - second%width) //nolint:gosec // see cell
}

// join makes the cells as wide as the clock asks for and drops the oldest. The
// clock is in seconds and never goes back.
func (s *series) join(clock int64, keep time.Duration) {
	tick := clock / tenMinutes
	if tick <= s.tick {
		return
	}
	s.tick = tick
	minutes, tens, oldest := s.edges(keep)
	joined := s.cells[:0]
	for _, c := range s.cells {
		if int64(c.start) < oldest {
			continue
		}
		c.start = startOf(int64(c.start), minutes, tens)
		if n := len(joined); n > 0 && joined[n-1].start == c.start {
			joined[n-1].merge(c)
			continue
		}
		joined = append(joined, c)
	}
	s.cells = joined
}

func (c *cell) merge(d cell) {
	c.n += min(d.n, math.MaxUint32-c.n)
	c.first, c.last = earlier(c.first, d.first), later(c.last, d.last)
}

// add counts n lines, of which m is one that matters for order.
func (s *series) add(m mark, n, clock int64, keep time.Duration) {
	s.join(clock, keep)
	minutes, tens, oldest := s.edges(keep)
	second := secondOf(m)
	if second < max(oldest, 0) {
		return
	}
	c := cell{start: startOf(second, minutes, tens), n: uint32(min(n, math.MaxUint32)), first: m, last: m} //nolint:gosec // n counts lines
	i := len(s.cells)
	for i > 0 && s.cells[i-1].start > c.start {
		i--
	}
	if i > 0 && s.cells[i-1].start == c.start {
		s.cells[i-1].merge(c)
		return
	}
	s.cells = slices.Insert(s.cells, i, c)
}

func (s *series) empty() bool { return len(s.cells) == 0 }

func (s *series) first() mark {
	if s.empty() {
		return mark{}
	}
	return s.cells[0].first
}

func (s *series) last() mark {
	if s.empty() {
		return mark{}
	}
	return s.cells[len(s.cells)-1].last
}

// since counts the lines from a second on, whole cells.
func (s *series) since(second int64) (n int64) {
	for i := len(s.cells) - 1; i >= 0 && secondOf(s.cells[i].last) >= second; i-- {
		n += int64(s.cells[i].n)
	}
	return n
}

// before is the newest mark before a second, and after the oldest one after
// it. Both are zero when there is none. Of the marks inside of a cell they
// know the first and the last.
func (s *series) before(second int64) mark {
	for i := len(s.cells) - 1; i >= 0; i-- {
		switch c := &s.cells[i]; {
		case secondOf(c.last) < second:
			return c.last
		case secondOf(c.first) < second:
			return c.first
		}
	}
	return mark{}
}

func (s *series) after(second int64) mark {
	i := sort.Search(len(s.cells), func(i int) bool { return secondOf(s.cells[i].last) > second })
	if i == len(s.cells) {
		return mark{}
	}
	if c := &s.cells[i]; secondOf(c.first) > second {
		return c.first
	}
	return s.cells[i].last
}

// A spell is an unbroken run of bad lines, the latest there is.
type spell struct {
	first, last mark
	n           int64
	end         mark // the first good line after it; zero while it lasts
	before      mark // the last good line before it; zero: none known
}

func (s *spell) ended() bool { return s.end != (mark{}) }

// spell finds the latest run of s that neither good lines nor silence broke. A
// good line does not break it when bad ones come again within flap, nor end it
// when it comes within slack after the last bad one.
func (s *series) spell(good *series, flap, silence, slack time.Duration) (spell, bool) {
	i := len(s.cells) - 1
	if i < 0 {
		return spell{}, false
	}
	sp := spell{last: s.cells[i].last, n: int64(s.cells[i].n)}
	for ; i > 0; i-- {
		from, to := secondOf(s.cells[i-1].last), secondOf(s.cells[i].first)
		gap := time.Duration(to-from) * time.Second
		if gap > silence || gap > flap && good.within(from+seconds(slack), to-seconds(slack)) {
			break
		}
		sp.n += int64(s.cells[i-1].n)
	}
	sp.first = s.cells[i].first
	sp.end = good.after(secondOf(sp.last) + seconds(slack))
	sp.before = good.before(secondOf(sp.first))
	return sp, true
}

// within reports whether a mark is known to lie between two seconds, neither
// included.
func (s *series) within(from, to int64) bool {
	m := s.after(from)
	return m != (mark{}) && secondOf(m) < to
}

func (s *series) clone() series {
	return series{cells: slices.Clone(s.cells), tick: s.tick, coarse: s.coarse}
}

// A quote is a line kept to be shown.
type quote struct {
	mark
	raw string // at most maxQuote bytes
	cut bool
}

const (
	maxQuote    = 2 << 10
	earlyQuotes = 1
	lateQuotes  = 3
)

// A track is a series with its earliest and latest lines.
type track struct {
	series
	early, late []quote // in the order of time
}

func (t *track) add(m mark, raw string, clock int64, keep time.Duration) {
	t.series.add(m, 1, clock, keep)
	isEarly := len(t.early) < earlyQuotes || compareMarks(m, t.early[len(t.early)-1].mark) < 0
	isLate := len(t.late) < lateQuotes || compareMarks(m, t.late[0].mark) > 0
	if raw == "" || !isEarly && !isLate {
		return
	}
	q := quote{mark: m, raw: strings.Clone(raw[:min(len(raw), maxQuote)]), cut: len(raw) > maxQuote}
	if isEarly {
		t.early = insertQuote(t.early, q)
		t.early = t.early[:min(len(t.early), earlyQuotes)]
	}
	if isLate {
		t.late = insertQuote(t.late, q)
		t.late = slices.Delete(t.late, 0, max(0, len(t.late)-lateQuotes))
	}
}

func insertQuote(list []quote, q quote) []quote {
	i, found := slices.BinarySearchFunc(list, q, func(a, b quote) int { return compareMarks(a.mark, b.mark) })
	if found {
		return list
	}
	return slices.Insert(list, i, q)
}

// quotes lists the lines kept of a stretch of time, in order.
func (t *track) quotes(first, last mark) []quote {
	var out []quote
	for _, q := range append(slices.Clone(t.early), t.late...) {
		if compareMarks(q.mark, first) >= 0 && compareMarks(q.mark, last) <= 0 {
			out = insertQuote(out, q)
		}
	}
	return out
}

func (t *track) clone() *track {
	return &track{series: t.series.clone(), early: slices.Clone(t.early), late: slices.Clone(t.late)}
}
