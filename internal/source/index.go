package source

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

const (
	// trialSpan is how much event time, from the window's front on, the two
	// strategies are compared over. What becomes visible between their queries
	// lies behind it.
	trialSpan = 2 * time.Minute
	// shortSpan is the longest window that IndexAuto reads by data source.
	// Longer ones look for what the short ones missed, so they go by stream,
	// which cannot miss a line of a stream that is listed.
	shortSpan = 15 * time.Minute
)

// How long a verdict holds. One that was reached without a single line says
// little.
const (
	holdCheaper = 6 * time.Hour
	holdStream  = 24 * time.Hour
	holdSilent  = time.Hour
)

// verdicts are what trials found out about log groups, by ARN.
type verdicts struct {
	mu sync.Mutex
	by map[string]verdict
	// warned is set once it was said that the index saves nothing.
	warned bool
}

type verdict struct {
	index Index
	until time.Time
}

// of is the verdict on a group; ok is false when there is none that holds.
func (v *verdicts) of(g authlog.Group) (index Index, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := v.by[g.ARN]
	return found.index, time.Now().Before(found.until)
}

func (v *verdicts) set(g authlog.Group, index Index, hold time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by == nil {
		v.by = map[string]verdict{}
	}
	v.by[g.ARN] = verdict{index, time.Now().Add(hold)}
}

// indexOf is the strategy for a group and a window of that length. Only the
// Standard class has indexes.
func (s *Source) indexOf(g authlog.Group, span time.Duration) Index {
	if s.cfg.Index != IndexAuto {
		return s.cfg.Index
	}
	if index, ok := s.verdicts.of(g); ok && span <= shortSpan {
		return index
	}
	return IndexStream
}

// trial compares the strategies over the first minutes of a batch that was read
// by stream, if there is a group in it without a verdict. The data source wins
// a group if it shows the very same lines and its query scanned fewer bytes. Nothing found here reaches the caller.
func (r *reader) trial(ctx context.Context, j job) {
	if r.cfg.Index != IndexAuto || r.cfg.Mode != ModeInsights || j.index != IndexStream || ctx.Err() != nil {
		return
	}
	var open []authlog.Target
	for _, t := range j.targets {
		if _, ok := r.verdicts.of(t.Group); !ok && t.Group.Class == string(types.LogGroupClassStandard) {
			open = append(open, t)
		}
	}
	if len(open) == 0 {
		return
	}
	j.targets = open
	if end := j.from.Add(trialSpan); end.Before(j.to) {
		j.to = end
	}
	want, asked, err := r.look(ctx, j)
	if err != nil {
		// Whatever it is, the reading itself will meet and tell it.
		for _, t := range open {
			r.verdicts.set(t.Group, IndexStream, holdSilent)
		}
		return
	}
	j.index = IndexDataSource
	got, cheaper, err := r.look(ctx, j)
	if ctx.Err() != nil {
		return
	}
	for _, t := range open {
		lines := want[t.Group.Cluster]
		switch {
		case err != nil || !maps.Equal(lines, got[t.Group.Cluster]) || cheaper.BytesScanned >= asked.BytesScanned:
			r.verdicts.set(t.Group, IndexStream, holdStream)
		case len(lines) == 0:
			r.verdicts.set(t.Group, IndexStream, holdSilent)
		default:
			r.verdicts.set(t.Group, IndexDataSource, holdCheaper)
		}
	}
}

// look counts the lines that one query shows, by cluster and key.
func (r *reader) look(ctx context.Context, j job) (map[authlog.Cluster]map[authlog.Key]int, types.QueryStatistics, error) {
	found := map[authlog.Cluster]map[authlog.Key]int{}
	quiet := &reader{Source: r.Source, emit: func(p piece) {
		for i := range p.page.Lines {
			cluster := p.page.Lines[i].Cluster
			if found[cluster] == nil {
				found[cluster] = map[authlog.Key]int{}
			}
			found[cluster][authlog.KeyOf(&p.page.Lines[i], 0)]++
		}
	}}
	a, err := quiet.run(ctx, j)
	if err != nil {
		return nil, types.QueryStatistics{}, err
	}
	through, err := quiet.collect(ctx, j, a)
	if err == nil && through.Before(j.to) {
		err = errOverflow
	}
	return found, orZero(a.first.Statistics), err
}

// judge looks at what the index saved a query. The data source strategy is
// given up for its groups where that was nothing.
func (r *reader) judge(j job, stats types.QueryStatistics) {
	if stats.EstimatedBytesSkipped > 0 || stats.BytesScanned == 0 ||
		j.targets[0].Group.Class != string(types.LogGroupClassStandard) {
		return
	}
	if r.cfg.Index == IndexAuto && j.index == IndexDataSource {
		for _, t := range j.targets {
			r.verdicts.set(t.Group, IndexStream, holdStream)
		}
	}
	if j.index != IndexNone && stats.BytesScanned > muchScanned && r.verdicts.firstWarning() {
		r.log.Warn().Int64("bytes_scanned", int64(stats.BytesScanned)).Str("log_group", j.targets[0].Group.ARN).
			Msg("the index skipped nothing: every line of the log groups is scanned and billed")
	}
}

// muchScanned is below what an authenticator writes alone in most windows.
const muchScanned = 10e6

// firstWarning reports true once.
func (v *verdicts) firstWarning() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	first := !v.warned
	v.warned = true
	return first
}
