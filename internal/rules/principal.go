package rules

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// PrincipalOf says who an ARN is. The ARN may be canonical or as STS gave it;
// session is the session name, or "" when it is not known. The ARN need not be
// of the strict grammar: published lines have accounts such as XXXXXXXXXXXX,
// whose kind can still be told.
//
// A principal is AWS's own, and benign, by the name of its role alone. A
// session name never makes it so: it is the caller's choice.
func PrincipalOf(arn, session string) authlog.Principal {
	if canonical, ok := Canonical(arn); ok {
		if _, resource, _ := cutARN(arn); session == "" && strings.HasPrefix(resource, "assumed-role/") {
			session = resource[strings.LastIndexByte(resource, '/')+1:]
		}
		arn = canonical
	}
	p := authlog.Principal{ARN: authlog.Sanitize(arn), Kind: kindOf(arn, session), Session: authlog.Sanitize(session)}
	if h, _, ok := cutARN(arn); ok && authlog.IsAccount(h.Account) {
		p.Account = h.Account
	}
	p.Benign = p.Kind == authlog.PrincipalAWS
	return p
}

// kindOf goes by the ARN first: it cannot be chosen as freely as a session.
func kindOf(arn, session string) authlog.PrincipalKind {
	h, resource, ok := cutARN(arn)
	if !ok {
		return authlog.PrincipalUnknown
	}
	kind, name, _ := strings.Cut(resource, "/")
	switch h.Service + ":" + kind {
	case "iam:root":
		return authlog.PrincipalRoot
	case "iam:user":
		return authlog.PrincipalUser
	case "sts:federated-user":
		return authlog.PrincipalFederatedUser
	case "iam:role":
		return roleKind(name[strings.LastIndexByte(name, '/')+1:], session)
	}
	return authlog.PrincipalUnknown
}

func roleKind(role, session string) authlog.PrincipalKind {
	_, _, sso := SplitSSORole(role)
	switch {
	case sso:
		return authlog.PrincipalSSO
	case strings.HasPrefix(role, "AWSServiceRoleFor"):
		return authlog.PrincipalServiceLinked
	case isEKSRole(role):
		return authlog.PrincipalAWS
	case IsInstanceID(session):
		return authlog.PrincipalNode
	case strings.HasPrefix(session, "fargate-"):
		return authlog.PrincipalFargate
	case isHexID(session, "mi-"):
		return authlog.PrincipalHybrid
	}
	return authlog.PrincipalRole
}

// isEKSRole knows the roles, in accounts of AWS, with which EKS itself calls a
// cluster: managed node groups, add-ons, Fargate and cluster insights.
func isEKSRole(role string) bool {
	return strings.HasPrefix(role, "AWSWesleyClusterManagerLambda-") ||
		strings.HasPrefix(role, "AmazonEKSClusterInsights")
}

// SplitSSORole splits the name of a role that IAM Identity Center provisioned,
// AWSReservedSSO_<permission set>_<suffix>. The suffix of 16 hexadecimal
// digits is another one each time the permission set is provisioned anew.
func SplitSSORole(role string) (permissionSet, suffix string, ok bool) {
	rest, ok := strings.CutPrefix(role, "AWSReservedSSO_")
	i := strings.LastIndexByte(rest, '_')
	if !ok || i <= 0 || len(rest)-i-1 != 16 || !isHex(rest[i+1:]) {
		return "", "", false
	}
	return rest[:i], rest[i+1:], true
}

// IsInstanceID reports whether s is the id of an EC2 instance. Nodes use it as
// the name of their session.
func IsInstanceID(s string) bool { return isHexID(s, "i-") }

// isHexID knows the ids of EC2 and Systems Manager: 8 hexadecimal digits until
// 2016, 17 since.
func isHexID(s, prefix string) bool {
	id, ok := strings.CutPrefix(s, prefix)
	return ok && (len(id) == 8 || len(id) == 17) && isHex(id)
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
