package diagnose_test

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

var update = flag.Bool("update", false, "write the diagnoses and remedies sections of testdata/incidents, and docs/diagnoses")

// windowAsked is the time before the end that an incident asks about.
const windowAsked = time.Hour

func stamp(t time.Time) string { return t.Format("01-02T15:04:05") }

// TestIncidents replays the lines of every file of testdata/incidents in order
// and compares the diagnoses and remedies with its sections. With -update it
// writes them.
func TestIncidents(t *testing.T) {
	for _, in := range incidents(t) {
		t.Run(in.name, func(t *testing.T) {
			m, _ := replay(in, inOrder(in, find(in.lines)))
			list := all(in, m)
			got := map[string]string{"diagnoses": printDiagnoses(in, list), "remedies": printRemedies(list)}
			for _, name := range []string{"diagnoses", "remedies"} {
				if *update {
					in.setSection(name, got[name])
				} else if diff := cmp.Diff(in.section(name), got[name]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if *update {
				writeFile(t, filepath.Join(incidentsDir, in.name+".txtar"), txtar.Format(in.archive))
			}
		})
	}
}

// TestOrderDoesNotMatter replays every incident in many orders: the end state
// is the same, to the last byte of evidence.
func TestOrderDoesNotMatter(t *testing.T) {
	for _, in := range incidents(t) {
		t.Run(in.name, func(t *testing.T) {
			findings := find(in.lines)
			m, _ := replay(in, inOrder(in, findings))
			want := all(in, m)
			check := func(how string, pages []diagnose.Page) {
				t.Helper()
				m, _ := replay(in, pages)
				if diff := cmp.Diff(want, all(in, m), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s: (-in order +got):\n%s", how, diff)
				}
			}
			check("one page", []diagnose.Page{page(in, in.through, findings)})
			check("reversed within the second", inOrder(in, find(reversedWithinSecond(in.lines))))
			onTime, late := withhold(findings)
			check("late lines", append(inOrder(in, onTime), page(in, in.through, late)))
			for seed := range uint64(4) {
				check("shuffled", shuffled(in, findings, seed))
			}
		})
	}
}

// reversedWithinSecond turns the order around in which the lines of one second
// were delivered to the reader, not that in which they were written.
func reversedWithinSecond(lines []authlog.Line) []authlog.Line {
	lines = slices.Clone(lines)
	for from := 0; from < len(lines); {
		to := from + 1
		for to < len(lines) && lines[to].Time.Unix() == lines[from].Time.Unix() {
			to++
		}
		slices.Reverse(lines[from:to])
		from = to
	}
	return lines
}

// withhold takes every third finding out.
func withhold(findings []finding) (onTime, late []finding) {
	for i, f := range findings {
		if i%3 == 1 {
			late = append(late, f)
		} else {
			onTime = append(onTime, f)
		}
	}
	return onTime, late
}

// shuffled cuts the findings, in a random order, into random pages. The clock
// goes on from page to page as it likes.
func shuffled(in *incident, findings []finding, seed uint64) []diagnose.Page {
	r := rand.New(rand.NewPCG(seed, 1))
	findings = slices.Clone(findings)
	r.Shuffle(len(findings), func(i, j int) { findings[i], findings[j] = findings[j], findings[i] })
	var pages []diagnose.Page
	for len(findings) > 0 {
		n := min(len(findings), 1+r.IntN(1+len(findings)/3))
		through := in.through.Add(-time.Duration(r.IntN(3600)) * time.Second)
		pages = append(pages, page(in, through, findings[:n]))
		findings = findings[n:]
	}
	return pages
}

// TestPublishedIsWhatHolds looks at all that was published: the last word on
// each diagnosis is what the machine holds in the end, and what it does not
// hold any more was told to be resolved.
func TestPublishedIsWhatHolds(t *testing.T) {
	for _, in := range incidents(t) {
		t.Run(in.name, func(t *testing.T) {
			onTime, late := withhold(find(in.lines))
			m, published := replay(in, append(inOrder(in, onTime), page(in, in.through, late)))
			for _, d := range m.Diagnoses(in.cluster) {
				if diff := cmp.Diff(published[d.ID], d, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s %s (-published +held):\n%s", d.Code, d.Subject, diff)
				}
				delete(published, d.ID)
			}
			for _, d := range published {
				if d.Cluster == in.cluster && d.State != authlog.DiagnosisResolved {
					t.Errorf("%s %s is published as %s but does not hold", d.Code, d.Subject, d.State)
				}
			}
		})
	}
}

// TestUndoForgets observes every page once in vain before it is final.
func TestUndoForgets(t *testing.T) {
	for _, in := range incidents(t) {
		t.Run(in.name, func(t *testing.T) {
			pages := inOrder(in, find(in.lines))
			want, _ := replay(in, pages)
			got := machine(in)
			for _, p := range append(pages, page(in, in.through, nil)) {
				first := got.Observe(p)
				first.Undo()
				again := got.Observe(p)
				if diff := cmp.Diff(first.Diagnoses, again.Diagnoses, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("after Undo (-first +again):\n%s", diff)
				}
				again.Commit()
			}
			if diff := cmp.Diff(all(in, want), all(in, got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-without Undo +with):\n%s", diff)
			}
		})
	}
}
