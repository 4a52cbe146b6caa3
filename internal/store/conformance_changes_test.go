package store_test

import (
	"fmt"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func (c suite) changes(s tested, after int64, limit int) []authlog.Change {
	c.t.Helper()
	got, err := s.Changes(c.t.Context(), after, limit)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

func (c suite) bounds(s tested) authlog.ChangeBounds {
	c.t.Helper()
	got, err := s.ChangeBounds(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

func (c suite) prunedAfter(s tested, place int64) []authlog.Cluster {
	c.t.Helper()
	got, err := s.PrunedAfter(c.t.Context(), place)
	if err != nil {
		c.t.Fatal(err)
	}
	return got
}

// told is what changes tell, in short; their places must grow.
func (c suite) told(changes []authlog.Change) (told []string) {
	c.t.Helper()
	last := int64(0)
	for _, ch := range changes {
		if ch.Place <= last {
			c.t.Errorf("place %d after %d", ch.Place, last)
		}
		last = ch.Place
		if ch.Denial != nil {
			told = append(told, fmt.Sprint(ch.Kind, " ", ch.Denial.Raw))
		}
		if d := ch.Diagnosis; d != nil {
			told = append(told, fmt.Sprint(ch.Kind, " ", d.Code, " ", d.Count))
		}
	}
	return told
}

func (c suite) tellsChangesInTheOrderOfSaving() {
	t, s := c.t, c.open()
	same(t, "at first", authlog.ChangeBounds{Secret: c.bounds(s).Secret}, c.bounds(s))
	old := denial(alpha, noon.Add(-time.Hour), 1)
	young, late := denial(alpha, noon, 2), denial(beta, noon.Add(-2*time.Hour), 3)
	d := diagnosis(alpha, "mapping_lost", "arn:aws:iam::111122223333:role/a", noon)
	save(t, s, authlog.Batch{Denials: []authlog.Denial{young, old}, Diagnoses: []authlog.Diagnosis{d}})
	save(t, s, authlog.Batch{Denials: []authlog.Denial{late, young}}) // one again
	d.Count = 4
	save(t, s, authlog.Batch{Diagnoses: []authlog.Diagnosis{d}}) // goes on
	done := resolve(d, noon.Add(time.Minute))
	save(t, s, authlog.Batch{Diagnoses: []authlog.Diagnosis{done}})
	d.Count = 5
	save(t, s, authlog.Batch{Diagnoses: []authlog.Diagnosis{d, resolve(diagnosis(beta, "log_gap", "", noon), noon)}})

	all := c.changes(s, 0, 100)
	same(t, "changes", []string{
		"denial line 1", "denial line 2", "diagnosis_opened mapping_lost 3", "denial line 3",
		"diagnosis_resolved mapping_lost 4", "diagnosis_opened mapping_lost 5", "diagnosis_resolved log_gap 3",
	}, c.told(all))
	same(t, "a denial", &late, all[3].Denial)
	same(t, "a diagnosis", &done, all[4].Diagnosis)
	if got := c.bounds(s); got.Last != all[6].Place {
		t.Errorf("bounds %+v, the last change is at %d", got, all[6].Place)
	}
}

func (c suite) goesOnAfterAnyChange() {
	t, s := c.t, c.open()
	for i := range 20 {
		b := authlog.Batch{Diagnoses: []authlog.Diagnosis{diagnosis(alpha, "mapping_lost", fmt.Sprint("arn:", i), noon)}}
		for n := range i % 4 {
			b.Denials = append(b.Denials, denial(alpha, noon.Add(-time.Duration(i)*time.Minute), 10*i+n))
		}
		save(t, s, b)
	}
	all := c.changes(s, 0, 1000)
	if len(all) != 50 {
		t.Fatalf("%d changes", len(all))
	}
	for limit := 1; limit < 9; limit++ {
		var got []authlog.Change
		for page := c.changes(s, 0, limit); len(page) > 0; page = c.changes(s, page[len(page)-1].Place, limit) {
			if len(page) > limit {
				t.Fatalf("%d of %d", len(page), limit)
			}
			got = append(got, page...)
		}
		same(t, fmt.Sprint("in pages of ", limit), c.told(all), c.told(got))
	}
	if _, err := s.Changes(t.Context(), 0, 0); err == nil {
		t.Error("a limit of 0 was taken")
	}
}

// A place that was given out stays taken, whatever becomes of what stood there.
func (c suite) givesNoPlaceTwice() {
	t, s := c.t, c.open()
	save(t, s, authlog.Batch{Denials: []authlog.Denial{denial(alpha, noon, 1)}})
	// Read late, old, and the first to go.
	gone := resolve(diagnosis(beta, "log_gap", "", noon.Add(-20*time.Hour)), noon.Add(-20*time.Hour))
	save(t, s, authlog.Batch{Denials: []authlog.Denial{denial(alpha, noon.Add(-24*time.Hour), 2)}})
	save(t, s, authlog.Batch{Diagnoses: []authlog.Diagnosis{gone}})
	before := c.bounds(s)
	if err := s.Prune(t.Context(), noon.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	same(t, "bounds after pruning", before, c.bounds(s))
	same(t, "of whom something after the first was pruned", []authlog.Cluster{alpha, beta}, c.prunedAfter(s, before.Last-2))
	same(t, "of whom the last was pruned", []authlog.Cluster{beta}, c.prunedAfter(s, before.Last-1))
	same(t, "of whom something after all was pruned", []authlog.Cluster(nil), c.prunedAfter(s, before.Last))
	same(t, "what is left", []string{"denial line 1"}, c.told(c.changes(s, 0, 10)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = c.open()
	same(t, "bounds after opening again", before, c.bounds(s))
	save(t, s, authlog.Batch{Denials: []authlog.Denial{denial(alpha, noon, 3)}})
	if got := c.changes(s, before.Last, 10); len(got) != 1 || got[0].Place <= before.Last {
		t.Errorf("after place %d: %+v", before.Last, got)
	}
}
