package diagnose_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

const docsDir = "../../docs/diagnoses"

// TestDocs holds docs/diagnoses to the catalogue and to the remedies of the
// incident that is named like the diagnosis. With -update it writes the pages.
func TestDocs(t *testing.T) {
	want := map[string]string{"README.md": indexPage()}
	for _, e := range diagnose.All() {
		in := byName(t, e.Code)
		m, _ := replay(in, inOrder(in, find(in.lines)))
		for _, d := range all(in, m) {
			if d.Code == e.Code {
				want[e.Code+".md"] = diagnosisPage(&e, in, &d)
			}
		}
	}
	if *update {
		if err := os.MkdirAll(docsDir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			writeFile(t, filepath.Join(docsDir, name), []byte(text))
		}
	}
	files, err := filepath.Glob(filepath.Join(docsDir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(file)] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("go test -run TestDocs -update mends it (-want +got):\n%s", diff)
	}
}

func diagnosisPage(e *diagnose.Entry, in *incident, d *authlog.Diagnosis) string {
	var p printer
	p.f("# %s\n\n%s. Severity **%s**: %s.", e.Code, e.Title, e.Severity, e.Level)
	for _, s := range [...]struct{ heading, text string }{
		{"What happened", e.Happened},
		{"How we know", e.Known},
		{"How sure", e.Sure},
		{"Who acts", e.Who},
		{"Fix", e.Fix},
	} {
		p.f("\n## %s\n\n%s", s.heading, s.text)
	}
	p.f("\nFor a cluster `%s` in `%s` the service says, for example: *%s* The diagnosis of your cluster has the same with your values.",
		in.cluster.Name, in.cluster.Region, d.Summary)
	if len(d.WouldConfirm) > 0 {
		p.f("\n### What would confirm it\n")
		p.steps(d.WouldConfirm)
	}
	for i := range d.Remedies {
		p.remedyPage(&d.Remedies[i])
	}
	p.f("\n## Prove\n\n%s", e.Prove)
	p.f("")
	p.stepsOnce(d, func(r *authlog.Remedy) []authlog.Step { return r.Check })
	p.f("\n## Undo\n\n%s", e.Undo)
	p.f("")
	p.stepsOnce(d, func(r *authlog.Remedy) []authlog.Step { return r.Undo })
	p.f("\n## See also\n")
	for _, link := range e.Docs {
		p.f("- <%s>", link)
	}
	return strings.ReplaceAll(p.String(), "\n\n\n", "\n\n")
}

func (p *printer) remedyPage(r *authlog.Remedy) {
	p.f("\n### %s\n\nBy: %s.", r.Title, strings.ReplaceAll(r.Who, "_", " "))
	if r.When != "" {
		p.f("When %s.", r.When)
	}
	if r.Warning != "" {
		p.f("\n> **Warning.** %s", r.Warning)
	}
	if len(r.Set) > 0 {
		p.f("\nSet first:\n")
	}
	for _, s := range r.Set {
		p.f("- `%s`: %s", s.Name, s.What)
	}
	p.f("")
	p.steps(r.Steps)
	if r.Terraform != "" {
		p.f("\nAs Terraform:\n\n```hcl\n%s\n```", strings.TrimSpace(r.Terraform))
	}
}

// stepsOnce writes the steps of all remedies, each once.
func (p *printer) stepsOnce(d *authlog.Diagnosis, of func(*authlog.Remedy) []authlog.Step) {
	var steps []authlog.Step
	for i := range d.Remedies {
		for _, s := range of(&d.Remedies[i]) {
			if !slices.Contains(steps, s) {
				steps = append(steps, s)
			}
		}
	}
	p.steps(steps)
}

func (p *printer) steps(steps []authlog.Step) {
	for _, s := range steps {
		oneWay := ""
		if s.OneWay {
			oneWay = " **This cannot be undone.**"
		}
		p.f("1. %s%s", s.Do, oneWay)
		if s.Command != "" {
			p.f("\n   ```sh\n   %s\n   ```\n", s.Command)
		}
		if s.Text != "" {
			p.f("\n   ```\n   %s\n   ```\n", strings.ReplaceAll(strings.TrimSpace(s.Text), "\n", "\n   "))
		}
		if s.Expect != "" {
			p.f("   Must show: %s\n", s.Expect)
		}
	}
}

// threshold writes 10m0s as 10m and 720h0m0s as 30d.
func threshold(v any) string {
	d, ok := v.(time.Duration)
	if !ok {
		return fmt.Sprint(v)
	}
	if days := d / (24 * time.Hour); days > 1 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", days)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func indexPage() string {
	var p printer
	p.f("# Diagnoses\n\nWhat the service says about a cluster, made of many lines of its authenticator log. Each has a page: what happened, how we know, how sure, who acts, fix, prove, undo.\n")
	p.f("| code | severity | what | keeps someone out |\n|---|---|---|---|")
	for _, e := range diagnose.All() {
		out := "no"
		if e.Lockout {
			out = "yes"
		}
		p.f("| [%s](%s.md) | %s | %s | %s |", e.Code, e.Code, e.Severity, e.Title, out)
	}
	p.f("\nOne incident has one cause: what is broken for the whole cluster explains what is broken for STS, that explains nodes, and that a principal. What is explained is attached to its cause and not alerted on by itself.\n")
	p.f("The order in which lines come does not matter; late ones are taken in. A lockout is over when who was denied is granted, when the log shows the cause mended, or after long silence.\n")
	p.f("## Thresholds\n\nProposals that were not measured on real fleets.\n\n| name | default |\n|---|---|")
	v := reflect.ValueOf(diagnose.Default())
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Bool {
			continue
		}
		p.f("| %s | %s |", v.Type().Field(i).Name, threshold(v.Field(i).Interface()))
	}
	return p.String()
}
