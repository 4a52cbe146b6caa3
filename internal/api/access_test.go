package api_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/api"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A board is what a keeper of access configurations has.
type board map[authlog.Cluster]*authlog.Access

func (b board) Facts(c authlog.Cluster) authlog.ClusterFacts {
	if a := b[c]; a != nil {
		return a.Facts()
	}
	return authlog.ClusterFacts{}
}

func (b board) Access(c authlog.Cluster) *authlog.Access { return b[c] }

func (b board) Clusters(s authlog.Shard) []authlog.Cluster {
	var list []authlog.Cluster
	for c := range b {
		if s == (authlog.Shard{}) || s == (authlog.Shard{Account: c.Account, Region: c.Region}) {
			list = append(list, c)
		}
	}
	return list
}

// boardOf has an access configuration that names each cluster everywhere.
func boardOf(clusters ...authlog.Cluster) board {
	b := board{}
	for _, c := range clusters {
		b[c] = accessOf(c)
	}
	return b
}

func accessOf(c authlog.Cluster) *authlog.Access {
	role := "arn:aws:iam::" + c.Account + ":role/" + c.Name
	return &authlog.Access{
		Cluster: c, Tier: 3, Read: now.Add(-time.Minute), Status: "ACTIVE", Version: "1.34", PlatformVersion: "eks.1",
		Created: now.AddDate(-1, 0, 0), Endpoint: "https://" + c.Name + ".example.com", RoleARN: role, Mode: authlog.ModeBoth,
		Logging: authlog.Yes, BootstrapAdmin: authlog.Yes,
		Creator:     authlog.Creator{ARN: role, Source: "access entry made with the cluster", Exists: authlog.Yes},
		EntriesRead: now.Add(-time.Minute),
		Entries: []authlog.AccessEntry{{
			ARN: role, Type: "STANDARD", Username: role, Groups: []string{"viewers"}, Created: now.AddDate(-1, 0, 0), Modified: now,
			Policies: []authlog.AccessPolicy{{ARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", Scope: "namespace", Namespaces: []string{"team"}}},
		}},
		AWSAuth: &authlog.AWSAuth{
			Read: now, Exists: true, Source: "kubernetes", Users: []authlog.AWSAuthItem{}, Accounts: []string{},
			Roles: []authlog.AWSAuthItem{{ARN: role, Username: "x", Groups: []string{}, Overridden: true}},
		},
		Missing:  []authlog.MissingPermission{{Action: "iam:GetRole", Resource: role, Tier: 3, Detail: "not authorized"}},
		Problems: []string{"eks:ListClusters: timeout"},
		Broken:   []authlog.AccessFault{{Code: "aws_auth_role_path", Severity: "error", Where: "aws-auth mapRoles item 1, line 1:12", Message: "path", Effect: "denied", Corrected: "- rolearn: x\n"}},
	}
}

func TestAccessTellsWhatAClusterAllows(t *testing.T) {
	s := serveWith(t, api.Config{Store: openStore(t), Health: &fake{}, Access: boardOf(prod)})
	got := decode[authlog.Access](t, s.get(t, "/clusters/prod/access"), http.StatusOK)
	if diff := cmp.Diff(*accessOf(prod), got); diff != "" {
		t.Error(diff)
	}
	decodeProblem(t, s.get(t, "/clusters/nowhere/access"), http.StatusNotFound)
}

func TestAccessThatWasNotReadSaysSo(t *testing.T) {
	st := openStore(t, denialAt(prod, now, 1))
	for what, known := range map[string]api.Access{"no one reads": nil, "not read yet": board{}, "gone": known{Status: "DELETED"}} {
		s := serveWith(t, api.Config{Store: st, Health: &fake{}, Access: known})
		got := decode[authlog.Access](t, s.get(t, "/clusters/prod/access"), http.StatusOK)
		if got.Tier != 0 || len(got.Problems) != 1 || strings.Contains(got.Problems[0], "any more") != (what == "gone") {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

func TestAClusterWithoutALogIsListedWithTheCommandThatTurnsItOn(t *testing.T) {
	quiet := authlog.Cluster{Name: "quiet", Account: "111122223333", Region: "eu-central-1"}
	known := boardOf(prod, quiet)
	known[quiet].Logging = authlog.No
	s := serveWith(t, api.Config{Store: openStore(t, denialAt(prod, now, 1)), Health: &fake{}, Access: known})
	list := decode[struct{ Clusters []map[string]any }](t, s.get(t, "/clusters"), http.StatusOK)
	var names []any
	for _, c := range list.Clusters {
		names = append(names, c["name"], c["status"])
	}
	if diff := cmp.Diff([]any{"prod", "pending", "quiet", "logging_off"}, names); diff != "" {
		t.Error(diff)
	}
	got := decode[map[string]any](t, s.get(t, "/clusters/quiet"), http.StatusOK)
	const command = `aws eks update-cluster-config --name quiet --region eu-central-1 --logging '{"clusterLogging":[{"types":["authenticator"],"enabled":true}]}'`
	for name, want := range map[string]any{"enable_logging": command, "authenticator_logging": "no", "access_tier": 3.0, "last_event": nil} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := decode[map[string]any](t, s.get(t, "/clusters/prod"), http.StatusOK); got["enable_logging"] != nil {
		t.Errorf("its log is on: %v", got["enable_logging"])
	}
}

func TestCreatorShowsTheFiftyNewestLinesByteForByte(t *testing.T) {
	st := openStore(t)
	var b authlog.Batch
	for i := range 60 {
		at := now.Add(-time.Duration(i) * time.Minute)
		raw := `time="x" level=info msg="access granted" username=kubernetes-admin n=` + at.Format(time.RFC3339)
		if i == 1 {
			raw += " \xff\xfe"
		}
		b.Samples = append(b.Samples, authlog.Sample{
			ID: authlog.NewID(at, authlog.Key{byte(i)}), Cluster: prod, Stream: "authenticator-a", Time: at, Code: authlog.SampleCreator, Raw: raw,
		})
	}
	if err := st.Save(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	s := serveWith(t, api.Config{Store: st, Health: &fake{}})
	type line struct {
		Raw    string
		Base64 []byte `json:"raw_base64"`
	}
	got := decode[struct {
		Query string
		Lines []line
	}](t, s.get(t, "/clusters/prod/creator"), http.StatusOK)
	if len(got.Lines) != 50 || !strings.Contains(got.Query, `filter @message like "username=kubernetes-admin"`) {
		t.Fatalf("%d lines, query %q", len(got.Lines), got.Query)
	}
	for i, l := range got.Lines {
		want := b.Samples[i].Raw
		if i == 1 {
			if string(l.Base64) != want || strings.Contains(l.Raw, "\xff") {
				t.Errorf("bytes that are no UTF-8: %q %q", l.Raw, l.Base64)
			}
		} else if l.Raw != want || l.Base64 != nil {
			t.Errorf("line %d: %q", i, l.Raw)
		}
	}
}

const roleWithPath = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aws-auth, namespace: kube-system}\ndata:\n  mapRoles: |\n" +
	"    - rolearn: arn:aws:iam::111122223333:role/team/deploy\n      username: deploy\n"

// lint sends an aws-auth.
func (s *service) lint(t *testing.T, query, accept, text string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/lint/aws-auth"+query, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	return s.send(t, req)
}

func TestLintNamesTheFaultInEveryForm(t *testing.T) {
	s := serveWith(t, api.Config{Store: openStore(t), Health: &fake{}})
	for accept, want := range map[string]string{
		"": "application/json", "text/plain": "text/plain; charset=utf-8", "application/sarif+json": "application/sarif+json",
	} {
		r := s.lint(t, "", accept, roleWithPath)
		if got := r.header.Get("Content-Type"); r.status != http.StatusOK || got != want || !bytes.Contains(r.body, []byte("aws_auth_role_path")) {
			t.Errorf("Accept %q: %d %q %s", accept, r.status, got, r.body)
		}
	}
	for query, status := range map[string]int{
		"?would_lock_out=true": http.StatusBadRequest, "?would_lock_out=maybe": http.StatusBadRequest, "?mode=x": http.StatusBadRequest,
		"?account=1": http.StatusBadRequest, "?cluster=nowhere": http.StatusNotFound,
	} {
		decodeProblem(t, s.lint(t, query, "", roleWithPath), status)
	}
	decodeProblem(t, s.lint(t, "", "image/png", roleWithPath), http.StatusNotAcceptable)
	if p := decodeProblem(t, s.lint(t, "", "", " \n"), http.StatusBadRequest); !strings.Contains(p.Detail, "aws-auth") {
		t.Errorf("of an empty file: %q", p.Detail)
	}
	// The bytes are checked as they came.
	if r := s.lint(t, "", "text/plain", strings.Replace(roleWithPath, "deploy", "d\xffploy", 1)); !bytes.Contains(r.body, []byte("UTF-8")) || !utf8.Valid(r.body) {
		t.Errorf("of bytes that are no UTF-8: %q", r.body)
	}
	if strings.Contains(s.log.String(), "team/deploy") {
		t.Error("the log holds what was checked")
	}
}

func TestLintNamesWhomTheFileWouldLockOut(t *testing.T) {
	st := openStore(t)
	grant := func(arn string, ago time.Duration, benign bool) authlog.Grant {
		return authlog.Grant{Cluster: prod, Time: now.Add(-ago), Username: "x", Principal: authlog.Principal{ARN: arn, Account: "111122223333", Benign: benign}}
	}
	const role = "arn:aws:iam::111122223333:role/"
	batch := authlog.Batch{Grants: []authlog.Grant{
		grant(role+"deploy", time.Hour, false), grant(role+"recent", 23*time.Hour, false), grant(role+"old", 25*time.Hour, false), grant(role+"aws", time.Hour, true),
	}}
	for i := range 600 { // more than a page of the store
		batch.Grants = append(batch.Grants, grant(role+"many-"+string(rune('a'+i%26))+strings.Repeat("x", i/26), 2*time.Hour, false))
	}
	if err := st.Save(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	s := serveWith(t, api.Config{Store: st, Health: &fake{}, Access: known{Mode: authlog.ModeConfigMap}})
	type lockedOut struct {
		Principal string
		Nearest   *struct{ Code string }
	}
	type report struct {
		LockedOut []lockedOut `json:"locked_out"`
	}
	got := decode[report](t, s.lint(t, "?cluster=prod&would_lock_out=true", "", roleWithPath), http.StatusOK)
	var out []string
	for _, l := range got.LockedOut {
		out = append(out, l.Principal)
		if l.Principal == role+"deploy" && (l.Nearest == nil || l.Nearest.Code != "aws_auth_role_path") {
			t.Errorf("nearest: %+v", l.Nearest)
		}
	}
	if len(out) != 602 || !slices.Contains(out, role+"deploy") || !slices.Contains(out, role+"recent") || slices.Contains(out, role+"old") || slices.Contains(out, role+"aws") {
		t.Errorf("%d: %v", len(out), out[:min(len(out), 5)])
	}
	// An access entry lets in without aws-auth.
	entries := board{prod: {Mode: authlog.ModeBoth, Entries: []authlog.AccessEntry{{ARN: role + "path/Deploy"}}}}
	s = serveWith(t, api.Config{Store: st, Health: &fake{}, Access: entries})
	got = decode[report](t, s.lint(t, "?cluster=prod&would_lock_out=true", "", roleWithPath), http.StatusOK)
	if len(got.LockedOut) != 601 || slices.ContainsFunc(got.LockedOut, func(l lockedOut) bool { return l.Principal == role+"deploy" }) {
		t.Errorf("with an access entry: %d", len(got.LockedOut))
	}
	// A cluster of mode API does not look at the file: it locks nobody out.
	s = serveWith(t, api.Config{Store: st, Health: &fake{}, Access: known{Mode: authlog.ModeAPI}})
	if got := decode[report](t, s.lint(t, "?cluster=prod&would_lock_out=true", "", roleWithPath), http.StatusOK); len(got.LockedOut) > 0 {
		t.Errorf("mode API: %v", got.LockedOut)
	}
}

func TestLintDoesNotNameTheCreatorWhomEKSLetsIn(t *testing.T) {
	st := openStore(t)
	const maker = "arn:aws:iam::111122223333:user/maker"
	grant := authlog.Grant{Cluster: prod, Time: now.Add(-time.Hour), Username: "kubernetes-admin", Principal: authlog.Principal{ARN: maker, Account: "111122223333"}}
	if err := st.Save(t.Context(), authlog.Batch{Grants: []authlog.Grant{grant}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		confidence authlog.Confidence
		bootstrap  authlog.Answer
		named      bool
	}{{authlog.ConfidenceMedium, authlog.Yes, false}, {authlog.ConfidenceLow, authlog.Yes, true}, {authlog.ConfidenceMedium, authlog.No, true}} {
		d := diagnosisOf(prod, "creator_identified", "", now)
		d.Confidence, d.Affected = c.confidence, []authlog.Affected{{ARN: maker}}
		saveDiagnoses(t, st, d)
		known := board{prod: {Mode: authlog.ModeConfigMap, BootstrapAdmin: c.bootstrap, EntriesRead: now}}
		s := serveWith(t, api.Config{Store: st, Health: &fake{}, Access: known})
		r := s.lint(t, "?cluster=prod&would_lock_out=true", "text/plain", roleWithPath)
		if got := bytes.Contains(r.body, []byte("would lock out "+maker)); r.status != http.StatusOK || got != c.named {
			t.Errorf("%+v: %d %s", c, r.status, r.body)
		}
	}
}

// form is what curl -F sends.
func form(t *testing.T, parts ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		f, err := w.CreateFormFile(parts[i], "file")
		if err == nil {
			_, err = f.Write([]byte(parts[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestExplainTakesTheConfigurationOfTheCluster(t *testing.T) {
	s := serve(t, openStore(t), &fake{})
	send := func(parts ...string) reply {
		body, contentType := form(t, parts...)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/explain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		return s.send(t, req)
	}
	const entries = `{"cluster":{"accessConfig":{"authenticationMode":"API_AND_CONFIG_MAP"}}}{"accessEntries":[]}`
	got := decode[struct{ Diagnoses []authlog.Diagnosis }](t, send("text", pasted, "aws_auth", roleWithPath, "access_entries", entries), http.StatusOK)
	d := got.Diagnoses[0]
	if d.Confidence != authlog.ConfidenceCertain || d.Configuration == nil || d.Configuration.Causes[0].Code != "aws_auth_role_path" {
		t.Errorf("%s %+v", d.Confidence, d.Configuration)
	}
	for name, parts := range map[string][]string{
		"no text": {"aws_auth", roleWithPath}, "unknown part": {"text", pasted, "kubeconfig", "x"},
		"no JSON": {"text", pasted, "access_entries", "eksctl says"}, "other JSON": {"text", pasted, "access_entries", `{"x":1}`},
		"no ConfigMap": {"text", pasted, "aws_auth", "\tx: ["},
	} {
		if r := send(parts...); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
}
