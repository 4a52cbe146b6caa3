package awsauth

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// A change is one line of a section as it should be written.
type change struct {
	line     int // from 0
	from, to int // the wrong bytes of the line
	mended   string
	message  string
}

// syntax reports why a section is no YAML. It looks for the lines that, once
// changed, make it YAML, and proves them by parsing; it gives the changed text
// so that the other faults of the section show in the same run, or nothing.
// Of what is good it takes the first that can be reached.
func (l *linter) syntax(name string, p placed, err error, good ...func(string) bool) placed {
	f := Finding{Code: CodeNotYAML, Section: name, Item: -1, Effect: dropEffect(name)}
	in := yamlLines(p.s)
	changes := repair(in, good)
	if len(changes) == 0 {
		f.Message = "the section is no YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")
		at, _ := errorOffset(p.s)
		l.addIn(f, p, at, at)
		return placed{}
	}
	for _, c := range changes {
		f.Message, f.Corrected = c.message, c.mended+"\n"
		at := in.start[c.line]
		l.addIn(f, p, at+c.from, at+c.to)
	}
	return edited(p, in, changes)
}

// edited is the text with its changes, each byte placed where the old line
// has it, or nearest to it.
func edited(p placed, in lines, changes []change) placed {
	var out placed
	var b strings.Builder
	last := 0
	keep := func(from, to int) {
		b.WriteString(p.s[from:to])
		for i := from; i < to; i++ {
			out.at = append(out.at, p.offset(i))
		}
	}
	for _, c := range changes {
		start, end := in.start[c.line], in.end(c.line)
		keep(last, start)
		old := p.s[start:end]
		head := commonPrefix(old, c.mended)
		tail := commonPrefix(reverse(old[head:]), reverse(c.mended[head:]))
		keep(start, start+head)
		middle := c.mended[head : len(c.mended)-tail]
		b.WriteString(middle)
		for range len(middle) {
			out.at = append(out.at, p.offset(start+head))
		}
		keep(end-tail, end)
		last = end
	}
	keep(last, len(p.s))
	out.s = b.String()
	out.at = append(out.at, p.offset(len(p.s)))
	return out
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func reverse(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// maxRepair is the largest section, in bytes, that is tried to be mended: each
// try parses it again.
const maxRepair = 256 << 10

// repair finds the fewest changes that make the text good: first all that any
// of the rules would change, then back as many as can be.
func repair(in lines, goods []func(string) bool) []change {
	if len(in.text) > maxRepair {
		return nil
	}
	for _, good := range goods {
		if changes := tryRules(in, good); changes != nil {
			return fewest(in, changes, good)
		}
	}
	return nil
}

type lineRule func(at *layout, line string) (mended, message string)

func tryRules(in lines, good func(string) bool) []change {
	rules := []lineRule{blankIndent, missingBlank, unquoted, unclosed, missingDash}
	for n := range rules {
		if changes := apply(in, rules[n:n+1]); len(changes) > 0 && good(rewrite(in, changes)) {
			return changes
		}
	}
	for _, set := range [][]lineRule{rules, {reindent}, append(slices.Clone(rules), reindent)} {
		if changes := apply(in, set); len(changes) > 0 && good(rewrite(in, changes)) {
			return changes
		}
	}
	return nil
}

// apply runs the rules over each line, one after the other.
func apply(in lines, rules []lineRule) []change {
	var changes []change
	at := &layout{dash: -1, gap: 2}
	for i := range in.start {
		old := in.line(i)
		at.see(old)
		mended, message := old, ""
		for _, rule := range rules {
			if next, why := rule(at, mended); next != mended {
				mended = next
				if message == "" {
					message = why
				}
			}
		}
		if mended == old {
			continue
		}
		c := change{line: i, mended: mended, message: message}
		c.from = commonPrefix(old, mended)
		c.to = len(old) - commonPrefix(reverse(old[c.from:]), reverse(mended[c.from:]))
		changes = append(changes, c)
	}
	return changes
}

// most is how many changes are tried one by one; beyond it all are shown.
const most = 64

func fewest(in lines, changes []change, good func(string) bool) []change {
	for i := len(changes) - 1; i >= 0 && len(changes) <= most; i-- {
		fewer := slices.Delete(slices.Clone(changes), i, i+1)
		if len(fewer) > 0 && good(rewrite(in, fewer)) {
			changes = fewer
		}
	}
	return changes
}

func rewrite(in lines, changes []change) string {
	var b strings.Builder
	last := 0
	for _, c := range changes {
		b.WriteString(in.text[last:in.start[c.line]])
		b.WriteString(c.mended)
		last = in.end(c.line)
	}
	b.WriteString(in.text[last:])
	return b.String()
}

func isYAML(text string) bool {
	_, err := toJSON(text)
	return err == nil
}

// isItems says whether each item is a mapping with one ARN.
func isItems(text string) bool {
	doc, err := toJSON(text)
	if err != nil {
		return false
	}
	var items []map[string]any
	if json.Unmarshal(doc, &items) != nil {
		return false
	}
	for _, it := range items {
		if !slices.ContainsFunc(itemKeys[:2], func(key string) bool {
			for name, v := range it {
				if _, text := v.(string); text && strings.EqualFold(name, key) {
					return true
				}
			}
			return false
		}) {
			return false
		}
	}
	return len(items) > 0 && len(items) == len(arnLine.FindAllString(text, -1))
}

var arnLine = regexp.MustCompile("(?i)(?:^|[" + breaks + `])[ \t]*(-\s+)?["']?(rolearn|userarn)["']?\s*:`)

// blankIndent replaces what is no blank in the indentation of a line.
func blankIndent(at *layout, line string) (string, string) {
	body := strings.TrimLeftFunc(line, hidden)
	indent := line[:len(line)-len(body)]
	if strings.Trim(indent, " ") == "" || body == "" {
		return line, ""
	}
	message := "a tab indents this line; YAML takes blanks only"
	if !strings.Contains(indent, "\t") {
		message = "a character that is no blank indents this line"
	}
	want := at.indent(body)
	if want < 0 {
		want = len([]rune(indent))
	}
	return strings.Repeat(" ", want) + body, message
}

var keyed = regexp.MustCompile(`(?i)^(\s*(?:-\s+)?)(rolearn|userarn|username|groups|userid)(:)(\S.*)$`)

var dashed = regexp.MustCompile(`^(\s*-)([^\s-].*)$`)

const noBlankAfterDash = "a blank is missing after the dash"

// missingBlank puts a blank behind the dash of an item and the colon of a key.
func missingBlank(_ *layout, line string) (mended, message string) {
	mended = dashed.ReplaceAllString(line, "$1 $2")
	if mended != line {
		message = noBlankAfterDash
	}
	if m := keyed.FindStringSubmatch(mended); m != nil {
		mended, message = m[1]+m[2]+": "+m[4], "a blank is missing after "+m[2]+":"
	}
	return mended, message
}

var valued = regexp.MustCompile(`^(\s*(?:-\s+)?(?:\w+:\s+)?)([^\s'"|>\[#-][^#]*?)(\s+#.*|\s*)$`)

// unquoted puts quotes around a value that YAML would read as something else.
func unquoted(_ *layout, line string) (string, string) {
	m := valued.FindStringSubmatch(line)
	if m == nil || m[1] == "" || !strings.Contains(m[1], ":") && !strings.Contains(m[1], "-") {
		return line, ""
	}
	first := m[2][0]
	if !strings.ContainsRune("{}@`%*&!,?", rune(first)) && !strings.Contains(m[2], ": ") && !strings.HasSuffix(m[2], ":") {
		return line, ""
	}
	if strings.HasSuffix(m[2], ":") && slices.Contains(itemKeys, strings.ToLower(strings.TrimSuffix(m[2], ":"))) {
		return line, ""
	}
	if keyedLine.MatchString(strings.TrimLeft(line, " \t")) && !strings.Contains(m[1], ":") {
		return line, ""
	}
	return m[1] + "'" + strings.ReplaceAll(m[2], "'", "''") + "'" + m[3], fmt.Sprintf("the value begins with %q or has a colon in it and must stand in quotes", first)
}

// unclosed closes a quote that is open at the end of the line.
func unclosed(_ *layout, line string) (string, string) {
	for _, q := range [...]string{`"`, `'`} {
		i := strings.Index(line, q)
		if i > 0 && strings.Count(line, q)%2 == 1 && (line[i-1] == ' ' || line[i-1] == '\t') {
			return strings.TrimRightFunc(line, unicode.IsSpace) + q, "the quote is not closed"
		}
		if strings.Count(line, q) == 1 && strings.HasSuffix(strings.TrimSpace(line), q) {
			return strings.Replace(line, q, "", 1), "the quote was never opened"
		}
	}
	return line, ""
}

// missingDash begins an item where an ARN stands as far left as the dashes.
func missingDash(at *layout, line string) (string, string) {
	body := strings.TrimLeft(line, " ")
	m := keyedLine.FindStringSubmatch(body)
	if m == nil || m[1] != "" || !strings.HasSuffix(strings.ToLower(m[2]), "arn") || at.dash < 0 || len(line)-len(body) > at.dash {
		return line, ""
	}
	return strings.Repeat(" ", at.dash) + "- " + body, "the dash that begins an item is missing"
}

var keyedLine = regexp.MustCompile(`(?i)^(-\s*)?(rolearn|userarn|username|groups|userid|sso)\s*:`)

// reindent moves a line to where its kind belongs.
func reindent(at *layout, line string) (string, string) {
	body := strings.TrimLeft(line, " ")
	want := at.indent(body)
	if body == "" || want < 0 || want == len(line)-len(body) {
		return line, ""
	}
	return strings.Repeat(" ", want) + body, fmt.Sprintf("the line is indented by %d, its neighbours by %d", len(line)-len(body), want)
}

// layout is how the items of a section are indented, to judge by the first
// dash and by the last item before a line.
type layout struct {
	dash  int  // where the dashes stand; -1: not known yet
	gap   int  // from there to the keys
	keyed bool // the items have keys
}

// see takes in the next line.
func (at *layout) see(line string) {
	line = strings.ReplaceAll(line, "\t", "  ")
	body := strings.TrimLeft(line, " ")
	m := keyedLine.FindStringSubmatch(body)
	keyed := m != nil && m[1] != ""
	if at.dash < 0 && (keyed || strings.HasPrefix(body, "- ")) {
		at.dash = len(line) - len(body)
	}
	if keyed {
		at.gap, at.keyed = max(2, len(m[1])), true
	}
}

// indent is how far a line belongs, or -1 where that cannot be told.
func (at *layout) indent(body string) int {
	m := keyedLine.FindStringSubmatch(body)
	switch {
	case at.dash < 0:
		return -1
	case m != nil && m[1] != "":
		return at.dash
	case m != nil:
		return at.dash + at.gap
	case strings.HasPrefix(body, "-") && at.keyed:
		return at.dash + at.gap + 2
	case strings.HasPrefix(body, "-"):
		return at.dash
	}
	return -1
}
