package insights

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokWord             // keyword, field or function name; quoted says that it stood in backticks
	tokNumber           // digits with an optional sign and fraction
	tokString           // text between quotes, unescaped
	tokRegex            // text between slashes, with \/ undone
	tokPunct            // one of | , ( ) [ ] * = != < <= > >= =~
)

type token struct {
	kind       tokenKind
	text       string
	quoted     bool
	start, end int // bytes
}

// lexer cuts a query into tokens. A slash begins a regular expression only
// where the parser asks for one: there is no division in this part of the
// language.
type lexer struct {
	src string
	pos int
}

func (l *lexer) fail(start int, message string) *SyntaxError {
	return &SyntaxError{
		Start:   utf8.RuneCountInString(l.src[:start]),
		End:     utf8.RuneCountInString(l.src[:max(start, l.pos)]),
		Message: message,
	}
}

func (l *lexer) skipBlank() {
	for l.pos < len(l.src) {
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		switch {
		case unicode.IsSpace(r):
			l.pos += n
		case r == '#':
			line, _, _ := strings.Cut(l.src[l.pos:], "\n")
			l.pos += len(line)
		default:
			return
		}
	}
}

// next returns the next token.
func (l *lexer) next() (token, *SyntaxError) {
	l.skipBlank()
	start := l.pos
	if start == len(l.src) {
		return token{kind: tokEnd, start: start, end: start}, nil
	}
	switch c := l.src[start]; {
	case c == '"' || c == '\'' || c == '`':
		return l.quoted(c)
	case c == '/':
		return l.regex()
	case isDigit(c) || c == '-':
		return l.number()
	case isWordByte(c):
		for l.pos < len(l.src) && isWordByte(l.src[l.pos]) {
			l.pos++
		}
		return token{kind: tokWord, text: l.src[start:l.pos], start: start, end: l.pos}, nil
	}
	return l.punct()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isWordByte holds for what may stand in a field name without backticks:
// letters, digits, @, _ and the full stop.
func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '@' || c == '_' || c == '.'
}

// quoted reads a text in quotes or a name in backticks. A backslash keeps its
// meaning for the quote and for itself only; before any other character it is
// a character like others, as in regular expressions given as text.
func (l *lexer) quoted(quote byte) (token, *SyntaxError) {
	start := l.pos
	var b strings.Builder
	for l.pos++; l.pos < len(l.src); l.pos++ {
		c := l.src[l.pos]
		switch {
		case c == quote:
			l.pos++
			t := token{kind: tokString, text: b.String(), start: start, end: l.pos}
			if quote == '`' {
				t.kind, t.quoted = tokWord, true
				if t.text == "" {
					return token{}, l.fail(start, "empty field name")
				}
			}
			return t, nil
		case c == '\\' && l.pos+1 < len(l.src) && (l.src[l.pos+1] == quote || l.src[l.pos+1] == '\\'):
			l.pos++
			b.WriteByte(l.src[l.pos])
		default:
			b.WriteByte(c)
		}
	}
	return token{}, l.fail(start, "unterminated "+string(quote))
}

func (l *lexer) regex() (token, *SyntaxError) {
	start := l.pos
	var b strings.Builder
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '/':
			l.pos++
			return token{kind: tokRegex, text: b.String(), start: start, end: l.pos}, nil
		case c == '\\' && l.pos+1 < len(l.src):
			l.pos++
			if l.src[l.pos] != '/' {
				b.WriteByte('\\')
			}
			b.WriteByte(l.src[l.pos])
		default:
			b.WriteByte(c)
		}
	}
	return token{}, l.fail(start, "unterminated regular expression")
}

// number reads a number, or a word that begins with digits, such as the 5m of
// bin(5m).
func (l *lexer) number() (token, *SyntaxError) {
	start := l.pos
	if l.src[l.pos] == '-' {
		l.pos++
	}
	digits, dots, word := 0, 0, false
	for ; l.pos < len(l.src) && isWordByte(l.src[l.pos]); l.pos++ {
		switch c := l.src[l.pos]; {
		case isDigit(c):
			digits++
		case c == '.':
			dots++
		default:
			word = true
		}
	}
	t := token{kind: tokNumber, text: l.src[start:l.pos], start: start, end: l.pos}
	switch {
	case word && l.src[start] != '-':
		t.kind = tokWord
	case word || digits == 0 || dots > 1 || strings.HasSuffix(t.text, "."):
		return token{}, l.fail(start, "unexpected number "+t.text)
	}
	return t, nil
}

func (l *lexer) punct() (token, *SyntaxError) {
	start := l.pos
	for _, p := range [...]string{"!=", "<=", ">=", "=~", "=", "<", ">", "|", ",", "(", ")", "[", "]", "*"} {
		if strings.HasPrefix(l.src[start:], p) {
			l.pos += len(p)
			return token{kind: tokPunct, text: p, start: start, end: l.pos}, nil
		}
	}
	_, n := utf8.DecodeRuneInString(l.src[start:])
	l.pos += n
	return token{}, l.fail(start, "unexpected symbol found "+l.src[start:l.pos])
}
