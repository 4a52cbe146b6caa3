package store_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// diagnosis makes an open one that was last seen at that time.
func diagnosis(c authlog.Cluster, code, subject string, last time.Time) authlog.Diagnosis {
	return authlog.Diagnosis{
		ID: authlog.DiagnosisID(c, code, subject), Code: code, Subject: subject, Cluster: c,
		Severity: authlog.SeverityWarning, Confidence: authlog.ConfidenceHigh, State: authlog.DiagnosisOpen,
		Summary: "Someone is out.", FirstSeen: last.Add(-time.Hour), LastSeen: last, Count: 3,
		Affected: []authlog.Affected{{
			ARN: subject, Kind: authlog.PrincipalSSO, Person: "ada@example.com", Sessions: []string{"ada@example.com"},
			Count: 3, FirstSeen: last.Add(-time.Hour), LastSeen: last, LastGranted: last.Add(-2 * time.Hour),
		}},
		AffectedTotal: 1,
		Evidence:      []authlog.Evidence{{Line: "x", Time: last, What: "a denial", Raw: "msg=\"access denied\" <&>", Cut: true}},
		RuledOut:      []authlog.RuledOut{{Code: "never_mapped", Why: "it was granted"}},
		WouldConfirm:  []authlog.Step{{Do: "look", Command: "aws eks list-access-entries", Expect: "its ARN"}},
		Remedies: []authlog.Remedy{{
			Key: "grant", Title: "Let it in", Who: "cluster_admin", Set: []authlog.Placeholder{{Name: "ROLE", What: "the role"}},
			Steps: []authlog.Step{{Do: "grant", Command: "aws eks create-access-entry", OneWay: true}},
		}},
		Docs: []string{"https://docs.aws.amazon.com/eks/"},
	}
}

func resolve(d authlog.Diagnosis, at time.Time) authlog.Diagnosis {
	d.State = authlog.DiagnosisResolved
	d.Resolution = &authlog.Resolution{Time: at, By: authlog.ResolvedByGrant, Why: "it was granted", ARN: d.Subject}
	return d
}

func (c suite) diagnoses(s tested, f authlog.DiagnosisFilter) []authlog.Diagnosis {
	c.t.Helper()
	if f.Limit == 0 {
		f.Limit = 1000
	}
	got, err := s.Diagnoses(c.t.Context(), f)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

func (c suite) keepsDiagnoses() {
	t, s := c.t, c.open()
	d := diagnosis(alpha, "mapping_lost", "arn:aws:iam::111122223333:role/a", noon)
	if _, err := s.Diagnosis(t.Context(), d.ID); !errors.Is(err, authlog.ErrNotFound) {
		t.Errorf("before it is saved: %v", err)
	}
	save(t, s, authlog.Batch{Diagnoses: []authlog.Diagnosis{d, diagnosis(beta, "log_gap", "", noon)}})
	one := func(s tested) authlog.Diagnosis {
		t.Helper()
		got, err := s.Diagnosis(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same(t, "saved", d, one(s))

	d = resolve(d, noon.Add(time.Minute))
	d.Count, d.Evidence, d.Summary = 7, nil, "log text \xff"
	save(t, s, authlog.Batch{Diagnoses: []authlog.Diagnosis{d}})
	d.Summary = "log text \uFFFD"
	same(t, "replaced", d, one(s))
	same(t, "resolved ones", []authlog.Diagnosis{d}, c.diagnoses(s, authlog.DiagnosisFilter{State: authlog.DiagnosisResolved}))

	d.State, d.Resolution = authlog.DiagnosisOpen, nil
	save(t, s, authlog.Batch{Diagnoses: []authlog.Diagnosis{d}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = c.open()
	same(t, "opened again, after the store was", d, one(s))
	if got := c.diagnoses(s, authlog.DiagnosisFilter{State: authlog.DiagnosisResolved}); len(got) > 0 {
		t.Errorf("%d are resolved", len(got))
	}
	if got, err := s.Diagnoses(t.Context(), authlog.DiagnosisFilter{}); err == nil {
		t.Errorf("got %d diagnoses without a limit and no error", len(got))
	}
}

// diagnosisTown makes many that share each of their properties with others.
func diagnosisTown(w *town, n int) []authlog.Diagnosis {
	all := make([]authlog.Diagnosis, n)
	for i := range all {
		d := diagnosis(pick(w, w.clusters), pick(w, []string{"mapping_lost", "never_mapped", "log_gap"}), strconv.Itoa(i%50),
			noon.Add(time.Duration(w.rand.IntN(20))*time.Second))
		d.Severity = pick(w, []authlog.Severity{authlog.SeverityCritical, authlog.SeverityWarning, authlog.SeverityInfo})
		d.Parent = maybe(w, "parent")
		if w.rand.IntN(2) == 0 {
			d = resolve(d, noon)
		}
		all[i] = d
	}
	slices.SortFunc(all, func(a, b authlog.Diagnosis) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(all, func(a, b authlog.Diagnosis) bool { return a.ID == b.ID })
}

// chosenDiagnoses is what the filter means, word for word.
func chosenDiagnoses(all []authlog.Diagnosis, f authlog.DiagnosisFilter) (found []authlog.Diagnosis) {
	before := func(a, b authlog.DiagnosisPlace) int {
		if f.Ascending {
			a, b = b, a
		}
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), strings.Compare(b.ID, a.ID))
	}
	place := func(d *authlog.Diagnosis) authlog.DiagnosisPlace {
		return authlog.DiagnosisPlace{LastSeen: d.LastSeen, ID: d.ID}
	}
	for i := range all {
		d := &all[i]
		if (f.State == "" || f.State == d.State) &&
			(len(f.Severities) == 0 || slices.Contains(f.Severities, d.Severity)) &&
			(len(f.Codes) == 0 || slices.Contains(f.Codes, d.Code)) &&
			(f.Subject == "" || f.Subject == d.Subject) &&
			(f.Cluster == "" || f.Cluster == d.Cluster.Name) &&
			(f.Account == "" || f.Account == d.Cluster.Account) &&
			(f.Region == "" || f.Region == d.Cluster.Region) &&
			(!f.TopOnly || d.Parent == "") &&
			!d.LastSeen.Before(f.SeenSince) &&
			(f.After == authlog.DiagnosisPlace{} || before(f.After, place(d)) < 0) {
			found = append(found, *d)
		}
	}
	slices.SortFunc(found, func(a, b authlog.Diagnosis) int { return before(place(&a), place(&b)) })
	return found[:min(len(found), f.Limit)]
}

func (c suite) listsDiagnoses() {
	t, s, w := c.t, c.open(), newTown(7, 0)
	all := diagnosisTown(w, 200)
	save(t, s, authlog.Batch{Diagnoses: all})
	full := 0
	for range 300 {
		f := authlog.DiagnosisFilter{
			State: maybe(w, authlog.DiagnosisOpen, authlog.DiagnosisResolved), TopOnly: w.rand.IntN(2) == 0,
			Cluster: maybe(w, "alpha", "beta", "nowhere"), Account: maybe(w, alpha.Account, twin.Account),
			Region: maybe(w, alpha.Region, twin.Region), Subject: maybe(w, "7", "11"), Limit: 1 + w.rand.IntN(300),
			Ascending: w.rand.IntN(2) == 0,
		}
		if w.rand.IntN(3) == 0 {
			f.SeenSince = noon.Add(time.Duration(w.rand.IntN(20)) * time.Second)
		}
		if w.rand.IntN(3) == 0 {
			f.Codes = []string{"mapping_lost", pick(w, []string{"log_gap", "no_such_code"})}
		}
		if w.rand.IntN(3) == 0 {
			f.Severities = []authlog.Severity{authlog.SeverityCritical, authlog.SeverityInfo}
		}
		if w.rand.IntN(3) == 0 {
			d := pick(w, all)
			f.After = authlog.DiagnosisPlace{LastSeen: d.LastSeen, ID: d.ID}
		}
		want := chosenDiagnoses(all, f)
		if len(want) > 0 {
			full++
		}
		same(t, fmt.Sprintf("%+v", f), want, c.diagnoses(s, f))
		if t.Failed() {
			return
		}
	}
	if full < 100 {
		t.Errorf("only %d of 300 filters chose any: they test too little", full)
	}
}

func (c suite) pagesDiagnoses() {
	t, s := c.t, c.open()
	all := diagnosisTown(newTown(8, 0), 100)
	save(t, s, authlog.Batch{Diagnoses: all})
	var got []authlog.Diagnosis
	f := authlog.DiagnosisFilter{Limit: 7}
	for page := c.diagnoses(s, f); len(page) > 0; page = c.diagnoses(s, f) {
		got = append(got, page...)
		last := page[len(page)-1]
		f.After = authlog.DiagnosisPlace{LastSeen: last.LastSeen, ID: last.ID}
	}
	same(t, "all pages", chosenDiagnoses(all, authlog.DiagnosisFilter{Limit: 100}), got)
}

func (c suite) prunesResolvedDiagnoses() {
	t, s := c.t, c.open()
	old := noon.Add(-48 * time.Hour)
	open := diagnosis(alpha, "mapping_lost", "open", old)
	young := resolve(diagnosis(alpha, "mapping_lost", "young", old), noon)
	gone := resolve(diagnosis(alpha, "mapping_lost", "gone", old), old.Add(time.Minute))
	save(t, s, authlog.Batch{Diagnoses: []authlog.Diagnosis{open, young, gone}})
	if err := s.Prune(t.Context(), noon.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	same(t, "left", chosenDiagnoses([]authlog.Diagnosis{open, young}, authlog.DiagnosisFilter{Limit: 9}), c.diagnoses(s, authlog.DiagnosisFilter{}))
}
