package awsauth

import (
	"sort"
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

// lines knows where the lines of a text begin, in bytes.
type lines struct {
	text  string
	start []int
}

func linesOf(text string) lines {
	l := lines{text: text, start: []int{0}}
	for i := range len(text) {
		switch text[i] {
		case '\r':
			if i+1 < len(text) && text[i+1] == '\n' {
				continue
			}
			l.start = append(l.start, i+1)
		case '\n':
			l.start = append(l.start, i+1)
		}
	}
	return l
}

// position gives line and column of an offset, both from 1; columns are
// characters.
func (l lines) position(offset int) (line, column int) {
	offset = max(0, min(offset, len(l.text)))
	i := sort.SearchInts(l.start, offset+1) - 1
	return i + 1, utf8.RuneCountInString(l.text[l.start[i]:offset]) + 1
}

// offset is the inverse of position; what lies outside is moved to the nearest
// place inside.
func (l lines) offset(line, column int) int {
	i := max(0, min(line-1, len(l.start)-1))
	at, end := l.start[i], l.end(i)
	for ; column > 1 && at < end; column-- {
		_, n := utf8.DecodeRuneInString(l.text[at:])
		at += n
	}
	return at
}

// end is the offset of the break that ends line i (from 0), or of the text's
// end.
func (l lines) end(i int) int {
	end := len(l.text)
	if i+1 < len(l.start) {
		end = l.start[i+1]
	}
	for end > l.start[i] && (l.text[end-1] == '\n' || l.text[end-1] == '\r') {
		end--
	}
	return end
}

// line is the text of line i (from 0) without its break.
func (l lines) line(i int) string { return l.text[l.start[i]:l.end(i)] }
