package api

import (
	"slices"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// maxAffected is how many principals an item of a list names; the diagnosis
// itself names more.
const maxAffected = 5

// A lockout is a diagnosis in a list: whom to look after, and where the rest
// is.
type lockout struct {
	ID            string                 `json:"id"`
	URL           string                 `json:"url"` // of the whole diagnosis
	Code          string                 `json:"code"`
	Title         string                 `json:"title"`
	Subject       string                 `json:"subject"`
	Cluster       authlog.Cluster        `json:"cluster"`
	Severity      authlog.Severity       `json:"severity"`
	Confidence    authlog.Confidence     `json:"confidence"`
	State         authlog.DiagnosisState `json:"state"`
	Summary       string                 `json:"summary"`
	WhoActs       string                 `json:"who_acts"`
	FirstSeen     time.Time              `json:"first_seen"`
	LastSeen      time.Time              `json:"last_seen"`
	Count         int64                  `json:"count"`
	Affected      []authlog.Affected     `json:"affected"`
	AffectedTotal int                    `json:"affected_total"`
	Remedies      []remedyTitle          `json:"remedies"`
	Parent        string                 `json:"parent"`
	ChildrenTotal int                    `json:"children_total"`
	Resolution    *authlog.Resolution    `json:"resolution"`
}

type remedyTitle struct {
	Key   string `json:"key"`
	Title string `json:"title"`
	Who   string `json:"who"`
}

// A wholeDiagnosis is what a store has of one, and what the catalogue says of
// its code.
type wholeDiagnosis struct {
	authlog.Diagnosis
	Title   string `json:"title"`
	WhoActs string `json:"who_acts"`
	Runbook string `json:"runbook"` // the entry of the catalogue; empty if it has none
}

type catalogueList struct {
	Diagnoses []diagnose.Entry `json:"diagnoses"`
}

func wireLockouts(found []authlog.Diagnosis) []lockout {
	out := make([]lockout, 0, len(found))
	for i := range found {
		out = append(out, wireLockout(&found[i]))
	}
	return out
}

// wireLockout shows a code that the catalogue lacks, of a later version,
// without what the catalogue knows.
func wireLockout(d *authlog.Diagnosis) lockout {
	known, _ := diagnose.ByCode(d.Code)
	remedies := make([]remedyTitle, 0, len(d.Remedies))
	for i := range d.Remedies {
		r := &d.Remedies[i]
		remedies = append(remedies, remedyTitle{Key: r.Key, Title: r.Title, Who: r.Who})
	}
	return lockout{
		ID: d.ID, URL: "/diagnoses/" + d.ID, Code: d.Code, Title: known.Title, Subject: d.Subject, Cluster: d.Cluster,
		Severity: d.Severity, Confidence: d.Confidence, State: d.State, Summary: d.Summary, WhoActs: string(known.WhoActs),
		FirstSeen: d.FirstSeen.UTC(), LastSeen: d.LastSeen.UTC(), Count: d.Count,
		Affected: wireAffected(d.Affected[:min(len(d.Affected), maxAffected)]), AffectedTotal: d.AffectedTotal,
		Remedies: remedies, Parent: d.Parent, ChildrenTotal: d.ChildrenTotal, Resolution: d.Resolution,
	}
}

func wireAffected(list []authlog.Affected) []authlog.Affected {
	return append([]authlog.Affected{}, list...)
}

// wireDiagnosis writes each list as [] where there is nothing in it.
func wireDiagnosis(d authlog.Diagnosis) wholeDiagnosis {
	d.Affected = wireAffected(d.Affected)
	d.Evidence = append([]authlog.Evidence{}, d.Evidence...)
	d.RuledOut = append([]authlog.RuledOut{}, d.RuledOut...)
	d.WouldConfirm = append([]authlog.Step{}, d.WouldConfirm...)
	d.Remedies = slices.Clone(d.Remedies)
	for i := range d.Remedies {
		d.Remedies[i].Steps = append([]authlog.Step{}, d.Remedies[i].Steps...)
	}
	d.Remedies = append([]authlog.Remedy{}, d.Remedies...)
	d.Docs = orEmpty(d.Docs)
	whole := wholeDiagnosis{Diagnosis: d}
	if known, ok := diagnose.ByCode(d.Code); ok {
		whole.Title, whole.WhoActs, whole.Runbook = known.Title, string(known.WhoActs), "/catalogue/diagnoses/"+d.Code
	}
	return whole
}
