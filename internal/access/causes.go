package access

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	if !r.cfg.IAM {
		return q.ask()
	}
	// Errors are named by the next Access.
	q.who, _ = r.iam.find(ctx, p.ARN)
	q.roles, _ = r.iam.ssoRoles(ctx, time.Time{})
	q.gone = func(arn string) bool {
		who, _ := r.iam.find(ctx, arn)
		return who.exists == authlog.No
	}
	v := q.ask()
	// What IAM said before the denial does not explain it where it says that the
	// entry is right.
	if q.who.at.Before(at) && v.Mapped == "access_entry" {
		q.who, _ = r.iam.findSince(ctx, p.ARN, at)
		v = q.ask()
	}
	if q.rolesDiffer() {
		q.roles, _ = r.iam.ssoRoles(ctx, q.who.at)
		v = q.ask()
	}
	return v
}

// rolesDiffer says whether the list of the roles of IAM Identity Center is at
// odds with what IAM says of the principal: it is an older one.
func (q *question) rolesDiffer() bool {
	if q.who.exists == "" || permissionSet(q.p.ARN) == "" {
		return false
	}
	listed := slices.ContainsFunc(q.roles, func(p person) bool { return strings.EqualFold(authlog.CanonicalARN(p.arn), q.p.ARN) })
	return listed != (q.who.exists == authlog.Yes)
}

// question is one principal and all that is known.
type question struct {
	a     *authlog.Access
	auth  *authSnapshot
	p     authlog.Principal
	at    time.Time // when it was denied; zero: now
	who   person
	roles []person              // of IAM Identity Center
	gone  func(arn string) bool // whether IAM has no such role or user; nil: it is not asked
	out   *authlog.AccessVerdict
	// open says that the principal may be named all the same, so that no more
	// can be said.
	open bool
}

// ask answers the question, the surest cause first.
func (q *question) ask() *authlog.AccessVerdict {
	q.out, q.open = &authlog.AccessVerdict{ARN: q.p.ARN, Causes: []authlog.Cause{}}, false
	q.answer()
	slices.SortStableFunc(q.out.Causes, func(x, y authlog.Cause) int {
		return cmp.Compare(y.Confidence.Rank(), x.Confidence.Rank())
	})
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
	q.nearestEntry()
}

// nearestEntry shows the entry that is most like one of the principal. One of
// another name may be just what it says, unless nobody has that name.
func (q *question) nearestEntry() {
	have := make([]string, len(q.a.Entries))
	for i := range q.a.Entries {
		have[i] = authlog.CanonicalARN(q.a.Entries[i].ARN)
	}
	i, code, message, from, to := awsauth.Near(have, q.p.ARN)
	if i < 0 {
		return
	}
	c := authlog.Cause{
		Code: code, Confidence: authlog.ConfidenceHigh, System: "access_entry",
		Why:  "There is an access entry of nearly this principal: " + message + ".",
		Near: near("access entry", have[i], q.p.ARN, from, to),
	}
	if code != awsauth.CodeSSORotated {
		c.Code = CauseEntryOther
		if !sameName(have[i], q.p.ARN) && (q.gone == nil || !q.gone(have[i])) {
			c.Confidence = authlog.ConfidenceMedium
		}
	}
	q.cause(c)
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
	at := q.at
	if at.IsZero() {
		at = time.Now()
	}
	switch {
	case e.Created.IsZero():
		q.open, stale.Confidence = true, authlog.ConfidenceLow
		stale.Why = "There is an access entry of this principal: it was made after the denial, or is of another role or user of that name. eks:DescribeAccessEntry would tell."
		q.cause(stale)
	case !q.who.created.IsZero() && e.Created.Before(q.who.created):
		stale.Confidence = authlog.ConfidenceCertain
		stale.Why = fmt.Sprintf("The access entry was made on %s, before IAM made this principal on %s: it is of another one of that name. Delete the entry and make it anew.", day(e.Created), day(q.who.created))
		q.cause(stale)
	case q.who.created.IsZero() && e.Created.Before(at.Add(-time.Minute)):
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

// rest is said where nothing was found that is surer, or is left open.
func (q *question) rest() {
	if q.open {
		return
	}
	if rotatedTo := q.newSuffix(); rotatedTo != "" {
		q.cause(authlog.Cause{
			Code: awsauth.CodeSSORotated, Confidence: authlog.ConfidenceHigh, System: "iam",
			Why: "The permission set was provisioned anew: its role is now " + rotatedTo + ". Sign in again.",
		})
	}
	if slices.ContainsFunc(q.out.Causes, func(c authlog.Cause) bool { return c.Confidence.Rank() >= authlog.ConfidenceHigh.Rank() }) {
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
			Code: CauseNeverMapped, Confidence: q.atMost(authlog.ConfidenceCertain), System: q.system(),
			Why: "Nothing in the cluster names this principal now, neither an access entry nor aws-auth." + q.asRead(),
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
	if q.roles == nil || q.who.exists == authlog.Yes {
		return ""
	}
	code, now := rotated(q.p.ARN, q.a.Cluster.Account, q.roles)
	if code == "" {
		return ""
	}
	return now
}
