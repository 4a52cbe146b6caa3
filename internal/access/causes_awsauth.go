package access

import (
	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// awsAuth looks for the principal's item, and for one that was meant for it.
func (q *question) awsAuth() {
	if !q.auth.known {
		return
	}
	m := &q.auth.report.Mappings
	match, ok := m.Map(q.p.ARN)
	switch {
	case q.a.Mode == authlog.ModeAPI:
		q.ignored(ok)
	case ok && q.a.Mode == "":
		q.open = true
		q.cause(authlog.Cause{
			Code: awsauth.CodeIgnored, Confidence: authlog.ConfidenceMedium, System: "access_entry",
			Why: "aws-auth has an item for it, which was added after the denial, or the cluster's authentication mode is API, in which aws-auth is not read. eks:DescribeCluster would tell.",
		})
	case ok && !q.auth.since(q.at):
		q.open = true // it was denied after that was read: the item is another by now
	case ok:
		q.out.Mapped, q.out.Username = "aws_auth", match.Username
		q.out.Causes = []authlog.Cause{} // what entries lack does not matter
	case !q.auth.exists:
		q.noAWSAuth()
	default:
		q.nearestItem(m)
	}
}

// noAWSAuth tells that it is missing, where the cluster had one or needs one:
// access entries alone let people in otherwise.
func (q *question) noAWSAuth() {
	if q.a.Mode != authlog.ModeConfigMap && !q.auth.seen {
		return
	}
	q.cause(authlog.Cause{
		Code: CauseAWSAuthDeleted, Confidence: q.atMost(authlog.ConfidenceHigh), System: "aws_auth",
		Why: "There is no aws-auth in kube-system, so that nobody is let in by it.",
	})
}

// nearestItem shows the item that was meant for the principal, or is most like
// one for it.
func (q *question) nearestItem(m *awsauth.Mappings) {
	n := q.auth.report.Nearest(q.p.ARN)
	if n == nil {
		q.lostSection(m)
		return
	}
	why := "aws-auth has an item that was meant for it: "
	if n.Corrected == "" {
		why = "aws-auth has an item that is nearly one for it, and may be somebody else's: "
	}
	q.cause(authlog.Cause{
		Code: n.Code, Confidence: q.atMost(confidence(n, q.p.ARN)), System: "aws_auth", Corrected: n.Corrected,
		Why:  why + n.Message + "." + q.asRead(),
		Near: near(where(n.Section, n.Item, n.Line, n.Column), n.ARN, q.p.ARN, n.Have, n.Want),
	})
}

// atMost is c, or less where aws-auth may be another one by now, or may not be
// in force.
func (q *question) atMost(c authlog.Confidence) authlog.Confidence {
	if (q.auth.failed || q.a.Mode == "") && c.Rank() > authlog.ConfidenceMedium.Rank() {
		return authlog.ConfidenceMedium
	}
	return c
}

// asRead says of when that is, where it is not of now.
func (q *question) asRead() string {
	if !q.auth.failed {
		return ""
	}
	return " That is as it was read on " + day(q.auth.at) + "; it cannot be read now."
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
		q.open = true // who stands in it cannot be told
		q.cause(authlog.Cause{
			Code: awsauth.CodeNotYAML, Confidence: authlog.ConfidenceMedium, System: "aws_auth",
			Why: printable("Mappings of " + e.Section + " are dropped: " + e.Err.Error()),
		})
		return
	}
}
