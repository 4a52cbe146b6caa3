package insights

import (
	"strconv"
	"strings"
)

// String prints the query in one canonical form. Parse reads it back as the
// same query.
func (q *Query) String() string {
	var parts []string
	if len(q.Columns) > 0 {
		parts = append(parts, "fields "+joinColumns(q.Columns))
	}
	for _, f := range q.Filters {
		parts = append(parts, "filter "+f.String())
	}
	if q.Stats != nil {
		parts = append(parts, q.Stats.String())
	}
	if len(q.Sort) > 0 {
		keys := make([]string, len(q.Sort))
		for i, k := range q.Sort {
			keys[i] = name(k.Field) + " asc"
			if k.Desc {
				keys[i] = name(k.Field) + " desc"
			}
		}
		parts = append(parts, "sort "+strings.Join(keys, ", "))
	}
	if q.Limit > 0 {
		parts = append(parts, "limit "+strconv.Itoa(q.Limit))
	}
	return strings.Join(parts, " | ")
}

func joinColumns(cols []Column) string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.Value.String()
		if c.Alias != "" {
			out[i] += " as " + name(c.Alias)
		}
	}
	return strings.Join(out, ", ")
}

func (s *Stats) String() string {
	out := "stats count(*)"
	if s.Alias != "" {
		out += " as " + name(s.Alias)
	}
	if len(s.By) > 0 {
		out += " by " + joinColumns(s.By)
	}
	return out
}

func (e And) String() string { return joinTerms(e, " and ") }

func (e Or) String() string { return joinTerms(e, " or ") }

func (e Not) String() string { return "not " + term(e.X) }

func joinTerms(list []Expr, op string) string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = term(x)
	}
	return strings.Join(out, op)
}

// term puts what has an operator of its own into parentheses.
func term(e Expr) string {
	switch e.(type) {
	case And, Or:
		return "(" + e.String() + ")"
	}
	return e.String()
}

func (e Compare) String() string { return e.L.String() + " " + e.Op + " " + e.R.String() }

func (e In) String() string {
	list := make([]string, len(e.List))
	for i, l := range e.List {
		list[i] = l.String()
	}
	return e.X.String() + " in [" + strings.Join(list, ", ") + "]"
}

func (e Like) String() string {
	if e.Regex {
		return e.X.String() + " like /" + escapeSlash(e.Text) + "/"
	}
	return e.X.String() + " like " + quote(e.Text)
}

func (e Is) String() string { return e.Func + "(" + e.X.String() + ")" }

func (e Contains) String() string { return "strcontains(" + e.X.String() + ", " + quote(e.Text) + ")" }

func (f Field) String() string { return name(string(f)) }

func (l Literal) String() string { return l.src }

func (t ToMillis) String() string { return "toMillis(" + t.X.String() + ")" }

func (b Bin) String() string { return "bin(" + b.Span + ")" }

// name prints a field name, in backticks unless the lexer reads it as one word.
func name(s string) string {
	plain := !isKeyword(s) && !isPredicate(s) && !isDigit(s[0])
	for i := range len(s) {
		plain = plain && isWordByte(s[i])
	}
	if plain {
		return s
	}
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// escapeSlash writes the slashes of a regular expression so that none ends it.
// A backslash always takes the next byte with it.
func escapeSlash(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i++
		case s[i] == '/':
			b.WriteString(`\/`)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
