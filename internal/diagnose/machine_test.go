package diagnose_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// TestKnowingMoreTellsAnew learns the authentication mode after a lockout was
// told: it is told again, with the remedies of that mode. Learning the same
// again tells nothing.
func TestKnowingMoreTellsAnew(t *testing.T) {
	in := byName(t, "never_mapped_short_log")
	m, published := replay(in, inOrder(in, find(in.lines)))
	keys := func(list []authlog.Diagnosis) (keys []string) {
		for _, d := range list {
			for _, r := range d.Remedies {
				keys = append(keys, r.Key)
			}
		}
		return keys
	}
	for _, d := range published {
		if !slices.Contains(keys([]authlog.Diagnosis{d}), "grant_aws_auth") {
			t.Fatalf("the mode is not known, and the remedies are %v", keys([]authlog.Diagnosis{d}))
		}
	}
	for i, want := range []int{1, 0} {
		m.Know(in.cluster, authlog.ClusterFacts{Mode: authlog.ModeAPI, Trusted: []string{"444455556666"}})
		change := m.Observe(page(in, in.through, nil))
		change.Commit()
		if len(change.Diagnoses) != want {
			t.Fatalf("time %d: told %d diagnoses, want %d", i+1, len(change.Diagnoses), want)
		}
		if got := keys(change.Diagnoses); slices.Contains(got, "grant_aws_auth") {
			t.Errorf("mode API, and the remedies are %v", got)
		}
	}
}

// TestSilenceIsToldWhenTimeHasPassed reads on without any line: loops end, and
// then the log itself is silent.
func TestSilenceIsToldWhenTimeHasPassed(t *testing.T) {
	in := byName(t, "stale_token_loop")
	m, _ := replay(in, inOrder(in, find(in.lines)))
	told := map[string]authlog.DiagnosisState{}
	for i := range 12 {
		change := m.Observe(page(in, in.through.Add(time.Duration(i)*10*time.Minute), nil))
		for _, d := range change.Diagnoses {
			told[d.Code] = d.State
		}
		change.Commit()
	}
	if told["stale_token_loop"] != authlog.DiagnosisResolved || told["log_gap"] != authlog.DiagnosisOpen {
		t.Errorf("told %v", told)
	}
	in.lines = in.lines[:1]
	again := page(in, in.through.Add(3*time.Hour), nil)
	again.Grants = []authlog.Grant{{Cluster: in.cluster, Time: in.through.Add(3 * time.Hour), Principal: authlog.Principal{Benign: true}}}
	change := m.Observe(again)
	change.Commit()
	i := slices.IndexFunc(change.Diagnoses, func(d authlog.Diagnosis) bool { return d.Code == "log_gap" })
	if i < 0 || change.Diagnoses[i].State != authlog.DiagnosisResolved || change.Diagnoses[i].Resolution.By != authlog.ResolvedByFix {
		t.Errorf("a line came, and told is %+v", change.Diagnoses)
	}
}

// TestForgottenClusterHasNoDiagnoses drops a cluster that is gone.
func TestForgottenClusterHasNoDiagnoses(t *testing.T) {
	in := byName(t, "mapping_lost")
	m, _ := replay(in, inOrder(in, find(in.lines)))
	m.Forget(in.cluster)
	if list := m.Diagnoses(in.cluster); len(list) > 0 {
		t.Errorf("still held: %v", list)
	}
	if list := m.Ask(in.cluster, "arn:aws:iam::111122223333:role/Dev", in.through, in.through); len(list) != 1 || list[0].Code != "not_seen_here" {
		t.Errorf("asked: %v", list)
	}
}

// TestIDTellsClusterCodeAndSubjectApart never mistakes one diagnosis for
// another, and has no time in it.
func TestIDTellsClusterCodeAndSubjectApart(t *testing.T) {
	c := authlog.Cluster{Name: "prod", Account: "111122223333", Region: "eu-central-1"}
	seen := map[string]string{}
	for _, parts := range [][2]string{{"a", "b"}, {"ab", ""}, {"", "ab"}, {"b", "a"}} {
		id := authlog.DiagnosisID(c, parts[0], parts[1])
		if len(id) != 26 || seen[id] != "" {
			t.Errorf("%q of %v, also of %s", id, parts, seen[id])
		}
		seen[id] = parts[0] + "/" + parts[1]
	}
	other := c
	other.Region = "eu-west-1"
	if authlog.DiagnosisID(other, "a", "b") == authlog.DiagnosisID(c, "a", "b") {
		t.Error("two clusters have one id")
	}
}

// TestGoneFactsAreToldAsMended switches the log on.
func TestGoneFactsAreToldAsMended(t *testing.T) {
	in := byName(t, "logging_disabled")
	m, _ := replay(in, inOrder(in, find(in.lines)))
	m.Know(in.cluster, authlog.ClusterFacts{Logging: authlog.Yes, Status: "UPDATING"})
	change := m.Observe(diagnose.Page{Clusters: []authlog.Cluster{in.cluster}, Through: in.through})
	change.Commit()
	if len(change.Diagnoses) != 1 || change.Diagnoses[0].Code != "logging_disabled" || change.Diagnoses[0].State != authlog.DiagnosisResolved {
		t.Fatalf("told %+v", change.Diagnoses)
	}
}

// Where EKS does not answer nobody knows whether the log is on.
func TestUnknownFactsAreNotToldAsMended(t *testing.T) {
	in := byName(t, "logging_disabled")
	m, _ := replay(in, inOrder(in, find(in.lines)))
	m.Know(in.cluster, authlog.ClusterFacts{})
	change := m.Observe(diagnose.Page{Clusters: []authlog.Cluster{in.cluster}, Through: in.through})
	change.Commit()
	for _, d := range change.Diagnoses {
		if d.Code == "logging_disabled" && (d.Resolution == nil || d.Resolution.By != authlog.ResolvedByWithdrawn) {
			t.Errorf("told %+v", d.Resolution)
		}
	}
}

// An entry of which EKS does not say when it was made may be younger than the
// denial.
func TestAnEntryOfUnknownAgeIsNotTakenForStale(t *testing.T) {
	in := byName(t, "role_recreated_entry")
	m, _ := replay(in, inOrder(in, find(in.lines)))
	facts := in.facts
	facts.Principals = maps.Clone(facts.Principals)
	for arn, v := range facts.Principals {
		v.Causes = slices.Clone(v.Causes)
		for i := range v.Causes {
			v.Causes[i].Confidence = authlog.ConfidenceLow
		}
		facts.Principals[arn] = v
	}
	m.Know(in.cluster, facts)
	m.Observe(diagnose.Page{Clusters: []authlog.Cluster{in.cluster}, Through: in.through}).Commit()
	for _, d := range m.Diagnoses(in.cluster) {
		if d.Code == "role_recreated" && d.State == authlog.DiagnosisOpen {
			t.Errorf("told %s: %s", d.Code, d.Summary)
		}
	}
}

// Bytes that are no UTF-8 come out of a diagnosis and its JSON as they were.
func TestEvidenceKeepsEveryByte(t *testing.T) {
	c := authlog.Cluster{Name: "prod", Account: "111122223333", Region: "eu-central-1"}
	at := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	const arn = "arn:aws:iam::111122223333:role/Dev"
	denial := func(n byte, raw string) authlog.Denial {
		when := at.Add(time.Duration(n) * time.Second)
		return authlog.Denial{
			ID: authlog.NewID(when, authlog.Key{n}), Cluster: c, Time: when, Reason: "arn_not_mapped", Raw: raw,
			Principal: &authlog.Principal{ARN: arn, Kind: authlog.PrincipalRole, Account: c.Account},
		}
	}
	odd, plain := "msg=\"access denied\" session=\"\xff\xfe\x00é\"", "msg=\"access denied\" session=\"é\""
	m := diagnose.New(diagnose.Default())
	m.Observe(diagnose.Page{Clusters: []authlog.Cluster{c}, Through: at.Add(time.Minute), Denials: []authlog.Denial{denial(1, odd), denial(2, plain)}}).Commit()
	text, err := json.Marshal(m.Diagnoses(c)[0])
	if err != nil {
		t.Fatal(err)
	}
	var d authlog.Diagnosis
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Evidence) != 2 || string(d.Evidence[0].RawBase64) != odd || !utf8.ValidString(d.Evidence[0].Raw) {
		t.Errorf("%+v", d.Evidence)
	}
	if d.Evidence[1].Raw != plain || d.Evidence[1].RawBase64 != nil {
		t.Errorf("%+v", d.Evidence[1])
	}
}
