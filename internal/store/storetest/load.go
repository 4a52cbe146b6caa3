// Package storetest makes what tests and benchmarks put into a store. It must
// never be part of the program.
package storetest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A Load makes batches as a fleet's log does: few clusters, principals and
// reasons make most of the denials.
type Load struct {
	At   time.Time     // of the next line
	Step time.Duration // between two lines

	rand     *rand.Rand
	clusters []authlog.Cluster
	n        uint64
}

// NewLoad makes batches of so many clusters from a time on. Two loads made alike
// make the same batches.
func NewLoad(clusters int, from time.Time, step time.Duration) *Load {
	l := &Load{rand: rand.New(rand.NewPCG(1, 2)), At: from, Step: step}
	for i := range clusters {
		l.clusters = append(l.clusters, Cluster(i))
	}
	return l
}

// Cluster is the i-th cluster of a load, counted from 0; the first are those of
// most lines.
func Cluster(i int) authlog.Cluster {
	return authlog.Cluster{Name: fmt.Sprintf("cluster-%04d", i), Account: fmt.Sprintf("%012d", i%20), Region: "eu-central-1"}
}

// Role is the ARN of the i-th of 100 roles that a cluster denies; the first are
// denied most.
func Role(cluster, i int) string {
	return fmt.Sprintf("arn:aws:iam::%012d:role/some-team-role-%d-%d", cluster%20, cluster, i)
}

// Reasons are the codes of the denials, the frequent ones first.
func Reasons() []string {
	return []string{
		"arn_not_mapped", "sts_expired_credentials", "token_expired", "session_not_instance_id", "token_missing_prefix",
		"ec2_instance_not_found", "sts_throttled", "sts_invalid_client_token", "username_reserved_prefix", "unclassified",
	}
}

// few picks a number below n; small ones far more often than others.
func (l *Load) few(n int) int {
	f := l.rand.Float64()
	return int(f * f * f * float64(n))
}

func (l *Load) denial(key authlog.Key) authlog.Denial {
	reasons := Reasons()
	c, reason := l.few(len(l.clusters)), reasons[l.few(len(reasons))]
	d := authlog.Denial{
		ID: authlog.NewID(l.At.Truncate(time.Second), key), Cluster: l.clusters[c], Time: l.At.Truncate(time.Second),
		Stream: fmt.Sprintf("authenticator-%032x", c*2+l.rand.IntN(2)), Reason: reason, STSEndpoint: "sts.eu-central-1.amazonaws.com",
		Client: fmt.Sprintf("127.0.0.1:%d", 30000+l.rand.IntN(9999)), Error: "what the authenticator says of " + reason,
	}
	if !strings.HasPrefix(reason, "token") && !strings.HasPrefix(reason, "sts") {
		d.Principal = &authlog.Principal{
			ARN:  Role(c, l.few(100)),
			Kind: authlog.PrincipalRole, Account: fmt.Sprintf("%012d", c%20), UserID: "AROAEXAMPLEEXAMPLE123", Session: "session",
		}
	}
	d.Raw = fmt.Sprintf("time=%q level=warning msg=%q arn=%q client=%q error=%q method=POST path=/authenticate",
		l.At.Format(time.RFC3339), "access denied", "", d.Client, d.Error)
	return d
}

func (l *Load) grant() authlog.Grant {
	c, p := l.few(len(l.clusters)), l.few(100)
	return authlog.Grant{
		Cluster: l.clusters[c], Time: l.At.Truncate(time.Second), Username: fmt.Sprintf("user-%d", p), Groups: "[system:masters dev]",
		Principal: authlog.Principal{
			ARN:  fmt.Sprintf("arn:aws:iam::%012d:role/working-role-%d", c%20, p),
			Kind: authlog.PrincipalRole, UserID: fmt.Sprintf("AROA%017d", p),
		},
	}
}

// Batch makes a batch of so many lines, of which denied in 100 are denials and
// the others grants.
func (l *Load) Batch(lines, denied int) (b authlog.Batch) {
	seen := map[authlog.Cluster]map[int64][]authlog.Key{}
	for range lines {
		var key authlog.Key
		binary.BigEndian.PutUint64(key[:], l.rand.Uint64())
		l.n++
		binary.BigEndian.PutUint64(key[8:], l.n)
		var c authlog.Cluster
		if l.rand.IntN(100) < denied {
			b.Denials = append(b.Denials, l.denial(key))
			c = b.Denials[len(b.Denials)-1].Cluster
		} else {
			b.Grants = append(b.Grants, l.grant())
			c = b.Grants[len(b.Grants)-1].Cluster
		}
		if seen[c] == nil {
			seen[c] = map[int64][]authlog.Key{}
		}
		seen[c][l.At.Unix()/60] = append(seen[c][l.At.Unix()/60], key)
		l.At = l.At.Add(l.Step)
	}
	for c, minutes := range seen {
		for m, keys := range minutes {
			slices.SortFunc(keys, func(a, b authlog.Key) int { return slices.Compare(a[:], b[:]) })
			b.Seen = append(b.Seen, authlog.Seen{Cluster: c, Minute: m, Keys: keys})
		}
		b.Cursors = append(b.Cursors, authlog.Cursor{Cluster: c, Watermark: l.At, Through: l.At, Streams: []string{"a", "b"}})
	}
	return b
}

// Lockout makes the i-th open diagnosis of a load, about the i-th role of a
// cluster.
func (l *Load) Lockout(cluster, i int) authlog.Diagnosis {
	c, role := Cluster(cluster), Role(cluster, i)
	first := l.At.Add(-time.Duration(i+1) * time.Minute).Truncate(time.Second)
	return authlog.Diagnosis{
		ID: authlog.DiagnosisID(c, "never_mapped", role), Code: "never_mapped", Subject: role, Cluster: c,
		Severity: authlog.SeverityWarning, Confidence: authlog.ConfidenceHigh, State: authlog.DiagnosisOpen,
		Summary: "The role is denied and was never let in.", FirstSeen: first, LastSeen: l.At.Truncate(time.Second), Count: 100,
		Affected:      []authlog.Affected{{ARN: role, Kind: authlog.PrincipalRole, Account: c.Account, Count: 100, FirstSeen: first, LastSeen: first}},
		AffectedTotal: 1,
		Evidence:      []authlog.Evidence{{Time: first, What: "the first denial"}},
		Remedies: []authlog.Remedy{{
			Key: "create_access_entry", Title: "Give it an access entry", Who: "cluster_admin",
			Steps: []authlog.Step{{Do: "Make the entry.", Command: "aws eks create-access-entry --cluster-name " + c.Name + " --principal-arn " + role}},
		}},
		Docs: []string{"https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html"},
	}
}
