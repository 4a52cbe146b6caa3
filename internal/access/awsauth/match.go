package awsauth

import "strings"

// A Match is the item that lets a principal in, and what it becomes.
type Match struct {
	Section  string
	Item     int    // place in the section, from 0
	ARN      string // as the item spells it; for mapAccounts the account
	Username string // with its templates
	Groups   []string
}

// Map gives the authenticator's answer for a principal. The ARN is the
// canonical one, as the log prints it: a role without path and session, a user
// with its path. Roles come first, then users, then accounts; an ARN is
// compared as it is written, without regard to case, and no character stands
// for others. Of two equal roles the last one counts.
//
// Two users whose ARNs differ in case alone are both kept by the authenticator,
// which then picks one at random for each request; Map gives the last.
func (m *Mappings) Map(arn string) (Match, bool) {
	for i := len(m.Roles) - 1; i >= 0; i-- {
		r := &m.Roles[i]
		if r.ARN != "" && strings.EqualFold(r.ARN, arn) {
			return Match{MapRoles, r.Item, r.ARN, r.Username, r.Groups}, true
		}
	}
	for i := len(m.Users) - 1; i >= 0; i-- {
		u := &m.Users[i]
		if strings.EqualFold(u.ARN, arn) {
			return Match{MapUsers, u.Item, u.ARN, u.Username, u.Groups}, true
		}
	}
	account := accountOf(arn)
	for i, a := range m.Accounts {
		if a != "" && a == account {
			return Match{MapAccounts, i, a, arn, nil}, true
		}
	}
	return Match{}, false
}

// accountOf is the fifth part of an ARN, or "".
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}
