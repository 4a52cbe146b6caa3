package explain

import (
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// An Identity is who get-caller-identity says you are, beside what the lines
// say.
type Identity struct {
	ARN      string                `json:"arn"`    // as STS gives it
	Mapped   string                `json:"mapped"` // as the authenticator looks it up
	Account  string                `json:"account"`
	UserID   string                `json:"user_id"`
	Kind     authlog.PrincipalKind `json:"kind"`
	Relation string                `json:"relation"` // see the constants
	Means    string                `json:"means"`
	// Diagnoses that it is part of, or not_seen_here.
	Diagnoses []authlog.Diagnosis `json:"diagnoses"`
}

// How an identity relates to the lines.
const (
	RelationUnknown      = "no_lines"      // there are none to compare it with
	RelationDenied       = "denied"        // it is the one that was denied
	RelationRecreated    = "recreated"     // its ARN was denied under another unique id
	RelationSameAccount  = "same_account"  // another one of its account was denied
	RelationOtherAccount = "other_account" // one of another account was denied
	RelationNotSeen      = "not_seen"      // nobody known was denied
)

// compare looks for the identity among the denials.
func (c *caller) compare(m *diagnose.Machine, denials []authlog.Denial, page diagnose.Page, o *Options) *Identity {
	p := rules.PrincipalOf(c.ARN, "")
	id := &Identity{ARN: diagnose.Plain(c.ARN), Mapped: diagnose.Plain(p.ARN), Account: diagnose.Plain(c.Account), UserID: diagnose.Plain(c.UserID), Kind: p.Kind}
	if len(denials)+len(page.Grants) == 0 {
		id.Relation = RelationUnknown
		id.Means = "You are " + id.ARN + ". To a cluster that is " + id.Mapped + ". Whether it was denied, only the authenticator's log tells."
		return id
	}
	from := page.Through
	for i := range denials {
		from = authlog.Earliest(from, denials[i].Time)
	}
	id.Diagnoses = m.Ask(o.Cluster, c.ARN, from.Add(-time.Second), page.Through)
	id.relate(c, denials, page.Grants)
	if cr := o.Facts.Creator.ARN; cr != "" {
		id.Means += creatorWord(strings.EqualFold(cr, p.ARN), cr)
	}
	return id
}

func creatorWord(same bool, creator string) string {
	if same {
		return " It is the creator of the cluster."
	}
	return " The creator of the cluster is another one, " + diagnose.Plain(creator) + "."
}

func (id *Identity) relate(c *caller, denials []authlog.Denial, grants []authlog.Grant) {
	unique, _, _ := strings.Cut(c.UserID, ":")
	id.Relation = RelationNotSeen
	id.Means = "You are " + id.ARN + ", and no line names you: your request did not come to this cluster as this identity, or failed before it named one."
	for i := range grants {
		if strings.EqualFold(grants[i].Principal.ARN, id.Mapped) {
			id.Means = "You are " + id.ARN + ", and were let in. If kubectl says Forbidden, that is RBAC."
		}
	}
	for i := range denials {
		p := denials[i].Principal
		if p == nil || id.Relation == RelationDenied {
			continue
		}
		switch {
		case strings.EqualFold(p.ARN, id.Mapped) && p.UserID != "" && p.UserID != unique:
			id.Relation = RelationRecreated
			id.Means = "The ARN that was denied is yours, but with the unique id " + diagnose.Plain(p.UserID) + ", and yours is " + diagnose.Plain(unique) + ": the role or user was made anew in between."
		case strings.EqualFold(p.ARN, id.Mapped):
			id.Relation = RelationDenied
			id.Means = "You are the one that was denied: " + id.ARN + "."
		case id.Relation == RelationRecreated:
		case p.Account == c.Account:
			id.Relation = RelationSameAccount
			id.Means = "You are " + id.ARN + ", but the one that was denied is " + diagnose.Plain(p.ARN) + ", another identity of the same account: kubectl uses another profile or role than your shell."
		case id.Relation == RelationNotSeen:
			id.Relation = RelationOtherAccount
			id.Means = "You are " + id.ARN + ", but the one that was denied is " + diagnose.Plain(p.ARN) + ", of another account: kubectl uses another profile or role than your shell."
		}
	}
}
