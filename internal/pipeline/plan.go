package pipeline

import (
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A job is one window and the lanes it moves forward.
type job struct {
	authlog.Window
	asked time.Time // when: what comes later is not in its pages
	role  role      // of all its lanes
	lanes map[authlog.Cluster]*lane
	known map[authlog.Cluster]time.Time // up to where each was read before
	done  map[streamKey]time.Time       // up to where each stream was read
	join  rules.Joiner                  // over the pages, which go forward in time
}

type streamKey struct {
	cluster authlog.Cluster
	stream  string
}

func newJob(r role, from, to, now time.Time) *job {
	return &job{
		Window: authlog.Window{From: from, To: to},
		asked:  now,
		role:   r,
		lanes:  map[authlog.Cluster]*lane{},
		known:  map[authlog.Cluster]time.Time{},
		done:   map[streamKey]time.Time{},
	}
}

// plan gathers the lanes that want the same span into one job each, so that
// one query serves many log groups. A job holds a cluster once.
func plan(lanes []*lane, now time.Time, cfg *Config) []*job {
	type span struct {
		role     role
		from, to int64
	}
	var jobs []*job
	bySpan := map[span][]*job{}
	for _, l := range lanes {
		from, to, _, ok := l.window(now, cfg)
		if !ok {
			continue
		}
		key := span{l.role, from.Unix(), to.Unix()}
		var j *job
		for _, other := range bySpan[key] {
			if other.lanes[l.Cluster] == nil {
				j = other
				break
			}
		}
		if j == nil {
			j = newJob(l.role, from, to, now)
			jobs = append(jobs, j)
			bySpan[key] = append(bySpan[key], j)
		}
		j.lanes[l.Cluster] = l
		j.known[l.Cluster] = l.Through
		j.Targets = append(j.Targets, authlog.Target{Group: l.group, Streams: l.reads()})
	}
	return jobs
}

// read notes that the page was read, and returns the cursors that move.
// Seconds after settled stay open in the lanes that follow the log.
func (j *job) read(p *authlog.Page, settled time.Time) []authlog.Cursor {
	var moved []authlog.Cursor
	for _, target := range p.Targets {
		for _, s := range target.Streams {
			j.done[streamKey{target.Group.Cluster, s}] = p.Through
		}
	}
	for _, target := range p.Targets {
		l := j.lanes[target.Group.Cluster]
		through := p.Through
		for _, s := range l.reads() {
			if t := j.done[streamKey{l.Cluster, s}]; t.Before(through) {
				through = t // zero where the stream was not read yet
			}
		}
		if c := l.advanced(through, settled); c.Through.After(l.Through) || c.Watermark.After(l.Watermark) {
			moved = append(moved, c)
		}
	}
	return moved
}
