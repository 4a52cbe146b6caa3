package insights

import "slices"

// Indexed returns the values that every matching record has in the field, as
// far as the query says so by = or in at the top of its filters: what a field
// index can be asked for. A filter by like never uses an index (CloudWatch
// Logs user guide, filter command).
func (q *Query) Indexed(field string) (values []string, ok bool) {
	return indexed(And(q.Filters), Field(field))
}

func indexed(e Expr, field Field) ([]string, bool) {
	switch e := e.(type) {
	case And:
		return intersect(e, field)
	case Compare:
		if lit, ok := e.R.(Literal); ok && e.Op == "=" && e.L == Operand(field) {
			return []string{lit.value.String()}, true
		}
	case In:
		if e.X == Operand(field) {
			values := make([]string, len(e.List))
			for i, l := range e.List {
				values[i] = l.value.String()
			}
			return values, true
		}
	}
	return nil, false
}

func intersect(terms And, field Field) (values []string, ok bool) {
	for _, t := range terms {
		more, has := indexed(t, field)
		switch {
		case has && ok:
			values = slices.DeleteFunc(values, func(s string) bool { return !slices.Contains(more, s) })
		case has:
			values, ok = more, true
		}
	}
	return values, ok
}
