package diagnose

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A span is from when to when, and how often, something was seen.
type span struct {
	key, note   string
	n           int64
	first, last mark
}

// spans is a short list of what was seen most recently, by key. What is in the
// list at the end does not depend on the order in which it was seen, but for
// how often and since when a key was that had dropped out of the list.
type spans []span

// see counts a sighting of a key. note goes with the latest sighting; it is
// kept as it is, so it must not be a small part of something large.
func (s *spans) see(key, note string, m mark, most int) {
	s.merge(span{key: key, note: note, n: 1, first: m, last: m}, most)
}

// merge joins what was seen of a key with what is known of it.
func (s *spans) merge(e span, most int) {
	if old := s.get(e.key); old != nil {
		old.n += e.n
		old.first = earlier(old.first, e.first)
		if compareMarks(e.last, old.last) >= 0 {
			old.last, old.note = e.last, e.note
		}
		return
	}
	e.key = strings.Clone(e.key)
	*s = append(*s, e)
	if len(*s) <= most {
		return
	}
	oldest := 0
	for i := range *s {
		if compareMarks((*s)[i].last, (*s)[oldest].last) < 0 {
			oldest = i
		}
	}
	*s = slices.Delete(*s, oldest, oldest+1)
}

// get returns the span of a key, or nil.
func (s *spans) get(key string) *span {
	for i := range *s {
		if (*s)[i].key == key {
			return &(*s)[i]
		}
	}
	return nil
}

// newest lists the spans seen last at or after a second, latest first.
func (s *spans) newest(since int64) []span {
	var out []span
	for _, e := range *s {
		if secondOf(e.last) >= since {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b span) int {
		return cmp.Or(compareMarks(b.last, a.last), strings.Compare(a.key, b.key))
	})
	return out
}

func (s *spans) last() mark {
	var m mark
	for i := range *s {
		m = later(m, (*s)[i].last)
	}
	return m
}

func keysOf(list []span) []string {
	var keys []string
	for i := range list {
		keys = append(keys, list[i].key)
	}
	return keys
}

// Bounds of what is kept of one principal.
const (
	maxUserIDs  = 8
	maxSessions = 32
)

// A principal is what is kept of one ARN on one cluster.
type principal struct {
	arn, account string
	kind         authlog.PrincipalKind // by the ARN alone: a node is a role
	granted      series
	grantedIDs   spans // IAM's unique ids; note: the line
	creator      track // grants as kubernetes-admin with system:masters
	denied       map[string]*refusal
	asNode       series // grants of instances with a node's user name
	notAsNode    track  // grants of instances with another
	notNode      spans  // those instances; note: the user name
}

// A refusal is what is kept of the denials of one principal for one reason.
type refusal struct {
	track
	latest
	sessions spans
	ids      spans // IAM's unique ids
}

func (r *refusal) clone() *refusal {
	return &refusal{track: *r.track.clone(), latest: r.latest, sessions: slices.Clone(r.sessions), ids: slices.Clone(r.ids)}
}

// refused is the refusal of a reason, made if there is none yet.
func (p *principal) refused(reason string) *refusal {
	r := p.denied[reason]
	if r == nil {
		r = &refusal{}
		p.denied[strings.Clone(reason)] = r
	}
	return r
}

// latest is what the newest denial of a reason said besides it.
type latest struct {
	mark
	facts facts
}

// facts is the part of rules.Facts that diagnoses need.
type facts struct {
	mapper, template, username string
	caller, account, code      string
	instance                   string
	offset                     time.Duration
}

func keepFacts(f *rules.Facts) facts {
	k := facts{
		mapper: strings.Clone(f.Mapper), template: strings.Clone(f.Template), username: strings.Clone(f.Username),
		caller: strings.Clone(f.Caller), account: strings.Clone(f.Account), code: strings.Clone(f.AWSCode),
		offset: f.ClockOffset,
	}
	if len(f.Instances) > 0 {
		k.instance = strings.Clone(f.Instances[0])
	}
	return k
}

func (l *latest) see(m mark, f *rules.Facts) {
	if compareMarks(m, l.mark) >= 0 {
		l.mark, l.facts = m, keepFacts(f)
	}
}

// last is when it was last heard of.
func (p *principal) last() mark {
	m := p.granted.last()
	for _, t := range p.denied {
		m = later(m, t.last())
	}
	return m
}

func (p *principal) clone() *principal {
	q := *p
	q.granted, q.asNode = p.granted.clone(), p.asNode.clone()
	q.grantedIDs = slices.Clone(p.grantedIDs)
	q.creator, q.notAsNode, q.notNode = *p.creator.clone(), *p.notAsNode.clone(), slices.Clone(p.notNode)
	q.denied = make(map[string]*refusal, len(p.denied))
	for reason, r := range p.denied {
		q.denied[reason] = r.clone()
	}
	return &q
}

// An instance is an EC2 instance and the roles it came with.
type instance struct {
	granted spans // by ARN
	denied  spans // by ARN; note: the reason
}

func (i *instance) last() mark { return later(i.granted.last(), i.denied.last()) }

func (i *instance) clone() *instance {
	return &instance{granted: slices.Clone(i.granted), denied: slices.Clone(i.denied)}
}

// sightings is a short list under one key of a cluster: the ARNs that a person
// was granted under, the ARN that an access entry has for another.
type sightings struct{ spans }

func (s *sightings) clone() *sightings { return &sightings{slices.Clone(s.spans)} }
