package awsauth

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Options is what is known beside the file. Zero fields are not known.
type Options struct {
	File      string   // name of the file, for the reports
	Mode      string   // authentication mode of the cluster: API, API_AND_CONFIG_MAP or CONFIG_MAP
	Account   string   // of the cluster
	Partition string   // of the cluster, e.g. aws-cn
	Granted   []string // canonical ARNs that got in lately, see Report.LockedOut
}

// A Report is what Lint found.
type Report struct {
	File     string    `json:"file,omitempty"`
	Findings []Finding `json:"findings"` // by line
	// LockedOut are those of Options.Granted whom the file denies.
	LockedOut []Lockout `json:"locked_out,omitempty"`
	// Refused says that the file never reaches the cluster.
	Refused bool `json:"refused"`
	// Mappings is what the authenticator would hold.
	Mappings Mappings `json:"-"`

	linter *linter
	index  func() *index // of its items, made once
}

// Failed says whether anything is an error: the file must not be applied.
func (r *Report) Failed() bool {
	return len(r.LockedOut) > 0 || slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == SeverityError })
}

// Lint reads a file as kubectl takes it (a ConfigMap, a list or several
// documents with one among them, YAML or JSON) or the ConfigMap's data alone,
// and says all that is wrong with it.
func Lint(src []byte, o Options) *Report {
	return lint(read(decoded(src)), src, &o)
}

// LintData is Lint on the data of a ConfigMap that was read from a cluster.
// Lines and columns are those of the value of the finding's section.
func LintData(data map[string]string, o Options) *Report {
	d := &document{kind: "ConfigMap", name: "aws-auth", namespace: "kube-system", data: data, places: map[string]placed{}, firstLine: map[string]int{}}
	var src strings.Builder
	for _, name := range slices.Sorted(maps.Keys(data)) {
		d.firstLine[name] = len(linesOf(src.String()).start) - 1
		p := whole(data[name])
		for i := range p.at {
			p.at[i] += src.Len()
		}
		d.places[name] = p
		d.keys = append(d.keys, keyAt{name, src.Len()})
		src.WriteString(data[name] + "\n")
	}
	d.src = src.String()
	return lint(d, nil, &o)
}

func lint(d *document, src []byte, o *Options) *Report {
	l := &linter{o: o, d: d, lines: linesOf(d.src)}
	l.notUTF8(src)
	l.file()
	for _, section := range [...]string{MapRoles, MapUsers} {
		l.section(section)
	}
	l.otherObjects()
	l.duplicateARNs()
	l.accounts()
	r := &Report{File: o.File, Mappings: Parse(d.data), Refused: len(d.faults) > 0, linter: l}
	r.index = sync.OnceValue(func() *index { return indexOf(l.entries) })
	l.unexplained(r.Mappings.Errors)
	l.empty(&r.Mappings)
	slices.SortStableFunc(l.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Code, b.Code))
	})
	r.Findings = l.found
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	if !r.Refused && o.Mode != modeAPI {
		r.LockedOut = r.lockedOut(o.Granted)
	}
	return r
}

const (
	modeAPI  = "API"
	modeBoth = "API_AND_CONFIG_MAP"
)

// linter gathers the findings of one file.
type linter struct {
	o       *Options
	d       *document
	lines   lines
	found   []Finding
	entries []entry // every item that could be read, the dropped ones too
}

// maxSource is how long a line may be, in bytes, to be shown: one that is a
// whole file may have thousands of findings.
const maxSource = 1 << 10

// add keeps a finding whose wrong text stands in [from, to) of the file.
func (l *linter) add(f Finding, from, to int) {
	f.Line, f.Column = l.lines.position(from)
	endLine, endColumn := l.lines.position(max(from, to))
	if source := l.lines.line(f.Line - 1); len(source) <= maxSource {
		f.Source = source
	}
	if endLine != f.Line {
		_, endColumn = l.lines.position(l.lines.end(f.Line - 1))
	}
	f.EndColumn = max(endColumn, f.Column+1)
	f.Line -= l.d.firstLine[f.Section]
	f.Source = printable(f.Source)
	f.Message = printable(f.Message)
	f.Effect = printable(f.Effect)
	l.found = append(l.found, f)
}

// addIn is add for the bytes [from, to) of a placed text.
func (l *linter) addIn(f Finding, p placed, from, to int) {
	if p.at == nil {
		l.add(f, p.base, p.base)
		return
	}
	if f.Wrong == "" && from < to {
		f.Wrong = strconv.Quote(p.s[from:to])
	}
	l.add(f, p.offset(from), p.offset(to))
}

// last is a copy of the newest finding.
func (l *linter) last() *Finding {
	f := l.found[len(l.found)-1]
	return &f
}

// file checks what stands around the sections.
func (l *linter) file() {
	for _, r := range l.d.faults {
		l.add(Finding{
			Code: CodeRefused, Item: -1, Wrong: r.wrong, Message: r.message, Corrected: r.fix,
			Effect: "the file changes nothing: the cluster keeps the aws-auth it has",
		}, r.offset, r.offset)
	}
	if len(l.d.faults) == 0 && l.d.kind != "" && (!l.d.isAWSAuth() || l.d.namespace != "kube-system" && l.d.namespace != "") {
		l.add(Finding{
			Code: CodeWrongName, Item: -1,
			Message: fmt.Sprintf("this is %s %q in namespace %q", l.d.kind, l.d.name, l.d.namespace),
			Effect:  "nobody reads it: only the ConfigMap aws-auth in kube-system counts", Corrected: "metadata:\n  name: aws-auth\n  namespace: kube-system\n",
		}, 0, 0)
	}
	if l.o.Mode == modeAPI {
		l.add(Finding{
			Code: CodeIgnored, Severity: SeverityWarning, Item: -1,
			Message: "the cluster's authentication mode is API", Effect: "nothing in this file counts: grant by access entries",
		}, 0, 0)
	}
	l.dataKeys()
}

// dataKeys checks the keys of the data.
func (l *linter) dataKeys() {
	seen := map[string]int{}
	for _, k := range l.d.keys {
		seen[k.name]++
		if seen[k.name] == 2 {
			l.add(Finding{
				Code: CodeDuplicateKey, Section: k.name, Item: -1, Wrong: strconv.Quote(k.name), Message: k.name + " stands twice in data",
				Effect: "the first one is lost: " + dropEffect(k.name),
			}, k.offset, k.offset+len(k.name))
		}
		if k.name == MapRoles || k.name == MapUsers || k.name == MapAccounts {
			continue
		}
		f := Finding{
			Code: CodeWrongDataKey, Severity: SeverityInfo, Section: k.name, Item: -1, Wrong: strconv.Quote(k.name),
			Message: "the authenticator does not read this key", Effect: "ignored",
		}
		if want := nearestKey(k.name, []string{MapRoles, MapUsers, MapAccounts}); want != "" && l.d.data[k.name] != "" {
			f.Severity, f.Corrected = SeverityError, want+": |"
			f.Message = "the key is " + want + ", in this very case"
			f.Effect = "ignored without a word: " + dropEffect(want)
		}
		l.add(f, k.offset, k.offset+len(k.name))
	}
}

// dropEffect says what is lost with a whole section.
func dropEffect(section string) string {
	switch section {
	case MapRoles:
		return "drops all role mappings, nodes included"
	case MapUsers:
		return "drops all user mappings"
	}
	return "drops all account mappings"
}

// unexplained makes sure that no error of the authenticator is passed over.
func (l *linter) unexplained(errs []ParseError) {
	type at struct {
		section string
		item    int
	}
	said, anything := map[at]bool{}, map[string]bool{}
	for _, f := range l.found {
		if f.Severity != SeverityInfo {
			said[at{f.Section, f.Item}], anything[f.Section] = true, true
		}
	}
	for _, e := range errs {
		if said[at{e.Section, -1}] || said[at{e.Section, e.Item}] || e.Item < 0 && anything[e.Section] {
			continue
		}
		f := Finding{Code: CodeWrongType, Severity: SeverityError, Section: e.Section, Item: e.Item, Message: e.Err.Error(), Effect: "what is wrong is lost, the rest stays"}
		switch e.Kind {
		case ErrorSyntax:
			f.Code, f.Effect = CodeNotYAML, dropEffect(e.Section)
		case ErrorItem:
			f.Code, f.Effect = CodeBadItem, "the item is dropped"
		case ErrorType:
		}
		l.addIn(f, l.d.places[e.Section], 0, 0)
		said[at{e.Section, e.Item}] = true
	}
}

// empty reports that the file maps nobody, where nothing else has said why.
// Where access entries count too, that may be meant.
func (l *linter) empty(m *Mappings) {
	said := slices.ContainsFunc(l.found, func(f Finding) bool { return f.Severity == SeverityError })
	if said || l.o.Mode == modeAPI || len(m.Roles)+len(m.Users)+len(m.Accounts) > 0 {
		return
	}
	f := Finding{
		Code: CodeEmpty, Item: -1, Message: "the ConfigMap maps nobody",
		Effect: "who came in by aws-auth is locked out, nodes included",
	}
	if l.o.Mode == modeBoth {
		f.Severity = SeverityWarning
	}
	l.add(f, 0, 0)
}

// Data reads the data of the ConfigMap out of a file, in any form that Lint
// takes. What cannot be read is left out.
func Data(src []byte) map[string]string { return read(decoded(src)).data }
