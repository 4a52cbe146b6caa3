package awsauth

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
)

// An entry is one item as far as it can be read.
type entry struct {
	section  string
	item     int
	arn      placed
	username string
	groups   []string
	lost     *Finding // why the authenticator does not have it, if so; a copy
}

// itemText is an item as it is written; what is empty is left out.
type itemText struct {
	RoleARN  string   `yaml:"rolearn,omitempty"`
	UserARN  string   `yaml:"userarn,omitempty"`
	Username string   `yaml:"username,omitempty"`
	Groups   []string `yaml:"groups,omitempty"`
}

// yaml writes the item as it should stand, with another ARN.
func (e *entry) yaml(arn string) string {
	groups := slices.DeleteFunc(slices.Clone(e.groups), func(g string) bool { return g == "" })
	it := itemText{RoleARN: arn, Username: e.username, Groups: groups}
	if e.section == MapUsers {
		it.RoleARN, it.UserARN = "", arn
	}
	out, err := yamlv2.Marshal([]itemText{it})
	if err != nil {
		return ""
	}
	return string(out)
}

// listed writes texts as a list; none are nothing.
func listed(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	out, err := yamlv2.Marshal(texts)
	if err != nil {
		return ""
	}
	return string(out)
}

// mended writes the item with its ARN as far as that can be corrected. Without
// an ARN it is no item.
func (e *entry) mended(o *Options) string {
	if e.arn.s == "" {
		return ""
	}
	if fixed := correct(e.arn.s, o); fixed != "" {
		return e.yaml(fixed)
	}
	return e.yaml(e.arn.s)
}

// section checks one of the two lists of items.
func (l *linter) section(name string) {
	p, ok := l.d.places[name]
	if !ok || skippable(p.s) {
		return
	}
	var lost *Finding
	doc, err := toJSON(p.s)
	if err != nil {
		mended := l.syntax(name, p, err, isItems, isYAML)
		lost = l.last()
		if mended.s == "" {
			return
		}
		p = mended
		if doc, err = toJSON(p.s); err != nil {
			return
		}
	}
	l.secondDocument(name, p)
	c := cursor{node: parseNode(p.s), text: p.s, lines: yamlLines(p.s)}
	var items []json.RawMessage
	if err := json.Unmarshal(doc, &items); err != nil {
		l.notAList(name, p, c, err)
		return
	}
	for i, raw := range items {
		it := &itemLint{l: l, p: p, c: c.index(i), section: name, index: i, lost: lost}
		it.check(raw)
	}
}

// secondDocument reports the line where the first YAML document of a section
// ends, if anything stands after it: the authenticator reads the first alone.
func (l *linter) secondDocument(name string, p placed) {
	in := yamlLines(p.s)
	end, begun := -1, false
	for i := range in.start {
		line := in.line(i)
		mark, rest := documentMark(line)
		body := strings.TrimSpace(rest)
		switch {
		case end < 0 && begun && mark != "":
			end = i
		case end < 0 && mark == "---":
			begun = true
		}
		if body == "" || body[0] == '#' || line[0] == '%' {
			continue
		}
		begun = true
		if end >= 0 {
			at := in.start[end]
			l.addIn(Finding{
				Code: CodeNotAList, Section: name, Item: -1,
				Message: "a second YAML document begins in the section: leave this line out",
				Effect:  "what stands after this line is lost",
			}, p, at, at+len("---"))
			return
		}
	}
}

// documentMark splits off what begins or ends a YAML document, if the line
// has it.
func documentMark(line string) (mark, rest string) {
	for _, mark := range [...]string{"---", "..."} {
		if rest, ok := strings.CutPrefix(line, mark); ok && (rest == "" || strings.TrimLeft(rest, " \t") != rest) {
			return mark, rest
		}
	}
	return "", line
}

// notAList reports a section whose top is something else.
func (l *linter) notAList(name string, p placed, c cursor, err error) {
	f := Finding{
		Code: CodeNotAList, Section: name, Item: -1, Effect: dropEffect(name),
		Message: "the section is no list: each item begins with a dash",
	}
	if _, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // as it comes from encoding/json
		f.Code, f.Message = CodeNotYAML, "text that opens with a brace is read as JSON, and this is none: "+err.Error()
	}
	at := c.offset()
	if strings.HasPrefix(p.s[at:], "-") {
		f.Message = "the section is no list: " + noBlankAfterDash
	}
	var items []string
	for _, draft := range drafts(c, name) {
		items = append(items, draft.mended(l.o))
	}
	f.Corrected = strings.Join(items, "")
	l.addIn(f, p, at, at)
}

// drafts reads the keys of a mapping in the order of the file and begins a new
// item wherever a key comes again: what was meant where a dash is missing, or
// the blank after it.
func drafts(c cursor, section string) []entry {
	var out []entry
	seen := map[string]bool{}
	for i, k := range c.keys() {
		name := strings.TrimPrefix(strings.ToLower(k.Value), "-")
		if len(out) == 0 || seen[name] {
			out = append(out, entry{section: section})
			clear(seen)
		}
		seen[name] = true
		e, v := &out[len(out)-1], c.to(c.node.Content[2*i+1])
		switch name {
		case "rolearn", "userarn":
			e.arn.s = spelling(v.node)
		case "username":
			e.username = spelling(v.node)
		case "groups":
			e.groups = groupsOf(v)
		}
	}
	return out
}

// otherObjects reports the objects named aws-auth that do not count.
func (l *linter) otherObjects() {
	line, _ := l.lines.position(l.d.offset)
	for _, d := range l.d.others {
		f := Finding{
			Code: CodeDuplicateKey, Severity: SeverityWarning, Item: -1,
			Message: fmt.Sprintf("aws-auth stands again in line %d", line),
			Effect:  "nothing of this one stays: kubectl applies both, and the last one counts",
		}
		if !d.inKubeSystem() {
			f.Code, f.Message = CodeWrongName, fmt.Sprintf("this is %s %q in namespace %q", d.kind, d.name, d.namespace)
			f.Effect = "nobody reads it: only the ConfigMap aws-auth in kube-system counts"
		}
		l.add(f, d.offset, d.offset)
	}
}

// duplicateARNs reports items that hide one another.
func (l *linter) duplicateARNs() {
	last := map[string]int{}
	for i := range l.entries {
		e := &l.entries[i]
		if e.lost != nil || e.arn.s == "" {
			continue
		}
		key := e.section + "\x00" + strings.ToLower(e.arn.s)
		j, ok := last[key]
		last[key] = i
		if !ok {
			continue
		}
		first := &l.entries[j]
		f := Finding{
			Code: CodeDuplicateARN, Severity: SeverityWarning, Section: e.section, Item: e.item, Wrong: strconv.Quote(e.arn.s),
			Message: fmt.Sprintf("item %d has this ARN already", first.item+1),
			Effect:  fmt.Sprintf("item %d is never used: the last one counts", first.item+1),
		}
		if e.section == MapUsers && first.arn.s != e.arn.s {
			f.Effect = "the two differ in case, and the authenticator picks one at random for each request"
		} else if first.username == e.username && strings.Join(first.groups, "\x00") == strings.Join(e.groups, "\x00") {
			f.Severity, f.Effect = SeverityInfo, "none: the two are equal"
		}
		l.addIn(f, e.arn, 0, len(e.arn.s))
	}
}
