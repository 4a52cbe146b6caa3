package insights

import (
	"cmp"
	"strconv"
	"time"
)

// TimeLayout is how result rows show a point in time (UTC).
const TimeLayout = "2006-01-02 15:04:05.000"

type kind uint8

const (
	absent kind = iota
	text
	number
	instant // milliseconds since 1970, shown as TimeLayout
)

// A Value is what a field or function of a record yields. The zero Value is
// Absent.
type Value struct {
	kind kind
	str  string
	num  float64
}

// Text is a value of characters.
func Text(s string) Value { return Value{kind: text, str: s} }

// Number is a number.
func Number(n float64) Value { return Value{kind: number, num: n} }

// Millis is a point in time in milliseconds since 1970. It compares as that
// number and shows as TimeLayout.
func Millis(ms int64) Value { return Value{kind: instant, num: float64(ms)} }

// Absent reports that there is no value; a row leaves such a column out.
func (v Value) Absent() bool { return v.kind == absent }

// Float returns the value as a number: milliseconds for a point in time, and a
// text if it reads as a number. It reports false for anything else.
func (v Value) Float() (float64, bool) {
	switch v.kind {
	case number, instant:
		return v.num, true
	case text:
		n, err := strconv.ParseFloat(v.str, 64)
		return n, err == nil
	case absent:
	}
	return 0, false
}

// String is the value as a result row shows it.
func (v Value) String() string {
	switch v.kind {
	case text:
		return v.str
	case number:
		return strconv.FormatFloat(v.num, 'f', -1, 64)
	case instant:
		return time.UnixMilli(int64(v.num)).UTC().Format(TimeLayout)
	case absent:
	}
	return ""
}

// compare orders two values: as numbers if one is a number and the other can
// be read as one, else as texts. It reports false if one of them is absent.
func compare(a, b Value) (int, bool) {
	if a.Absent() || b.Absent() {
		return 0, false
	}
	if a.kind != text || b.kind != text {
		x, okX := a.Float()
		y, okY := b.Float()
		if okX && okY {
			return cmp.Compare(x, y), true
		}
	}
	return cmp.Compare(a.String(), b.String()), true
}

// Less orders two values for the sort command; what is absent comes first.
func Less(a, b Value) bool {
	if a.Absent() || b.Absent() {
		return a.Absent() && !b.Absent()
	}
	c, _ := compare(a, b)
	return c < 0
}
