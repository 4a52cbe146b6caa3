package awsauth

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// itemLint checks one item of mapRoles or mapUsers.
type itemLint struct {
	l       *linter
	p       placed // the section
	c       cursor // the item
	section string
	index   int
	lost    *Finding // set where the whole section is lost

	e       entry
	from    int // the findings before this item
	dropped bool

	keyed   map[string]int // where each key stands first; made once
	renamed *string        // what withKeys gives
}

// arnKey is the key that an item of the section needs.
func arnKey(section string) string {
	if section == MapUsers {
		return "userarn"
	}
	return "rolearn"
}

func otherKey(section string) string {
	if section == MapUsers {
		return "rolearn"
	}
	return "userarn"
}

func (it *itemLint) check(raw json.RawMessage) {
	it.e = entry{section: it.section, item: it.index}
	it.from = len(it.l.found)
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		it.notAnItem(raw)
		return
	}
	it.duplicateKeys(raw)
	it.unknownKeys(fields)
	sso := it.values(fields)
	if it.e.arn.s == "" && sso == nil {
		it.noARN()
	}
	if it.e.arn.s != "" {
		it.arn()
	}
	switch {
	case it.dropped:
	case sso != nil:
		it.sso(sso)
	default:
		it.username(fields)
	}
	it.groups()
	it.keep()
}

// keep remembers the item for the checks over all items.
func (it *itemLint) keep() {
	it.e.lost = it.lost
	if it.e.lost == nil && it.dropped && it.reported() {
		first := it.l.found[it.from]
		it.e.lost = &first
	}
	it.l.entries = append(it.l.entries, it.e)
}

// add reports a finding at a value of the item, or at the item.
func (it *itemLint) add(f Finding, p placed, from, to int) {
	f.Section, f.Item = it.section, it.index
	it.l.addIn(f, p, from, to)
}

// here places a finding at the item's beginning.
func (it *itemLint) here(f Finding) {
	at := it.start()
	it.add(f, it.p, at, at)
}

func (it *itemLint) start() int {
	if it.c.node == nil {
		return 0
	}
	return it.c.lines.offset(it.c.node.Line, it.c.node.Column)
}

// text places the value of a key.
func (it *itemLint) text(key, value string) placed {
	v, ok := it.c.fold(key)
	if !ok {
		return placed{s: value, base: it.p.offset(it.start())}
	}
	return it.compose(v.scalar(value))
}

// compose turns places in the section into places in the file.
func (it *itemLint) compose(v placed) placed {
	out := placed{s: v.s, base: it.p.offset(v.base)}
	for _, at := range v.at {
		out.at = append(out.at, it.p.offset(at))
	}
	return out
}

var glued = regexp.MustCompile(`(?i)^(rolearn|userarn|username|groups):(\S.*)$`)

// notAnItem reports an item that is no mapping of keys.
func (it *itemLint) notAnItem(raw json.RawMessage) {
	it.dropped = true
	f := Finding{Code: CodeBadItem, Message: "an item is a mapping of " + arnKey(it.section) + ", username and groups", Effect: "the item is dropped"}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		it.e.arn = it.compose(it.c.scalar(s))
		f.Wrong = strconv.Quote(s)
		if m := glued.FindStringSubmatch(s); m != nil {
			f.Message = "a blank is missing after " + m[1] + ":"
			f.Corrected = "- " + m[1] + ": " + m[2] + "\n"
			it.e.arn.s = m[2]
			it.e.arn.at = nil
		} else if strings.HasPrefix(s, "arn:") {
			f.Corrected = it.e.mended(it.l.o)
		}
	}
	it.here(f)
	it.keep()
}

// duplicateKeys reports a key that stands twice in one item.
func (it *itemLint) duplicateKeys(raw json.RawMessage) {
	seen := map[string]bool{}
	for _, k := range it.c.keys() {
		name := strings.ToLower(k.Value)
		if !seen[name] {
			seen[name] = true
			continue
		}
		f := Finding{
			Code: CodeDuplicateKey, Severity: SeverityWarning, Wrong: strconv.Quote(k.Value), Message: k.Value + " stands twice in one item",
			Effect: "only one of the two counts, without a word",
		}
		if name == arnKey(it.section) {
			f.Severity = SeverityError
			f.Message += ": the dash before the second item is missing"
			var items []string
			parts, lost := it.merged(raw)
			f.Effect = "two items became one without a word: " + lost[0].arn.s + " is denied"
			for _, d := range parts {
				items = append(items, d.mended(it.l.o))
			}
			f.Corrected = strings.Join(items, "")
		}
		at := it.c.lines.offset(k.Line, k.Column)
		it.add(f, it.p, at, at+len(k.Value))
		if name == arnKey(it.section) {
			it.overwritten(raw)
			return // the other keys are doubled for the same reason
		}
	}
}

// merged gives the items that became one, and those of them that the
// authenticator does not have. Of keys in another case it is not the last that
// counts.
func (it *itemLint) merged(raw json.RawMessage) (parts, lost []entry) {
	parts = drafts(it.c, it.section)
	counts, _, _, _ := decodeItem(raw, it.section)
	for _, d := range parts {
		if d.arn.s != counts {
			lost = append(lost, d)
		}
	}
	if len(lost) == 0 { // the same one twice
		lost = parts[:len(parts)-1]
	}
	return parts, lost
}

// overwritten remembers the items that another one took the place of.
func (it *itemLint) overwritten(raw json.RawMessage) {
	_, lost := it.merged(raw)
	for _, d := range lost {
		d.item, d.lost = it.index, it.l.last()
		d.arn.base = it.p.offset(it.start())
		it.l.entries = append(it.l.entries, d)
	}
}

var itemKeys = []string{"rolearn", "userarn", "username", "groups", "userid", "sso"}

// misspelt are keys that people write for those that are read.
var misspelt = map[string]string{
	"arn": "", "role": "", "user": "", "principal": "", "principalarn": "",
	"group": "groups", "kubernetesgroups": "groups", "name": "username", "kubernetesusername": "username",
}

// unknownKeys reports keys that are ignored without a word.
func (it *itemLint) unknownKeys(fields map[string]json.RawMessage) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		want, known := it.wanted(fields, name)
		if known {
			continue
		}
		f := Finding{Code: CodeWrongKey, Severity: SeverityInfo, Wrong: strconv.Quote(name), Message: "the authenticator does not know the key " + name, Effect: "ignored"}
		if strings.EqualFold(name, otherKey(it.section)) {
			f.Code, f.Severity = CodeWrongSection, SeverityWarning
			f.Message = name + " is not read in " + it.section
		}
		value := str(anyOf(fields[name]))
		if want != "" {
			f.Severity = SeverityError
			f.Effect = it.missing(want, value)
			f.Corrected = it.withKeys(fields)
			if f.Code == CodeWrongKey {
				f.Message = "the key is " + want + ", not " + name
			}
			it.dropped = it.dropped || want == arnKey(it.section)
		}
		at := it.keyOffset(name)
		it.add(f, it.p, at, at+len(name))
		if it.dropped && it.e.arn.s == "" {
			it.e.arn = it.text(name, value)
		}
	}
}

// wanted gives the key that the item lacks and that name was meant to be, or
// "". known is whether name is read itself.
func (it *itemLint) wanted(fields map[string]json.RawMessage, name string) (want string, known bool) {
	want, known = it.meant(name)
	if strings.EqualFold(name, otherKey(it.section)) {
		want = arnKey(it.section)
	}
	if want == "" || it.hasKey(fields, want) || want == arnKey(it.section) && it.hasARN(fields) {
		want = ""
	}
	return want, known
}

// meant gives the key that name is read as, or, where it is none, the one that
// was meant.
func (it *itemLint) meant(name string) (want string, known bool) {
	for _, k := range itemKeys {
		if strings.EqualFold(name, k) {
			return k, k != otherKey(it.section)
		}
	}
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	if want, ok := misspelt[plain]; ok {
		if want == "" {
			want = arnKey(it.section)
		}
		return want, false
	}
	return nearestKey(name, []string{arnKey(it.section), "username", "groups"}), false
}

func (it *itemLint) hasARN(fields map[string]json.RawMessage) bool {
	return it.hasKey(fields, arnKey(it.section)) || it.section == MapRoles && it.hasKey(fields, "sso")
}

func (it *itemLint) hasKey(fields map[string]json.RawMessage, key string) bool {
	for name := range fields {
		if strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}

func (it *itemLint) missing(key, value string) string {
	switch key {
	case "groups":
		return "the principal gets in without any group"
	case "username":
		return "the principal gets in with an empty name"
	}
	if value == "" {
		return "the item is dropped"
	}
	return "the item is dropped: " + value + " is denied"
}

// withKeys writes the item with each value under the key that was meant.
func (it *itemLint) withKeys(fields map[string]json.RawMessage) string {
	if it.renamed == nil {
		item := it.rename(fields)
		it.renamed = &item
	}
	return *it.renamed
}

func (it *itemLint) rename(fields map[string]json.RawMessage) string {
	mended := maps.Clone(fields)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if want, known := it.wanted(mended, name); !known && want != "" {
			mended[want] = fields[name]
		}
	}
	doc, err := json.Marshal(mended)
	if err != nil {
		return ""
	}
	e := entry{section: it.section}
	e.arn.s, e.username, e.groups, _ = decodeItem(doc, it.section)
	return e.mended(it.l.o)
}

// decodeItem reads what can be read of an item, as the authenticator does.
func decodeItem(doc []byte, section string) (arn, username string, groups []string, sso *SSO) {
	if section == MapUsers {
		var u User
		_ = json.Unmarshal(doc, &u) // a value of the wrong type is left out
		return u.ARN, u.Username, u.Groups, nil
	}
	var r Role
	_ = json.Unmarshal(doc, &r) // a value of the wrong type is left out
	return r.ARN, r.Username, r.Groups, r.SSO
}

func (it *itemLint) keyOffset(name string) int {
	if it.keyed == nil {
		it.keyed = map[string]int{}
		for _, k := range slices.Backward(it.c.keys()) {
			it.keyed[k.Value] = it.c.lines.offset(k.Line, k.Column)
		}
	}
	if at, ok := it.keyed[name]; ok {
		return at
	}
	return it.start()
}

func (it *itemLint) noARN() {
	it.dropped = true
	if it.reported() && it.l.last().Severity == SeverityError {
		return // a wrong key or type has said so
	}
	it.here(Finding{
		Code: CodeBadItem, Message: "the item has no " + arnKey(it.section), Effect: "the item is dropped",
		Corrected: it.e.yaml("arn:aws:iam::<ACCOUNT>:" + strings.TrimSuffix(arnKey(it.section), "arn") + "/<NAME>"),
	})
}

// arn reports the first fault of the ARN.
func (it *itemLint) arn() {
	f := arnFault(it.e.arn.s, it.l.o)
	if f == nil {
		return
	}
	out := Finding{Code: f.code, Message: f.message, Effect: "matches nobody"}
	if fixed := correct(it.e.arn.s, it.l.o); fixed != "" {
		out.Effect = "matches nobody: " + fixed + " is denied"
		out.Corrected = it.e.yaml(fixed)
	}
	it.add(out, it.e.arn, f.from, f.to)
}

// sso reports an item that names a permission set instead of a role.
func (it *itemLint) sso(sso *SSO) {
	f := Finding{
		Code: CodeSSOMatcher, Severity: SeverityWarning,
		Message: "an sso item counts only with the feature gate SSORoleMatch, which is off by default",
		Effect:  "matches nobody: write the role's ARN without its path",
	}
	r := Role{ARN: it.e.arn.s, SSO: sso}
	if err := r.validate(); err != nil {
		f.Severity, f.Code, f.Message, f.Effect = SeverityError, CodeBadItem, err.Error(), "the item is dropped"
		it.dropped = true
	} else if sso.Partition != "" {
		f.Severity, f.Message = SeverityError, "with a partition an sso item never matches, whichever it is"
	}
	at := it.keyOffset("sso")
	it.add(f, it.p, at, at+len("sso"))
}
