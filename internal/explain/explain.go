// Package explain answers what somebody pastes who cannot get into a cluster:
// lines of the authenticator's log in any wrapping, what kubectl, kubelet, helm
// or the AWS CLI said, the answer of `aws sts get-caller-identity`, or all of
// them in one text.
//
// It is pure: it keeps nothing, does no I/O and knows no clock. Whatever is
// pasted is taken for data: no part of it comes into a command that did not
// pass the strict grammar of package diagnose, and the renderings escape it.
package explain

import (
	"cmp"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/parse"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// Options is what is known besides the text. All of it is optional and makes
// the answer sharper.
type Options struct {
	Cluster authlog.Cluster      // any of its fields
	Facts   authlog.ClusterFacts // e.g. the authentication mode
	// Configuration says what the cluster's own configuration holds for a
	// principal that was denied then; nil: it is not known.
	Configuration func(p authlog.Principal, denied time.Time) *authlog.AccessVerdict
	// Now stands in for the time of lines that carry none; UTC.
	Now time.Time
}

// An Answer is what can be said. Its JSON is part of the API. Its text may
// quote what was pasted; commands do not.
type Answer struct {
	Headline string `json:"headline"` // the one thing to know
	// Diagnoses of the lines, the one to act on first; parts of another one are
	// left out.
	Diagnoses []authlog.Diagnosis `json:"diagnoses"`
	Reasons   []Reason            `json:"reasons"`  // of denials that no diagnosis is about
	Symptoms  []Symptom           `json:"symptoms"` // what tools said
	Identity  *Identity           `json:"identity"` // who get-caller-identity says you are
	Next      []authlog.Step      `json:"next"`     // how to find out more
	Read      Read                `json:"read"`
}

// A Reason is why some of the lines were denied, by the catalogue of reasons.
type Reason struct {
	Code    string       `json:"code"`
	Count   int          `json:"count"`
	Summary string       `json:"summary"`
	Cause   string       `json:"cause"`
	WhoActs rules.Actor  `json:"who_acts"`
	Retry   string       `json:"retry"`
	Remedy  []rules.Step `json:"remedy"`
	Docs    []string     `json:"docs"`
	First   time.Time    `json:"first"`
	Last    time.Time    `json:"last"`
	Error   string       `json:"error"` // the log's own words; one of them
	Line    string       `json:"line"`
}

// Read says what the text was taken for.
type Read struct {
	Lines   int            `json:"lines"`   // without empty ones
	Kinds   map[string]int `json:"kinds"`   // of the authenticator's lines, by kind
	Unknown int            `json:"unknown"` // lines that nothing could be made of
}

// Text answers one text.
func Text(input string, o Options) Answer {
	in := read(input)
	events, rest := in.events(&o)
	a := Answer{
		Diagnoses: []authlog.Diagnosis{}, Reasons: []Reason{}, Symptoms: []Symptom{}, Next: []authlog.Step{},
		Read: Read{Lines: in.count, Kinds: map[string]int{}},
	}
	for i := range events {
		a.Read.Kinds[events[i].Kind.String()]++
	}
	found, unknown := symptoms(rest, &o)
	a.Symptoms, a.Read.Unknown = append(a.Symptoms, found...), unknown
	m, denials, page := observe(events, &o)
	diagnoses := m.Diagnoses(o.Cluster)
	a.Diagnoses = append(a.Diagnoses, upfront(diagnoses)...)
	a.Reasons = append(a.Reasons, reasons(denials, diagnoses)...)
	if in.caller != nil {
		a.Identity = in.caller.compare(m, denials, page, &o)
	}
	a.Headline = a.headline()
	a.Next = append(a.Next, a.next(&o)...)
	return a
}

// observe gives the lines to a machine of their own.
func observe(events []authlog.Event, o *Options) (*diagnose.Machine, []authlog.Denial, diagnose.Page) {
	cfg := diagnose.Default()
	cfg.Excerpt = true
	m := diagnose.New(cfg)
	facts := o.Facts
	facts.Logging, facts.Status = "", ""
	page := findings(events)
	facts.Principals = o.configuration(&page)
	m.Know(o.Cluster, facts)
	page.Clusters = []authlog.Cluster{o.Cluster}
	for i := range events {
		if at := events[i].At().Add(time.Second); at.After(page.Through) {
			page.Through = at
		}
	}
	m.Observe(page).Commit()
	return m, page.Denials, page
}

// configuration asks about everyone who was denied, or let in otherwise than
// was meant.
func (o *Options) configuration(page *diagnose.Page) map[string]authlog.AccessVerdict {
	if o.Configuration == nil {
		return nil
	}
	last := map[string]authlog.Asked{}
	see := func(p authlog.Principal, at time.Time) {
		if p.ARN != "" && !p.Benign && !at.Before(last[p.ARN].Denied) {
			last[p.ARN] = authlog.Asked{Principal: p, Denied: at}
		}
	}
	for i := range page.Grants {
		see(page.Grants[i].Principal, page.Grants[i].Time)
	}
	for i := range page.Denials {
		if d := &page.Denials[i]; d.Principal != nil {
			see(*d.Principal, d.Time)
		}
	}
	found := map[string]authlog.AccessVerdict{}
	for arn, a := range last {
		found[arn] = *o.Configuration(a.Principal, a.Denied)
	}
	return found
}

// findings does what the daemon does with a page of lines.
func findings(events []authlog.Event) diagnose.Page {
	var p diagnose.Page
	var join rules.Joiner
	who := join.Page(events)
	twins := map[authlog.Key]int{}
	for i := range events {
		ev := &events[i]
		key := authlog.KeyOf(&ev.Line, 0)
		twins[key]++
		id := authlog.NewID(ev.At(), authlog.KeyOf(&ev.Line, twins[key]-1))
		switch ev.Kind {
		case authlog.KindDenied:
			d := rules.Denial(ev, who[i])
			d.ID = id
			p.Denials = append(p.Denials, d)
		case authlog.KindGranted:
			g := rules.Grant(ev, who[i])
			g.ID = id
			p.Grants = append(p.Grants, g)
		case authlog.KindMarker:
			m := rules.Marker(ev)
			m.ID = id
			p.Markers = append(p.Markers, m)
		default: // leads to nothing by itself
		}
	}
	return p
}

// events reads the lines; what is none of the authenticator's is returned as
// text. A line without a time is given that of the line before, or now.
func (in *pasted) events(o *Options) (events []authlog.Event, rest []string) {
	last := o.Now
	for _, line := range in.lines {
		ev := parse.Line(authlog.Line{Cluster: o.Cluster, Text: line})
		other := ev.Kind == authlog.KindUnreadable || ev.Kind == authlog.KindOther
		if other && (len(ev.Fields) == 0 || signOf(line) != nil) {
			// Tools write lines that are built alike.
			rest = append(rest, line)
			continue
		}
		if ev.At().IsZero() {
			ev.Logged = last
		}
		last = ev.At()
		events = append(events, ev)
	}
	return events, rest
}

// upfront puts the diagnosis to act on first, and leaves out the parts of
// others and the mere facts.
func upfront(all []authlog.Diagnosis) []authlog.Diagnosis {
	var list []authlog.Diagnosis
	for _, d := range all {
		if d.Parent == "" {
			list = append(list, d)
		}
	}
	open := func(d *authlog.Diagnosis) int {
		if d.State == authlog.DiagnosisOpen {
			return 1
		}
		return 0
	}
	lockout := func(d *authlog.Diagnosis) int {
		if e, _ := diagnose.ByCode(d.Code); e.Lockout {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(x, y authlog.Diagnosis) int {
		return cmp.Or(
			cmp.Compare(open(&y), open(&x)),
			cmp.Compare(y.Severity.Rank(), x.Severity.Rank()),
			cmp.Compare(lockout(&y), lockout(&x)),
			cmp.Compare(y.Confidence.Rank(), x.Confidence.Rank()),
		)
	})
	return list
}

// reasons sums up the denials that no diagnosis shows.
func reasons(denials []authlog.Denial, diagnoses []authlog.Diagnosis) []Reason {
	explained := map[string]bool{}
	for _, d := range diagnoses {
		for _, e := range d.Evidence {
			explained[e.Line] = true
		}
	}
	covered, at := map[string]bool{}, map[string]int{}
	for i := range denials {
		if explained[denials[i].ID.String()] {
			covered[denials[i].Reason] = true
		}
	}
	var list []Reason
	for i := range denials {
		d := &denials[i]
		if covered[d.Reason] || d.Principal != nil && d.Principal.Benign {
			continue
		}
		if j, ok := at[d.Reason]; ok {
			list[j].Count++
			list[j].First, list[j].Last = authlog.Earliest(list[j].First, d.Time), authlog.Latest(list[j].Last, d.Time)
			continue
		}
		at[d.Reason] = len(list)
		list = append(list, reasonOf(d))
	}
	return list
}

func reasonOf(d *authlog.Denial) Reason {
	r, _ := rules.ByCode(d.Reason)
	return Reason{
		Code: d.Reason, Count: 1, Summary: r.Summary, Cause: r.Cause, WhoActs: r.WhoActs, Retry: r.RetryNote,
		Remedy: r.Remedy, Docs: r.Docs, First: d.Time, Last: d.Time, Error: d.Error, Line: authlog.Sanitize(d.Raw),
	}
}

// headline is the one thing to know.
func (a *Answer) headline() string {
	for _, d := range a.Diagnoses {
		if d.State == authlog.DiagnosisOpen && d.Code != "creator_identified" {
			return d.Summary
		}
	}
	if len(a.Reasons) > 0 {
		return diagnose.Plain(a.Reasons[0].Summary)
	}
	for _, d := range a.Diagnoses {
		if d.State == authlog.DiagnosisResolved {
			return "It is over: " + d.Resolution.Why + ". " + d.Summary
		}
	}
	switch {
	case len(a.Symptoms) > 0:
		return a.Symptoms[0].Means
	case a.Identity != nil:
		return a.Identity.Means
	case len(a.Diagnoses) > 0:
		return a.Diagnoses[0].Summary
	case a.Read.Kinds[authlog.KindGranted.String()] > 0:
		return "These lines show requests that were let in, and none that was denied."
	}
	return "Nothing here was understood. Paste lines of the authenticator's log, or what kubectl said."
}
