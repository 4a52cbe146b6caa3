package api_test

import (
	"encoding/json"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

var update = flag.Bool("update", false, "write the answers into the examples of openapi.yaml")

// exampleService answers what the examples show.
func exampleService(t *testing.T) *service {
	t.Helper()
	a := denialAt(prod, now.Add(-5*time.Minute), 1)
	a.Error = "ARN is not mapped: arn:aws:iam::111122223333:role/deploy"
	a.Client, a.STSEndpoint = "127.0.0.1:50122", "sts.eu-central-1.amazonaws.com"
	a.Principal = &authlog.Principal{ARN: "arn:aws:iam::111122223333:role/deploy", Kind: authlog.PrincipalRole, Account: "111122223333", Session: "ci-4711"}
	b := denialAt(authlog.Cluster{Name: "prod", Account: "444455556666", Region: "us-east-1"}, now.Add(-2*time.Hour), 2)
	b.Reason, b.Client = "sts_expired_credentials", "127.0.0.1:38820"
	b.Error = "sts getCallerIdentity failed: error from AWS (expected 200, got 403). Body: {\"Error\":{\"Code\":\"ExpiredToken\"}}"
	c := denialAt(authlog.Cluster{Name: "staging", Account: "111122223333", Region: "eu-central-1"}, now.Add(-26*time.Hour), 3)
	st := openStore(t, a, b, c)
	worked := authlog.Grant{Cluster: prod, Time: now.Add(-3 * time.Hour), Username: "deployer", Groups: "[deploy]", Principal: *a.Principal}
	worked.Principal.UserID, worked.Principal.Session = "AROAEXAMPLEDEPLOY0001", "ci-4698"
	err := st.Save(t.Context(), authlog.Batch{Grants: []authlog.Grant{worked}, Diagnoses: []authlog.Diagnosis{lostMapping()}, Cursors: []authlog.Cursor{
		{
			Cluster: a.Cluster, Created: now.AddDate(-1, 0, 0), Start: now.AddDate(0, 0, -1), Watermark: now.Add(-3 * time.Minute), Through: now.Add(-time.Minute),
			Streams: []string{"authenticator-0123456789abcdef0123456789abcdef"},
		},
		{Cluster: c.Cluster, Created: now.AddDate(-1, 0, 0), Start: now.AddDate(0, 0, -1), Watermark: now.Add(-3 * time.Minute), Through: now.Add(-time.Minute)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, st, &fake{ready: true, shards: []authlog.ShardStatus{
		{Shard: "111122223333/eu-central-1", Ready: true, ReadThrough: now.Add(-time.Minute)},
		{Shard: "444455556666/us-east-1", Error: "no permission for logs:StartQuery"},
	}})
}

// lostMapping is a diagnosis of the denial of the examples.
func lostMapping() authlog.Diagnosis {
	const arn = "arn:aws:iam::111122223333:role/deploy"
	d := diagnosisOf(prod, "mapping_lost", arn, now.Add(-5*time.Minute))
	d.Count = 1
	d.Summary = "The role deploy was let in until 09:00 UTC and is denied since 11:55 UTC: its mapping was taken away."
	d.FirstSeen = d.LastSeen
	d.Affected = []authlog.Affected{{
		ARN: arn, Kind: authlog.PrincipalRole, Account: "111122223333", Sessions: []string{"ci-4711"}, Count: 1,
		FirstSeen: d.LastSeen, LastSeen: d.LastSeen, LastGranted: now.Add(-3 * time.Hour),
	}}
	d.Evidence = []authlog.Evidence{
		{Time: now.Add(-3 * time.Hour), What: "the last grant"},
		{Line: "06H0QQ664282VTEE0DPQARVVAO", Time: d.LastSeen, What: "the first denial", Raw: "line 1"},
	}
	d.RuledOut = []authlog.RuledOut{{Code: "never_mapped", Why: "It was granted before."}}
	d.WouldConfirm = []authlog.Step{{
		Do: "See whether it has an access entry.", Command: "aws eks list-access-entries --region eu-central-1 --cluster-name prod",
		Expect: "Its ARN is not in the list.",
	}}
	d.Remedies = []authlog.Remedy{{
		Key: "create_access_entry", Title: "Give it an access entry", Who: "cluster_admin",
		Steps: []authlog.Step{{
			Do:      "Create the entry, with the groups it had.",
			Command: "aws eks create-access-entry --region eu-central-1 --cluster-name prod --principal-arn " + arn + " --kubernetes-groups deploy",
		}},
	}}
	d.Docs = []string{"https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html"}
	return d
}

// An example is answered to its x-request, which stands on the line before its
// value.
var exampleLines = regexp.MustCompile(`(x-request: (\S+)\n +value: ).*`)

func TestEveryExampleIsARealAnswer(t *testing.T) {
	s := exampleService(t)
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for where, e := range examples(t, load(t, text)) {
		request, ok := e.Extensions["x-request"].(string)
		if !ok {
			t.Errorf("%s has no x-request", where)
			continue
		}
		got := answerTo(t, s, request, where)
		if diff := cmp.Diff(e.Value, got); diff != "" && !*update {
			t.Errorf("%s is not the answer to %s (run with -update and read the change): %s", where, request, diff)
		}
		line, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		text = exampleLines.ReplaceAllFunc(text, func(old []byte) []byte {
			m := exampleLines.FindSubmatch(old)
			if string(m[2]) != request {
				return old
			}
			return append(m[1], line...)
		})
	}
	if *update {
		if err := os.WriteFile("openapi.yaml", text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// answerTo is the answer in the media type that where ends in.
func answerTo(t *testing.T, s *service, request, where string) any {
	t.Helper()
	mediaType := where[strings.LastIndexByte(where, ' ')+1:]
	isJSON := mediaType == "application/json" || mediaType == "application/problem+json"
	accept := mediaType
	if isJSON {
		accept = "application/json"
	}
	r := s.ask(t, request, "Accept", accept)
	if isJSON {
		return asJSON(t, r.body)
	}
	return string(r.body)
}

// examples lists the examples of all answers by path, status, name and media
// type.
func examples(t *testing.T, doc *openapi3.T) map[string]*openapi3.Example {
	t.Helper()
	found := map[string]*openapi3.Example{}
	add := func(where string, content openapi3.Content) {
		for mediaType, m := range content {
			if m.Example != nil {
				t.Errorf("%s: an example without a request", where)
			}
			for name, e := range m.Examples {
				found[where+" "+name+" "+mediaType] = e.Value
			}
		}
	}
	for path, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for status, r := range op.Responses.Map() {
				if r.Ref == "" {
					add(path+" "+status, r.Value.Content)
				}
			}
		}
	}
	for name, r := range doc.Components.Responses {
		add(name, r.Value.Content)
	}
	return found
}
