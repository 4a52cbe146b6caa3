package awsauth

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Formats are the values that Report.Write takes.
func Formats() []string { return []string{"text", "json", "sarif", "github"} }

// Write prints the report: "text" for people, "json" for programs, "sarif"
// (2.1.0) for code scanning, "github" as workflow commands that annotate a pull
// request. Every format is safe to print whatever the file holds.
func (r *Report) Write(w io.Writer, format string) error {
	switch format {
	case "text":
		_, err := io.WriteString(w, r.text())
		return err
	case "json":
		return encode(w, r)
	case "sarif":
		return encode(w, r.sarif())
	case "github":
		_, err := io.WriteString(w, r.github())
		return err
	}
	return fmt.Errorf("there is no format %q; there are %s", format, strings.Join(Formats(), ", "))
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (r *Report) name() string {
	if r.File == "" {
		return "aws-auth"
	}
	return r.File
}

func (r *Report) text() string {
	var b strings.Builder
	for i := range r.Findings {
		f := &r.Findings[i]
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s [%s]\n", printable(r.name()), f.Line, f.Column, f.Severity, f.Message, f.Code)
		if f.Source != "" {
			fmt.Fprintf(&b, "    %s\n", f.Source)
		}
		field(&b, "wrong", f.Wrong)
		field(&b, "effect", f.Effect)
		block(&b, "instead", f.Corrected)
	}
	for i := range r.LockedOut {
		l := &r.LockedOut[i]
		fmt.Fprintf(&b, "%s: error: would lock out %s\n", printable(r.name()), l.Principal)
		if l.Nearest != nil {
			l.Nearest.text(&b, l.Principal)
		}
	}
	b.WriteString(r.summary())
	return b.String()
}

func field(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "  %-8s %s\n", name+":", value)
	}
}

func block(b *strings.Builder, name, value string) {
	for i, line := range strings.Split(strings.TrimRight(value, "\n"), "\n") {
		switch {
		case value == "":
		case i == 0:
			field(b, name, printable(line))
		default:
			fmt.Fprintf(b, "           %s\n", printable(line))
		}
	}
}

// text shows the item and the principal under one another, with the
// difference marked.
func (n *Nearest) text(b *strings.Builder, principal string) {
	fmt.Fprintf(b, "  nearest: %s item %d, line %d: %s [%s]\n", n.Section, n.Item+1, n.Line, n.Message, n.Code)
	marked := func(name, arn string, s Span) {
		fmt.Fprintf(b, "  %-8s %s\n", name+":", arn)
		if s.To > s.From && s.To <= len(arn) {
			fmt.Fprintf(b, "           %s%s\n", strings.Repeat(" ", len([]rune(arn[:s.From]))), strings.Repeat("^", len([]rune(arn[s.From:s.To]))))
		}
	}
	marked("written", n.ARN, n.Have)
	marked("denied", principal, n.Want)
	block(b, "instead", n.Corrected)
}

func (r *Report) summary() string {
	var n [SeverityInfo + 1]int
	for _, f := range r.Findings {
		n[min(f.Severity, SeverityInfo)]++
	}
	if len(r.Findings)+len(r.LockedOut) == 0 {
		return fmt.Sprintf("%s: nothing wrong (%d roles, %d users, %d accounts)\n", printable(r.name()), len(r.Mappings.Roles), len(r.Mappings.Users), len(r.Mappings.Accounts))
	}
	return fmt.Sprintf("%s: %d errors, %d warnings, %d notes, %d principals locked out\n",
		printable(r.name()), n[SeverityError], n[SeverityWarning], n[SeverityInfo], len(r.LockedOut))
}

// github writes one workflow command per finding; see "Workflow commands for
// GitHub Actions", whose property values also escape colon and comma.
func (r *Report) github() string {
	message := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	var b strings.Builder
	for i := range r.Findings {
		f := &r.Findings[i]
		text := f.Message + ". Effect: " + f.Effect
		if f.Corrected != "" {
			text += "\nInstead:\n" + printableLines(f.Corrected)
		}
		fmt.Fprintf(&b, "::%s file=%s,line=%d,col=%d,endColumn=%d,title=%s::%s\n",
			githubLevel(f.Severity), property.Replace(printable(r.name())), f.Line, f.Column, f.EndColumn, property.Replace(f.Code), message.Replace(text))
	}
	for _, l := range r.LockedOut {
		fmt.Fprintf(&b, "::error file=%s,title=would lock out::%s\n", property.Replace(printable(r.name())), message.Replace(l.Principal+" got in lately and would be denied"))
	}
	return b.String()
}

func githubLevel(s Severity) string {
	return [...]string{"error", "warning", "notice"}[min(s, SeverityInfo)]
}
