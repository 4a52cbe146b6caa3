package rules

import (
	"cmp"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Denial makes the denial of an event of KindDenied and of what a Joiner found
// for it. Its ID is left to the caller, who knows the line's key.
//
// It has a principal only where the line itself names one. That leaves out
// every refusal of a token or by STS, and accounts that EKS scrubs.
func Denial(ev *authlog.Event, id Identity) authlog.Denial {
	var r reading
	d := authlog.Denial{
		Cluster: ev.Cluster,
		Stream:  ev.Stream,
		Time:    ev.At(),
		Reason:  r.classify(ev),
		Error:   authlog.Sanitize(ev.Get("error")),
		Client:  authlog.Sanitize(ev.Get("client")),
		Raw:     ev.Text,
	}
	d.STSEndpoint = cmp.Or(endpointOf(ev), clean(r.answer.endpoint))
	if arn := ev.Get("arn"); arn != "" {
		p := id.principal(arn, ev.Cluster)
		d.Principal = &p
		d.STSEndpoint = cmp.Or(d.STSEndpoint, id.Endpoint)
	}
	return d
}

// Grant makes the grant of an event of KindGranted and of what a Joiner found
// for it. Account and unique id come from uid=, which is certain.
func Grant(ev *authlog.Event, id Identity) authlog.Grant {
	account, userID := splitUID(ev.Get("uid"))
	g := authlog.Grant{
		Cluster:   ev.Cluster,
		Time:      ev.At(),
		Principal: id.principal(ev.Get("arn"), ev.Cluster),
		Username:  authlog.Sanitize(ev.Get("username")),
		Groups:    authlog.Sanitize(ev.Get("groups")),
		Raw:       ev.Text,

		STSEndpoint: cmp.Or(endpointOf(ev), id.Endpoint),
	}
	p := &g.Principal
	if userID != "" {
		p.UserID = authlog.Sanitize(userID)
	}
	if p.Account == "" {
		p.Account = account
	}
	if isEKSUser(g.Username) || p.ARN == "" && isScrubbed(ev.Get("uid")) {
		p.Kind, p.Benign = authlog.PrincipalAWS, true
	}
	return g
}

// principal joins what the line says with what the STS response said.
func (id Identity) principal(arn string, c authlog.Cluster) authlog.Principal {
	p := PrincipalOf(arn, id.Session)
	p.UserID, p.AccessKeyID = id.UserID, id.AccessKeyID
	if p.Account == "" {
		p.Account = id.Account
	}
	if p.Benign && p.Account == c.Account && c.Account != "" {
		// EKS's own roles are in accounts of AWS. One of that name in the
		// cluster's account is the customer's, and must not hide behind it.
		p.Kind, p.Benign = authlog.PrincipalRole, false
	}
	return p
}

const (
	uidPrefix    = "aws-iam-authenticator:"
	uidPrefixOld = "heptio-authenticator-aws:" // up to v0.3, and EKS until early 2022
	uidScrubbed  = uidPrefix + "administrative:"
)

// splitUID takes account and unique id out of uid="aws-iam-authenticator:A:ID".
// The id of a federated user has a colon itself. Both are empty for the uid of
// a scrubbed account, which ends in the user name instead.
func splitUID(uid string) (account, userID string) {
	rest, ok := strings.CutPrefix(uid, uidPrefix)
	if !ok {
		rest, ok = strings.CutPrefix(uid, uidPrefixOld)
	}
	account, userID, _ = strings.Cut(rest, ":")
	if !ok || !authlog.IsAccount(account) {
		return "", ""
	}
	return account, userID
}

func isScrubbed(uid string) bool { return strings.HasPrefix(uid, uidScrubbed) }

// isEKSUser knows the users that EKS's own principals become, such as
// eks:node-manager. No mapping of a customer may use the prefix.
func isEKSUser(username string) bool { return strings.HasPrefix(username, "eks:") }

// Marker makes the marker of an event of KindMarker. Its ID is left to the
// caller, who knows the line's key.
func Marker(ev *authlog.Event) authlog.Marker {
	return authlog.Marker{
		Cluster: ev.Cluster,
		Stream:  ev.Stream,
		Time:    ev.At(),
		Code:    MarkerCode(ev),
		Msg:     authlog.Sanitize(ev.Msg),
		Raw:     ev.Text,
	}
}
