package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A style is how an answer is laid out. All its functions take text that may
// quote the log and make it harmless.
type style struct {
	heading func(string) string
	prose   func(string, int) string // with an indent
	item    func(int, string) string
	code    func(string, int) string // one command or some lines, with an indent
}

// WriteText writes the answer for a terminal of 80 columns.
func (a *Answer) WriteText(w io.Writer) error { return a.write(w, &plainStyle) }

// WriteMarkdown writes the answer as Markdown, to be put into a ticket. What
// the log said is escaped.
func (a *Answer) WriteMarkdown(w io.Writer) error { return a.write(w, &markdownStyle) }

// WriteJSON writes the answer as one JSON object, indented.
func (a *Answer) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(a)
}

// A writer lays an answer out.
type writer struct {
	strings.Builder
	*style

	set map[string]bool // variables that were told to be set
}

func (a *Answer) write(out io.Writer, s *style) error {
	w := &writer{style: s, set: map[string]bool{}}
	w.head("What it is")
	w.para(a.Headline, 0)
	if d := a.first(); d != nil {
		w.para(fmt.Sprintf("How sure: %s. Severity: %s. Who acts: %s.", d.Confidence, d.Severity, actor(whoActs(d))), 0)
	}
	if a.Identity != nil && a.Identity.Means != a.Headline {
		w.para(a.Identity.Means, 0)
	}
	w.configuration(a.first())
	w.advice(a)
	w.otherThings(a)
	w.evidence(a)
	w.read(&a.Read)
	_, err := io.WriteString(out, strings.TrimLeft(w.String(), "\n"))
	return err
}

// first is the diagnosis that the headline is about.
func (a *Answer) first() *authlog.Diagnosis {
	for i := range a.Diagnoses {
		if d := &a.Diagnoses[i]; d.State == authlog.DiagnosisOpen && d.Code != "creator_identified" {
			return d
		}
	}
	if len(a.Reasons)+len(a.Symptoms) == 0 && len(a.Diagnoses) > 0 && a.Diagnoses[0].State == authlog.DiagnosisOpen {
		return &a.Diagnoses[0]
	}
	return nil
}

func whoActs(d *authlog.Diagnosis) string {
	if len(d.Remedies) > 0 {
		return d.Remedies[0].Who
	}
	e, _ := diagnose.ByCode(d.Code)
	return string(e.WhoActs)
}

// actor puts an actor into words.
func actor(who string) string {
	switch rules.Actor(who) {
	case "user":
		return "you, or whoever made the request"
	case rules.ActorClientOwner:
		return "whoever runs the client"
	case rules.ActorClientDeveloper:
		return "whoever wrote the client"
	case rules.ActorCredentialOwner:
		return "whoever holds the credentials"
	case rules.ActorClusterAdmin:
		return "a cluster administrator"
	case rules.ActorAccountAdmin:
		return "an administrator of the AWS account"
	case rules.ActorAWS:
		return "AWS"
	case rules.ActorOperator:
		return "whoever runs the authenticator; on EKS that is AWS"
	case rules.ActorSecurity:
		return "the security team"
	}
	return who
}

func (w *writer) head(s string) {
	w.WriteString("\n" + w.heading(s) + "\n")
}

func (w *writer) para(s string, indent int) {
	if s != "" {
		w.WriteString(w.prose(s, indent) + "\n")
	}
}

func (w *writer) advice(a *Answer) {
	d := a.first()
	switch {
	case d != nil:
		if len(d.Remedies) > 0 {
			w.head("What to do")
			w.remedies(d.Remedies)
		}
		if len(d.WouldConfirm) > 0 {
			w.head("To be surer (these only read)")
			w.steps(d.WouldConfirm)
		}
	case len(a.Reasons) > 0:
		w.head("What to do")
		w.para(a.Reasons[0].Cause, 0)
		w.ruleSteps(a.Reasons[0].Remedy)
	case len(a.Next) > 0:
		w.head("What to do")
		w.steps(a.Next)
	}
}

// configuration shows the entries that were probably meant for a principal,
// with what differs marked.
func (w *writer) configuration(d *authlog.Diagnosis) {
	if d == nil || d.Configuration == nil {
		return
	}
	headed := false
	for i := range d.Configuration.Causes {
		n := d.Configuration.Causes[i].Near
		if n == nil || n.Have == n.Want {
			continue
		}
		if !headed {
			w.head("What stands in the cluster")
			headed = true
		}
		w.para(n.Where+":", 0)
		w.WriteString(w.code(marked("have", n.Have, n.HaveFrom, n.HaveTo)+marked("want", n.Want, n.WantFrom, n.WantTo), 2) + "\n")
	}
}

// marked is a text with a line below that points at a part of it, in bytes.
// Characters that cannot be seen are shown as they are escaped in the text.
func marked(label, text string, from, to int) string {
	from = min(max(from, 0), len(text))
	to = min(max(to, from), len(text))
	width := func(s string) int { return len([]rune(diagnose.Plain(s))) }
	s := label + " " + text + "\n"
	if from < to {
		s += strings.Repeat(" ", len(label)+1+width(text[:from])) + strings.Repeat("^", max(width(text[from:to]), 1)) + "\n"
	}
	return s
}

func (w *writer) remedies(list []authlog.Remedy) {
	for i := range list {
		r := &list[i]
		if i > 0 {
			w.WriteString("\n")
		}
		w.para(fmt.Sprintf("%c) %s (%s)", 'A'+i, r.Title, actor(r.Who)), 0)
		if r.When != "" {
			w.para("When "+r.When+".", 3)
		}
		if r.Warning != "" {
			w.para("WARNING: "+r.Warning, 3)
		}
		for _, p := range r.Set {
			if !w.set[p.Name] {
				w.set[p.Name] = true
				w.para("Set first: "+p.Name+" = "+p.What, 3)
			}
		}
		w.steps(r.Steps)
		w.labelled("To see that it worked:", r.Check)
		w.labelled("To undo it:", r.Undo)
	}
}

func (w *writer) labelled(label string, steps []authlog.Step) {
	if len(steps) > 0 {
		w.para(label, 3)
		w.steps(steps)
	}
}

func (w *writer) steps(steps []authlog.Step) {
	for i, s := range steps {
		do := s.Do
		if s.OneWay {
			do += " THIS CANNOT BE UNDONE."
		}
		w.WriteString(w.item(i+1, do) + "\n")
		w.block(s.Command)
		w.block(s.Text)
		if s.Expect != "" {
			w.para("It must show: "+s.Expect, 6)
		}
	}
}

func (w *writer) block(s string) {
	if s != "" {
		w.WriteString(w.code(s, 6) + "\n")
	}
}

func (w *writer) ruleSteps(steps []rules.Step) {
	for i, s := range steps {
		w.WriteString(w.item(i+1, s.Do+" ("+actor(string(s.Who))+")") + "\n")
		w.block(s.Command)
	}
}

// otherThings lists what else is in the text, a line each.
func (w *writer) otherThings(a *Answer) {
	var lines []string
	first := a.first()
	for i := range a.Diagnoses {
		if d := &a.Diagnoses[i]; d != first {
			lines = append(lines, fmt.Sprintf("%s (%s, %s): %s", d.Code, d.State, d.Confidence, d.Summary))
		}
	}
	for i, r := range a.Reasons {
		if first != nil || i > 0 {
			lines = append(lines, fmt.Sprintf("%s, %d times: %s", r.Code, r.Count, r.Summary))
		}
	}
	for _, s := range a.Symptoms {
		if s.Means != a.Headline {
			lines = append(lines, s.Means)
		}
	}
	if len(lines) == 0 {
		return
	}
	w.head("What else is in there")
	for i, line := range lines {
		w.WriteString(w.item(i+1, line) + "\n")
	}
}

// maxEvidence is how many lines are shown again.
const maxEvidence = 4

func (w *writer) evidence(a *Answer) {
	var shown []string
	if d := a.first(); d != nil {
		for _, e := range d.Evidence {
			if e.Raw != "" && len(shown) < maxEvidence {
				shown = append(shown, e.Raw)
			}
		}
	} else if len(a.Reasons) > 0 {
		shown = append(shown, a.Reasons[0].Line)
	}
	if len(shown) == 0 {
		return
	}
	w.head("The lines that say so")
	for _, line := range shown {
		w.WriteString(w.code(line, 2) + "\n")
	}
}

func (w *writer) read(r *Read) {
	w.head("What was read")
	var parts []string
	for _, k := range authlog.Kinds() {
		if n := r.Kinds[k.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(k.String(), "_", " ")))
		}
	}
	s := fmt.Sprintf("%d lines", r.Lines)
	if r.Lines == 1 {
		s = "1 line"
	}
	if len(parts) > 0 {
		s += "; of the authenticator: " + strings.Join(parts, ", ")
	}
	if r.Unknown > 0 {
		s += fmt.Sprintf("; not understood: %d", r.Unknown)
	}
	w.para(s+".", 0)
}

const columns = 80

var plainStyle = style{
	heading: strings.ToUpper,
	prose:   func(s string, indent int) string { return wrap(diagnose.Plain(s), indent, indent) },
	item: func(n int, s string) string {
		label := fmt.Sprintf("   %d. ", n)
		return label + strings.TrimLeft(wrap(diagnose.Plain(s), len(label), len(label)), " ")
	},
	code: func(s string, indent int) string {
		var b strings.Builder
		for line := range strings.Lines(s) {
			b.WriteString(strings.Repeat(" ", indent) + diagnose.Plain(strings.TrimRight(line, "\n")) + "\n")
		}
		return strings.TrimRight(b.String(), "\n")
	},
}

// wrap breaks prose into lines that end before the last column.
func wrap(s string, first, indent int) string {
	var b strings.Builder
	col := first
	b.WriteString(strings.Repeat(" ", first))
	for i, word := range strings.Fields(s) {
		n := len([]rune(word))
		if i > 0 {
			if col+1+n >= columns {
				b.WriteString("\n" + strings.Repeat(" ", indent))
				col = indent
			} else {
				b.WriteByte(' ')
				col++
			}
		}
		b.WriteString(word)
		col += n
	}
	return b.String()
}

var markdownStyle = style{
	heading: func(s string) string { return "## " + s + "\n" },
	prose: func(s string, indent int) string {
		// What belongs to an item of a list is indented as its text.
		return strings.Repeat(" ", min(indent/2, 3)*(indent/6)) + escapeMarkdown(diagnose.Plain(s)) + "\n"
	},
	item: func(n int, s string) string { return fmt.Sprintf("%d. ", n) + escapeMarkdown(diagnose.Plain(s)) },
	code: func(s string, _ int) string {
		fence := "```"
		for strings.Contains(s, fence) {
			fence += "`"
		}
		var b strings.Builder
		b.WriteString("\n   " + fence + "\n")
		for line := range strings.Lines(s) {
			b.WriteString("   " + diagnose.Plain(strings.TrimRight(line, "\n")) + "\n")
		}
		return b.String() + "   " + fence + "\n"
	},
}

var markdownEscapes = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "#", `\#`, "|", `\|`, "!", `\!`, "~", `\~`, "://", `:\//`,
)

func escapeMarkdown(s string) string { return markdownEscapes.Replace(s) }
