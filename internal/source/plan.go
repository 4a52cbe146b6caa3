package source

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A Query is one Logs Insights query as it would be sent.
type Query struct {
	Targets []authlog.Target // at most 50 log groups
	Class   string           // the log class of all of them
	Text    string           // at most 10,000 characters
}

// Plan shows the queries that Read would begin with. What cannot be asked for
// is left out.
func (s *Source) Plan(w authlog.Window) []Query {
	batches, _ := s.plan(w)
	queries := make([]Query, len(batches))
	for i, b := range batches {
		queries[i] = Query{Targets: b.targets, Class: b.targets[0].Group.Class, Text: Text(b.index, names(b.targets), s.cfg.RowLimit)}
	}
	return queries
}

// streamName is what stands in a query unescaped. EKS names its streams with
// letters, digits and dashes.
var streamName = regexp.MustCompile(`^[A-Za-z0-9_./#-]+$`)

const (
	textHead = "fields @timestamp, @ingestionTime, @message, @logStream, @log, @ptr"
	textTail = " | sort @timestamp asc | limit "
	// markRoom is kept free at the end of a query for the comment that it is
	// found again by, see Source.start.
	markRoom = 64
)

// Text is the query for the lines of these streams, oldest first, at most
// limit of them. The names must be made of letters, digits and "_./#-".
func Text(index Index, streams []string, limit int) string {
	filter := ""
	switch index {
	case IndexDataSource:
		filter = ` | filter @data_source_type = "authenticator"`
	case IndexNone:
	default:
		filter = ` | filter @logStream in ["` + strings.Join(streams, `","`) + `"]`
	}
	return textHead + filter + textTail + strconv.Itoa(limit)
}

// A batch is what one query reads.
type batch struct {
	index   Index
	targets []authlog.Target
}

// plan sorts the targets of the window into batches: one log class and one index strategy
// each, at most 50 groups, and a query text within its limit. A group with too
// many streams goes over several batches. bad are the streams whose names
// cannot stand in a query.
func (s *Source) plan(w authlog.Window) (batches []batch, bad []authlog.Target) {
	targets, bad := usable(join(w.Targets))
	type kind struct {
		class string
		index Index
	}
	var kinds []kind
	byKind := map[kind][]authlog.Target{}
	for _, t := range targets {
		k := kind{t.Group.Class, s.indexOf(t.Group, w.To.Sub(w.From))}
		if byKind[k] == nil {
			kinds = append(kinds, k)
		}
		byKind[k] = append(byKind[k], t)
	}
	for _, k := range kinds {
		for _, ts := range pack(byKind[k], maxGroups, roomFor(k.index, s.cfg.RowLimit)) {
			batches = append(batches, batch{index: k.index, targets: ts})
		}
	}
	return batches, bad
}

// roomFor is how many characters of the query's text the stream names may
// take; negative when they do not stand in it.
func roomFor(index Index, limit int) int {
	if index == IndexDataSource || index == IndexNone {
		return -1
	}
	return maxQueryText - markRoom - len(Text(index, nil, limit))
}

// pack fills batches in order. Each stream takes its name and three more
// characters of room; the streams of one group stay together where they fit
// into a batch at all.
func pack(targets []authlog.Target, groups, room int) [][]authlog.Target {
	var packed [][]authlog.Target
	var current []authlog.Target
	left := room
	next := func() {
		if len(current) > 0 {
			packed = append(packed, current)
		}
		current, left = nil, room
	}
	for _, t := range targets {
		for len(t.Streams) > 0 {
			n := fitting(t.Streams, left)
			if len(current) == groups || (n < len(t.Streams) && len(current) > 0) {
				next()
				continue
			}
			n = max(n, 1) // a name alone always fits: AWS allows 512 characters
			part := authlog.Target{Group: t.Group, Streams: t.Streams[:n:n]}
			current = append(current, part)
			left -= size(part.Streams)
			t.Streams = t.Streams[n:]
		}
	}
	next()
	return packed
}

// fitting is how many of the streams, from the first on, fit into room.
func fitting(streams []string, room int) int {
	if room < 0 {
		return len(streams)
	}
	for i := range streams {
		if room -= len(streams[i]) + len(`"",`); room < 0 {
			return i
		}
	}
	return len(streams)
}

func size(streams []string) int {
	n := 0
	for _, s := range streams {
		n += len(s) + len(`"",`)
	}
	return n
}

// usable parts the targets by whether their streams can be named in a query.
func usable(targets []authlog.Target) (good, bad []authlog.Target) {
	for _, t := range targets {
		var ok, not []string
		for _, name := range t.Streams {
			if streamName.MatchString(name) {
				ok = append(ok, name)
			} else {
				not = append(not, name)
			}
		}
		if len(ok) > 0 {
			good = append(good, authlog.Target{Group: t.Group, Streams: ok})
		}
		if len(not) > 0 {
			bad = append(bad, authlog.Target{Group: t.Group, Streams: not})
		}
	}
	return good, bad
}

// join makes one target of each group, with all its streams, sorted.
func join(parts ...[]authlog.Target) []authlog.Target {
	var joined []authlog.Target
	at := map[string]int{}
	for _, t := range slices.Concat(parts...) {
		i, ok := at[t.Group.ARN]
		if !ok {
			i = len(joined)
			at[t.Group.ARN] = i
			joined = append(joined, authlog.Target{Group: t.Group})
		}
		joined[i].Streams = append(joined[i].Streams, t.Streams...)
	}
	for i := range joined {
		slices.Sort(joined[i].Streams)
		joined[i].Streams = slices.Compact(joined[i].Streams)
	}
	return joined
}

// halve cuts the streams of the targets in two; ok is false for a single one.
func halve(targets []authlog.Target) (a, b []authlog.Target, ok bool) {
	n := 0
	for _, t := range targets {
		n += len(t.Streams)
	}
	if n < 2 {
		return targets, nil, false
	}
	left := n / 2
	for _, t := range targets {
		k := min(left, len(t.Streams))
		if k > 0 {
			a = append(a, authlog.Target{Group: t.Group, Streams: t.Streams[:k:k]})
		}
		if k < len(t.Streams) {
			b = append(b, authlog.Target{Group: t.Group, Streams: t.Streams[k:]})
		}
		left -= k
	}
	return a, b, true
}

// names are the stream names of the targets, sorted, each once.
func names(targets []authlog.Target) []string {
	var all []string
	for _, t := range targets {
		all = append(all, t.Streams...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// nameError says why streams cannot be read.
func nameError(streams []string) error {
	return fmt.Errorf("stream names %q cannot stand in a query: only letters, digits and _./#- can; delete the streams or exclude the cluster", streams)
}
