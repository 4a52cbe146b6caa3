package diagnose

import (
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// The causes in a cluster's own configuration that change a diagnosis; others
// are shown beside it.
const (
	causeStaleEntry    = "entry_stale_unique_id"
	causeStandardEntry = "entry_standard_for_node"
	causeSSORotated    = "sso_role_rotated"
	causeAuthDeleted   = "aws_auth_deleted"
)

// Configurable says whether the cluster's own configuration may tell more of
// the principals of a diagnosis.
func Configurable(code string) bool {
	switch code {
	case "never_mapped", "mapping_lost", "role_recreated", "principal_renamed", "sso_role_rotated", "possible_wrong_profile",
		"node_role_unmapped", "node_role_swapped", "node_granted_as_non_node", "creator_without_access", "root_user_attempt":
		return true
	}
	return false
}

// consult takes in what the cluster's own configuration says of a principal.
// That is of now, so it speaks of denials that go on and not of those that are
// over.
func (b *bench) consult(v *verdict, p *principal) {
	known, ok := b.c.facts.Principals[p.arn]
	if !ok || !v.open() {
		return
	}
	if b.c.trusts(p.account) == authlog.No {
		// What to write instead would let a stranger in.
		known.Causes = slices.Clone(known.Causes)
		for i := range known.Causes {
			known.Causes[i].Corrected = ""
		}
	}
	v.known = &known
}

// cause is what the configuration gives as a cause of that code, or nil.
func (v *verdict) cause(code string) *authlog.Cause {
	if v.known == nil {
		return nil
	}
	for i := range v.known.Causes {
		if v.known.Causes[i].Code == code {
			return &v.known.Causes[i]
		}
	}
	return nil
}

// surest is the cause that is best known, or nil.
func (v *verdict) surest() *authlog.Cause {
	var best *authlog.Cause
	for i := range v.causes() {
		c := &v.known.Causes[i]
		if best == nil || c.Confidence.Rank() > best.Confidence.Rank() {
			best = c
		}
	}
	return best
}

// causes are those in the configuration of a principal that it does not let in.
func (v *verdict) causes() []authlog.Cause {
	if v.known == nil || v.known.Mapped != "" {
		return nil
	}
	return v.known.Causes
}

// staleEntry judges a principal whose access entry is of an earlier one of its
// name, where the log did not see that one.
func (b *bench) staleEntry(v *verdict, p *principal) bool {
	c := v.cause(causeStaleEntry)
	if c == nil || c.Confidence == authlog.ConfidenceLow {
		return false
	}
	ids := v.affected[0].userIDs
	if len(ids) > 0 && p.grantedIDs.get(ids[0]) != nil && c.Confidence != authlog.ConfidenceCertain {
		// The very one that was denied was let in before.
		v.known.Causes = slices.DeleteFunc(slices.Clone(v.known.Causes), func(c authlog.Cause) bool { return c.Code == causeStaleEntry })
		return false
	}
	v.code, v.confidence = "role_recreated", c.Confidence
	if len(ids) > 0 {
		v.about.newID = ids[0]
	}
	if isNodeKind(b.nodeKind(v, p)) {
		v.severity = authlog.SeverityCritical
	}
	return true
}

// rotatedEntry judges an SSO role of whose permission set the configuration
// still names another one. It is IAM that says which of the two is there.
func (b *bench) rotatedEntry(v *verdict, p *principal) bool {
	c := v.cause(causeSSORotated)
	if c == nil || c.Near == nil || p.kind != authlog.PrincipalSSO {
		return false
	}
	old, ok := rules.ParseARN(c.Near.Have)
	set, _, isSSO := ssoKey(p)
	if oldSet, _, isOld := rules.SplitSSORole(old.Name); !ok || !isSSO || !isOld || oldSet != set {
		return false
	}
	v.code, v.confidence = "sso_role_rotated", authlog.ConfidenceMedium
	if v.known.Exists == authlog.Yes {
		v.confidence = authlog.ConfidenceHigh
	}
	v.about.otherARN, v.about.set, v.about.variant = c.Near.Have, set, "configured"
	if len(v.affected[0].sessions) >= b.cfg.SSOUsers {
		v.severity = authlog.SeverityCritical
	}
	return true
}

// settleBy makes a verdict as sure as the configuration is that the principal
// is not mapped.
func (v *verdict) settleBy() {
	switch v.code {
	case "never_mapped", "mapping_lost", "node_role_unmapped":
	default:
		return
	}
	if c := v.surest(); c != nil && c.Confidence.Rank() > v.confidence.Rank() {
		v.confidence = c.Confidence
	}
}

// configured puts what the configuration says into words.
func (v *verdict) configured() string {
	switch {
	case v.known == nil:
		return ""
	case v.known.Mapped != "" && v.code != "node_granted_as_non_node":
		by := "an access entry"
		if v.known.Mapped == "aws_auth" {
			by = "aws-auth"
		}
		return " The cluster's configuration lets it in now, by " + by + ": the next try should work."
	}
	if v.cause(causeStandardEntry) != nil && v.severity != authlog.SeverityCritical {
		return " The access entry is of type STANDARD, which is right for a bastion and wrong for a node."
	}
	var said []string
	for _, c := range v.known.Causes {
		if v.known.Mapped == "" || c.Code == causeStandardEntry {
			said = append(said, c.Why)
		}
	}
	if len(said) == 0 {
		return ""
	}
	return " " + strings.Join(said[:min(len(said), 2)], " ")
}
