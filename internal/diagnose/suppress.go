package diagnose

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// suppress gives each verdict that another one explains its parent: one
// incident has one cause. What is broken for the whole cluster explains what
// is broken for STS, that for the nodes, that for a principal.
func (b *bench) suppress() {
	b.causes = map[string]*verdict{}
	for _, v := range b.all {
		if v.subject == "" {
			b.causes[v.code] = v
		}
	}
	for _, v := range b.all {
		if v.parent == nil {
			v.parent = b.explains(v)
		}
	}
	for _, v := range b.all {
		root := v
		for root.parent != nil {
			root = root.parent
		}
		if v.parent = nil; root != v {
			v.parent = root
		}
	}
	for _, v := range b.all {
		if p := v.parent; p != nil {
			p.children = append(p.children, v)
			if v.open() && v.severity.Rank() > p.severity.Rank() {
				p.severity = v.severity
			}
		}
	}
	for _, v := range b.all {
		if isAuthCode(v.code) {
			v.affected, v.about.victims = v.childrensAffected(), v.harmed(b.cfg.DeleteHarm)
		}
		slices.SortFunc(v.children, func(x, y *verdict) int {
			return cmp.Or(compareMarks(y.last, x.last), strings.Compare(x.code, y.code), strings.Compare(x.subject, y.subject))
		})
	}
}

// harmed counts the principals that were granted before and denied so soon
// after that the verdict's cause must be theirs.
func (v *verdict) harmed(within time.Duration) (n int) {
	for _, child := range v.children {
		if child.before != (mark{}) && child.first.Time().Sub(v.first.Time()) <= within {
			n++
		}
	}
	return n
}

func (v *verdict) childrensAffected() []affected {
	var all []affected
	seen := map[*principal]bool{}
	for _, child := range v.children {
		for _, a := range child.affected {
			if !seen[a.principal] {
				seen[a.principal] = true
				all = append(all, a)
			}
		}
	}
	return all
}

// explains finds what explains a verdict, or nil.
func (b *bench) explains(v *verdict) *verdict {
	var causes []string
	switch v.code {
	case "mapping_lost", "node_role_unmapped", "never_mapped", "possible_wrong_profile", "creator_without_access":
		causes = []string{"aws_auth_malformed", "aws_auth_deleted"}
		if b.c.facts.Mode == authlog.ModeAPI {
			causes = nil // aws-auth is not looked at
		}
	case "stale_credentials_loop":
		causes = []string{"sts_region_disabled", "opt_in_region_global_token", "sts_outage", "sts_throttled_cluster", "credential_probe"}
	case "opt_in_region_global_token", "sts_throttled_cluster":
		causes = []string{"sts_region_disabled", "sts_outage"}
	case "credential_probe":
		causes = []string{"sts_region_disabled", "sts_outage", "sts_throttled_cluster"}
	case "broken_token_client", "non_iam_token_loop", "wrong_cluster_token":
		causes = []string{"credential_probe"}
	}
	for _, code := range causes {
		p := b.causes[code]
		if p != nil && p != v && p.covers(v, b.cfg) {
			return p
		}
	}
	return nil
}
