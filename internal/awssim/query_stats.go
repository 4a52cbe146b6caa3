package awssim

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/awssim/insights"
)

type countedGroup struct {
	fields []resultField
	n      int
}

// add counts the record in its group.
func (s *scan) add(rec *record) {
	var fields []resultField
	var values strings.Builder
	for _, c := range s.q.parsed.Stats.By {
		v := c.Value.Eval(rec)
		values.WriteString(v.String() + "\x00")
		if !v.Absent() {
			fields = append(fields, resultField{c.Name(), v.String()})
		}
	}
	key := values.String()
	if s.count[key] == nil {
		s.count[key] = &countedGroup{fields: fields}
	}
	s.count[key].n++
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
