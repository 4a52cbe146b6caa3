package diagnose

import (
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// sts judges what STS refused, or did not answer.
func (b *bench) sts() {
	b.regionDisabled()
	b.globalToken()
	b.crowded("sts_throttled_cluster", func(t *tally) *crowd { return &t.throttled }, "sts_throttled")
	b.crowded("sts_outage", func(t *tally) *crowd { return &t.outage }, "sts_timeout", "sts_connection_failed", "sts_server_error")
}

// anonymous begins a verdict on the latest spell of a reason without an
// identity. It is nil when there is none.
func (b *bench) anonymous(code, key string) (*verdict, *anonymous) {
	a := b.c.anonymous[key]
	if a == nil {
		return nil, nil
	}
	sp, ok := a.spell(&series{}, b.cfg.Flap, b.cfg.Calm, 0)
	if !ok {
		return nil, nil
	}
	v := &verdict{code: code, spell: sp, severity: authlog.SeverityInfo, confidence: authlog.ConfidenceCertain}
	v.about.reason = key
	v.show(a.quotes(sp.first, sp.last), "denied: "+key)
	return v, a
}

// keep adds a verdict unless it ended so long ago that it is forgotten.
func (b *bench) keep(v *verdict, by string) *verdict {
	if !v.settle(b.c.clock, b.cfg.calm(v.code), by) {
		return nil
	}
	return b.add(v)
}

func (b *bench) regionDisabled() {
	v, a := b.anonymous("sts_region_disabled", "sts_region_disabled")
	if v == nil {
		return
	}
	v.severity = authlog.SeverityCritical
	v.about.account, v.about.endpoint = a.facts.account, b.c.id.Region
	if notes := a.notes.newest(secondOf(v.first)); len(notes) > 0 {
		v.about.endpoint = notes[0].key
	}
	// Other accounts may still use the region, so a grant over it ends this
	// only when the denials have stopped for a while.
	if t := b.c.endpoints[v.about.endpoint]; t != nil && b.c.clock-secondOf(v.last) >= seconds(b.cfg.Flap) {
		v.end = t.after(secondOf(v.last))
	}
	b.keep(v, authlog.ResolvedByGrant)
}

// globalToken judges tokens of the global endpoint that the STS of an opt-in
// region does not know.
func (b *bench) globalToken() {
	v, _ := b.anonymous("opt_in_region_global_token", invalidOnGlobal)
	if v == nil || b.c.optIn() != authlog.Yes {
		return
	}
	v.about.reason, v.about.endpoint = invalidToken, "global"
	v.severity, v.confidence = authlog.SeverityWarning, authlog.ConfidenceMedium
	onlyGlobal := true
	for _, note := range b.c.anonymous[invalidToken].notes.newest(secondOf(v.first)) {
		onlyGlobal = onlyGlobal && note.key == "global"
	}
	if regional := b.c.endpoints[b.c.id.Region]; onlyGlobal && regional != nil && !regional.empty() {
		v.confidence = authlog.ConfidenceHigh
	}
	b.keep(v, "")
}

func (c *cluster) optIn() authlog.Answer {
	if c.facts.OptIn != "" {
		return c.facts.OptIn
	}
	if isOptIn(c.id.Region) {
		return authlog.Yes
	}
	return authlog.No
}

// isOptIn knows the regions that an account must opt in to, as AWS's list of
// regions had them in 2026.
func isOptIn(region string) bool {
	switch region {
	case "af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
		"ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1", "eu-south-2", "il-central-1",
		"me-central-1", "me-south-1", "mx-central-1":
		return true
	}
	return false
}

// crowded judges whether so many clients met the same trouble with STS that it
// is the cluster's, not theirs.
func (b *bench) crowded(code string, of func(*tally) *crowd, reasons ...string) {
	run := b.run(of, b.cfg.STSCalm)
	if len(run) == 0 {
		return
	}
	v := &verdict{code: code, severity: authlog.SeverityCritical, confidence: authlog.ConfidenceHigh}
	met := false
	for i := range run {
		n, events, clients := b.window(run, i, of)
		share := float64(n) / float64(max(events, 1))
		if clients < b.cfg.STSClients || n < int64(b.cfg.STSDenials) && share < b.cfg.STSShare {
			continue
		}
		met = true
		v.about.clients = max(v.about.clients, clients)
		v.about.share = max(v.about.share, share)
	}
	if !met {
		return
	}
	v.spell = b.spellOfRun(run, of)
	for _, reason := range reasons {
		if a := b.c.anonymous[reason]; a != nil {
			v.show(a.quotes(v.first, v.last), "denied: "+reason)
			v.about.notes = append(v.about.notes, reason)
		}
	}
	slices.Sort(v.about.notes)
	b.keep(v, "")
}

// run lists the minutes of the latest trouble: those that no longer pause
// parts.
func (b *bench) run(of func(*tally) *crowd, pause time.Duration) []int64 {
	var minutes []int64
	for at, t := range b.c.tallies {
		if of(t).n > 0 {
			minutes = append(minutes, at)
		}
	}
	slices.Sort(minutes)
	from := len(minutes) - 1
	for from > 0 && minutes[from]-minutes[from-1] <= seconds(pause) {
		from--
	}
	return minutes[max(from, 0):]
}

// window sums the STSWindow that begins with the i-th minute of a run.
func (b *bench) window(run []int64, i int, of func(*tally) *crowd) (n, events int64, clients int) {
	var all []string
	end := run[i] + seconds(b.cfg.STSWindow)
	for _, at := range run[i:] {
		if at >= end {
			break
		}
		c := of(b.c.tallies[at])
		n += c.n
		all = append(all, c.clients...)
	}
	for at := run[i]; at < end; at += minute {
		events += b.c.rings[ringEvents].at(at)
	}
	slices.Sort(all)
	return n, events, len(slices.Compact(all))
}

func (b *bench) spellOfRun(run []int64, of func(*tally) *crowd) spell {
	var sp spell
	for _, at := range run {
		c := of(b.c.tallies[at])
		sp.n += c.n
		sp.first, sp.last = earlier(sp.first, c.first), later(sp.last, c.last)
	}
	return sp
}
