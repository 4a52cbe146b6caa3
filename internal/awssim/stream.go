package awssim

import (
	"slices"
	"sort"
	"time"
)

// An Event is one log event to be stored.
type Event struct {
	Time     time.Time // event time; CloudWatch keeps milliseconds
	Ingested time.Time // @ingestionTime, and from when FilterLogEvents shows it; zero: Time
	Visible  time.Time // from when Insights shows it; zero: Ingested
	Message  string
}

// event is how a stream keeps one.
type event struct {
	at, ingested, visible int64  // ms
	seq                   uint64 // order of arrival in the group
	text                  string
}

// A Stream is a sequence of events ordered by time.
type Stream struct {
	group   *LogGroup
	name    string
	created int64 // ms

	// Guarded by group.mu.
	events []event // by at, then seq
	bytes  int64   // of all texts
	noise  noise
}

// noise stands for events that are counted but not kept.
type noise struct {
	records, bytes float64 // per millisecond
}

// Name is the stream's name.
func (st *Stream) Name() string { return st.name }

// Put stores events, in any order; late ones find their place.
func (st *Stream) Put(events ...Event) {
	batch := make([]event, len(events))
	for i, e := range events {
		if e.Ingested.IsZero() {
			e.Ingested = e.Time
		}
		if e.Visible.IsZero() {
			e.Visible = e.Ingested
		}
		batch[i] = event{at: e.Time.UnixMilli(), ingested: e.Ingested.UnixMilli(), visible: e.Visible.UnixMilli(), text: e.Message}
	}
	st.group.mu.Lock()
	defer st.group.mu.Unlock()
	for i := range batch {
		st.group.puts++
		batch[i].seq = st.group.puts
		st.bytes += int64(len(batch[i].text))
	}
	st.insert(batch)
}

// insert merges the batch, whose seqs are above all there are, into the tail
// that is younger than it.
func (st *Stream) insert(batch []event) {
	slices.SortStableFunc(batch, func(a, b event) int { return int(a.at - b.at) })
	if len(batch) == 0 {
		return
	}
	from := sort.Search(len(st.events), func(i int) bool { return st.events[i].at > batch[0].at })
	tail := slices.Clone(st.events[from:])
	st.events = st.events[:from]
	for len(tail) > 0 && len(batch) > 0 {
		if tail[0].at <= batch[0].at {
			st.events = append(st.events, tail[0])
			tail = tail[1:]
		} else {
			st.events = append(st.events, batch[0])
			batch = batch[1:]
		}
	}
	st.events = append(append(st.events, tail...), batch...)
}

// SetNoise lets the stream hold, besides its events, records that match
// nothing but are there to be scanned and billed: so many a second and so many
// bytes a second, evenly from the stream's creation to the present.
func (st *Stream) SetNoise(records, bytes float64) {
	st.group.mu.Lock()
	defer st.group.mu.Unlock()
	st.noise = noise{records: records / 1000, bytes: bytes / 1000}
}

// between returns the events with from <= at <= to (ms).
func (st *Stream) between(from, to int64) []event {
	lo := sort.Search(len(st.events), func(i int) bool { return st.events[i].at >= from })
	n := sort.Search(len(st.events)-lo, func(i int) bool { return st.events[lo+i].at > to })
	return st.events[lo : lo+n]
}

// noiseBetween returns records and bytes of the noise in [from, to] until now.
func (st *Stream) noiseBetween(from, to, now int64) (records, bytes float64) {
	span := float64(max(0, min(to, now)-max(from, st.created)))
	return span * st.noise.records, span * st.noise.bytes
}

// last returns the newest event that is older than t ms.
func (st *Stream) last(t int64) (event, bool) {
	i := sort.Search(len(st.events), func(i int) bool { return st.events[i].at >= t })
	if i == 0 {
		return event{}, false
	}
	return st.events[i-1], true
}
