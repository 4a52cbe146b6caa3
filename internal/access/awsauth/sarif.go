package awsauth

import "strings"

// The part of SARIF 2.1.0 (OASIS) that is used here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string       `json:"id"`
		Short sarifMessage `json:"shortDescription"`
		Full  sarifMessage `json:"fullDescription"`
		Help  sarifMessage `json:"help"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndColumn   int `json:"endColumn,omitempty"`
	}
)

// codeLockOut is the rule of a principal that would be denied; SARIF alone
// needs a code for it.
const codeLockOut = "aws_auth_would_lock_out"

func (r *Report) sarif() sarifLog {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver.Name = "analyzer lint aws-auth"
	for _, rule := range append(Rules(), Rule{codeLockOut, "A principal would be locked out", "It got in lately, and nothing in the file lets it in."}) {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{rule.Code, sarifMessage{rule.Title}, sarifMessage{rule.Help}, sarifMessage{rule.Help}})
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		text := f.Message + ". Effect: " + f.Effect + "."
		if f.Corrected != "" {
			text += " Instead:\n" + f.Corrected
		}
		level := strings.Replace(f.Severity.String(), "info", "note", 1)
		run.Results = append(run.Results, r.result(f.Code, level, text, sarifRegion{f.Line, f.Column, f.EndColumn}))
	}
	for i := range r.LockedOut {
		l := &r.LockedOut[i]
		at := sarifRegion{1, 1, 0}
		text := l.Principal + " got in lately and would be denied."
		if l.Nearest != nil {
			at = sarifRegion{l.Nearest.Line, l.Nearest.Column, 0}
			text += " Nearest: " + l.Nearest.ARN + ": " + l.Nearest.Message + "."
		}
		run.Results = append(run.Results, r.result(codeLockOut, "error", text, at))
	}
	return sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

func (r *Report) result(code, level, text string, at sarifRegion) sarifResult {
	return sarifResult{code, level, sarifMessage{text}, []sarifLocation{{sarifPhysical{sarifArtifact{fileURI(r.name())}, at}}}}
}

// fileURI escapes what a URI reference cannot hold.
func fileURI(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c == '/' || c == '.' || c == '-' || c == '_' || c == '~' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
	}
	return b.String()
}
