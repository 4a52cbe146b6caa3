package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// diagnosed returns the stored diagnoses of a code.
func (l *life) diagnosed(t *testing.T, code string) []authlog.Diagnosis {
	t.Helper()
	found, err := l.store.Diagnoses(t.Context(), authlog.DiagnosisFilter{Codes: []string{code}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (l *life) active(t *testing.T, code, severity, value string) {
	t.Helper()
	want := `
# HELP eks_authn_diagnosis_active 1 while a diagnosis is open that no other one explains, 0 afterwards; /lockouts shows it.
# TYPE eks_authn_diagnosis_active gauge
eks_authn_diagnosis_active{account="111122223333",cluster="alpha",diagnosis="` + code + `",region="eu-central-1",severity="` + severity + `"} ` + value + "\n"
	if err := testutil.GatherAndCompare(l.reg, strings.NewReader(want), "eks_authn_diagnosis_active"); err != nil {
		t.Error(err)
	}
}

// A lockout is found, outlives a restart, and is resolved by the next grant of
// the same principal.
func TestALockoutOutlivesARestartAndEndsWithAGrant(t *testing.T) {
	c := newCloud(11)
	c.addGroup(alpha, noon.Add(-3*time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-3 * time.Hour)})
	path := dbPath(t)
	put := func(text func(int, time.Time) string, at time.Time) {
		c.put(alpha, "authenticator-a", text(1, at), at, 0)
	}
	put(granted, noon.Add(-50*time.Minute))
	for i := range 4 {
		put(denied, noon.Add(time.Duration(i-20)*time.Minute))
	}
	l := begin(t, path, c, nil)
	l.cycles(t, c, 3)
	found := l.diagnosed(t, "mapping_lost")
	if len(found) != 1 || found[0].State != authlog.DiagnosisOpen || found[0].Count != 4 {
		t.Fatalf("found %+v", found)
	}
	l.active(t, "mapping_lost", "warning", "1")
	l.end(t)

	l = begin(t, path, c, nil)
	l.cycles(t, c, 2)
	l.active(t, "mapping_lost", "warning", "1")
	put(granted, c.now.Add(-time.Minute))
	l.cycles(t, c, 5)
	found = l.diagnosed(t, "mapping_lost")
	if len(found) != 1 || found[0].State != authlog.DiagnosisResolved || found[0].Resolution == nil || found[0].Count != 4 {
		t.Fatalf("after a grant: %+v", found)
	}
	l.active(t, "mapping_lost", "warning", "0")
	l.end(t)
}

func TestDeniedPrincipalsAreThoseOfTheLastHour(t *testing.T) {
	c := newCloud(12)
	c.addGroup(alpha, noon.Add(-3*time.Hour), authlog.Stream{Name: "authenticator-a", Created: noon.Add(-3 * time.Hour)})
	for i := range 7 {
		at := noon.Add(-time.Duration(i) * time.Minute)
		c.put(alpha, "authenticator-a", denied(i%3, at), at, 0)
	}
	l := begin(t, dbPath(t), c, nil)
	defer l.end(t)
	gauge := func(value string) {
		t.Helper()
		want := `
# HELP eks_authn_denied_principals Different principals that were denied in the last hour of the log.
# TYPE eks_authn_denied_principals gauge
eks_authn_denied_principals{account="111122223333",cluster="alpha",reason="arn_not_mapped",region="eu-central-1"} ` + value + "\n"
		if err := testutil.GatherAndCompare(l.reg, strings.NewReader(want), "eks_authn_denied_principals"); err != nil {
			t.Error(err)
		}
	}
	l.cycles(t, c, 3)
	gauge("3")
	l.cycles(t, c, 65)
	gauge("0")
}
