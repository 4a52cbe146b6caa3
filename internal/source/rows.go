package source

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// rowTime is how Insights prints times, in UTC.
const rowTime = "2006-01-02 15:04:05.000"

// A row is one line and its address in CloudWatch: unique within one answer,
// no more is known of it.
type row struct {
	line authlog.Line
	ptr  string
}

// wanted knows the streams that a query is about.
type wanted struct {
	groups map[string]*wantedGroup // by "account:name", as @log has it
}

type wantedGroup struct {
	cluster authlog.Cluster
	streams map[string]string // name to the one copy of it that lines share
}

func newWanted(targets []authlog.Target) wanted {
	w := wanted{groups: make(map[string]*wantedGroup, len(targets))}
	for _, t := range targets {
		g := &wantedGroup{cluster: t.Group.Cluster, streams: make(map[string]string, len(t.Streams))}
		for _, name := range t.Streams {
			g.streams[name] = name
		}
		w.groups[logName(t.Group)] = g
	}
	return w
}

// group finds the group that @log names. A query over a single group cannot
// answer with another's lines, whatever it calls it.
func (w wanted) group(log string) (*wantedGroup, error) {
	if g := w.groups[log]; g != nil {
		return g, nil
	}
	if len(w.groups) == 1 {
		for name, g := range w.groups {
			if log == "" || strings.HasSuffix(name, ":"+log) {
				return g, nil
			}
		}
	}
	return nil, fmt.Errorf("answer has a line of log group %q, which was not asked for", log)
}

// row reads one result of a query. mine is false for a line of a stream that
// is not wanted: another target of the batch has one of that name, or the
// index strategy does not go by stream.
func (w wanted) row(fields []types.ResultField) (r row, mine bool, err error) {
	var at, ingested, stream, log string
	for i := range fields {
		value := aws.ToString(fields[i].Value)
		switch aws.ToString(fields[i].Field) {
		case "@timestamp":
			at = value
		case "@ingestionTime":
			ingested = value
		case "@message":
			r.line.Text = value
		case "@logStream":
			stream = value
		case "@log":
			log = value
		case "@ptr":
			r.ptr = value
		}
	}
	if r.line.Time, err = time.Parse(rowTime, at); err != nil {
		return r, false, fmt.Errorf("@timestamp of a line: %w", err)
	}
	// A line is worth more than the time it came in.
	r.line.Ingested, _ = time.Parse(rowTime, ingested)
	g, err := w.group(log)
	if err != nil {
		return r, false, err
	}
	r.line.Cluster = g.cluster
	r.line.Stream, mine = g.streams[stream]
	return r, mine, nil
}

// A stretch gathers the rows of one answer, in their order, and hands out
// pages of whole seconds.
type stretch struct {
	wanted   wanted
	from, to time.Time    // of the question
	page     authlog.Page // of what is to come: From is the end of what was handed out
	rows     []row
	seen     map[string]struct{} // the addresses of rows
	taken    int                 // rows of the answer, unwanted ones too
	last     time.Time           // the newest of them
	place    *place              // of the answer
}

func newStretch(j job) *stretch {
	return &stretch{
		wanted: newWanted(j.targets),
		from:   j.from,
		to:     j.to,
		page:   authlog.Page{Targets: j.targets, From: j.from, Through: j.from},
		seen:   map[string]struct{}{},
		last:   j.from,
	}
}

// take adds the rows of one page of the answer to a query.
func (s *stretch) take(results [][]types.ResultField) error {
	for _, fields := range results {
		r, mine, err := s.wanted.row(fields)
		if err != nil {
			return err
		}
		if err := s.add(r, mine); err != nil {
			return err
		}
	}
	return nil
}

// add takes a row. One that is not mine, or that was there before, is only
// counted; one of a second that was handed out already breaks the order that
// resuming relies on.
func (s *stretch) add(r row, mine bool) error {
	at := r.line.Time
	s.taken++
	if s.last.Before(at) {
		s.last = at
	}
	if !mine || at.Before(s.from) || !at.Before(s.to) {
		return nil
	}
	if at.Before(s.page.From) {
		return fmt.Errorf("answer is out of order: a line of %s after %s was whole",
			at.Format(rowTime), s.page.From.Format(rowTime))
	}
	if _, twice := s.seen[r.ptr]; twice && r.ptr != "" {
		return nil
	}
	s.seen[r.ptr] = struct{}{}
	s.rows = append(s.rows, r)
	return nil
}

// cut takes out the page of all seconds before through.
func (s *stretch) cut(through time.Time) piece {
	slices.SortStableFunc(s.rows, func(a, b row) int { return a.line.Time.Compare(b.line.Time) })
	n, _ := slices.BinarySearchFunc(s.rows, through, func(r row, t time.Time) int { return r.line.Time.Compare(t) })
	page := s.page
	page.Through = through
	page.Lines = make([]authlog.Line, n)
	for i := range page.Lines {
		page.Lines[i] = s.rows[i].line
	}
	s.rows = slices.Clone(s.rows[n:])
	s.page.From = through
	clear(s.seen)
	for i := range s.rows {
		s.seen[s.rows[i].ptr] = struct{}{}
	}
	return piece{page: page, place: s.place}
}

// logName is what @log calls the group.
func logName(g authlog.Group) string { return g.Cluster.Account + ":" + g.Cluster.LogGroup() }
