package diagnose_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// history is what a store has of findings: grants by the hour, denials and
// markers by the line.
func history(in *incident, findings []finding, open []authlog.Diagnosis) diagnose.History {
	h := diagnose.History{Through: in.through, Diagnoses: open}
	type key struct {
		hour                            time.Time
		arn, userID, user, groups, sess string
	}
	at := map[key]int{}
	for _, f := range findings {
		switch {
		case f.denial != nil && f.denial.Cluster == in.cluster:
			h.Denials = append(h.Denials, *f.denial)
		case f.marker != nil && f.marker.Cluster == in.cluster:
			m := *f.marker
			m.Msg = "" // a store has the line alone
			h.Markers = append(h.Markers, m)
		case f.grant != nil && f.grant.Cluster == in.cluster:
			g := f.grant
			p := g.Principal
			k := key{g.Time.Truncate(time.Hour), p.ARN, p.UserID, g.Username, g.Groups, p.Session}
			if i, ok := at[k]; ok {
				h.Grants[i].Count++
				h.Grants[i].Last = g.Time
				continue
			}
			at[k] = len(h.Grants)
			h.Grants = append(h.Grants, authlog.GrantSpan{
				Principal: p, Username: g.Username, Groups: g.Groups, STSEndpoint: g.STSEndpoint, Count: 1, First: g.Time, Last: g.Time,
			})
		}
	}
	return h
}

// TestRestoreKeepsDiagnoses builds the state of each incident anew from what a
// store keeps: the same diagnoses hold. What the store sums up is not told line
// by line any more: evidence and counts of grants are left out.
func TestRestoreKeepsDiagnoses(t *testing.T) {
	skip := map[string]bool{
		"wrong_cluster_token_elsewhere": true, // its second cluster is not restored
		"sts_throttled_cluster_share":   true, // sums do not tell how many events a minute had
	}
	for _, in := range incidents(t) {
		if skip[in.name] {
			continue
		}
		t.Run(in.name, func(t *testing.T) {
			findings := find(in.lines)
			m, _ := replay(in, inOrder(in, findings))
			got := machine(in)
			got.Restore(in.cluster, history(in, findings, nil))
			got.Observe(page(in, in.through, nil)).Commit()
			ignore := cmpopts.IgnoreFields(authlog.Diagnosis{}, "Evidence", "Resolution.Line")
			if diff := cmp.Diff(all(in, m), all(in, got), ignore, cmpopts.EquateEmpty(), countsOfGrants()); diff != "" {
				t.Errorf("(-before +restored):\n%s", diff)
			}
		})
	}
}

// countsOfGrants ignores the count of what is about grants.
func countsOfGrants() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Count" }, cmp.Comparer(func(x, y int64) bool {
		return x == y || x > 0 && y > 0
	}))
}

// TestRestoreTellsOnlyWhatChanged publishes nothing for stored diagnoses that
// still hold, and resolves those that do not.
func TestRestoreTellsOnlyWhatChanged(t *testing.T) {
	in := byName(t, "mapping_lost")
	findings := find(in.lines)
	m, _ := replay(in, inOrder(in, findings))
	stored := m.Diagnoses(in.cluster)
	gone := authlog.Diagnosis{
		ID: authlog.DiagnosisID(in.cluster, "root_user_attempt", "x"), Code: "root_user_attempt", Subject: "x",
		Cluster: in.cluster, State: authlog.DiagnosisOpen, FirstSeen: in.through.Add(-time.Hour), LastSeen: in.through.Add(-time.Hour),
	}
	got := diagnose.New(diagnose.Default())
	got.Restore(in.cluster, history(in, findings, append(stored, gone)))
	change := got.Observe(page(in, in.through, nil))
	if len(change.Diagnoses) != 1 || change.Diagnoses[0].ID != gone.ID {
		t.Fatalf("published %v, want only the one that is gone", change.Diagnoses)
	}
	d := change.Diagnoses[0]
	if d.State != authlog.DiagnosisResolved || d.Resolution == nil || d.Resolution.By != authlog.ResolvedByWithdrawn {
		t.Errorf("it is %s by %v", d.State, d.Resolution)
	}
}

func byName(t *testing.T, name string) *incident {
	t.Helper()
	for _, in := range incidents(t) {
		if in.name == name {
			return in
		}
	}
	t.Fatalf("no incident %s", name)
	return nil
}

// TestOldCountsStandForLines gives the machine denials of two days ago as sums.
func TestOldCountsStandForLines(t *testing.T) {
	in := byName(t, "mapping_lost")
	const arn = "arn:aws:iam::111122223333:role/Batch"
	first, last := in.through.Add(-40*time.Hour), in.through.Add(-20*time.Hour)
	m := machine(in)
	m.Restore(in.cluster, diagnose.History{
		Since: in.through.Add(-10 * 24 * time.Hour), Through: in.through,
		Counts: []authlog.DenialSpan{{ARN: arn, Account: "111122223333", Reason: "arn_not_mapped", Count: 30, First: first, Last: last}},
	})
	list := m.Diagnoses(in.cluster)
	if len(list) == 0 || list[len(list)-1].Code != "never_mapped" {
		t.Fatalf("got %v", list)
	}
	d := list[len(list)-1]
	if d.Subject != arn || d.Count != 30 || !d.FirstSeen.Equal(first) || !d.LastSeen.Equal(last) || d.Confidence != authlog.ConfidenceHigh {
		t.Errorf("got %d from %s to %s, %s", d.Count, d.FirstSeen, d.LastSeen, d.Confidence)
	}
}
