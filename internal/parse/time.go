package parse

import "time"

// logTime reads the time= of an entry: RFC 3339, "Z" on EKS, another offset
// where a person runs the authenticator. It is zero where s is no such time.
func logTime(s string) time.Time {
	if len(s) == len("2006-01-02T15:04:05Z") && s[19] == 'Z' {
		if t, ok := utcTime(s[:19]); ok {
			return t
		}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// utcTime reads 2006-01-02T15:04:05, with any byte for the T, as UTC. It does
// what time.Parse does, in a fifth of the time.
func utcTime(s string) (time.Time, bool) {
	if s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	bad := 0
	two := func(i int) int {
		a, b := int(s[i])-'0', int(s[i+1])-'0'
		bad |= a | b | (9 - a) | (9 - b)
		return a*10 + b
	}
	y, mon, d := two(0)*100+two(2), two(5), two(8)
	h, m, sec := two(11), two(14), two(17)
	if bad < 0 || mon < 1 || mon > 12 || h > 23 || m > 59 || sec > 59 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(mon), d, h, m, sec, 0, time.UTC)
	return t, t.Day() == d
}

// stamp takes a time off the front of s, as wrappings print it: RFC 3339 or
// Insights' 2006-01-02 15:04:05.000, with or without fraction and offset. A
// time without offset is UTC, as CloudWatch's are.
func stamp(s string) (t time.Time, rest string, ok bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(s) < seconds || s[10] != 'T' && s[10] != ' ' {
		return time.Time{}, s, false
	}
	if t, ok = utcTime(s[:seconds]); !ok {
		return time.Time{}, s, false
	}
	frac, rest := fraction(s[seconds:])
	shift, rest := offset(rest)
	return t.Add(frac - shift), rest, true
}

// fraction takes .719 or ,719 off the front of s.
func fraction(s string) (d time.Duration, rest string) {
	if len(s) < 2 || s[0] != '.' || !isDigit(s[1]) {
		return 0, s
	}
	i := 1
	for unit := 100 * time.Millisecond; i < len(s) && isDigit(s[i]); i++ {
		d += time.Duration(s[i]-'0') * unit
		unit /= 10
	}
	return d, s[i:]
}

// offset takes Z or ±15:04 off the front of s.
func offset(s string) (d time.Duration, rest string) {
	if s != "" && s[0] == 'Z' {
		return 0, s[1:]
	}
	if len(s) < 6 || s[0] != '+' && s[0] != '-' {
		return 0, s
	}
	t, err := time.Parse("-07:00", s[:6])
	if err != nil {
		return 0, s
	}
	_, sec := t.Zone()
	return time.Duration(sec) * time.Second, s[6:]
}

// anyTime reads a whole string that is a time: one that stamp takes, or
// milliseconds since 1970.
func anyTime(s string) (time.Time, bool) {
	if t, rest, ok := stamp(s); ok {
		return t, rest == ""
	}
	if len(s) != len("1700000000000") {
		return time.Time{}, false
	}
	var ms int64
	for i := range len(s) {
		if !isDigit(s[i]) {
			return time.Time{}, false
		}
		ms = ms*10 + int64(s[i]-'0')
	}
	return time.UnixMilli(ms).UTC(), true
}
