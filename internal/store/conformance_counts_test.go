package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// someDenials makes n of them over ten days that end at noon, in no order.
func someDenials(n int) (list []authlog.Denial) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		at := noon.Add(-time.Duration(r.Int64N(int64(10 * 24 * time.Hour)))).Truncate(time.Millisecond)
		d := denial([]authlog.Cluster{alpha, beta, twin}[r.IntN(3)], at, i)
		d.Reason = []string{"arn_not_mapped", "token_expired", "sts_throttled"}[r.IntN(3)]
		switch i % 4 {
		case 0:
			d.Principal = nil
		case 1:
			d.Principal = &authlog.Principal{ARN: fmt.Sprint("arn:", r.IntN(5)), Kind: authlog.PrincipalUser}
		}
		list = append(list, d)
	}
	return list
}

// counted is what Counts must return, counted one by one.
func counted(list []authlog.Denial, f authlog.CountFilter) []authlog.DenialSeries {
	found := map[string]*authlog.DenialSeries{}
	for i := range list {
		d := &list[i]
		if d.Time.Before(f.Start) || !d.Time.Before(f.End) || f.Cluster != "" && f.Cluster != d.Cluster.Name ||
			f.Account != "" && f.Account != d.Cluster.Account || len(f.Reasons) > 0 && !slices.Contains(f.Reasons, d.Reason) ||
			f.Principal != "" && (d.Principal == nil || d.Principal.ARN != f.Principal) || f.Scope != nil && !f.Scope.Sees(d.Cluster) {
			continue
		}
		subject := authlog.DenialSubject{Cluster: d.Cluster, Reason: d.Reason}
		if f.Principals && d.Principal != nil {
			subject.ARN, subject.Kind = d.Principal.ARN, d.Principal.Kind
		}
		name, ok := f.Series(&subject)
		if !ok {
			continue
		}
		if found[name] == nil {
			found[name] = &authlog.DenialSeries{Name: name, Steps: make([]int64, f.Steps())}
		}
		found[name].Total++
		found[name].Steps[f.StepOf(d.Time)]++
	}
	var series []authlog.DenialSeries
	for _, s := range found {
		series = append(series, *s)
	}
	slices.SortFunc(series, func(a, b authlog.DenialSeries) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name))
	})
	if len(series) <= f.Top {
		return series
	}
	other := authlog.DenialSeries{Other: true, Steps: make([]int64, f.Steps())}
	for _, s := range series[f.Top:] {
		other.Total += s.Total
		for i, n := range s.Steps {
			other.Steps[i] += n
		}
	}
	return append(series[:f.Top], other)
}

func (c suite) counts(s tested, f authlog.CountFilter) []authlog.DenialSeries {
	c.t.Helper()
	got, err := s.Counts(c.t.Context(), f)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

// However the time is cut and whatever is chosen, what was counted by the hour
// and the day agrees with the denials themselves.
func (c suite) countsAsOneWould() {
	t, s := c.t, c.open()
	list := someDenials(3000)
	for some := range slices.Chunk(list, 700) {
		save(t, s, authlog.Batch{Denials: some})
	}
	bySubject := func(d *authlog.DenialSubject) (string, bool) {
		return fmt.Sprint(d.Cluster.Name, d.Cluster.Account, d.Reason, d.ARN, d.Kind), true
	}
	byReason := func(d *authlog.DenialSubject) (string, bool) { return d.Reason, d.Reason != "sts_throttled" }
	scope := authlog.Scope{Clusters: []string{"alp*"}, Accounts: []string{"*"}}
	odd := noon.Add(-3*24*time.Hour - 7*time.Hour - 11*time.Minute - 13*time.Second - 17*time.Millisecond - 1234*time.Nanosecond)
	for _, step := range []time.Duration{0, 53 * time.Minute, time.Hour, 90 * time.Minute, 24 * time.Hour, 7 * 24 * time.Hour} {
		for _, start := range []time.Time{noon.Add(-11 * 24 * time.Hour), odd, noon.Add(-time.Hour), noon.Add(-90 * time.Second)} {
			for name, chosen := range map[string]authlog.DenialFilter{
				"all":       {},
				"cluster":   {Cluster: "alpha"},
				"account":   {Account: twin.Account},
				"reason":    {Reasons: []string{"arn_not_mapped"}, Cluster: "alpha"},
				"principal": {Principal: "arn:3"},
				"scope":     {Scope: &scope},
				"nobody":    {Cluster: "gamma"},
			} {
				chosen.Start, chosen.End = start, noon.Add(-30*time.Second-time.Nanosecond)
				for _, f := range []authlog.CountFilter{
					{Top: 4, Principals: true, Series: bySubject},
					{Top: 100, Principals: true, Series: bySubject},
					{Top: 5, Series: bySubject},
					{Top: 1, Series: byReason},
				} {
					f.DenialFilter, f.Step = chosen, step
					same(t, fmt.Sprintf("%s from %s by %s, the first %d", name, start, step, f.Top), counted(list, f), c.counts(s, f))
				}
			}
		}
	}
}

func (c suite) forgetsCountsOfWhatIsPruned() {
	t, s := c.t, c.open()
	list := someDenials(500)
	save(t, s, authlog.Batch{Denials: list})
	until := noon.Truncate(24 * time.Hour).Add(-3 * 24 * time.Hour)
	if err := s.Prune(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	left := slices.DeleteFunc(list, func(d authlog.Denial) bool { return d.Time.Before(until) })
	for _, step := range []time.Duration{time.Hour, 24 * time.Hour} {
		f := authlog.CountFilter{
			DenialFilter: authlog.DenialFilter{Start: noon.Add(-12 * 24 * time.Hour), End: noon}, Step: step, Top: 9,
			Series: func(d *authlog.DenialSubject) (string, bool) { return d.Reason, true },
		}
		same(t, step.String(), counted(left, f), c.counts(s, f))
	}
}
