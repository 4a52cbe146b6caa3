package access

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// reading is one reading of a cluster under way.
type reading struct {
	r      *Reader
	c      *cluster
	out    *authlog.Access
	failed bool             // a call failed that was not refused
	broken map[string]error // calls on entries that are not to be tried again, by action
}

// read asks EKS, Kubernetes and IAM. What a call to EKS that failed would tell is
// that of the last reading, and the next one comes sooner; what may not be read is
// not known. c.mu is held.
func (r *Reader) read(ctx context.Context, c *cluster) error {
	rd := &reading{r: r, c: c, broken: map[string]error{}, out: &authlog.Access{
		Cluster: authlog.Cluster{Name: c.name, Account: r.cfg.Account, Region: r.cfg.AWS.Region},
		Read:    time.Now().UTC(),
	}}
	if err := rd.describe(ctx); err != nil {
		return err
	}
	rd.entries(ctx)
	rd.creator(ctx)
	r.connect(c, rd.out.Endpoint, c.ca)
	r.readAWSAuth(ctx, c)
	if err := ctx.Err(); err != nil {
		return err
	}
	c.read, c.due = rd.out, rd.out.Read.Add(r.cfg.ttl())
	if rd.failed {
		c.due = rd.out.Read.Add(r.cfg.soon())
	}
	return nil
}

// note names a call that did not work.
func (rd *reading) note(action string, err error) {
	if refused(err) {
		rd.out.Missing = append(rd.out.Missing, missing(accessError(action, err)))
		return
	}
	rd.failed = true
	rd.out.Problems = append(rd.out.Problems, printable(action+": "+err.Error()))
}

func missing(e *authlog.AccessError) authlog.MissingPermission {
	return authlog.MissingPermission{Action: e.Action, Resource: printable(e.Resource), Tier: tierOf(e.Action), Detail: printable(e.Err.Error())}
}

// describe is eks:DescribeCluster. Its error is that the cluster is gone.
func (rd *reading) describe(ctx context.Context) error {
	in := &eks.DescribeClusterInput{Name: aws.String(rd.c.name)}
	out, err := call(ctx, rd.r.limit, func(ctx context.Context) (*eks.DescribeClusterOutput, error) {
		return rd.r.eks.DescribeCluster(ctx, in)
	})
	switch {
	case err == nil && out.Cluster != nil:
		rd.described(out.Cluster)
	case err == nil:
	case absent(err):
		return fmt.Errorf("describe cluster %s: %w", rd.c.name, authlog.ErrNotFound)
	default:
		rd.note(actionDescribeCluster, err)
		if was := rd.c.read; was != nil && !refused(err) {
			a := rd.out
			a.Status, a.Version, a.PlatformVersion, a.Created = was.Status, was.Version, was.PlatformVersion, was.Created
			a.Endpoint, a.RoleARN, a.Mode, a.Logging, a.BootstrapAdmin = was.Endpoint, was.RoleARN, was.Mode, was.Logging, was.BootstrapAdmin
		}
	}
	return nil
}

func (rd *reading) described(cl *types.Cluster) {
	a := rd.out
	a.Status, a.Version, a.PlatformVersion = string(cl.Status), aws.ToString(cl.Version), aws.ToString(cl.PlatformVersion)
	a.Created, a.Endpoint, a.RoleARN = utc(cl.CreatedAt), aws.ToString(cl.Endpoint), aws.ToString(cl.RoleArn)
	a.Logging = logging(cl.Logging)
	if cl.AccessConfig != nil {
		a.Mode = authlog.AuthMode(cl.AccessConfig.AuthenticationMode)
		a.BootstrapAdmin = answer(cl.AccessConfig.BootstrapClusterCreatorAdminPermissions)
	}
	if c := rd.c; !c.created.Equal(a.Created) { // another cluster of that name
		c.created, c.read, c.details = a.Created, nil, map[string]entryAt{}
	}
	rd.c.ca = nil
	if cl.CertificateAuthority != nil {
		ca, err := base64.StdEncoding.DecodeString(aws.ToString(cl.CertificateAuthority.Data))
		if err != nil {
			rd.note(actionDescribeCluster, err)
		}
		rd.c.ca = ca
	}
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func answer(b *bool) authlog.Answer {
	switch {
	case b == nil:
		return ""
	case *b:
		return authlog.Yes
	}
	return authlog.No
}

// logging says whether the authenticator's log is among the enabled types.
func logging(l *types.Logging) authlog.Answer {
	if l == nil {
		return ""
	}
	for _, setup := range l.ClusterLogging {
		if aws.ToBool(setup.Enabled) && slices.Contains(setup.Types, types.LogTypeAuthenticator) {
			return authlog.Yes
		}
	}
	return authlog.No
}

// entries lists the access entries and reads the details that are not known.
func (rd *reading) entries(ctx context.Context) {
	arns, err := rd.list(ctx)
	if err != nil && wrongMode(err) {
		rd.out.Mode, rd.out.EntriesRead = authlog.ModeConfigMap, rd.out.Read
		return
	}
	if err != nil {
		rd.note(actionListEntries, err)
		if was := rd.c.read; was != nil && !refused(err) {
			rd.out.Entries, rd.out.EntriesRead = was.Entries, was.EntriesRead
		}
		return
	}
	rd.out.EntriesRead = rd.out.Read
	slices.Sort(arns)
	kept := map[string]entryAt{}
	for _, arn := range arns {
		e, there := rd.c.details[arn], true
		if time.Since(e.at) >= rd.r.cfg.detailTTL(&e.entry) {
			e, there = rd.detail(ctx, arn, &e.entry)
		}
		if there {
			kept[arn] = e
			rd.out.Entries = append(rd.out.Entries, e.entry)
		}
	}
	rd.c.details = kept
}

// list is eks:ListAccessEntries.
func (rd *reading) list(ctx context.Context) ([]string, error) {
	if rd.out.Mode == authlog.ModeConfigMap {
		return nil, nil // EKS would refuse
	}
	var arns []string
	pages := eks.NewListAccessEntriesPaginator(rd.r.eks, &eks.ListAccessEntriesInput{ClusterName: aws.String(rd.c.name)})
	for pages.HasMorePages() {
		page, err := call(ctx, rd.r.limit, func(ctx context.Context) (*eks.ListAccessEntriesOutput, error) { return pages.NextPage(ctx) })
		if err != nil {
			return nil, err
		}
		arns = append(arns, page.AccessEntries...)
	}
	return arns, nil
}

// detail is eks:DescribeAccessEntry and eks:ListAssociatedAccessPolicies of one
// entry; there is false when it was deleted since it was listed. Details that
// could not be read whole have no time and are asked for again by the next
// reading; what a call that failed would tell is as it was.
func (rd *reading) detail(ctx context.Context, arn string, was *authlog.AccessEntry) (e entryAt, there bool) {
	e = entryAt{entry: authlog.AccessEntry{ARN: arn}, at: rd.out.Read} // or it would be too young when the next reading is due
	out, err := try(rd, actionDescribeEntry, func() (*types.AccessEntry, error) { return rd.describeEntry(ctx, arn) })
	switch {
	case err == nil && out != nil:
		e.entry.Type, e.entry.Username, e.entry.Groups = aws.ToString(out.Type), aws.ToString(out.Username), out.KubernetesGroups
		e.entry.Created, e.entry.Modified = utc(out.CreatedAt), utc(out.ModifiedAt)
	case err != nil && absent(err):
		return e, false
	default:
		e.at = time.Time{}
		if err != nil && !refused(err) {
			e.entry = *was
			e.entry.ARN, e.entry.Policies = arn, nil
		}
	}
	e.entry.Policies, err = try(rd, actionListPolicies, func() ([]authlog.AccessPolicy, error) { return rd.policies(ctx, arn) })
	switch {
	case err == nil:
	case absent(err):
		return e, false
	default:
		e.at = time.Time{}
		if !refused(err) {
			e.entry.Policies = was.Policies
		}
	}
	return e, true
}

// try makes a call on an entry, unless one of its kind did not work in this
// reading: it would not for the other entries either.
func try[T any](rd *reading, action string, do func() (T, error)) (out T, err error) {
	if err = rd.broken[action]; err != nil {
		return out, err
	}
	if out, err = do(); err != nil && !absent(err) {
		rd.broken[action] = err
		rd.note(action, err)
	}
	return out, err
}

func (rd *reading) describeEntry(ctx context.Context, arn string) (*types.AccessEntry, error) {
	in := &eks.DescribeAccessEntryInput{ClusterName: aws.String(rd.c.name), PrincipalArn: aws.String(arn)}
	out, err := call(ctx, rd.r.limit, func(ctx context.Context) (*eks.DescribeAccessEntryOutput, error) {
		return rd.r.eks.DescribeAccessEntry(ctx, in)
	})
	if err != nil {
		return nil, err
	}
	return out.AccessEntry, nil
}

func (rd *reading) policies(ctx context.Context, arn string) ([]authlog.AccessPolicy, error) {
	policies := []authlog.AccessPolicy{}
	in := &eks.ListAssociatedAccessPoliciesInput{ClusterName: aws.String(rd.c.name), PrincipalArn: aws.String(arn)}
	pages := eks.NewListAssociatedAccessPoliciesPaginator(rd.r.eks, in)
	for pages.HasMorePages() {
		page, err := call(ctx, rd.r.limit, func(ctx context.Context) (*eks.ListAssociatedAccessPoliciesOutput, error) { return pages.NextPage(ctx) })
		if err != nil {
			return nil, err
		}
		for _, p := range page.AssociatedAccessPolicies {
			policy := authlog.AccessPolicy{ARN: aws.ToString(p.PolicyArn)}
			if p.AccessScope != nil {
				policy.Scope, policy.Namespaces = string(p.AccessScope.Type), p.AccessScope.Namespaces
			}
			policies = append(policies, policy)
		}
	}
	return policies, nil
}

// creatorWithin is how far the creator's entry may be from the cluster's
// creation: EKS makes it while it makes the cluster.
const creatorWithin = 30 * time.Minute

// creator finds the entry that EKS made for whoever made the cluster: an
// administrator's, as old as the cluster. Where IAM may be asked it says
// whether the principal is still there.
func (rd *reading) creator(ctx context.Context) {
	a := rd.out
	for i := range a.Entries {
		e := &a.Entries[i]
		admin := slices.ContainsFunc(e.Policies, func(p authlog.AccessPolicy) bool {
			return strings.HasSuffix(p.ARN, "/AmazonEKSClusterAdminPolicy") && p.Scope == "cluster"
		})
		if !admin || a.Created.IsZero() || e.Created.IsZero() || e.Created.Sub(a.Created).Abs() > creatorWithin || a.BootstrapAdmin == authlog.No {
			continue
		}
		if a.Creator.ARN != "" { // two of them: neither is proven
			a.Creator = authlog.Creator{}
			return
		}
		a.Creator = authlog.Creator{ARN: authlog.CanonicalARN(e.ARN), Source: "access entry made with the cluster"}
	}
	if a.Creator.ARN == "" || !rd.r.cfg.IAM {
		return
	}
	who, _ := rd.r.iam.find(ctx, a.Creator.ARN) // an error is named by compose
	a.Creator.Exists = who.exists
}
