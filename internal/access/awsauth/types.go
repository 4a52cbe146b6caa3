package awsauth

import (
	"encoding/json"
	"strings"
)

// values reads the fields of the item and reports those of the wrong type,
// which the authenticator leaves out.
func (it *itemLint) values(fields map[string]json.RawMessage) *SSO {
	doc, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	arn, username, groups, sso := decodeItem(doc, it.section)
	if arn != "" {
		it.e.arn = it.text(arnKey(it.section), arn)
	}
	it.e.username, it.e.groups = username, groups
	for name, raw := range fields {
		switch strings.ToLower(name) {
		case arnKey(it.section), "username", "userid":
			it.wantText(name, raw)
		case "groups":
			it.wantGroups(name, raw)
		case "sso":
			if _, ok := anyOf(raw).(map[string]any); !ok && anyOf(raw) != nil && it.section == MapRoles {
				v, _ := it.c.fold(name)
				it.wrongType(v, "sso is a mapping of permissionSetName and accountID", "the item is dropped", "")
			}
		}
	}
	return sso
}

func anyOf(raw json.RawMessage) any {
	var v any
	_ = json.Unmarshal(raw, &v) // it is a part of valid JSON
	return v
}

// wrongType reports the value here, or the item where the value is not placed.
func (it *itemLint) wrongType(v cursor, message, effect, corrected string) {
	text := ""
	if v.node != nil {
		text = v.node.Value
	}
	p := it.compose(v.scalar(text))
	it.add(Finding{Code: CodeWrongType, Message: message, Effect: effect, Corrected: corrected}, p, 0, len(p.s))
}

func (it *itemLint) wantText(name string, raw json.RawMessage) {
	v, _ := it.c.fold(name)
	switch value := anyOf(raw).(type) {
	case string, nil:
	default:
		effect := "the value is lost"
		if strings.EqualFold(name, arnKey(it.section)) {
			effect, it.dropped = "the item is dropped", true
		} else if strings.EqualFold(name, "username") {
			effect = it.missing("username", "")
		}
		quoted := ""
		switch value.(type) {
		case float64, bool:
			quoted = name + `: "` + string(raw) + "\"\n"
		}
		it.wrongType(v, name+" is no text", effect, quoted)
	}
}

func (it *itemLint) wantGroups(name string, raw json.RawMessage) {
	c, _ := it.c.fold(name)
	switch v := anyOf(raw).(type) {
	case nil:
	case []any:
		for i, g := range v {
			if _, ok := g.(string); !ok && g != nil {
				it.wrongType(c.index(i), "a group is no text", "that group is lost", "")
			}
		}
	case string:
		mended := it.e
		mended.groups = splitGroups(v)
		it.wrongType(c, "groups is a text, not a list", "the groups are lost; the principal gets in without any", mended.mended(it.l.o))
	default:
		it.wrongType(c, "groups is no list", "the groups are lost; the principal gets in without any", "")
	}
}

// splitGroups takes the groups out of a text such as "a, b" or "- a - b".
func splitGroups(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || hidden(r) || r == '[' || r == ']' })
}
