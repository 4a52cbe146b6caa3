package diagnose

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// tokens judges tokens and credentials that do not say whose they are.
func (b *bench) tokens() {
	b.staleTokens()
	b.skewed()
	b.periodic("stale_credentials_loop", authlog.SeverityWarning, authlog.ConfidenceMedium, "sts_expired_credentials", invalidToken)
	b.periodic("non_iam_token_loop", authlog.SeverityInfo, authlog.ConfidenceHigh, "token_missing_prefix")
	for key := range b.c.anonymous {
		if isBrokenToken(key) {
			b.brokenToken(key)
		}
	}
}

// isBrokenToken knows the reasons for which a token was made wrongly: all of
// the token layer but those of age and of tokens that are not for IAM.
func isBrokenToken(reason string) bool {
	r, ok := rules.ByCode(reason)
	return ok && r.Layer == rules.LayerToken && reason != "token_missing_prefix" && reason != "token_expired"
}

func (b *bench) brokenToken(reason string) {
	v, a := b.anonymous("broken_token_client", reason)
	if v == nil || v.n < int64(b.cfg.BrokenTokens) {
		return
	}
	v.subject = reason
	for _, note := range a.notes.newest(secondOf(v.first)) {
		v.about.notes = append(v.about.notes, note.key)
	}
	b.keep(v, "")
}

// latestTokens lists the tokens refused for their age that were seen in the
// latest spell of such, by when they were first seen.
func (b *bench) latestTokens(fits func(*token) bool) []*token {
	var all []*token
	for _, t := range b.c.tokens {
		if !t.empty() && fits(t) {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(x, y *token) int { return compareMarks(x.first(), y.first()) })
	from := len(all) - 1
	for from > 0 && all[from].first().Time().Sub(all[from-1].last().Time()) <= b.cfg.Calm {
		from--
	}
	return all[max(from, 0):]
}

func (b *bench) isStale(t *token) bool { return t.since(0) >= int64(b.cfg.StaleTokens) }

// staleTokens judges tokens that come again and again although they are too
// old.
func (b *bench) staleTokens() {
	tokens := b.latestTokens(b.isStale)
	if len(tokens) == 0 {
		return
	}
	v := &verdict{code: "stale_token_loop", severity: authlog.SeverityWarning, confidence: authlog.ConfidenceCertain}
	v.about.reason, v.about.tokens = "token_expired", len(tokens)
	for _, t := range tokens {
		v.first, v.last = earlier(v.first, t.first()), later(v.last, t.last())
		v.n += t.since(0)
		v.show(t.quotes(t.first(), t.last()), "the token of "+formatTime(t.date))
		v.about.notes = append(v.about.notes, formatTime(t.date))
	}
	b.keep(v, "")
}

func formatTime(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }

// skewed judges whether a client's clock is wrong: it is when AWS says that a
// signature is of the future, and when tokens made at different times are all
// equally old the moment they come.
func (b *bench) skewed() {
	v, a := b.anonymous("clock_skew", "sts_signature_not_yet_current")
	if v == nil {
		v = &verdict{code: "clock_skew"}
	} else {
		v.about.offset, v.about.variant = a.facts.offset, "ahead"
	}
	v.severity, v.confidence = authlog.SeverityWarning, authlog.ConfidenceHigh
	if tokens := b.equallyOld(b.latestTokens(func(t *token) bool { return !b.isStale(t) })); len(tokens) > 0 {
		var sum time.Duration
		for _, t := range tokens {
			sum += t.age()
			v.first, v.last = earlier(v.first, t.first()), later(v.last, t.last())
			v.n += t.since(0)
			v.show(t.quotes(t.first(), t.last()), "a new token, already "+t.age().String()+" old")
		}
		v.about.age, v.about.tokens = sum/time.Duration(len(tokens)), len(tokens)
		if v.about.variant == "" {
			v.about.variant, v.about.offset = "behind", -v.about.age
		}
		// A token kept just beyond its 15 minutes is as old each time, too.
		if v.about.variant == "behind" && v.about.age < 16*time.Minute {
			v.confidence = authlog.ConfidenceMedium
		}
	}
	if v.n == 0 {
		return
	}
	b.keep(v, "")
}

// equallyOld returns the tokens when they are enough, most of the age of the
// others, and nil otherwise.
func (b *bench) equallyOld(tokens []*token) []*token {
	sorted := slices.Clone(tokens)
	slices.SortFunc(sorted, func(x, y *token) int {
		return cmp.Or(cmp.Compare(x.age(), y.age()), compareMarks(x.first(), y.first()))
	})
	var best []*token
	for i, j := 0, 0; i < len(sorted); i++ {
		for j < len(sorted) && sorted[j].age()-sorted[i].age() <= 2*b.cfg.SkewJitter {
			j++
		}
		if j-i > len(best) && deviation(sorted[i:j]) < b.cfg.SkewJitter {
			best = sorted[i:j]
		}
	}
	if len(best) < b.cfg.SkewTokens || 2*len(best) < len(tokens) {
		return nil
	}
	return best
}

// deviation is the standard deviation of the tokens' ages.
func deviation(tokens []*token) time.Duration {
	var sum, squares float64
	for _, t := range tokens {
		sum += t.age().Seconds()
	}
	mean := sum / float64(len(tokens))
	for _, t := range tokens {
		d := t.age().Seconds() - mean
		squares += d * d
	}
	return time.Duration(math.Sqrt(squares/float64(len(tokens))) * float64(time.Second))
}

// periodic judges denials that come at a near-constant distance. Of several
// reasons the one whose run ended last speaks.
func (b *bench) periodic(code string, severity authlog.Severity, confidence authlog.Confidence, reasons ...string) {
	var best *verdict
	for _, reason := range reasons {
		v, a := b.anonymous(code, reason)
		if v == nil {
			continue
		}
		first, last, interval := b.beat(a.recent)
		if first == (mark{}) {
			continue
		}
		v.first, v.last = first, last
		if len(a.recent) == maxRecent && first == a.recent[0] {
			// It began before what is kept line by line.
			sp, _ := a.spell(&series{}, b.cfg.Flap, b.cfg.Calm, 0)
			v.first = sp.first
		}
		v.n = a.since(secondOf(v.first))
		v.severity, v.confidence, v.about.interval = severity, confidence, interval
		if best == nil || compareMarks(best.last, v.last) < 0 {
			best = v
		}
	}
	if best != nil {
		b.keep(best, "")
	}
}

// beat finds the latest run of marks at a near-constant distance.
func (b *bench) beat(marks []mark) (first, last mark, interval time.Duration) {
	n := b.cfg.PeriodicDenials
	for end := len(marks); end >= n; end-- {
		mean, ok := b.isBeat(marks[end-n : end])
		if !ok {
			continue
		}
		from := end - n
		for from > 0 {
			if _, ok := b.isBeat(marks[from-1 : from-1+n]); !ok {
				break
			}
			from--
		}
		return marks[from], marks[end-1], mean
	}
	return mark{}, mark{}, 0
}

func (b *bench) isBeat(marks []mark) (mean time.Duration, ok bool) {
	span := secondOf(marks[len(marks)-1]) - secondOf(marks[0])
	if span > seconds(b.cfg.PeriodicWindow) {
		return 0, false
	}
	m := float64(span) / float64(len(marks)-1)
	var squares float64
	for i := 1; i < len(marks); i++ {
		d := float64(secondOf(marks[i])-secondOf(marks[i-1])) - m
		squares += d * d
	}
	jitter := math.Sqrt(squares / float64(len(marks)-1))
	return time.Duration(m * float64(time.Second)).Round(time.Second), m >= 2 && jitter <= b.cfg.PeriodicJitter*m
}
