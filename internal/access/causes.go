package access

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// The codes of causes that are not rules of awsauth.
const (
	CauseEntryMissing      = "entry_missing"           // mode API, and there is no access entry
	CauseEntryStale        = "entry_stale_unique_id"   // the entry is of a role or user that was made anew
	CauseEntryImpossible   = "entry_impossible"        // root or federated user: no access entry takes them
	CauseEntryStandard     = "entry_standard_for_node" // a node's role with an entry of type STANDARD
	CauseEntryOther        = "entry_misspelt"          // an entry of nearly that ARN
	CauseServiceLinked     = "service_linked_role"     // access entries do not take service-linked roles
	CauseNeverMapped       = "never_mapped"            // nothing names it
	CauseAWSAuthDeleted    = "aws_auth_deleted"        // there is no aws-auth
	CauseCreatorNoAccess   = "creator_without_access"  // the cluster was made without an entry for its creator
	CausePrincipalNotThere = "principal_gone"          // IAM does not have it any more
)

// Explain says what the configuration holds for one principal, and why it is
// not let in: the causes below a denial of not being mapped, the surest first.
// at is when it was denied; zero: now. Errors are those of Access.
func (r *Reader) Explain(ctx context.Context, name string, p authlog.Principal, at time.Time) (*authlog.AccessVerdict, error) {
	a, err := r.Access(ctx, name)
	if err != nil {
		return nil, err
	}
	return r.explain(ctx, a, p, at), nil
}

// explain is Explain on what was read.
func (r *Reader) explain(ctx context.Context, a *authlog.Access, p authlog.Principal, at time.Time) *authlog.AccessVerdict {
	q := &question{a: a, p: p, at: at}
	q.auth = r.cluster(a.Cluster.Name).auth.snapshot(a)
	if r.cfg.IAM {
		// Errors are named by the next Access.
		q.who, _ = r.iam.find(ctx, p.ARN)
		q.roles, _ = r.iam.ssoRoles(ctx)
	}
	return q.ask()
}

// question is one principal and all that is known.
type question struct {
	a     *authlog.Access
	auth  *authSnapshot
	p     authlog.Principal
	at    time.Time
	who   person
	roles []person // of IAM Identity Center
	out   *authlog.AccessVerdict
}

// ask answers the question; without a time it is about now.
func (q *question) ask() *authlog.AccessVerdict {
	if q.at.IsZero() {
		q.at = time.Now()
	}
	q.out = &authlog.AccessVerdict{ARN: q.p.ARN, Causes: []authlog.Cause{}}
	q.answer()
	return q.out
}

func (q *question) cause(c authlog.Cause) { q.out.Causes = append(q.out.Causes, c) }

// answer goes through both mapping systems in the authenticator's order.
func (q *question) answer() {
	q.out.FullARN, q.out.Exists, q.out.Created = q.who.arn, q.who.exists, q.who.created
	if q.p.Benign || q.p.ARN == "" {
		return // EKS's own are not for us to map
	}
	if q.who.exists == authlog.No {
		q.cause(authlog.Cause{
			Code: CausePrincipalNotThere, Confidence: authlog.ConfidenceHigh, System: "iam",
			Why: "IAM has no role or user of this ARN any more; its sessions last until they expire.",
		})
	}
	q.impossible()
	if q.entries(); q.out.Mapped == "" {
		q.awsAuth()
	}
	if q.out.Mapped == "" {
		q.rest()
	}
}

// impossible names the principals that access entries do not take.
func (q *question) impossible() {
	kind, name := kindAndName(q.p.ARN)
	switch {
	case strings.HasPrefix(name, "AWSServiceRoleFor"):
		q.cause(authlog.Cause{
			Code: CauseServiceLinked, Confidence: authlog.ConfidenceCertain, System: q.system(),
			Why: "This is a service-linked role, and an access entry cannot be made for one. Its service has a way of its own, or aws-auth maps it, written without its path.",
		})
	case kind == "root" || kind == "federated-user":
		q.cause(authlog.Cause{
			Code: CauseEntryImpossible, Confidence: authlog.ConfidenceCertain, System: "iam",
			Why: "An access entry takes IAM roles and users only. Use a role.",
		})
	}
}

// system is where a mapping belongs.
func (q *question) system() string {
	if q.a.Mode == authlog.ModeConfigMap {
		return "aws_auth"
	}
	return "access_entry"
}

// entries looks for the principal's access entry, and for one that is nearly
// its.
func (q *question) entries() {
	if q.a.Mode == authlog.ModeConfigMap {
		return
	}
	for i := range q.a.Entries {
		e := &q.a.Entries[i]
		if strings.EqualFold(authlog.CanonicalARN(e.ARN), q.p.ARN) {
			q.entry(e)
			return
		}
	}
	for i := range q.a.Entries {
		e := &q.a.Entries[i]
		have := authlog.CanonicalARN(e.ARN)
		code, message, from, to := awsauth.Near(have, q.p.ARN)
		if code == "" {
			continue
		}
		if code != awsauth.CodeSSORotated {
			code = CauseEntryOther
		}
		q.cause(authlog.Cause{
			Code: code, Confidence: authlog.ConfidenceHigh, System: "access_entry",
			Why:  "There is an access entry of nearly this principal: " + message + ".",
			Near: near("access entry", have, q.p.ARN, from, to),
		})
	}
}

func near(where, have, want string, from, to awsauth.Span) *authlog.NearItem {
	return &authlog.NearItem{Where: where, Have: have, Want: want, HaveFrom: from.From, HaveTo: from.To, WantFrom: to.From, WantTo: to.To}
}

// entry judges the entry that has the principal's ARN. EKS keeps the unique id
// of the role or user with it and shows it to nobody (EKS API reference,
// AccessEntry.principalArn): an entry that is older than the role is of another
// role of that name.
func (q *question) entry(e *authlog.AccessEntry) {
	stale := authlog.Cause{
		Code: CauseEntryStale, System: "access_entry",
		Near: near("access entry", e.ARN, q.p.ARN, awsauth.Span{}, awsauth.Span{}),
	}
	switch {
	case !e.Created.IsZero() && !q.who.created.IsZero() && e.Created.Before(q.who.created):
		stale.Confidence = authlog.ConfidenceCertain
		stale.Why = fmt.Sprintf("The access entry was made on %s, before IAM made this principal on %s: it is of another one of that name. Delete the entry and make it anew.", day(e.Created), day(q.who.created))
		q.cause(stale)
	case q.who.created.IsZero() && !e.Created.IsZero() && e.Created.Before(q.at.Add(-time.Minute)):
		stale.Confidence = authlog.ConfidenceHigh
		stale.Why = fmt.Sprintf("There is an access entry of this principal, made on %s, and still it was denied: the role or user was made anew since. The creation date that IAM shows would settle it.", day(e.Created))
		q.cause(stale)
	default:
		q.out.Mapped, q.out.Username = "access_entry", e.Username
		if e.Type == "STANDARD" && q.p.Kind == authlog.PrincipalNode {
			q.cause(authlog.Cause{
				Code: CauseEntryStandard, Confidence: authlog.ConfidenceCertain, System: "access_entry", Near: stale.Near,
				Why: "The principal is a node and its access entry is of type STANDARD: the node gets in as somebody else and cannot register. Delete the entry and make it anew with the type of the node, such as EC2_LINUX.",
			})
		}
	}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// awsAuth looks for the principal's item, and for one that was meant for it.
func (q *question) awsAuth() {
	if !q.auth.known {
		return
	}
	m := &q.auth.report.Mappings
	match, ok := m.Map(q.p.ARN)
	if q.a.Mode == authlog.ModeAPI {
		q.ignored(ok)
		return
	}
	if ok {
		q.out.Mapped, q.out.Username = "aws_auth", match.Username
		q.out.Causes = []authlog.Cause{} // what entries lack does not matter
		return
	}
	if !q.auth.exists {
		q.cause(authlog.Cause{
			Code: CauseAWSAuthDeleted, Confidence: authlog.ConfidenceHigh, System: "aws_auth",
			Why: "There is no aws-auth in kube-system, so that nobody is let in by it.",
		})
		return
	}
	if n := q.auth.report.Nearest(q.p.ARN); n != nil {
		why := "aws-auth has an item that was meant for it: "
		if n.Corrected == "" {
			why = "aws-auth has an item that is nearly one for it, and may be somebody else's: "
		}
		q.cause(authlog.Cause{
			Code: n.Code, Confidence: confidence(n, q.p.ARN), System: "aws_auth", Corrected: n.Corrected,
			Why:  why + n.Message + ".",
			Near: near(where(n.Section, n.Item, n.Line, n.Column), n.ARN, q.p.ARN, n.Have, n.Want),
		})
		return
	}
	q.lostSection(m)
}

// confidence is certain where the item, once corrected, is the principal's. A
// good item of nearly the same name may be just that.
func confidence(n *awsauth.Nearest, arn string) authlog.Confidence {
	if n.Corrected == "" && !sameName(n.ARN, arn) {
		return authlog.ConfidenceMedium
	}
	switch n.Code {
	case awsauth.CodeBadARN, awsauth.CodeSSORotated, awsauth.CodeUserPath:
		return authlog.ConfidenceHigh
	}
	return authlog.ConfidenceCertain
}

// ignored tells of items that a cluster of mode API does not read.
func (q *question) ignored(matches bool) {
	if !matches && q.auth.report.Nearest(q.p.ARN) == nil {
		return
	}
	q.cause(authlog.Cause{
		Code: awsauth.CodeIgnored, Confidence: authlog.ConfidenceCertain, System: "access_entry",
		Why: "aws-auth has an item for it, and the cluster's authentication mode is API: aws-auth is not read. Make an access entry.",
	})
}

// lostSection names a whole section that was dropped, where no item of it
// could be made out.
func (q *question) lostSection(m *awsauth.Mappings) {
	kind, _ := kindAndName(q.p.ARN)
	for _, e := range m.Errors {
		if e.Kind == awsauth.ErrorItem || (e.Section == awsauth.MapUsers) != (kind == "user") {
			continue
		}
		q.cause(authlog.Cause{
			Code: awsauth.CodeNotYAML, Confidence: authlog.ConfidenceMedium, System: "aws_auth",
			Why: printable("Mappings of " + e.Section + " are dropped: " + e.Err.Error()),
		})
		return
	}
}

// rest is said where nothing else was found, or is left open.
func (q *question) rest() {
	if rotatedTo := q.newSuffix(); rotatedTo != "" {
		q.cause(authlog.Cause{
			Code: awsauth.CodeSSORotated, Confidence: authlog.ConfidenceHigh, System: "iam",
			Why: "The permission set was provisioned anew: its role is now " + rotatedTo + ". Sign in again.",
		})
	}
	if len(q.out.Causes) > 0 {
		return
	}
	if q.a.BootstrapAdmin == authlog.No && len(q.a.Entries) == 0 {
		q.cause(authlog.Cause{
			Code: CauseCreatorNoAccess, Confidence: authlog.ConfidenceLow, System: "access_entry",
			Why: "The cluster was made without an access entry for its creator, and there is none yet. If this is the creator, that is why.",
		})
	}
	switch {
	case q.a.EntriesRead.IsZero() || q.a.Mode == "":
		return // nothing can be said
	case q.a.Mode == authlog.ModeAPI:
		q.cause(authlog.Cause{
			Code: CauseEntryMissing, Confidence: authlog.ConfidenceCertain, System: "access_entry",
			Why: "There is no access entry of this principal, and the authentication mode is API.",
		})
	case q.auth.known:
		q.cause(authlog.Cause{
			Code: CauseNeverMapped, Confidence: authlog.ConfidenceCertain, System: q.system(),
			Why: "Nothing in the cluster names this principal now, neither an access entry nor aws-auth.",
		})
	default:
		q.cause(authlog.Cause{
			Code: CauseEntryMissing, Confidence: authlog.ConfidenceMedium, System: q.system(),
			Why: "There is no access entry of this principal; aws-auth could not be read.",
		})
	}
}

// newSuffix is the role that the permission set of a principal has now, where
// that is another one.
func (q *question) newSuffix() string {
	if q.roles == nil {
		return ""
	}
	code, now := rotated(q.p.ARN, q.a.Cluster.Account, q.roles)
	if code == "" {
		return ""
	}
	return now
}
