package diagnose_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A world makes random findings of a few principals, so that they meet.
type world struct {
	*rand.Rand
	in  *incident
	seq byte
}

var worldARNs = []string{
	"arn:aws:iam::111122223333:role/Dev",
	"arn:aws:iam::111122223333:role/Ops",
	"arn:aws:iam::111122223333:user/devs/alice",
	"arn:aws:iam::111122223333:role/NodeRole",
	"arn:aws:iam::111122223333:role/OtherNodeRole",
	"arn:aws:iam::111122223333:role/AWSReservedSSO_Dev_0123456789abcdef",
	"arn:aws:iam::111122223333:role/AWSReservedSSO_Dev_aaaaaaaaaaaaaaaa",
	"arn:aws:iam::999988887777:role/Foreign",
	"arn:aws:iam::111122223333:root",
}

var worldSessions = []string{"", "alice@example.com", "bob", "i-0123456789abcdef0", "i-0aaaaaaaaaaaaaaa1", "fargate-ip-10-0-0-1"}

var worldUnknown = []struct{ reason, text string }{
	{"token_missing_prefix", "input token was not properly formatted: token is missing expected \"k8s-aws-v1.\" prefix"},
	{"token_expired", "input token was not properly formatted: X-Amz-Date parameter is expired (15 minute expiration) 2026-11-23 10:%02d:00 +0000 UTC"},
	{"token_bad_base64", "input token was not properly formatted: illegal base64 data at input byte 3"},
	{"sts_invalid_client_token", `sts getCallerIdentity failed: error from AWS (expected 200, got 403) on global endpoint. Body: {"Error":{"Code":"InvalidClientTokenId","Message":"x"}}`},
	{"sts_expired_credentials", `sts getCallerIdentity failed: error from AWS (expected 200, got 403) on eu-central-1 endpoint. Body: {"Error":{"Code":"ExpiredToken","Message":"x"}}`},
	{"sts_timeout", "sts getCallerIdentity failed: error during GET: context deadline exceeded on eu-central-1 endpoint"},
	{"sts_throttled", `sts getCallerIdentity was throttled: {"Error":{"Code":"Throttling","Message":"Rate exceeded"}}`},
	{"sts_signature_mismatch", `sts getCallerIdentity failed: error from AWS (expected 200, got 403) on eu-central-1 endpoint. Body: {"Error":{"Code":"SignatureDoesNotMatch","Message":"The request signature we calculated does not match"}}`},
}

func (w *world) finding(at time.Time) finding {
	w.seq++
	id := authlog.NewID(at, authlog.Key{byte(w.IntN(256)), byte(w.IntN(256)), byte(w.IntN(256)), w.seq})
	p := rules.PrincipalOf(worldARNs[w.IntN(len(worldARNs))], worldSessions[w.IntN(len(worldSessions))])
	p.UserID = []string{"", "AROAONE", "AROATWO"}[w.IntN(3)]
	raw := fmt.Sprintf("line %x", id[:])
	switch n := w.IntN(20); {
	case n < 7:
		g := authlog.Grant{ID: id, Cluster: w.in.cluster, Time: at, Principal: p, Username: "user", Groups: "[]", Raw: raw, STSEndpoint: "eu-central-1"}
		switch w.IntN(4) {
		case 0:
			g.Username, g.Groups = "kubernetes-admin", "[system:masters]"
		case 1:
			g.Username = "system:node:x"
		}
		return finding{at: at, grant: &g}
	case n < 13:
		d := authlog.Denial{ID: id, Cluster: w.in.cluster, Time: at, Reason: "arn_not_mapped", Principal: &p, Error: "identity is not mapped", Raw: raw}
		if w.IntN(6) == 0 {
			d.Reason = []string{"arn_userid_mismatch", "session_not_instance_id", "ec2_describe_unauthorized", "ec2_instance_not_found"}[w.IntN(4)]
		}
		return finding{at: at, denial: &d}
	case n < 19:
		u := worldUnknown[w.IntN(len(worldUnknown))]
		text := u.text
		if u.reason == "token_expired" {
			text = fmt.Sprintf(text, w.IntN(6))
		}
		d := authlog.Denial{
			ID: id, Cluster: w.in.cluster, Time: at, Reason: u.reason, Error: text, Raw: raw,
			Client: fmt.Sprintf("127.0.0.1:%d", 40000+w.IntN(5)),
		}
		return finding{at: at, denial: &d}
	default:
		code := []string{rules.AWSAuthRead, rules.AWSAuthRead, rules.AWSAuthParseError, rules.AWSAuthDeleted}[w.IntN(4)]
		return finding{at: at, marker: &authlog.Marker{ID: id, Cluster: w.in.cluster, Time: at, Code: code, Raw: raw}}
	}
}

// TestRandomLogsInAnyOrder makes random logs of some days, dense and sparse,
// and gives each to a machine in order and in many others.
func TestRandomLogsInAnyOrder(t *testing.T) {
	end := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	for seed := range uint64(16) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			in := &incident{
				cluster: authlog.Cluster{Name: "prod", Account: "111122223333", Region: []string{"eu-central-1", "af-south-1"}[seed%2]},
				through: end,
			}
			in.facts.Mode = []authlog.AuthMode{"", authlog.ModeAPI, authlog.ModeConfigMap}[seed%3]
			w := &world{Rand: rand.New(rand.NewPCG(seed, 7)), in: in}
			span := []time.Duration{time.Hour, 6 * time.Hour, 72 * time.Hour, 20 * 24 * time.Hour}[seed%4]
			var findings []finding
			n := 300
			for i := range n {
				at := end.Add(-span + span*time.Duration(i)/time.Duration(n)).Truncate(time.Second)
				findings = append(findings, w.finding(at))
			}
			m, _ := replay(in, inOrder(in, findings))
			want := m.Diagnoses(in.cluster)
			if len(want) == 0 {
				t.Fatal("nothing to compare")
			}
			for other := range uint64(3) {
				m, published := replay(in, shuffled(in, findings, other))
				got := m.Diagnoses(in.cluster)
				if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("shuffled %d (-in order +got):\n%s", other, diff)
				}
				for _, d := range got {
					if diff := cmp.Diff(published[d.ID], d, cmpopts.EquateEmpty()); diff != "" {
						t.Fatalf("%s %s (-published +held):\n%s", d.Code, d.Subject, diff)
					}
				}
			}
		})
	}
}
