package api

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// A query holds the decoded parameters of a request.
type query map[string][]string

// parseQuery decodes raw and refuses what no handler would look at: unknown
// names, and a second value for a name that is not in repeatable. A name that
// is in known or repeatable is known.
func parseQuery(raw string, known ...param) (query, error) {
	q := query{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, err := decodePair(pair)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(known, func(p param) bool { return p.name == name })
		if i < 0 {
			return nil, refuseParameter(name, "is unknown; %s", wanted(known))
		}
		if !known[i].repeatable && len(q[name]) > 0 {
			return nil, refuseParameter(name, "stands there more than once")
		}
		if value == "" {
			return nil, refuseParameter(name, "has no value")
		}
		q[name] = append(q[name], value)
	}
	return q, nil
}

// A param is a query parameter that a route knows.
type param struct {
	name       string
	repeatable bool
}

func wanted(known []param) string {
	if len(known) == 0 {
		return "there are none here"
	}
	names := make([]string, len(known))
	for i, p := range known {
		names[i] = p.name
	}
	return "known are " + strings.Join(names, ", ")
}

func decodePair(pair string) (name, value string, err error) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, err = url.QueryUnescape(rawName)
	if err != nil || !utf8.ValidString(name) {
		return "", "", refuseParameter(strings.ToValidUTF8(rawName, "\uFFFD"), "has a name that is not percent-encoded UTF-8")
	}
	value, err = url.QueryUnescape(rawValue)
	switch {
	case err != nil || !utf8.ValidString(value):
		return "", "", refuseParameter(name, "is not percent-encoded UTF-8")
	case strings.Contains(rawValue, ";"):
		return "", "", refuseParameter(name, "holds a bare semicolon; parameters are separated by &, and a semicolon is written %%3B")
	}
	return name, value, nil
}

// get is the only value of name, or "".
func (q query) get(name string) string {
	if len(q[name]) == 0 {
		return ""
	}
	return q[name][0]
}

// span reads start, end and since. Each end that is not given is zero. since
// counts back from end, or from now.
func (q query) span(now time.Time) (start, end time.Time, err error) {
	if start, err = q.time("start"); err != nil {
		return start, end, err
	}
	if end, err = q.time("end"); err != nil {
		return start, end, err
	}
	if since := q.get("since"); since != "" {
		d, err := parseDuration("since", since)
		switch {
		case err != nil:
			return start, end, err
		case !start.IsZero():
			return start, end, refuseParameter("since", "and start exclude each other")
		case end.IsZero():
			start = now.Add(-d)
		default:
			start = end.Add(-d)
		}
		if start.Unix() < 0 { // which could not be asked for again
			start = time.Unix(0, 0).UTC()
		}
		if !end.IsZero() && !start.Before(end) {
			return start, end, refuseParameter("end", "must be after the beginning of 1970")
		}
	}
	if !start.IsZero() && !end.IsZero() && !start.Before(end) {
		return start, end, refuseParameter("start", "must be before end, which itself is left out")
	}
	return start, end, nil
}

var unixSeconds = regexp.MustCompile(`^([0-9]{1,12})(?:\.([0-9]{1,9}))?$`)

// time reads RFC 3339 or Unix seconds with up to nine decimals. What is stored
// has milliseconds, so the next whole one is what a bound between two means.
func (q query) time(name string) (time.Time, error) {
	s := q.get(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := parseTime(s)
	if err != nil {
		hint := ""
		if strings.Contains(s, " ") {
			hint = " (a + in a URL is written %2B)"
		}
		return t, refuseParameter(name, "must be RFC 3339 or Unix seconds, not %q%s", s, hint)
	}
	if t.Unix() < 0 || t.Year() > 9999 {
		return t, refuseParameter(name, "must lie in the years 1970 to 9999, not %q", s)
	}
	if part := t.Nanosecond() % int(time.Millisecond); part > 0 {
		t = t.Add(time.Millisecond - time.Duration(part))
	}
	return t, nil
}

func parseTime(s string) (time.Time, error) {
	m := unixSeconds.FindStringSubmatch(s)
	if m == nil {
		t, err := time.Parse(time.RFC3339, s)
		return t.UTC(), err
	}
	sec, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	nsec, err := strconv.ParseInt((m[2] + "000000000")[:9], 10, 64)
	return time.Unix(sec, nsec).UTC(), err
}

// parseDuration reads what Prometheus or Go would: 15m, 7d, 1h30m, 1.5h.
func parseDuration(name, s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		var p model.Duration
		p, err = model.ParseDuration(s)
		d = time.Duration(p)
	}
	if err != nil || d <= 0 {
		return 0, refuseParameter(name, "must be a positive duration such as 15m, 24h or 7d, not %q", s)
	}
	return d, nil
}

// flag reads true or false, which is what it is when it is not given.
func (q query) flag(name string) (bool, error) {
	switch v := q.get(name); v {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, refuseParameter(name, "must be true or false, not %q", v)
	}
}

// count reads a whole number between 1 and most; fallback when it is not given.
func (q query) count(name string, fallback, most int) (int, error) {
	s := q.get(name)
	if s == "" {
		return fallback, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n < 1 || int(n) > most {
		return 0, refuseParameter(name, "must be a whole number from 1 to %d, not %q", most, s)
	}
	return int(n), nil
}
