package awsauth

import (
	"strconv"
	"strings"
	"unicode"
)

// printable gives s with every character that cannot be seen, or that a
// terminal could take as a command, written as an escape of Go.
func printable(s string) string {
	if !strings.ContainsFunc(s, unprintable) && strings.ToValidUTF8(s, "") == s {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		b.WriteString(visible(r))
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func visible(r rune) string {
	if !unprintable(r) {
		return string(r)
	}
	q := strconv.QuoteRune(r)
	return q[1 : len(q)-1]
}

// printableLines is printable that leaves line breaks alone.
func printableLines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// nearestKey is the wanted word that a misspelt one stands for, or "".
func nearestKey(word string, wanted []string) string {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) && r < unicode.MaxASCII {
				return unicode.ToLower(r)
			}
			return -1
		}, s)
	}
	for _, w := range wanted {
		if plain(word) == plain(w) || distance(plain(word), plain(w), 2) <= 2 {
			return w
		}
	}
	return ""
}

// distance is the edit distance of two texts, or limit+1 where it is more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	head := commonPrefix(a, b)
	a, b = a[head:], b[head:]
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		best := row[0]
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(prev[j]+cost, prev[j+1]+1, row[j]+1)
			best = min(best, row[j+1])
		}
		if best > limit {
			return limit + 1
		}
		prev = row
	}
	return min(prev[len(b)], limit+1)
}
