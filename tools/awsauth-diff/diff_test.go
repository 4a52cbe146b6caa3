// Package awsauthdiff holds internal/access/awsauth to the parser that it
// follows: pkg/mapper/configmap of aws-iam-authenticator v0.7.18. It is a
// module of its own, so that this parser and what it needs stay out of the
// binary.
package awsauthdiff

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/configmap"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

const corpus = "../../testdata/awsauth"

func files(tb testing.TB) []string {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(corpus, "*.yaml"))
	if err != nil || len(names) < 200 {
		tb.Fatalf("%d files in the corpus, %v", len(names), err)
	}
	return names
}

// more finds a second document.
var more = regexp.MustCompile("[\\n\\r\u0085\u2028\u2029](---|\\.\\.\\.)")

// manifest decodes as kubectl and the API server do; false where they refuse,
// for the data alone, which has no kind, and for several documents, which are
// several objects.
func manifest(src []byte) (map[string]string, bool) {
	if more.Match(src) {
		return nil, false
	}
	doc, err := utilyaml.ToJSON([]byte(string([]rune(string(src))))) // kubectl puts U+FFFD for what is no UTF-8
	if err != nil {
		return nil, false
	}
	var meta metav1.TypeMeta
	if json.Unmarshal(doc, &meta) != nil || meta.Kind != "ConfigMap" {
		return nil, false
	}
	// kubectl reads the key in this very case.
	var top map[string]any
	if json.Unmarshal(doc, &top) != nil || top["apiVersion"] != "v1" {
		return nil, false
	}
	var cm corev1.ConfigMap
	if err := runtime.DecodeInto(scheme.Codecs.UniversalDecoder(), doc, &cm); err != nil {
		return nil, false
	}
	return cm.Data, true
}

func TestCorpus(t *testing.T) {
	var errs, mapped, compared int
	for _, file := range files(t) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := awsauth.Lint(src, awsauth.Options{})
			data, ok := manifest(src)
			if !ok {
				return
			}
			compared++
			if r.Refused {
				t.Errorf("the API server takes the file and Lint does not: %+v", r.Findings)
			}
			compare(t, data)
			// What Lint read out of the manifest is what the API server reads.
			if d := cmp.Diff(awsauth.Parse(data), r.Mappings, cmpopts.EquateEmpty(), cmp.Comparer(sameError)); d != "" {
				t.Errorf("manifest (-API server +Lint):\n%s", d)
			}
			errs += len(r.Mappings.Errors)
			mapped += len(r.Mappings.Roles) + len(r.Mappings.Users) + len(r.Mappings.Accounts)
		})
	}
	t.Logf("%d files, %d mappings, %d errors", compared, mapped, errs)
	if errs < 50 || mapped < 100 || compared < 200 {
		t.Error("the corpus shows too little")
	}
}

func sameError(a, b error) bool { return a.Error() == b.Error() }

// compare asks both parsers for mappings, errors and matches.
func compare(t *testing.T, data map[string]string) {
	t.Helper()
	users, roles, accounts, err := configmap.ParseMap(data)
	got := awsauth.Parse(data)
	if d := cmp.Diff(wantRoles(roles), got.Roles, cmpopts.IgnoreFields(awsauth.Role{}, "Item"), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("roles (-authenticator +ours):\n%s", d)
	}
	if d := cmp.Diff(wantUsers(users), got.Users, cmpopts.IgnoreFields(awsauth.User{}, "Item"), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("users (-authenticator +ours):\n%s", d)
	}
	if d := cmp.Diff(accounts, got.Accounts, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("accounts (-authenticator +ours):\n%s", d)
	}
	var ours []string
	for _, e := range got.Errors {
		ours = append(ours, e.Err.Error())
	}
	if d := cmp.Diff(texts(err), ours); d != "" {
		t.Errorf("errors (-authenticator +ours):\n%s", d)
	}
	compareMatches(t, users, roles, accounts, &got)
}

func wantRoles(roles []config.RoleMapping) []awsauth.Role {
	var out []awsauth.Role
	for _, r := range roles {
		w := awsauth.Role{ARN: r.RoleARN, Username: r.Username, Groups: r.Groups, UserID: r.UserId}
		if r.SSO != nil {
			w.SSO = &awsauth.SSO{PermissionSetName: r.SSO.PermissionSetName, AccountID: r.SSO.AccountID, Partition: r.SSO.Partition}
		}
		out = append(out, w)
	}
	return out
}

func wantUsers(users []config.UserMapping) []awsauth.User {
	var out []awsauth.User
	for _, u := range users {
		out = append(out, awsauth.User{ARN: u.UserARN, Username: u.Username, Groups: u.Groups, UserID: u.UserId})
	}
	return out
}

// texts takes the single errors out of configmap.ErrParsingMap, with the names
// of its types turned into ours.
func texts(err error) []string {
	if err == nil {
		return nil
	}
	v := reflect.ValueOf(err)
	addressable := reflect.New(v.Type()).Elem()
	addressable.Set(v)
	field := addressable.FieldByName("errors")
	errs, _ := reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Interface().([]error)
	var out []string
	for _, e := range errs {
		out = append(out, strings.NewReplacer(
			"config.RoleMapping", "awsauth.Role", "config.UserMapping", "awsauth.User", "config.SSOARNMatcher", "awsauth.SSO",
			"RoleMapping.", "Role.", "UserMapping.", "User.", "SSOARNMatcher.", "SSO.",
		).Replace(e.Error()))
	}
	return out
}

// compareMatches asks who gets in, by the rules of MapStore and Map there:
// the last of two equal keys counts, roles before users before accounts.
func compareMatches(t *testing.T, users []config.UserMapping, roles []config.RoleMapping, accounts []string, got *awsauth.Mappings) {
	t.Helper()
	roleByKey, userByKey := map[string]config.RoleMapping{}, map[string]config.UserMapping{}
	asked := []string{"arn:aws:iam::111122223333:role/dev", "arn:aws:iam::444455556666:role/any"}
	for _, r := range roles {
		roleByKey[r.Key()] = r
		asked = append(asked, strings.ToLower(r.RoleARN))
	}
	for _, u := range users {
		userByKey[u.Key()] = u
		asked = append(asked, strings.ToLower(u.UserARN))
	}
	for _, arn := range asked {
		if arn == "" {
			continue
		}
		var want []string // more than one where the authenticator picks at random
		for _, r := range roleByKey {
			if r.Matches(arn) {
				want = append(want, "mapRoles "+r.Username+" "+strings.Join(r.Groups, ","))
			}
		}
		for _, u := range userByKey {
			if len(want) == 0 || strings.HasPrefix(want[0], "mapUsers") {
				if u.Matches(arn) {
					want = append(want, "mapUsers "+u.Username+" "+strings.Join(u.Groups, ","))
				}
			}
		}
		if len(want) == 0 {
			want = accountMatch(arn, accounts)
		}
		have := "none"
		if m, ok := got.Map(arn); ok {
			have = m.Section + " " + m.Username + " " + strings.Join(m.Groups, ",")
		}
		if !slices.Contains(want, have) {
			t.Errorf("%s: authenticator %q, ours %q", arn, want, have)
		}
	}
}

func accountMatch(arn string, accounts []string) []string {
	parts := strings.Split(arn, ":")
	for _, a := range accounts {
		if len(parts) > 5 && a == parts[4] && a != "" {
			return []string{"mapAccounts " + arn + " "}
		}
	}
	return []string{"none"}
}

// FuzzParse: whatever the three sections hold, both parsers keep the same
// mappings and complain of the same things in the same order.
func FuzzParse(f *testing.F) {
	for _, file := range files(f) {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if data, ok := manifest(src); ok {
			f.Add(data["mapRoles"], data["mapUsers"], data["mapAccounts"])
		}
	}
	f.Fuzz(func(t *testing.T, roles, users, accounts string) {
		compare(t, map[string]string{"mapRoles": roles, "mapUsers": users, "mapAccounts": accounts})
	})
}

// FuzzManifest: what Lint reads out of a file that the API server takes is
// what the API server reads out of it.
func FuzzManifest(f *testing.F) {
	for _, file := range files(f) {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		data, ok := manifest(src)
		if !ok {
			return
		}
		r := awsauth.Lint(src, awsauth.Options{})
		if r.Refused {
			t.Fatalf("the API server takes the file and Lint does not: %+v", r.Findings)
		}
		if d := cmp.Diff(awsauth.Parse(data), r.Mappings, cmpopts.EquateEmpty(), cmp.Comparer(sameError)); d != "" {
			t.Errorf("manifest (-API server +Lint):\n%s", d)
		}
	})
}
