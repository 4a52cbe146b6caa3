package awsauth

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var template = regexp.MustCompile(`\{\{[^}]*\}\}?`)

func knownTemplate(t string) bool {
	switch t {
	case "{{AccountID}}", "{{SessionName}}", "{{SessionNameRaw}}", "{{AccessKeyID}}", "{{EC2PrivateDNSName}}":
		return true
	}
	return false
}

// username checks the name that the principal becomes.
func (it *itemLint) username(fields map[string]json.RawMessage) {
	name := it.e.username
	if name == "" {
		if it.reported() && it.l.last().Severity == SeverityError && !it.hasKey(fields, "username") {
			return // an item that is wrong anyway
		}
		for key, raw := range fields {
			if _, text := anyOf(raw).(string); strings.EqualFold(key, "username") && !text {
				return // its type is wrong, and was reported
			}
		}
		mended := it.e
		mended.username = usernameFor(it.e.arn.s)
		it.here(Finding{
			Code: CodeEmptyUsername, Severity: SeverityWarning, Message: "the item has no username",
			Effect: "the principal gets in with an empty name: no binding to a user and no audit line can tell who it is", Corrected: mended.mended(it.l.o),
		})
		return
	}
	p := it.text("username", name)
	for _, prefix := range [...]string{"eks:", "aws:", "amazon:", "iam:"} {
		if strings.HasPrefix(name, prefix) {
			it.add(Finding{
				Code: CodeReservedName, Severity: SeverityWarning, Message: "names that begin with " + prefix + " are reserved",
				Effect: "the authenticator may refuse it: \"username must not begin with\"",
			}, p, 0, len(prefix))
		}
	}
	it.templates(p)
}

func (it *itemLint) reported() bool { return len(it.l.found) > it.from }

// usernameFor makes a name that tells who it is.
func usernameFor(arn string) string {
	i := strings.LastIndexByte(arn, '/')
	if i < 0 {
		return "root"
	}
	if strings.Contains(strings.ToLower(arn), ":user/") {
		return arn[i+1:]
	}
	return arn[i+1:] + ":{{SessionName}}"
}

func (it *itemLint) templates(p placed) {
	for _, m := range template.FindAllStringIndex(p.s, -1) {
		t := p.s[m[0]:m[1]]
		if knownTemplate(t) {
			continue
		}
		f := Finding{Code: CodeBadTemplate, Severity: SeverityWarning, Message: "the authenticator does not know this template", Effect: "it stays as it is written"}
		bare := "{{" + strings.Trim(t, "{} ") + "}}"
		if knownTemplate(bare) {
			f.Message += ": write " + bare
		}
		it.add(f, p, m[0], m[1])
	}
}

// groups checks the names of the groups.
func (it *itemLint) groups() {
	c, _ := it.c.fold("groups")
	for i, g := range it.e.groups {
		p := it.compose(c.index(i).scalar(g))
		it.templates(p)
		bad := strings.IndexFunc(g, hidden)
		if bad < 0 {
			continue
		}
		f := Finding{Code: CodeBadGroup, Severity: SeverityWarning, Wrong: strconv.Quote(g), Message: "this is no name of a group", Effect: "no binding has a group of this name"}
		groups := splitGroup(g)
		if len(groups) > 1 {
			f.Message = "two groups became one: a line is indented too far"
		}
		f.Corrected = listed(groups)
		it.add(f, p, 0, len(g))
	}
	it.nodeGroups()
}

// splitGroup undoes "a - b" and "a -b", and drops what cannot be seen.
func splitGroup(g string) []string {
	var out []string
	for part := range strings.SplitSeq(g, " -") {
		part = strings.Map(func(r rune) rune {
			if hidden(r) {
				return -1
			}
			return r
		}, part)
		if part != "" {
			out = append(out, part)
		}
	}
	return out
}

// nodeGroups checks that a node gets what a node needs.
func (it *itemLint) nodeGroups() {
	if it.e.username != "system:node:{{EC2PrivateDNSName}}" || it.dropped {
		return
	}
	var lack []string
	for _, g := range [...]string{"system:bootstrappers", "system:nodes"} {
		if !slices.Contains(it.e.groups, g) {
			lack = append(lack, g)
		}
	}
	for _, f := range it.l.found[it.from:] {
		if f.Severity < SeverityInfo && f.Code != CodeDuplicateKey {
			return // whatever is wrong explains it
		}
	}
	if len(lack) == 0 {
		return
	}
	mended := it.e
	mended.groups = slices.Concat(it.e.groups, lack)
	it.here(Finding{
		Code: CodeNodeGroups, Message: "a node needs the groups " + strings.Join(lack, " and "),
		Effect: "nodes of this role get in and cannot register", Corrected: mended.mended(it.l.o),
	})
}
