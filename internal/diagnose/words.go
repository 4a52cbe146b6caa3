package diagnose

import (
	"fmt"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// words is the summary of a verdict: who, what, since when.
func (v *verdict) words(c *cluster) string {
	if say, ok := sentences[v.code]; ok {
		return say(v, c) + v.configured()
	}
	return v.code
}

// who names the one principal that a verdict is about.
func (v *verdict) who() string {
	if len(v.affected) == 0 {
		return v.subject
	}
	return personal(v.affected[0])
}

func personal(a affected) string {
	t := a.tell()
	if t.Person != "" && a.kind != authlog.PrincipalUser {
		return t.Person + " as " + t.ARN
	}
	return t.ARN
}

func (v *verdict) when() string { return clockTime(v.first) }

func clockTime(m mark) string { return m.Time().Format("2006-01-02 15:04:05") + " UTC" }

func many(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func (v *verdict) times() string { return many(v.n, "time", "times") }

var sentences = map[string]func(*verdict, *cluster) string{
	"aws_auth_malformed": func(v *verdict, _ *cluster) string {
		return "aws-auth cannot be read since " + v.when() + ": the sections with an error map nobody. " + v.harm()
	},
	"aws_auth_deleted": func(v *verdict, _ *cluster) string {
		return "aws-auth was deleted at " + v.when() + ". " + v.harm()
	},
	"aws_auth_wiped": func(v *verdict, _ *cluster) string {
		s := fmt.Sprintf("%d principals that were granted before are not mapped any more, all from about %s.", v.about.victims, v.when())
		if v.about.marker != (mark{}) {
			s += " aws-auth was read anew at " + clockTime(v.about.marker) + "."
		}
		return s
	},
	"mapping_lost": func(v *verdict, _ *cluster) string {
		s := fmt.Sprintf("%s is not mapped any more: granted until %s, denied %s since %s.", v.who(), clockTime(v.before), v.times(), v.when())
		if v.about.marker != (mark{}) {
			s += " aws-auth was read anew at " + clockTime(v.about.marker) + "."
		}
		return s
	},
	"never_mapped": func(v *verdict, c *cluster) string {
		s := fmt.Sprintf("%s was never let in here: denied %s since %s.", v.who(), v.times(), v.when())
		if v.about.variant == "excerpt" {
			s = fmt.Sprintf("%s is a valid AWS identity without a mapping on this cluster: denied %s since %s. These lines do not tell whether it ever had one.",
				v.who(), v.times(), v.when())
		}
		if v.about.since != (mark{}) {
			s += " The log is known only since " + clockTime(v.about.since) + "."
		}
		if a := v.affected[0].account; c.trusts(a) == authlog.No {
			s += " Its account " + a + " is not among the trusted ones."
		}
		if len(v.causes()) > 0 {
			return s // they say it
		}
		return s + kindHint(v.affected[0].principal)
	},
	"role_recreated": func(v *verdict, _ *cluster) string {
		if v.about.oldID == "" {
			return fmt.Sprintf("%s has an access entry, but that of an earlier one of its name. Denied %s since %s.", v.subject, v.times(), v.when())
		}
		return fmt.Sprintf("%s was deleted and made anew: its unique id was %s and is %s now, which no access entry knows. Denied %s since %s.",
			v.subject, v.about.oldID, v.about.newID, v.times(), v.when())
	},
	"principal_renamed": func(v *verdict, _ *cluster) string {
		s := v.subject + " has an access entry, but under another ARN"
		if v.about.otherARN != "" {
			s += " (in lower case: " + v.about.otherARN + ")"
		}
		return s + fmt.Sprintf(". Denied %s since %s.", v.times(), v.when())
	},
	"sso_role_rotated": func(v *verdict, _ *cluster) string {
		if v.about.variant == "configured" {
			return fmt.Sprintf("IAM Identity Center made the role of the permission set %s anew: the cluster still names %s, not %s. Denied %s since %s.",
				v.about.set, v.about.otherARN, v.subject, v.times(), v.when())
		}
		return fmt.Sprintf("IAM Identity Center made the role of the permission set %s anew: %s was let in, %s is not. Denied %s since %s.",
			v.about.set, v.about.otherARN, v.subject, v.times(), v.when())
	},
	"possible_wrong_profile": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("%s was denied as %s, which was never let in, but is let in as %s.", v.about.person, v.subject, v.about.otherARN)
	},
	"denied_principal_loop": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("%s does not give up: denied %s since %s, about every %s.", v.who(), v.times(), v.when(), v.about.interval)
	},

	"node_role_unmapped": func(v *verdict, _ *cluster) string {
		s := fmt.Sprintf("Nodes with the role %s cannot join: it is not mapped. Denied %s since %s%s.",
			v.subject, v.times(), v.when(), v.named())
		if v.before != (mark{}) {
			s += " It was granted until " + clockTime(v.before) + "."
		}
		return s
	},
	"node_role_swapped": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("The instance %s was let in as %s and now comes as %s, which is not mapped. Denied %s since %s.",
			v.about.instance, v.about.otherARN, v.subject, v.times(), v.when())
	},
	"node_granted_as_non_node": func(v *verdict, _ *cluster) string {
		s := fmt.Sprintf("Instances with the role %s get in as %q, not as nodes (%s).", v.subject, v.about.username, strings.Join(v.nodes(), ", "))
		if v.severity != authlog.SeverityCritical {
			s += " If they are bastions or CI machines, nothing is wrong."
		}
		return s
	},
	"cluster_role_missing_ec2_permission": func(v *verdict, _ *cluster) string {
		if v.about.reason == "ec2_assume_role_denied" {
			return fmt.Sprintf("The control plane cannot assume the cluster role, so that nodes cannot be looked up. Denied %s since %s.", v.times(), v.when())
		}
		role := "The cluster role"
		if v.about.caller != "" {
			role += " (" + v.about.caller + ")"
		}
		return fmt.Sprintf("%s may not call ec2:DescribeInstances, so that nodes cannot join. Denied %s since %s.", role, v.times(), v.when())
	},
	"cross_account_node": func(v *verdict, c *cluster) string {
		return fmt.Sprintf("%s comes with a role of the account %s, but EC2 nodes must live in %s. Denied %s since %s.",
			orElse(v.about.instance, "An instance"), v.about.account, c.id.Account, v.times(), v.when())
	},
	"node_template_on_non_node": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("The node's role %s was used by something that is no EC2 node (%s). It is mapped by %s, as %s. Denied %s since %s.",
			v.subject, orElse(strings.Join(v.nodes(), ", "), "session not known"), orElse(v.about.mapper, "a mapper"), orElse(v.about.template, "a node"), v.times(), v.when())
	},

	"sts_region_disabled": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("STS is switched off in %s for the account %s: its tokens are refused. Denied %s since %s.",
			v.about.endpoint, orElse(v.about.account, "of the callers"), v.times(), v.when())
	},
	"opt_in_region_global_token": func(v *verdict, c *cluster) string {
		return fmt.Sprintf("Tokens signed for the global STS endpoint are refused; %s must be opted in to, and does not know such credentials. Denied %s since %s.",
			c.id.Region, v.times(), v.when())
	},
	"sts_throttled_cluster": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("STS throttles: %s since %s, on %d or more connections, up to %.0f %% of all requests.", v.times(), v.when(), v.about.clients, 100*v.about.share)
	},
	"sts_outage": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("The authenticator does not get through to STS: %s since %s, on %d or more connections, up to %.0f %% of all requests.",
			v.times(), v.when(), v.about.clients, 100*v.about.share)
	},

	"clock_skew": func(v *verdict, _ *cluster) string {
		if v.about.variant == "ahead" {
			return fmt.Sprintf("A client's clock is about %s ahead. Denied %s since %s.", v.about.offset.Round(time.Second), v.times(), v.when())
		}
		return fmt.Sprintf("A client's clock seems to be about %s behind: %d different tokens were all about that old when they came. Denied %s since %s.",
			v.about.age.Round(time.Second), v.about.tokens, v.times(), v.when())
	},
	"stale_token_loop": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("%s too old %s used again and again (made %s). Denied %s since %s.",
			many(int64(v.about.tokens), "token", "tokens"), isAre(v.about.tokens), list(v.about.notes, 3), v.times(), v.when())
	},
	"stale_credentials_loop": func(v *verdict, _ *cluster) string {
		what := "expired credentials"
		if v.about.reason == invalidToken {
			what = "credentials that AWS does not know (any more)"
		}
		return fmt.Sprintf("A client in a loop comes with %s, about every %s. Denied %s since %s.", what, v.about.interval, v.times(), v.when())
	},
	"wrong_cluster_token": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("A token's signature does not fit: it was made for another cluster, or with a wrong secret key. Denied %s since %s.", v.times(), v.when())
	},
	"broken_token_client": func(v *verdict, _ *cluster) string {
		s := "A client makes tokens wrongly: " + v.subject
		if r, ok := rules.ByCode(v.subject); ok {
			s = "A client makes tokens wrongly: " + strings.TrimSuffix(r.Summary, ".")
		}
		if len(v.about.notes) > 0 {
			s += " (" + list(v.about.notes, 3) + ")"
		}
		return s + fmt.Sprintf(". Denied %s since %s.", v.times(), v.when())
	},
	"non_iam_token_loop": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("A client in a loop sends tokens that are not for IAM, about every %s. Denied %s since %s.", v.about.interval, v.times(), v.when())
	},

	"credential_probe": func(v *verdict, _ *cluster) string {
		s := fmt.Sprintf("%s without a valid identity since %s", many(v.n, "request", "requests"), v.when())
		if v.about.variant == "variety" {
			return s + fmt.Sprintf(", up to %d kinds of fault in 10 minutes: %s.", v.about.tokens, list(v.about.notes, 6))
		}
		return s + ", far more than usual."
	},
	"foreign_account_probe": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("%s of the account %s, which is not trusted, tried %s since %s.",
			many(int64(len(v.affected)), "principal", "principals"), v.about.account, v.times(), v.when())
	},
	"root_user_attempt": func(v *verdict, _ *cluster) string {
		return fmt.Sprintf("The root user of the account %s tried to get in: denied %s since %s.", v.affected[0].account, v.times(), v.when())
	},

	"creator_identified": func(v *verdict, _ *cluster) string {
		switch {
		case v.confidence == authlog.ConfidenceCertain:
			return "The cluster was created by " + v.about.otherARN + " (" + orElse(v.about.source, "as told") + ")."
		case v.about.victims > 0:
			return fmt.Sprintf("%d principals are let in as kubernetes-admin, last %s. One of them may have created the cluster; that is not proven, for aws-auth can give the name to anybody.",
				v.about.victims+1, v.about.otherARN)
		}
		return v.about.otherARN + " likely created the cluster: it is let in as kubernetes-admin. That is not proven, for aws-auth can give the name to anybody."
	},
	"creator_gone": func(v *verdict, _ *cluster) string {
		if v.about.variant == "iam" {
			return "The creator of the cluster, " + v.about.otherARN + ", does not exist in IAM any more."
		}
		return "The creator of the cluster, " + v.about.otherARN + ", seems to be gone: its permission set now has the role " + v.about.person + "."
	},
	"creator_without_access": func(v *verdict, _ *cluster) string {
		how := "created the cluster (" + orElse(v.about.source, "as told") + ")"
		if v.about.source == sourceLog {
			how = "likely created the cluster (it was let in as kubernetes-admin)"
		}
		return fmt.Sprintf("%s %s and is not mapped: denied %s since %s.", v.subject, how, v.times(), v.when())
	},
	"not_seen_here": func(v *verdict, c *cluster) string {
		s := fmt.Sprintf("%s was not denied on %s between %s and %s.", v.subject, orElse(c.id.Name, "this cluster"), clockTime(v.first), clockTime(v.last))
		if v.about.variant == "granted" {
			s += " It was let in. If kubectl says Forbidden, RBAC refused what it asked for."
		}
		if v.about.victims > 0 {
			s += fmt.Sprintf(" %s of that time %s nobody; one of them may be it.", many(int64(v.about.victims), "denial", "denials"), nameNames(v.about.victims))
		}
		return s
	},
	"log_gap": func(v *verdict, _ *cluster) string {
		return "No line of the authenticator since " + clockTime(v.last) + "."
	},
	"logging_disabled": func(_ *verdict, _ *cluster) string {
		return "The authenticator log of the cluster is off: nothing can be said about who is denied."
	},
}

func (v *verdict) harm() string {
	if len(v.affected) == 0 {
		return "Nobody was denied since, so far."
	}
	s := many(int64(len(v.affected)), "principal was", "principals were") + " denied since"
	if v.about.victims > 0 {
		s += fmt.Sprintf(", %d of them soon after and granted before: it does harm", v.about.victims)
	}
	return s + "."
}

// named lists the nodes where they are known.
func (v *verdict) named() string {
	if nodes := v.nodes(); len(nodes) > 0 {
		return " (" + strings.Join(nodes, ", ") + ")"
	}
	return ""
}

// nodes are the sessions of the verdict's principals, some of them.
func (v *verdict) nodes() []string {
	var out []string
	for _, a := range v.affected {
		out = append(out, a.sessions...)
	}
	if len(out) > 3 {
		out = append(out[:3], "…")
	}
	return out
}

func kindHint(p *principal) string {
	switch p.kind {
	case authlog.PrincipalServiceLinked:
		return " A service-linked role cannot have an access entry."
	case authlog.PrincipalFederatedUser:
		return " A federated user cannot have an access entry; a role can."
	default:
		return ""
	}
}

func orElse(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

func nameNames(n int) string {
	if n == 1 {
		return "names"
	}
	return "name"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func list(items []string, most int) string {
	if len(items) > most {
		return strings.Join(items[:most], ", ") + ", …"
	}
	return strings.Join(items, ", ")
}
