package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// compose joins what EKS said with aws-auth as it is now. c.mu is held.
func (r *Reader) compose(ctx context.Context, c *cluster) *authlog.Access {
	a := *c.read
	a.Missing, a.Problems = slices.Clone(a.Missing), slices.Clone(a.Problems)
	a.Entries = some(a.Entries)
	s := c.auth.snapshot(&a)
	if s.err != nil {
		if refused, ok := errors.AsType[*authlog.AccessError](s.err); ok {
			a.Missing = append(a.Missing, missing(refused))
		} else {
			a.Problems = append(a.Problems, printable(s.err.Error()))
		}
	}
	if s.known {
		a.AWSAuth = s.show(&a)
		a.Broken = append(a.Broken, s.faults(&a)...)
	}
	a.Broken = append(a.Broken, entryFaults(&a)...)
	a.Broken = append(a.Broken, r.goneRoles(ctx, &a)...)
	r.nameIAM(ctx, &a)
	slices.SortStableFunc(a.Broken, func(x, y authlog.AccessFault) int { return cmp.Compare(rank(x.Severity), rank(y.Severity)) })
	a.Tier = r.tier(&a, s.known && s.err == nil)
	a.Broken, a.Missing, a.Problems = some(a.Broken), some(a.Missing), some(a.Problems)
	return &a
}

// some is the list, or an empty one for none.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func rank(severity string) int {
	return slices.Index([]string{"error", "warning", "info"}, severity)
}

// tier is the highest one that was answered whole, with those below it.
func (r *Reader) tier(a *authlog.Access, awsAuth bool) int {
	lowest := 4
	for _, m := range a.Missing {
		lowest = min(lowest, m.Tier)
	}
	switch {
	case a.Mode == "" || a.EntriesRead.IsZero() || lowest == 1:
		return 0
	case !awsAuth || lowest == 2:
		return 1
	case !r.cfg.IAM || lowest == 3 || !r.iam.answered():
		return 2
	}
	return 3
}

// nameIAM names the calls to IAM that did not work. Whom they asked for is left
// out: all clusters of the account share them, and who may see this one may not
// see the cluster that denied that principal.
func (r *Reader) nameIAM(ctx context.Context, a *authlog.Access) {
	r.iam.retry(ctx)
	fails := r.iam.failures()
	for _, action := range slices.Sorted(maps.Keys(fails)) {
		err := fails[action]
		if refused(err) {
			why, _, _ := strings.Cut(err.Error(), " on resource:")
			a.Missing = append(a.Missing, missing(&authlog.AccessError{Action: action, Err: errors.New(why)}))
			continue
		}
		a.Problems = append(a.Problems, printable(action+": "+cmp.Or(code(err), err.Error())))
	}
}

// authSnapshot is a copy of an authState to read from.
type authSnapshot struct {
	known, exists bool
	seen          bool // there was one at some time
	watching      bool // data is what stands there now
	failed        bool // the last reading did
	data          map[string]string
	source        string
	at            time.Time
	err           error
	report        *awsauth.Report // nil where nothing is known
}

// since says whether it is known how aws-auth was at that time or is later.
func (s *authSnapshot) since(at time.Time) bool {
	return !s.failed && (s.watching || !s.at.Before(at))
}

// about is what a report depends on beside the data.
type about struct{ mode, account, partition string }

func (s *authState) snapshot(a *authlog.Access) *authSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &authSnapshot{
		known: s.known, exists: s.exists, seen: s.seen, watching: s.watching, failed: s.err != nil, data: s.data,
		source: s.source, at: s.at, err: cmp.Or(s.err, s.refused),
	}
	if !s.known {
		return out
	}
	o := Options(a)
	if key := (about{o.Mode, o.Account, o.Partition}); s.report == nil || s.about != key {
		s.report, s.about = awsauth.LintData(s.data, o), key
	}
	out.report = s.report
	return out
}

// show gives the items that the authenticator keeps.
func (s *authSnapshot) show(a *authlog.Access) *authlog.AWSAuth {
	m := &s.report.Mappings
	out := &authlog.AWSAuth{
		Read: s.at, Exists: s.exists, Source: s.source, Ignored: a.Mode == authlog.ModeAPI,
		Roles: []authlog.AWSAuthItem{}, Users: []authlog.AWSAuthItem{}, Accounts: []string{},
	}
	entries := map[string]bool{}
	for _, e := range a.Entries {
		entries[strings.ToLower(authlog.CanonicalARN(e.ARN))] = true
	}
	item := func(arn, username string, groups []string) authlog.AWSAuthItem {
		it := authlog.AWSAuthItem{ARN: printable(arn), Username: printable(username), Groups: []string{}, Overridden: entries[strings.ToLower(arn)]}
		for _, g := range groups {
			it.Groups = append(it.Groups, printable(g))
		}
		return it
	}
	for _, role := range m.Roles {
		arn := role.ARN
		if role.SSO != nil {
			arn = "sso " + role.SSO.AccountID + " " + role.SSO.PermissionSetName
		}
		out.Roles = append(out.Roles, item(arn, role.Username, role.Groups))
	}
	for _, user := range m.Users {
		out.Users = append(out.Users, item(user.ARN, user.Username, user.Groups))
	}
	for _, account := range m.Accounts {
		out.Accounts = append(out.Accounts, printable(account))
	}
	return out
}

// faults are what the linter finds, notes left out.
func (s *authSnapshot) faults(a *authlog.Access) []authlog.AccessFault {
	if !s.exists {
		// A cluster of access entries needs none.
		if a.Mode != authlog.ModeConfigMap && (a.Mode != authlog.ModeBoth || !s.seen) {
			return nil
		}
		f := authlog.AccessFault{
			Code: "aws_auth_deleted", Severity: "error", Where: "aws-auth", Message: "there is no aws-auth in kube-system",
			Effect: "who came in by it is locked out, nodes included",
		}
		if a.Mode == authlog.ModeBoth {
			f.Severity = "warning" // access entries may cover everybody
		}
		return []authlog.AccessFault{f}
	}
	var out []authlog.AccessFault
	for _, f := range s.report.Findings {
		if f.Severity == awsauth.SeverityInfo || f.Code == awsauth.CodeIgnored && len(s.data) == 0 {
			continue
		}
		out = append(out, authlog.AccessFault{
			Code: f.Code, Severity: f.Severity.String(), Where: where(f.Section, f.Item, f.Line, f.Column),
			Message: f.Message, Effect: f.Effect, Corrected: f.Corrected,
		})
	}
	return out
}

// where words a place in aws-auth.
func where(section string, item, line, column int) string {
	switch {
	case section == "":
		return "aws-auth"
	case item < 0:
		return fmt.Sprintf("aws-auth %s line %d:%d", printable(section), line, column)
	}
	return fmt.Sprintf("aws-auth %s item %d, line %d:%d", section, item+1, line, column)
}

// entryFaults finds entries that let somebody in who may then do nothing.
func entryFaults(a *authlog.Access) []authlog.AccessFault {
	var out []authlog.AccessFault
	for _, e := range a.Entries {
		if e.Type == "STANDARD" && e.Policies != nil && len(e.Policies)+len(e.Groups) == 0 {
			out = append(out, authlog.AccessFault{
				Code: "entry_without_rights", Severity: "warning", Where: "access entry " + e.ARN,
				Message: "the entry has neither an access policy nor a group",
				Effect:  "the principal gets in and may do nothing: 403 Forbidden, which is no denial of the authenticator",
			})
		}
	}
	return out
}

// goneRoles finds what names a role of IAM Identity Center that is no more,
// because its permission set was provisioned anew.
func (r *Reader) goneRoles(ctx context.Context, a *authlog.Access) []authlog.AccessFault {
	if !r.cfg.IAM {
		return nil
	}
	var made time.Time // what names them, at the latest
	for _, e := range a.Entries {
		if permissionSet(e.ARN) != "" && e.Created.After(made) {
			made = e.Created
		}
	}
	if a.AWSAuth != nil && a.AWSAuth.Read.After(made) && slices.ContainsFunc(a.AWSAuth.Roles, func(it authlog.AWSAuthItem) bool { return permissionSet(it.ARN) != "" }) {
		made = a.AWSAuth.Read
	}
	roles, err := r.iam.ssoRoles(ctx, made)
	if err != nil {
		return nil // named by nameIAM
	}
	var out []authlog.AccessFault
	check := func(arn, where string) {
		code, now := rotated(arn, a.Cluster.Account, roles)
		if code == "" {
			return
		}
		f := authlog.AccessFault{
			Code: code, Severity: "warning", Where: where, Message: printable(arn) + " does not exist any more",
			Effect: "nobody comes in by it",
		}
		if now != "" {
			f.Effect += ": the role of that permission set is now " + now
			f.Corrected = now
		}
		out = append(out, f)
	}
	for _, e := range a.Entries {
		check(authlog.CanonicalARN(e.ARN), "access entry "+e.ARN)
	}
	if a.AWSAuth != nil && !a.AWSAuth.Ignored {
		for i, it := range a.AWSAuth.Roles {
			check(it.ARN, fmt.Sprintf("aws-auth mapRoles, mapping %d", i+1))
		}
	}
	return out
}

// rotated says whether a canonical ARN is a role of IAM Identity Center that
// is not among the roles, and which one is now in its place.
func rotated(arn, account string, roles []person) (code, now string) {
	set := permissionSet(arn)
	if set == "" || accountOf(arn) != account {
		return "", ""
	}
	var made time.Time
	for _, p := range roles {
		role := authlog.CanonicalARN(p.arn)
		switch {
		case strings.EqualFold(role, arn):
			return "", ""
		case permissionSet(role) == set && !p.created.Before(made):
			now, made = role, p.created
		}
	}
	return awsauth.CodeSSORotated, now
}
