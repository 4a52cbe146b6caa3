package diagnose_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// A printer writes what a reviewer of an incident must see.
type printer struct{ strings.Builder }

func (p *printer) f(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

// all are the diagnoses of every cluster that an incident has lines of.
func all(in *incident, m *diagnose.Machine) []authlog.Diagnosis {
	list := m.Diagnoses(in.cluster)
	seen := map[authlog.Cluster]bool{in.cluster: true}
	for _, l := range in.lines {
		if !seen[l.Cluster] {
			seen[l.Cluster] = true
			list = append(list, m.Diagnoses(l.Cluster)...)
		}
	}
	if in.ask != "" {
		for _, d := range m.Ask(in.cluster, in.ask, in.through.Add(-windowAsked), in.through) {
			if !slices.ContainsFunc(list, func(e authlog.Diagnosis) bool { return e.ID == d.ID }) {
				list = append(list, d)
			}
		}
	}
	return list
}

func printDiagnoses(in *incident, list []authlog.Diagnosis) string {
	names := map[string]string{}
	for _, d := range list {
		names[d.ID] = strings.TrimSpace(d.Code + " " + d.Subject)
	}
	var p printer
	for _, d := range list {
		if p.Len() > 0 {
			p.f("")
		}
		p.diagnosis(in, &d, names)
	}
	if p.Len() == 0 {
		p.f("none")
	}
	return p.String()
}

func (p *printer) diagnosis(in *incident, d *authlog.Diagnosis, names map[string]string) {
	p.f("%s", names[d.ID])
	if d.Cluster != in.cluster {
		p.f("  cluster: %s", d.Cluster.Name)
	}
	p.f("  %s, %s, confidence %s", d.State, d.Severity, d.Confidence)
	p.f("  %s", d.Summary)
	p.f("  %d from %s to %s", d.Count, stamp(d.FirstSeen), stamp(d.LastSeen))
	if r := d.Resolution; r != nil {
		p.f("  resolved %s by %s: %s", stamp(r.Time), r.By, r.Why)
	}
	if d.Parent != "" {
		p.f("  part of: %s", names[d.Parent])
	}
	for _, id := range d.Children {
		p.f("  explains: %s", names[id])
	}
	if d.AffectedTotal > 0 {
		p.f("  affected: %d", d.AffectedTotal)
	}
	for _, a := range d.Affected {
		p.f("    %s", affectedLine(&a))
	}
	if len(d.Evidence) > 0 {
		p.f("  evidence:")
	}
	for _, e := range d.Evidence {
		p.f("    %s %s%s", stamp(e.Time), e.What, rawHint(&e))
	}
	if k := d.Configuration; k != nil {
		p.f("  configuration: mapped %q, full ARN %q", k.Mapped, k.FullARN)
		for _, c := range k.Causes {
			p.f("    %s %s", c.Code, c.Confidence)
		}
	}
	for _, b := range d.Broken {
		p.f("  broken: %s: %s", b.Where, b.Message)
	}
	for _, r := range d.RuledOut {
		p.f("  not %s: %s", r.Code, r.Why)
	}
}

func rawHint(e *authlog.Evidence) string {
	if e.Raw == "" {
		return " (no line)"
	}
	return ""
}

func affectedLine(a *authlog.Affected) string {
	s := fmt.Sprintf("%s %s ×%d", a.Kind, a.ARN, a.Count)
	if a.Person != "" {
		s += " person " + a.Person
	}
	if len(a.Sessions) > 0 {
		s += " sessions " + strings.Join(a.Sessions, ",")
	}
	if len(a.UserIDs) > 0 {
		s += " ids " + strings.Join(a.UserIDs, ",")
	}
	if !a.LastGranted.IsZero() {
		s += " last granted " + stamp(a.LastGranted)
	}
	return s
}

func printRemedies(list []authlog.Diagnosis) string {
	var p printer
	for _, d := range list {
		if p.Len() > 0 {
			p.f("")
		}
		p.f("# %s", strings.TrimSpace(d.Code+" "+d.Subject))
		for _, s := range d.WouldConfirm {
			p.step("confirm", &s)
		}
		for _, r := range d.Remedies {
			p.remedy(&r)
		}
	}
	if p.Len() == 0 {
		p.f("none")
	}
	return p.String()
}

func (p *printer) remedy(r *authlog.Remedy) {
	p.f("")
	p.f("## %s (%s): %s", r.Key, r.Who, r.Title)
	if r.When != "" {
		p.f("when %s", r.When)
	}
	if r.Warning != "" {
		p.f("WARNING %s", r.Warning)
	}
	for _, s := range r.Set {
		p.f("set %s: %s", s.Name, s.What)
	}
	for _, s := range r.Steps {
		p.step("-", &s)
	}
	if r.Terraform != "" {
		p.f("terraform:")
		p.indented(r.Terraform)
	}
	for _, s := range r.Check {
		p.step("check", &s)
	}
	for _, s := range r.Undo {
		p.step("undo", &s)
	}
}

func (p *printer) step(mark string, s *authlog.Step) {
	oneWay := ""
	if s.OneWay {
		oneWay = " (CANNOT BE UNDONE)"
	}
	p.f("%s %s%s", mark, s.Do, oneWay)
	if s.Command != "" {
		p.f("    $ %s", s.Command)
	}
	if s.Text != "" {
		p.indented(s.Text)
	}
	if s.Expect != "" {
		p.f("    must show: %s", s.Expect)
	}
}

func (p *printer) indented(text string) {
	for line := range strings.Lines(text) {
		p.f("    | %s", strings.TrimSuffix(line, "\n"))
	}
}
