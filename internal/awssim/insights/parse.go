package insights

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Parse reads a query. The error is a *SyntaxError.
func Parse(src string) (*Query, error) {
	p := &parser{lexer: lexer{src: src}, stage: stageFields}
	if n := utf8.RuneCountInString(src); n > MaxLength {
		return nil, &SyntaxError{End: n, Message: fmt.Sprintf("query has %d characters, %d are allowed", n, MaxLength)}
	}
	if !utf8.ValidString(src) {
		return nil, &SyntaxError{Message: "query is not valid UTF-8"}
	}
	q, err := p.query()
	if err != nil {
		return nil, err
	}
	return q, nil
}

// The commands in the order in which a query may give them. fields and filter
// share one stage, for neither changes what the other means.
type stage uint8

const (
	stageFields stage = iota
	stageStats
	stageSort
	stageLimit
)

type parser struct {
	lexer
	tok   token
	depth int
	stage stage
}

// maxDepth bounds the nesting of an expression.
const maxDepth = 200

func isKeyword(s string) bool {
	switch strings.ToLower(s) {
	case "and", "or", "not", "in", "like", "as", "asc", "desc", "by":
		return true
	}
	return false
}

func (p *parser) advance() *SyntaxError {
	t, err := p.next()
	p.tok = t
	return err
}

// unexpected describes the token at hand.
func (p *parser) unexpected(want string) *SyntaxError {
	if p.tok.kind == tokEnd {
		return p.fail(p.tok.start, "unexpected end of query, expecting "+want)
	}
	p.pos = p.tok.end
	return p.fail(p.tok.start, "unexpected symbol found "+p.src[p.tok.start:p.tok.end]+", expecting "+want)
}

func (p *parser) isPunct(s string) bool { return p.tok.kind == tokPunct && p.tok.text == s }

func (p *parser) isWord(s string) bool {
	return p.tok.kind == tokWord && !p.tok.quoted && strings.EqualFold(p.tok.text, s)
}

// take skips the token if it is that word.
func (p *parser) take(word string) (bool, *SyntaxError) {
	if !p.isWord(word) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(punct string) *SyntaxError {
	if !p.isPunct(punct) {
		return p.unexpected(punct)
	}
	return p.advance()
}

func (p *parser) query() (*Query, error) {
	q := &Query{}
	for {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if err := p.command(q); err != nil {
			return nil, err
		}
		if p.tok.kind == tokEnd {
			return q, nil
		}
		if !p.isPunct("|") {
			return nil, p.unexpected("|")
		}
	}
}

func (p *parser) command(q *Query) *SyntaxError {
	if p.tok.kind != tokWord || p.tok.quoted {
		return p.unexpected("a command")
	}
	command := p.tok
	stages := map[string]stage{
		"fields": stageFields, "filter": stageFields, "stats": stageStats, "sort": stageSort, "limit": stageLimit,
	}
	at, known := stages[command.text]
	// A second fields or filter adds to the first; the others stand once.
	if !known || at < p.stage || at == p.stage && at != stageFields && p.stageUsed(q) {
		return p.unexpected("{fields, filter, stats, sort, limit} in this order")
	}
	p.stage = at
	if err := p.advance(); err != nil {
		return err
	}
	switch command.text {
	case "fields":
		return p.fields(q)
	case "filter":
		return p.filter(q)
	case "stats":
		return p.stats(q)
	case "sort":
		return p.sort(q)
	default:
		return p.limit(q)
	}
}

func (p *parser) stageUsed(q *Query) bool {
	switch p.stage {
	case stageStats:
		return q.Stats != nil
	case stageSort:
		return len(q.Sort) > 0
	case stageLimit:
		return q.Limit > 0
	case stageFields:
	}
	return false
}

func (p *parser) fields(q *Query) *SyntaxError {
	return p.list(func() *SyntaxError {
		c, err := p.column()
		q.Columns = append(q.Columns, c)
		return err
	})
}

func (p *parser) filter(q *Query) *SyntaxError {
	e, err := p.or()
	if err != nil {
		return err
	}
	q.Filters = append(q.Filters, e)
	return nil
}

// stats reads count(*), the only aggregate.
func (p *parser) stats(q *Query) *SyntaxError {
	if !p.isWord("count") {
		return p.unexpected("count(*)")
	}
	if err := p.advance(); err != nil {
		return err
	}
	for _, punct := range [...]string{"(", "*", ")"} {
		if err := p.expect(punct); err != nil {
			return err
		}
	}
	q.Stats = &Stats{}
	alias, err := p.alias()
	if err != nil {
		return err
	}
	q.Stats.Alias = alias
	by, err := p.take("by")
	if err != nil || !by {
		return err
	}
	return p.list(func() *SyntaxError {
		c, err := p.column()
		q.Stats.By = append(q.Stats.By, c)
		return err
	})
}

func (p *parser) sort(q *Query) *SyntaxError {
	return p.list(func() *SyntaxError {
		field, err := p.ident()
		if err != nil {
			return err
		}
		key := SortKey{Field: field}
		if key.Desc, err = p.take("desc"); err == nil && !key.Desc {
			_, err = p.take("asc")
		}
		q.Sort = append(q.Sort, key)
		return err
	})
}

func (p *parser) limit(q *Query) *SyntaxError {
	n, err := strconv.Atoi(p.tok.text)
	if p.tok.kind != tokNumber || err != nil || n < 1 || n > MaxRows {
		return p.unexpected(fmt.Sprintf("a limit from 1 to %d", MaxRows))
	}
	q.Limit = n
	return p.advance()
}

// MaxRows is the largest limit (StartQuery).
const MaxRows = 100_000

// list reads one or more items between commas.
func (p *parser) list(item func() *SyntaxError) *SyntaxError {
	for {
		if err := item(); err != nil || !p.isPunct(",") {
			return err
		}
		if err := p.advance(); err != nil {
			return err
		}
	}
}

func (p *parser) ident() (string, *SyntaxError) {
	if p.tok.kind != tokWord || !p.tok.quoted && isKeyword(p.tok.text) {
		return "", p.unexpected("a field name")
	}
	s := p.tok.text
	return s, p.advance()
}

func (p *parser) alias() (string, *SyntaxError) {
	if as, err := p.take("as"); err != nil || !as {
		return "", err
	}
	return p.ident()
}

func (p *parser) column() (Column, *SyntaxError) {
	x, err := p.operand()
	if err != nil {
		return Column{}, err
	}
	alias, err := p.alias()
	return Column{Value: x, Alias: alias}, err
}

// operand reads a field, a literal or a function that yields a value.
func (p *parser) operand() (Operand, *SyntaxError) {
	switch p.tok.kind {
	case tokString, tokNumber:
		return p.literal()
	case tokWord:
	case tokEnd, tokRegex, tokPunct:
		return nil, p.unexpected("a field or a value")
	}
	quoted := p.tok.quoted
	field, err := p.ident()
	if err != nil {
		return nil, err
	}
	if quoted || !p.isPunct("(") {
		return Field(field), nil
	}
	return p.function(field)
}

func (p *parser) function(fn string) (Operand, *SyntaxError) {
	if fn != "toMillis" && fn != "bin" {
		return nil, p.fail(p.tok.start, "unknown function "+fn)
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.advance(); err != nil {
		return nil, err
	}
	var x Operand
	var err *SyntaxError
	if fn == "bin" {
		x, err = p.bin()
	} else if x, err = p.operand(); err == nil {
		x = ToMillis{x}
	}
	if err != nil {
		return nil, err
	}
	return x, p.expect(")")
}

func (p *parser) bin() (Operand, *SyntaxError) {
	d, err := time.ParseDuration(p.tok.text)
	if p.tok.kind != tokWord || err != nil || d < time.Millisecond || d%time.Millisecond != 0 {
		return nil, p.unexpected("a span such as 5m")
	}
	b := Bin{Millis: d.Milliseconds(), Span: p.tok.text}
	return b, p.advance()
}

func (p *parser) literal() (Literal, *SyntaxError) {
	t := p.tok
	switch t.kind {
	case tokString:
		return Literal{Text(t.text), quote(t.text)}, p.advance()
	case tokNumber:
		n, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return Literal{}, p.unexpected("a number")
		}
		return Literal{Number(n), t.text}, p.advance()
	case tokEnd, tokWord, tokRegex, tokPunct:
	}
	return Literal{}, p.unexpected("a text or a number")
}

func (p *parser) enter() *SyntaxError {
	if p.depth++; p.depth > maxDepth {
		return p.fail(p.tok.start, "expression is nested too deeply")
	}
	return nil
}

func (p *parser) leave() { p.depth-- }
