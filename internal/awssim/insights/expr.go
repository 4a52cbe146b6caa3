package insights

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// An Expr is a condition on a record.
type Expr interface {
	Match(r Record) bool
	String() string
}

// An Operand yields a value of a record.
type Operand interface {
	Eval(r Record) Value
	String() string
}

type (
	// And matches where all of its terms do. It has two at least, as has Or.
	And []Expr
	// Or matches where one of its terms does.
	Or []Expr
	// Not matches where its term does not.
	Not struct{ X Expr }
	// Compare relates two values by Op: = != < <= > >=. It never matches where
	// one of them is absent.
	Compare struct {
		L  Operand
		Op string
		R  Operand
	}
	// In matches where the value equals one of the list.
	In struct {
		X     Operand
		List  []Literal
		texts map[string]bool // the list, where it holds texts only
	}
	// Like matches where the value has the substring, or the regular
	// expression finds something in it.
	Like struct {
		X     Operand
		Text  string
		Regex bool
		has   func(string) bool
	}
	// Is matches where a function of one value says so: ispresent, isempty.
	Is struct {
		Func string
		X    Operand
	}
	// Contains is strcontains(value, text).
	Contains struct {
		X    Operand
		Text string
	}
)

// Match implements Expr.
func (e And) Match(r Record) bool {
	return !slices.ContainsFunc(e, func(x Expr) bool { return !x.Match(r) })
}

// Match implements Expr.
func (e Or) Match(r Record) bool {
	return slices.ContainsFunc(e, func(x Expr) bool { return x.Match(r) })
}

// Match implements Expr.
func (e Not) Match(r Record) bool { return !e.X.Match(r) }

// Match implements Expr.
func (e Compare) Match(r Record) bool {
	c, ok := compare(e.L.Eval(r), e.R.Eval(r))
	if !ok {
		return false
	}
	switch e.Op {
	case "=":
		return c == 0
	case "!=":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}

// Match implements Expr.
func (e In) Match(r Record) bool {
	v := e.X.Eval(r)
	if v.kind == text && e.texts != nil {
		return e.texts[v.str]
	}
	return slices.ContainsFunc(e.List, func(l Literal) bool {
		c, ok := compare(v, l.value)
		return ok && c == 0
	})
}

// Match implements Expr.
func (e Like) Match(r Record) bool {
	v := e.X.Eval(r)
	return !v.Absent() && e.has(v.String())
}

// Match implements Expr.
func (e Is) Match(r Record) bool {
	v := e.X.Eval(r)
	if e.Func == "ispresent" {
		return !v.Absent()
	}
	return v.Absent() || v.String() == ""
}

// Match implements Expr.
func (e Contains) Match(r Record) bool {
	v := e.X.Eval(r)
	return !v.Absent() && strings.Contains(v.String(), e.Text)
}

func newIn(x Operand, list []Literal) In {
	e := In{X: x, List: list, texts: make(map[string]bool, len(list))}
	for _, l := range list {
		if l.value.kind != text {
			e.texts = nil
			break
		}
		e.texts[l.value.str] = true
	}
	return e
}

// newLike compiles the test. A regular expression without anything special in
// it is a substring, which is found ten times as fast.
func newLike(x Operand, pattern string, regex bool) (Like, error) {
	e := Like{X: x, Text: pattern, Regex: regex}
	if !regex {
		e.has = func(s string) bool { return strings.Contains(s, pattern) }
		return e, nil
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return Like{}, err
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return Like{}, err
	}
	e.has = re.MatchString
	if tree.Op == syntax.OpLiteral && tree.Flags&syntax.FoldCase == 0 {
		plain := string(tree.Rune)
		e.has = func(s string) bool { return strings.Contains(s, plain) }
	}
	return e, nil
}

type (
	// Field names a field of the record.
	Field string
	// A Literal is a text or number written in the query.
	Literal struct {
		value Value
		src   string // as String prints it
	}
	// ToMillis is toMillis(value): a point in time as a number.
	ToMillis struct{ X Operand }
	// Bin is bin(span): the start of the span that @timestamp falls in.
	Bin struct {
		Millis int64
		Span   string // as written, e.g. 5m
	}
)

// Eval implements Operand.
func (f Field) Eval(r Record) Value { return r.Value(string(f)) }

// Eval implements Operand.
func (l Literal) Eval(Record) Value { return l.value }

// Eval implements Operand.
func (t ToMillis) Eval(r Record) Value {
	n, ok := t.X.Eval(r).Float()
	if !ok {
		return Value{}
	}
	return Number(n)
}

// Eval implements Operand.
func (b Bin) Eval(r Record) Value {
	n, ok := r.Value("@timestamp").Float()
	if !ok {
		return Value{}
	}
	ms := int64(n)
	return Millis(ms - ms%b.Millis)
}
