// Package insights reads the part of the CloudWatch Logs Insights query
// language that a reader of log lines needs, and says which records a query
// matches.
//
// It knows the commands fields, filter, sort, limit and stats count(*), in that
// order; the operators =, !=, <, <=, >, >=, in, like, =~, and, or, not; and the
// functions toMillis, ispresent, isempty, strcontains and bin. Whatever else
// stands in a query is a SyntaxError: it must never be skipped in silence, for
// then the answer would belong to another query.
package insights

import "fmt"

// MaxLength is the longest query in characters (CloudWatch Logs quotas).
const MaxLength = 10_000

// A Query is one parsed query.
type Query struct {
	Columns []Column // of the fields commands, in order; none: @timestamp and @message
	Filters []Expr   // of the filter commands, in order; a record must match all
	Stats   *Stats   // nil: rows are records
	Sort    []SortKey
	Limit   int // 0: the query does not say
}

// Match reports whether the record passes every filter.
func (q *Query) Match(r Record) bool {
	for _, f := range q.Filters {
		if !f.Match(r) {
			return false
		}
	}
	return true
}

// A Column is one value of a row.
type Column struct {
	Value Operand
	Alias string // "" when it is shown by its own text
}

// Name is the column's heading in the result.
func (c Column) Name() string {
	if c.Alias != "" {
		return c.Alias
	}
	if f, ok := c.Value.(Field); ok {
		return string(f)
	}
	return c.Value.String()
}

// A SortKey orders rows by the column or field of that name.
type SortKey struct {
	Field string
	Desc  bool
}

// Stats counts records in groups.
type Stats struct {
	Alias string   // of count(*); "" shows as count(*)
	By    []Column // what the groups are made of; none: one group
}

// A SyntaxError says where a query cannot be read. The offsets count
// characters of the query text, the end is exclusive.
type SyntaxError struct {
	Start, End int
	Message    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s ([%d,%d])", e.Message, e.Start, e.End)
}

// A Record is one log event as a query sees it.
type Record interface {
	// Value returns what the record has under that name. Names are case
	// sensitive; a name that the record does not have gives Absent.
	Value(name string) Value
}
