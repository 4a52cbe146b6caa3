package awssim

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

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
	stats statistics
	hits  []hit
	count map[string]*countedGroup
}

type countedGroup struct {
	fields []resultField
	n      int
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
	s := &scan{q: q, rng: q.rng(), timed: true, desc: true, count: map[string]*countedGroup{}}
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
		if s.q.skips(st) {
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

// skips reports whether an index of the group says that the stream has nothing
// for the query. Only STANDARD groups have indexes, and only = and in use them.
func (q *query) skips(st *Stream) bool {
	if st.group.opts.Class != Standard {
		return false
	}
	for field, value := range map[string]string{
		"@logStream": st.name, "@data_source_type": st.dataSource(),
		"@aws.account": st.group.region.account.id, "@aws.region": st.group.region.name,
	} {
		if values, ok := q.parsed.Indexed(field); ok && value != "" && !slices.Contains(values, value) {
			return true
		}
	}
	return false
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

// add counts the record in its group.
func (s *scan) add(rec *record) {
	var fields []resultField
	key := ""
	for _, c := range s.q.parsed.Stats.By {
		v := c.Value.Eval(rec)
		key += v.String() + "\x00"
		if !v.Absent() {
			fields = append(fields, resultField{c.Name(), v.String()})
		}
	}
	if s.count[key] == nil {
		s.count[key] = &countedGroup{fields: fields}
	}
	s.count[key].n++
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

// resultStore bounds the rows that all queries of a world hold together.
// Queries whose rows were dropped read them again.
type resultStore struct {
	mu    sync.Mutex
	queue []*query // oldest first
	sizes []int
	total int
}

const maxRowsKept = 400_000

func (k *resultStore) keep(q *query, rows int) {
	var drop []*query
	k.mu.Lock()
	k.queue, k.sizes, k.total = append(k.queue, q), append(k.sizes, rows), k.total+rows
	for k.total > maxRowsKept && len(k.queue) > 1 {
		drop = append(drop, k.queue[0])
		k.total -= k.sizes[0]
		k.queue, k.sizes = k.queue[1:], k.sizes[1:]
	}
	k.mu.Unlock()
	for _, old := range drop {
		// Never waits for a query that another caller reads: it would be read
		// again only later.
		if old != q && old.mu.TryLock() {
			old.rows = nil
			old.mu.Unlock()
		}
	}
}

// table shows the counted groups, those with most records first unless the
// query sorts otherwise.
func (s *scan) table() [][]resultField {
	st := s.q.parsed.Stats
	name := cmp.Or(st.Alias, "count(*)")
	if len(st.By) == 0 && len(s.count) == 0 {
		s.count[""] = &countedGroup{}
	}
	var rows []map[string]insights.Value
	out := map[string][]resultField{}
	for _, key := range slices.Sorted(maps.Keys(s.count)) {
		g := s.count[key]
		n := insights.Number(float64(g.n))
		fields := append(slices.Clone(g.fields), resultField{name, n.String()})
		out[key] = fields
		row := map[string]insights.Value{name: n, "\x00": insights.Text(key)}
		for _, f := range g.fields {
			row[f.Field] = insights.Text(f.Value)
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b map[string]insights.Value) int { return s.compareRows(a, b) })
	var table [][]resultField
	for _, row := range rows[:min(len(rows), s.q.limit)] {
		table = append(table, out[row["\x00"].String()])
	}
	return table
}

func (s *scan) compareRows(a, b map[string]insights.Value) int {
	for _, k := range s.q.parsed.Sort {
		x, y := a[k.Field], b[k.Field]
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
	return 0
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
