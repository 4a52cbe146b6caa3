package awssim

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	maxPageBytes = 1 << 20
	pageSpan     = time.Hour // of event time that one FilterLogEvents call searches
	tokenLife    = 24 * time.Hour
)

type filterLogEventsInput struct {
	EndTime             *int64   `json:"endTime"`
	FilterPattern       string   `json:"filterPattern"`
	Limit               int      `json:"limit"`
	LogGroupIdentifier  string   `json:"logGroupIdentifier"`
	LogGroupName        string   `json:"logGroupName"`
	LogStreamNamePrefix string   `json:"logStreamNamePrefix"`
	LogStreamNames      []string `json:"logStreamNames"`
	NextToken           string   `json:"nextToken"`
	StartFromHead       *bool    `json:"startFromHead"`
	StartTime           *int64   `json:"startTime"`
}

type filteredEvent struct {
	EventID       string `json:"eventId"`
	IngestionTime int64  `json:"ingestionTime"`
	LogStreamName string `json:"logStreamName"`
	Message       string `json:"message"`
	Timestamp     int64  `json:"timestamp"`
}

type filterLogEventsOutput struct {
	Events             []filteredEvent `json:"events"`
	NextToken          string          `json:"nextToken,omitempty"`
	SearchedLogStreams []string        `json:"searchedLogStreams"`
}

// position is between two events of a group, in the order of time and arrival.
type position struct {
	Group uint64 `json:"g"`
	At    int64  `json:"t"` // ms
	Seq   uint64 `json:"s"` // events of that time up to this one are behind it
	Empty int    `json:"e"` // empty pages still to come
	Made  int64  `json:"m"` // ms
}

// filterLogEvents is logs:FilterLogEvents. One call searches an hour of event
// time at most, so that a window with little in it yields empty pages with a
// token, as AWS does.
func filterLogEvents(c *call, in *filterLogEventsInput) (*filterLogEventsOutput, *apiError) {
	g, pattern, refusal := in.check(c)
	if refusal != nil {
		return nil, refusal
	}
	now := c.world().nowMillis()
	at, refusal := in.position(c, g, now)
	if refusal != nil {
		return nil, refusal
	}
	out := &filterLogEventsOutput{Events: []filteredEvent{}, SearchedLogStreams: []string{}}
	if at.Empty > 0 {
		at.Empty--
		out.NextToken = at.String()
		return out, nil
	}
	end := now
	if in.EndTime != nil {
		end = min(now, *in.EndTime)
	}
	until := min(end, at.At+pageSpan.Milliseconds()-1)
	limit := cmp.Or(in.Limit, maxPageRows)
	found := g.find(in, pattern, at, until, limit)
	size := 0
	for i := range found {
		size += len(found[i].ev.text) + 26
		if i > 0 && size > maxPageBytes {
			break
		}
		out.Events = append(out.Events, found[i].filtered())
		at.At, at.Seq = found[i].ev.at, found[i].ev.seq
	}
	switch {
	case len(out.Events) == limit || len(out.Events) < len(found):
	case until < end:
		at.At, at.Seq = until+1, 0
	default:
		return out, nil
	}
	at.Made = now
	out.NextToken = at.String()
	return out, nil
}

func (in *filterLogEventsInput) check(c *call) (*LogGroup, termPattern, *apiError) {
	switch {
	case in.LogStreamNamePrefix != "" && len(in.LogStreamNames) > 0:
		return nil, termPattern{}, invalidParameter("LogStreamNamePrefix and LogStreamNames cannot both be specified.")
	case len(in.LogStreamNames) > 100:
		return nil, termPattern{}, violation(in.LogStreamNames, "logStreamNames", "Member must have length less than or equal to 100")
	case in.Limit < 0 || in.Limit > maxPageRows:
		return nil, termPattern{}, violation(in.Limit, "limit", "Member must have value from 1 to 10000")
	case in.StartTime != nil && in.EndTime != nil && *in.EndTime < *in.StartTime:
		return nil, termPattern{}, invalidParameter("End time should not be less than start time.")
	case in.StartFromHead != nil && !*in.StartFromHead:
		return nil, termPattern{}, invalidParameter("startFromHead false is not served here.")
	}
	pattern, refusal := parsePattern(in.FilterPattern)
	if refusal != nil {
		return nil, termPattern{}, refusal
	}
	g, refusal := c.oneGroup(in.LogGroupName, in.LogGroupIdentifier)
	if refusal != nil {
		return nil, termPattern{}, refusal
	}
	for _, name := range in.LogStreamNames {
		if g.Stream(name) == nil {
			return nil, termPattern{}, notFound("The specified log stream does not exist.")
		}
	}
	return g, pattern, nil
}

func (in *filterLogEventsInput) position(c *call, g *LogGroup, now int64) (position, *apiError) {
	if in.NextToken == "" {
		p := position{Group: g.id, At: g.oldest(now), Made: now}
		if in.StartTime != nil {
			p.At = max(p.At, *in.StartTime)
		}
		for _, f := range c.faults {
			p.Empty += f.EmptyPages
		}
		return p, nil
	}
	var p position
	text, err := base64.StdEncoding.DecodeString(in.NextToken)
	if err != nil || json.Unmarshal(text, &p) != nil || p.Group != g.id {
		return p, invalidParameter("The specified nextToken is invalid.")
	}
	if now-p.Made > tokenLife.Milliseconds() {
		return p, invalidParameter("The specified nextToken is expired.")
	}
	return p, nil
}

func (p position) String() string {
	text, _ := json.Marshal(p) // numbers only
	return base64.StdEncoding.EncodeToString(text)
}

// find returns the first matching events after at and until then, in order.
// More than limit are found only to say that there are more.
func (g *LogGroup) find(in *filterLogEventsInput, pattern termPattern, at position, until int64, limit int) []hit {
	now := g.region.account.w.nowMillis()
	g.mu.RLock()
	defer g.mu.RUnlock()
	var found []hit
	for _, st := range g.streams {
		if !strings.HasPrefix(st.name, in.LogStreamNamePrefix) ||
			len(in.LogStreamNames) > 0 && !slices.Contains(in.LogStreamNames, st.name) {
			continue
		}
		n := 0
		for _, ev := range st.between(at.At, until) {
			if ev.ingested > now || ev.at == at.At && ev.seq <= at.Seq || !pattern.match(ev.text) {
				continue
			}
			found = append(found, hit{st: st, ev: ev})
			if n++; n > limit {
				break
			}
		}
	}
	slices.SortFunc(found, func(a, b hit) int {
		return cmp.Or(cmp.Compare(a.ev.at, b.ev.at), cmp.Compare(a.ev.seq, b.ev.seq))
	})
	return found[:min(len(found), limit)]
}

func (h *hit) filtered() filteredEvent {
	return filteredEvent{
		EventID:       fmt.Sprintf("%014d%020d%022d", h.ev.at, h.st.group.id, h.ev.seq),
		IngestionTime: h.ev.ingested, LogStreamName: h.st.name, Message: h.ev.text, Timestamp: h.ev.at,
	}
}

// termPattern is a filter pattern for unstructured events: words or quoted
// terms that must all be there, -terms that must not, ?terms of which one must.
type termPattern struct {
	all, none, some []string
}

func (p termPattern) match(text string) bool {
	has := func(term string) bool { return strings.Contains(text, term) }
	for _, t := range p.all {
		if !has(t) {
			return false
		}
	}
	return !slices.ContainsFunc(p.none, has) && (len(p.some) == 0 || slices.ContainsFunc(p.some, has))
}

// parsePattern reads a filter pattern. JSON, space-delimited and regular
// expression patterns are refused: nothing here needs them.
func parsePattern(text string) (termPattern, *apiError) {
	var p termPattern
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		into := &p.all
		switch rest[0] {
		case '-':
			into, rest = &p.none, rest[1:]
		case '?':
			into, rest = &p.some, rest[1:]
		}
		term, after, ok := cutTerm(rest)
		if !ok {
			return p, invalidParameter("Invalid character(s) in term '%s'", rest)
		}
		*into = append(*into, term)
		rest = after
	}
	return p, nil
}

// cutTerm takes one term off: in quotes, or of letters, digits and _ only.
func cutTerm(s string) (term, rest string, ok bool) {
	if strings.HasPrefix(s, `"`) {
		var b strings.Builder
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] == '\\' && i+1 < len(s):
				i++
				b.WriteByte(s[i])
			case s[i] == '"':
				return b.String(), s[i+1:], b.Len() > 0
			default:
				b.WriteByte(s[i])
			}
		}
		return "", "", false
	}
	term, rest, _ = strings.Cut(s, " ")
	for _, r := range term {
		if r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return "", "", false
		}
	}
	return term, rest, term != ""
}
