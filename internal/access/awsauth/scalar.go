package awsauth

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// align finds the place of each byte of a scalar's value in the text it was
// written in, from the offset where the scalar opens. It undoes quoting,
// folding and indentation of all five styles beside the known value, and gives
// nil where the two do not fit: a place is then unknown rather than wrong.
func align(src string, open int, style yaml.Style, value string) []int {
	a := aligner{src: src, pos: open, value: value, at: make([]int, 0, len(value)+1)}
	ok := false
	switch {
	case style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		ok = a.header() && a.block()
	case style&yaml.DoubleQuotedStyle != 0:
		a.pos++
		ok = a.flow('"')
	case style&yaml.SingleQuotedStyle != 0:
		a.pos++
		ok = a.flow('\'')
	default:
		ok = a.flow(0)
	}
	if !ok || len(a.at) != len(value) {
		return nil
	}
	return append(a.at, a.pos)
}

type aligner struct {
	src    string
	pos    int // in src
	value  string
	at     []int // places of value[:len(at)]
	indent int   // of a block scalar
}

// put places the next n bytes of the value here and moves on by width in src.
func (a *aligner) put(n, width int) {
	for range n {
		a.at = append(a.at, a.pos)
	}
	a.pos += width
}

// brk is the length of the line break at pos, or 0.
func (a *aligner) brk() int { return yamlBreak(a.src[min(a.pos, len(a.src)):]) }

// header steps over "|2-" and what follows it on the line, and finds how far
// the content is indented: by as much as its first line that is not blank has
// more blanks in the text than in the value.
func (a *aligner) header() bool {
	for a.pos < len(a.src) && a.brk() == 0 {
		a.pos++
	}
	a.pos += a.brk()
	a.indent = max(0, leading(a.src[min(a.pos, len(a.src)):])-leading(a.value))
	return true
}

// leading counts the blanks before the first character that is none, on the
// line where that stands.
func leading(s string) int {
	n := 0
	for i := range len(s) {
		switch s[i] {
		case ' ':
			n++
		case '\n', '\r':
			n = 0
		default:
			return n
		}
	}
	return n
}

// block aligns a literal or folded scalar. Breaks come in runs: a run as long
// as the value's was kept, one that is longer by one was folded.
func (a *aligner) block() bool {
	a.skipIndent()
	for len(a.at) < len(a.value) {
		if a.kept() {
			a.skipIndent()
			continue
		}
		next := a.value[len(a.at)]
		if a.brk() > 0 && (next == '\n' || next == ' ') {
			if !a.foldBlock() {
				return false
			}
			continue
		}
		if a.pos >= len(a.src) || a.src[a.pos] != next {
			return next == '\n' && a.pos >= len(a.src) && a.finish()
		}
		a.put(1, 1)
	}
	return true
}

// kept places a break that stays as it is: of all breaks only U+2028 and U+2029.
func (a *aligner) kept() bool {
	n := a.brk()
	return n >= len("\u2028") && a.stay(n)
}

// stay places the next n bytes of the text if the value has them too.
func (a *aligner) stay(n int) bool {
	if !strings.HasPrefix(a.value[len(a.at):], a.src[a.pos:a.pos+n]) {
		return false
	}
	for range n {
		a.put(1, 1)
	}
	return true
}

// finish places the break that YAML adds to a last line without one.
func (a *aligner) finish() bool {
	a.put(1, 0)
	return len(a.at) == len(a.value)
}

func (a *aligner) skipIndent() {
	for n := 0; n < a.indent && a.pos < len(a.src) && a.src[a.pos] == ' '; n++ {
		a.pos++
	}
}

func (a *aligner) foldBlock() bool {
	want := 0 // breaks in the value
	for i := len(a.at); i < len(a.value) && a.value[i] == '\n'; i++ {
		want++
	}
	if want == 0 { // one break became a blank
		a.put(1, a.brk())
		a.skipIndent()
		return true
	}
	have, save := 0, a.pos
	for a.brk() > 0 {
		have++
		a.pos += a.brk()
		a.skipIndent()
	}
	a.pos = save
	if have > want && len(a.at)+want < len(a.value) {
		a.pos += a.brk() // the first of the run was folded away
		a.skipIndent()
	}
	for range want {
		n := a.brk()
		if n == 0 {
			return false
		}
		a.put(1, n)
		a.skipIndent()
	}
	return true
}

// flow aligns a plain or quoted scalar; quote is 0 for a plain one.
func (a *aligner) flow(quote byte) bool {
	for len(a.at) < len(a.value) {
		if a.pos >= len(a.src) {
			return false
		}
		if quote == '"' && a.src[a.pos] == '\\' {
			if !a.escape() {
				return false
			}
			continue
		}
		next := a.value[len(a.at)]
		if n := a.blanks(); yamlBreak(a.src[a.pos+n:]) > 0 && a.foldFlow() || n > 0 && a.stay(n) {
			continue
		}
		if a.src[a.pos] != next {
			return false
		}
		if quote == '\'' && next == '\'' {
			a.put(1, 2)
			continue
		}
		a.put(1, 1)
	}
	return true
}

// blanks counts those that stand here.
func (a *aligner) blanks() int {
	rest := a.src[a.pos:]
	return len(rest) - len(strings.TrimLeft(rest, " \t"))
}

// foldFlow places what a stretch of blanks and breaks became: one blank, one
// break fewer than there were, or the break that stays.
func (a *aligner) foldFlow() bool {
	rest := a.src[a.pos:]
	switch a.value[len(a.at)] {
	case ' ', '\n':
		n := max(1, len(a.value[len(a.at):])-len(strings.TrimLeft(a.value[len(a.at):], "\n")))
		a.put(n, len(rest)-len(strings.TrimLeft(rest, " \t"+breaks)))
		return true
	}
	save := a.pos
	a.pos += a.blanks()
	if !a.kept() {
		a.pos = save
		return false
	}
	a.pos += a.blanks()
	return true
}

var escapes = map[byte]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", '\t': "\t", 'n': "\n", 'v': "\v", 'f': "\f", 'r': "\r",
	'e': "\x1b", ' ': " ", '"': "\"", '\'': "'", '/': "/", '\\': "\\", 'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029",
}

// lowSurrogate reads the second escape of a character that JSON writes by two.
func lowSurrogate(s string) (rune, bool) {
	digits, ok := strings.CutPrefix(s, `\u`)
	if !ok || len(digits) < 4 {
		return 0, false
	}
	code, err := strconv.ParseUint(digits[:4], 16, 16)
	return rune(code), err == nil
}

// escape places what one backslash sequence stands for.
func (a *aligner) escape() bool {
	rest := a.src[a.pos+1:]
	if rest == "" {
		return false
	}
	if yamlBreak(rest) > 0 { // the line goes on
		a.pos += 1 + len(rest) - len(strings.TrimLeft(rest, " \t"+breaks))
		return true
	}
	text, width := escapes[rest[0]], 2
	if digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[rest[0]]; digits > 0 {
		if len(rest) < 1+digits {
			return false
		}
		code, err := strconv.ParseUint(rest[1:1+digits], 16, 32)
		if err != nil || code > unicode.MaxRune {
			return false
		}
		text, width = string(rune(code)), 2+digits
		if low, ok := lowSurrogate(rest[1+digits:]); ok && utf16.IsSurrogate(rune(code)) {
			if r := utf16.DecodeRune(rune(code), low); r != utf8.RuneError {
				text, width = string(r), 2*width
			}
		}
	}
	if text == "" || !strings.HasPrefix(a.value[len(a.at):], text) {
		return false
	}
	a.put(len(text), width)
	return true
}
