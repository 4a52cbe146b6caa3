package awsauth

import (
	"encoding/json"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// values reads the fields of the item and reports those of the wrong type,
// which the authenticator leaves out. The corrections have them as they are
// spelled: the number that YAML makes of 0123 is another.
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
	if v, ok := it.c.fold("username"); ok && username == "" {
		it.e.username = spelling(v.node)
	}
	if v, ok := it.c.fold("groups"); ok {
		if meant := groupsOf(v); len(groups) == 0 || len(meant) == len(groups) {
			it.e.groups = meant
		}
	}
	for name, raw := range fields {
		switch strings.ToLower(name) {
		case arnKey(it.section), "username", "userid":
			it.wantText(it.c, name, raw)
		case "groups":
			it.wantGroups(name, raw)
		case "sso":
			it.wantSSO(name, raw)
		}
	}
	return sso
}

// spelling is a scalar as it is written, without its quotes.
func spelling(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// groupsOf are the groups that were meant here; one that cannot be told is
// empty.
func groupsOf(c cursor) []string {
	if c.node == nil || c.node.Kind != yaml.SequenceNode {
		return splitGroups(spelling(c.node))
	}
	var groups []string
	for i := range c.node.Content {
		groups = append(groups, spelling(c.index(i).node))
	}
	return groups
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

// wantText checks a value of the mapping at c.
func (it *itemLint) wantText(c cursor, name string, raw json.RawMessage) {
	switch anyOf(raw).(type) {
	case string, nil:
		return
	}
	v, _ := c.fold(name)
	effect, corrected := "the value is lost", ""
	if text := spelling(v.node); text != "" {
		corrected = name + ": " + strconv.Quote(text) + "\n"
	}
	switch strings.ToLower(name) {
	case arnKey(it.section):
		effect, corrected, it.dropped = "the item is dropped", "", true
	case "permissionsetname", "accountid":
		effect, it.dropped = "the item is dropped", true
	case "username":
		effect = it.missing("username", "")
	}
	it.wrongType(v, name+" is no text", effect, corrected)
}

func (it *itemLint) wantGroups(name string, raw json.RawMessage) {
	const lost = "the groups are lost; the principal gets in without any"
	c, _ := it.c.fold(name)
	switch v := anyOf(raw).(type) {
	case nil:
	case []any:
		for i, g := range v {
			if _, ok := g.(string); ok || g == nil {
				continue
			}
			at := c.index(i)
			it.wrongType(at, "a group is no text", "that group is lost", listed(splitGroups(spelling(at.node))))
		}
	case string:
		it.wrongType(c, "groups is a text, not a list", lost, it.e.mended(it.l.o))
	default:
		it.wrongType(c, "groups is no list", lost, "")
	}
}

func (it *itemLint) wantSSO(name string, raw json.RawMessage) {
	if it.section != MapRoles {
		return
	}
	v, _ := it.c.fold(name)
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		it.wrongType(v, "sso is a mapping of permissionSetName and accountID", "the item is dropped", "")
		return
	}
	for key, raw := range fields {
		switch strings.ToLower(key) {
		case "permissionsetname", "accountid", "partition":
			it.wantText(v, key, raw)
		}
	}
}

// splitGroups takes the groups out of a text such as "a, b", "[a, b]" or
// "- a - b". No group begins with a dash: a blank was forgotten after it.
func splitGroups(s string) []string {
	var groups []string
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return hidden(r) || strings.ContainsRune(`,[]"'`, r) }) {
		if word = strings.TrimLeft(word, "-"); word != "" {
			groups = append(groups, word)
		}
	}
	return groups
}
