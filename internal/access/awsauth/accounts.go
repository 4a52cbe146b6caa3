package awsauth

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v4"
)

// An account is one item of mapAccounts.
type account struct {
	text string
	lost bool // it is no text
}

// UnmarshalYAML keeps the place of an item that is lost.
func (a *account) UnmarshalYAML(read func(any) error) error {
	a.lost = read(&a.text) != nil
	return nil
}

// accounts checks mapAccounts.
func (l *linter) accounts() {
	p, ok := l.d.places[MapAccounts]
	if !ok || skippable(p.s) {
		return
	}
	var accounts []account
	err := yamlv2.Unmarshal([]byte(p.s), &accounts)
	if _, ok := errors.AsType[*yamlv2.TypeError](err); err != nil && !ok {
		if p = l.syntax(MapAccounts, p, err, areAccounts); p.s == "" {
			return
		}
		err = yamlv2.Unmarshal([]byte(p.s), &accounts)
	}
	l.secondDocument(MapAccounts, p)
	c := cursor{node: parseNode(p.s), text: p.s, lines: yamlLines(p.s)}
	if err != nil {
		l.noAccounts(p, c)
		return
	}
	for i, a := range accounts {
		if a.lost || !accountID.MatchString(a.text) {
			l.accountFault(p, c.index(i), i, a)
		}
	}
}

// areAccounts says whether each item could be an account.
func areAccounts(text string) bool {
	var accounts []account
	return yamlv2.Unmarshal([]byte(text), &accounts) == nil &&
		!slices.ContainsFunc(accounts, func(a account) bool { return a.lost || strings.ContainsFunc(a.text, hidden) })
}

// noAccounts reports accounts that are no list.
func (l *linter) noAccounts(p placed, c cursor) {
	f := Finding{
		Code: CodeWrongType, Section: MapAccounts, Item: -1, Effect: dropEffect(MapAccounts),
		Message: "the accounts are no list: each begins with a dash", Corrected: listed(accountsUnder(c.node)),
	}
	if f.Corrected == "" {
		f.Corrected = listed([]string{"<ACCOUNT>"})
	}
	at := c.offset()
	if strings.HasPrefix(p.s[at:], "-") {
		f.Message = "the accounts are no list: " + noBlankAfterDash
	}
	l.addIn(f, p, at, at)
}

// accountFault reports an item that is no account.
func (l *linter) accountFault(p placed, c cursor, i int, a account) {
	f := Finding{Section: MapAccounts, Item: i}
	if a.lost {
		f.Code, f.Message, f.Effect = CodeWrongType, "an account is a text of 12 digits", "that account is lost"
		f.Corrected = listed(accountsUnder(c.node))
	} else {
		f.Code, f.Message, f.Effect = CodeBadAccount, accountMessage(a.text), "matches nobody"
		f.Wrong = strconv.Quote(a.text)
		if digits := strings.Map(keepDigits, a.text); accountID.MatchString(digits) {
			f.Corrected = listed([]string{digits})
		}
	}
	at := c.scalar(a.text).offset(0)
	l.addIn(f, p, at, at+len(a.text))
}

// accountsUnder are the accounts that stand anywhere in a tree.
func accountsUnder(n *yaml.Node) []string {
	if n == nil || n.Kind == yaml.AliasNode {
		return nil
	}
	var found []string
	for _, word := range strings.FieldsFunc(n.Value, func(r rune) bool { return r != '-' && keepDigits(r) < 0 }) {
		if digits := strings.Map(keepDigits, word); accountID.MatchString(digits) {
			found = append(found, digits)
		}
	}
	for _, child := range n.Content {
		found = append(found, accountsUnder(child)...)
	}
	return found
}

func keepDigits(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}
