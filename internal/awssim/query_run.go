package awssim

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/eks-authlog/eks-authlog/internal/awssim/insights"
)

// statistics is what a query reports of its work, in bytes and log events.
type statistics struct {
	BytesScanned            float64 `json:"bytesScanned"`
	EstimatedBytesSkipped   float64 `json:"estimatedBytesSkipped"`
	EstimatedRecordsSkipped float64 `json:"estimatedRecordsSkipped"`
	LogGroupsScanned        float64 `json:"logGroupsScanned"`
	RecordsMatched          float64 `json:"recordsMatched"`
	RecordsScanned          float64 `json:"recordsScanned"`
	ResultCount             float64 `json:"resultCount"`
}

// hit is one matching event.
type hit struct {
	st  *Stream
	ev  event
	tie uint32
}

// resultRows are the rows of one query: events, or counted groups.
type resultRows struct {
	hits  []hit
	spill []hit // that fell behind the limit, a few
	table [][]resultField
}

func (r *resultRows) len() int { return len(r.hits) + len(r.table) }

type resultField struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// record lets a query see an event.
type record struct {
	st *Stream
	ev *event
}

// Value implements insights.Record.
func (r *record) Value(name string) insights.Value {
	g := r.st.group
	switch name {
	case "@message":
		return insights.Text(r.ev.text)
	case "@timestamp":
		return insights.Millis(r.ev.at)
	case "@ingestionTime":
		return insights.Millis(r.ev.ingested)
	case "@logStream":
		return insights.Text(r.st.name)
	case "@log":
		return insights.Text(g.region.account.id + ":" + g.name)
	case "@aws.account":
		return insights.Text(g.region.account.id)
	case "@aws.region":
		return insights.Text(g.region.name)
	case "@data_source_type", "@data_source_name":
		return r.dataSource(name)
	}
	return insights.Value{}
}

func (r *record) dataSource(name string) insights.Value {
	source := r.st.dataSource()
	if source == "" {
		return insights.Value{}
	}
	if name == "@data_source_name" {
		source = "amazon_eks"
	}
	return insights.Text(source)
}

// scan is one run of a query over its groups.
type scan struct {
	q     *query
	rng   *rand.Rand
	desc  bool // newest first
	timed bool // ordered by @timestamp alone, so that rows beyond the limit need not be kept
	index []indexed
	stats statistics
	hits  []hit
	count map[string]*countedGroup
}

// load reads the rows if they are not there. The same query always reads the
// same rows, in the same order.
func (q *query) load() *resultRows {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.rows == nil {
		q.stats, q.rows = q.run()
		q.caller.account.w.kept.keep(q, q.rows.len())
	}
	return q.rows
}

func (q *query) run() (statistics, *resultRows) {
	s := &scan{q: q, rng: q.rng(), timed: true, desc: true, index: indexes(q.parsed), count: map[string]*countedGroup{}}
	if keys := q.parsed.Sort; len(keys) > 0 {
		s.timed = len(keys) == 1 && keys[0].Field == "@timestamp"
		s.desc = keys[0].Desc
	}
	s.timed = s.timed && q.parsed.Stats == nil
	for _, g := range q.groups {
		s.group(g)
	}
	s.stats.LogGroupsScanned = float64(len(q.groups))
	rows := &resultRows{}
	if q.parsed.Stats != nil {
		rows.table = s.table()
	} else {
		s.order()
		rows.hits, rows.spill = cut(s.hits, q.limit)
	}
	s.stats.ResultCount = float64(rows.len())
	return s.stats, rows
}

// spillRows are kept of those behind the limit: a running query shows them.
const spillRows = 5

// cut keeps limit rows, and a few of those behind them.
func cut(hits []hit, limit int) (kept, spill []hit) {
	if len(hits) <= limit {
		return hits, nil
	}
	spill = hits[limit:min(len(hits), limit+spillRows)]
	return slices.Clone(hits[:limit]), slices.Clone(spill)
}

// group reads one group, leaving streams out that an index rules out.
func (s *scan) group(g *LogGroup) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	from := max(s.q.from, g.oldest(s.q.at))
	for _, st := range g.sorted(s.q.at) {
		records, bytes := st.noiseBetween(from, s.q.to, s.q.at)
		if s.skips(st) {
			n := float64(len(st.between(from, s.q.to)))
			s.stats.EstimatedRecordsSkipped += records + n
			s.stats.EstimatedBytesSkipped += bytes + n*float64(st.bytes)/float64(max(1, len(st.events)))
			continue
		}
		s.stats.RecordsScanned += records
		s.stats.BytesScanned += bytes
		s.stream(st, from)
	}
}

// indexed is what a query fixes one indexed field to.
type indexed struct {
	values map[string]bool
	of     func(*Stream) string
}

// indexes are the fields of the query that a field index can be asked for.
func indexes(q *insights.Query) []indexed {
	var out []indexed
	for field, of := range map[string]func(*Stream) string{
		"@logStream":        func(st *Stream) string { return st.name },
		"@data_source_type": (*Stream).dataSource,
		"@aws.account":      func(st *Stream) string { return st.group.region.account.id },
		"@aws.region":       func(st *Stream) string { return st.group.region.name },
	} {
		if values, ok := q.Indexed(field); ok {
			set := make(map[string]bool, len(values))
			for _, v := range values {
				set[v] = true
			}
			out = append(out, indexed{set, of})
		}
	}
	return out
}

// skips reports whether an index of the group says that the stream has nothing
// for the query. Only STANDARD groups have indexes, and only = and in use them.
func (s *scan) skips(st *Stream) bool {
	return st.group.opts.Class == Standard && slices.ContainsFunc(s.index, func(ix indexed) bool {
		value := ix.of(st)
		return value != "" && !ix.values[value]
	})
}

func (s *scan) stream(st *Stream, from int64) {
	rec := &record{st: st}
	events := st.between(from, s.q.to)
	kept, edge := 0, int64(0)
	for i := range events {
		rec.ev = &events[i]
		if s.desc {
			rec.ev = &events[len(events)-1-i]
		}
		if rec.ev.visible > s.q.at {
			continue
		}
		s.stats.RecordsScanned++
		s.stats.BytesScanned += float64(len(rec.ev.text))
		if !s.q.parsed.Match(rec) {
			continue
		}
		s.stats.RecordsMatched++
		switch {
		case s.q.parsed.Stats != nil:
			s.add(rec)
		// All events of the last millisecond stay, so that chance decides
		// among them.
		case !s.timed || kept < s.q.limit+spillRows || rec.ev.at == edge:
			kept, edge = kept+1, rec.ev.at
			s.hits = append(s.hits, hit{st, *rec.ev, s.rng.Uint32()})
		}
	}
}

// order sorts the rows as the query says; ties come in random order.
func (s *scan) order() {
	if s.timed {
		slices.SortFunc(s.hits, func(a, b hit) int {
			if s.desc {
				a, b = b, a
			}
			return cmp.Or(cmp.Compare(a.ev.at, b.ev.at), cmp.Compare(a.tie, b.tie))
		})
		return
	}
	slices.SortFunc(s.hits, func(a, b hit) int {
		for _, k := range s.q.parsed.Sort {
			x, y := s.sortValue(&a, k.Field), s.sortValue(&b, k.Field)
			if k.Desc {
				x, y = y, x
			}
			switch {
			case insights.Less(x, y):
				return -1
			case insights.Less(y, x):
				return 1
			}
		}
		return cmp.Compare(a.tie, b.tie)
	})
}

// sortValue is the value of a column or field of that name.
func (s *scan) sortValue(h *hit, name string) insights.Value {
	rec := &record{h.st, &h.ev}
	for _, c := range s.q.parsed.Columns {
		if c.Name() == name {
			return c.Value.Eval(rec)
		}
	}
	return rec.Value(name)
}

// ptr makes the value of @ptr: base64 like AWS's, and as opaque.
func (h *hit) ptr(salt uint64) string {
	var b [32]byte
	binary.BigEndian.PutUint64(b[0:], h.st.group.id)
	binary.BigEndian.PutUint64(b[8:], uint64(h.ev.at))
	binary.BigEndian.PutUint64(b[16:], h.ev.seq)
	binary.BigEndian.PutUint64(b[24:], salt)
	return "CmEKJgoi" + base64.StdEncoding.EncodeToString(b[:])
}
