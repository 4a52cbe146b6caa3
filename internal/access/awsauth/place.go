package awsauth

import (
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// A placed text is a string that was read from a file and still knows where:
// at[i] is the offset in the file of its i-th byte, at[len(s)] that of its end.
// Without at all of it stands at base, as nearly as is known.
type placed struct {
	s    string
	at   []int
	base int
}

// offset gives the place in the file of byte i; i may be out of bounds.
func (p placed) offset(i int) int {
	if p.at == nil {
		return p.base
	}
	return p.at[max(0, min(i, len(p.s)))]
}

// whole places a text that is the file itself.
func whole(s string) placed {
	at := make([]int, len(s)+1)
	for i := range at {
		at[i] = i
	}
	return placed{s: s, at: at}
}

// lines knows where the lines of a text begin and end, in bytes.
type lines struct {
	text        string
	start, stop []int
	runes       []int // how many characters begin before each byte
}

// linesOf cuts a text as editors do, and all that shows a line by its number.
func linesOf(text string) lines { return cut(text, lineBreak) }

// yamlLines cuts a text as the parsers of YAML do, which know more breaks and
// count no byte order mark.
func yamlLines(text string) lines {
	l := cut(text, yamlBreak)
	if strings.HasPrefix(text, orderMark) {
		l.start[0] = len(orderMark)
	}
	return l
}

func cut(text string, brk func(rest string) int) lines {
	l := lines{text: text, start: []int{0}, runes: runesOf(text)}
	for i := 0; i < len(text); {
		n := brk(text[i:])
		if n > 0 {
			l.stop = append(l.stop, i)
			l.start = append(l.start, i+n)
		}
		i += max(n, 1)
	}
	l.stop = append(l.stop, len(text))
	return l
}

// runesOf makes columns as cheap to find at the end of a line as at its
// beginning: a file may be one line.
func runesOf(text string) []int {
	before := make([]int, 0, len(text)+1)
	n := 0
	for i := 0; i < len(text); n++ {
		_, width := utf8.DecodeRuneInString(text[i:])
		for range width {
			before = append(before, n)
		}
		i += width
	}
	return append(before, n)
}

// lineBreak is the length of the break that a text begins with, or 0.
func lineBreak(s string) int {
	switch {
	case strings.HasPrefix(s, "\r\n"):
		return 2
	case s != "" && (s[0] == '\n' || s[0] == '\r'):
		return 1
	}
	return 0
}

// breaks are the characters that break lines in YAML 1.1.
const breaks = "\r\n\u0085\u2028\u2029"

// yamlBreak is lineBreak with all of them.
func yamlBreak(s string) int {
	switch {
	case strings.HasPrefix(s, "\u0085"):
		return len("\u0085")
	case strings.HasPrefix(s, "\u2028"), strings.HasPrefix(s, "\u2029"):
		return len("\u2028")
	}
	return lineBreak(s)
}

// position gives line and column of an offset, both from 1; columns are
// characters.
func (l lines) position(offset int) (line, column int) {
	offset = max(0, min(offset, len(l.text)))
	i := sort.SearchInts(l.start, offset+1) - 1
	return i + 1, l.runes[offset] - l.runes[l.start[i]] + 1
}

// offset is the inverse of position; what lies outside is moved to the nearest
// place inside.
func (l lines) offset(line, column int) int {
	i := max(0, min(line-1, len(l.start)-1))
	at := l.start[i]
	n, _ := slices.BinarySearch(l.runes[at:l.end(i)], l.runes[at]+column-1)
	return at + n
}

// end is the offset of the break that ends line i (from 0), or of the text's
// end.
func (l lines) end(i int) int { return l.stop[i] }

// line is the text of line i (from 0) without its break.
func (l lines) line(i int) string { return l.text[l.start[i]:l.end(i)] }
