package pipeline

import (
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// maxSample is how much of a sample is kept, in bytes.
const maxSample = 4 << 10

// A counted is what metrics need of a fresh line.
type counted struct {
	cluster authlog.Cluster
	kind    authlog.Kind
	code    string // reason of a denial, code of a marker
	time    time.Time
	taken   time.Time // in by CloudWatch; zero when not known
}

// findings reads the lines of a page and adds to b what the fresh ones, those
// with a key, lead to. All lines are read: one that was counted before may be
// the STS response of one that was not.
func findings(join *rules.Joiner, b *authlog.Batch, lines []authlog.Line, keys []authlog.Key) []counted {
	events := make([]authlog.Event, len(lines))
	for i := range lines {
		events[i] = parse.Line(lines[i])
	}
	identities := join.Page(events)
	var fresh []counted
	for i := range events {
		if keys[i] == (authlog.Key{}) {
			continue
		}
		ev := &events[i]
		id := authlog.NewID(ev.At(), keys[i])
		c := counted{cluster: ev.Cluster, kind: ev.Kind, time: ev.Time, taken: ev.Ingested}
		switch ev.Kind {
		case authlog.KindDenied:
			d := rules.Denial(ev, identities[i])
			d.ID = id
			b.Denials = append(b.Denials, d)
			c.code = d.Reason
			if d.Reason == rules.Unclassified {
				b.Samples = append(b.Samples, sample(ev, id, rules.Unclassified))
			}
		case authlog.KindGranted:
			g := rules.Grant(ev, identities[i])
			g.ID = id
			b.Grants = append(b.Grants, g)
			if g.Username == "kubernetes-admin" {
				b.Samples = append(b.Samples, sample(ev, id, authlog.SampleCreator))
			}
		case authlog.KindMarker:
			m := rules.Marker(ev)
			m.ID = id
			b.Markers = append(b.Markers, m)
			c.code = m.Code
		case authlog.KindSTSResponse, authlog.KindMalformedRequest, authlog.KindOther: // counted only
		case authlog.KindUnreadable:
			b.Samples = append(b.Samples, sample(ev, id, ev.Kind.String()))
		}
		fresh = append(fresh, c)
	}
	return fresh
}

func sample(ev *authlog.Event, id authlog.ID, code string) authlog.Sample {
	return authlog.Sample{
		ID: id, Cluster: ev.Cluster, Stream: ev.Stream, Time: ev.At(), Code: code,
		Raw: ev.Text[:min(len(ev.Text), maxSample)],
	}
}

// count tells the metrics of lines that were saved.
func (t *Tail) count(fresh []counted) {
	for i := range fresh {
		c := &fresh[i]
		m := t.lines.Cluster(c.cluster.Name, c.cluster.Account, c.cluster.Region)
		m.Event(c.kind.String(), c.time)
		switch c.kind {
		case authlog.KindDenied:
			m.Denial(c.code)
		case authlog.KindMarker:
			m.Marker(c.code)
		default:
		}
	}
}

// measure learns from fresh lines how late CloudWatch shows them. A window
// that does not reach the present tells of it only what CloudWatch says itself;
// what a sweep finds came after its second had settled.
func (t *Tail) measure(fresh []counted, j *job) {
	now := t.src.Now()
	present := j.role == tailing && j.asked.Sub(j.To) < t.cfg.Interval
	for i := range fresh {
		c := &fresh[i]
		switch {
		case present || j.role == tailing && !c.taken.IsZero():
			t.settle.observe(j.lateness(c))
		case j.role == sweeping:
			t.settle.straggler()
		}
		if present || j.role == sweeping {
			t.lines.Cluster(c.cluster.Name, c.cluster.Account, c.cluster.Region).Late(now.Sub(c.time))
		}
	}
}

// lateness is how long after its event time a line was shown, as far as can be
// told: it was not there when its second was read before, it is there now, and
// in between CloudWatch's own word counts.
func (j *job) lateness(c *counted) time.Duration {
	shown := j.asked
	if !c.taken.IsZero() {
		shown = authlog.Earliest(authlog.Latest(c.taken, j.known[c.cluster]), j.asked)
	}
	return shown.Sub(c.time)
}
