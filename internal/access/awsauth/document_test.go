package awsauth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

// object is an aws-auth manifest of eight lines with one role.
func object(namespace, role string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aws-auth, namespace: " + namespace + "}\ndata:\n  mapRoles: |\n" +
		"    - rolearn: arn:aws:iam::111122223333:role/" + role + "\n      username: dev\n      groups: [team]\n"
}

// found gives each finding as "severity code line:column wrong".
func found(src string) (out []string) {
	for _, f := range awsauth.Lint([]byte(src), awsauth.Options{}).Findings {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %d:%d %s", f.Severity, f.Code, f.Line, f.Column, f.Wrong)))
	}
	return out
}

func wantFound(t *testing.T, src string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, found(src)); d != "" {
		t.Errorf("%s\n(-want +got)\n%s", src, d)
	}
}

func TestLastOfTwoObjectsCounts(t *testing.T) {
	const again = "warning aws_auth_duplicate_key 1:1"
	wantFound(t, object("kube-system", "A")+"---\n"+object("kube-system", "p/B"), again, `error aws_auth_role_path 15:47 "p/"`)
	wantFound(t, object("kube-system", "p/A")+"---\n"+object("kube-system", "B"), again)
	wantFound(t, object("kube-system", "p/A")+"---\n"+object(`""`, "B"), again)

	list := "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(object("kube-system", "p/A"), "\n", "\n  ") + "\n- " + strings.ReplaceAll(object("kube-system", "p/B"), "\n", "\n  ")
	wantFound(t, list, "warning aws_auth_duplicate_key 4:3", `error aws_auth_role_path 18:49 "p/"`)

	for _, f := range awsauth.Lint([]byte(object("kube-system", "A")+"---\n"+object("kube-system", "B")), awsauth.Options{}).Findings {
		if f.Message != "aws-auth stands again in line 10" {
			t.Errorf("%q", f.Message)
		}
	}
}

func TestObjectInKubeSystemCounts(t *testing.T) {
	wantFound(t, object("default", "p/A")+"---\n"+object("kube-system", "p/B"), "warning aws_auth_wrong_name 1:1", `error aws_auth_role_path 15:47 "p/"`)
	wantFound(t, object("kube-system", "p/A")+"---\n"+object("default", "p/B"), `error aws_auth_role_path 6:47 "p/"`, "warning aws_auth_wrong_name 10:1")
}

func TestDocumentThatIsNoYAMLStopsKubectl(t *testing.T) {
	wantFound(t, "foo: [\n---\n"+object("kube-system", "p/A"), "error aws_auth_refused 2:1", `error aws_auth_role_path 8:47 "p/"`)
	wantFound(t, "- foo: [\n---\n"+object("kube-system", "A"), "error aws_auth_refused 2:1")
	wantFound(t, object("kube-system", "A")+"---\nfoo: [\n")
	if r := awsauth.Lint([]byte("foo: [\n---\n"+object("kube-system", "A")), awsauth.Options{}); !r.Refused {
		t.Error("not refused")
	}
}

func TestManifestNeedsItsAPIVersion(t *testing.T) {
	good := object("kube-system", "A")
	wantFound(t, good)
	wantFound(t, strings.Replace(good, "apiVersion: v1\n", "", 1), "error aws_auth_refused 1:1")
	wantFound(t, strings.Replace(good, "v1", "v2", 1), "error aws_auth_refused 1:13")
	wantFound(t, strings.Replace(good, "v1", "1", 1), "error aws_auth_refused 1:13")
	_, data, _ := strings.Cut(good, "data:\n")
	wantFound(t, data)
}

func TestByteThatNoYAMLMayHoldIsPlaced(t *testing.T) {
	for src, want := range map[string]string{
		object("kube-system", "A") + "\x00":   `9:1 "\x00" is a control character`,
		object("kube-system", "\u0081\u0082"): `6:47 "\u0081" is a control character`,
		object("kube-system", "\uffff"):       `6:47 "\uffff" is a control character`,
	} {
		refusedAs(t, src, want)
	}
}

// kubectl reads U+FFFD there: the file is applied.
func TestByteThatIsNoUTF8IsPlaced(t *testing.T) {
	for src, place := range map[string]string{
		object("kube-system", "caf\xe9"): "6:50", object("kube-system", "A") + "# \xe9": "9:3", "\ufeff" + object("kube-system", "A") + "# \ufffd\xe9": "9:4",
	} {
		r := awsauth.Lint([]byte(src), awsauth.Options{})
		i := slices.IndexFunc(r.Findings, func(f awsauth.Finding) bool { return f.Code == awsauth.CodeNotUTF8 })
		if i < 0 || r.Refused || !r.Failed() {
			t.Errorf("%q: refused %v, %+v", src, r.Refused, r.Findings)
			continue
		}
		if f := r.Findings[i]; f.Wrong != `"\xe9"` || fmt.Sprintf("%d:%d", f.Line, f.Column) != place {
			t.Errorf("%q: %s at %d:%d, want %s", src, f.Wrong, f.Line, f.Column, place)
		}
	}
}

// refusedAs wants the file to be refused, first of all for want: its place, and
// what the message begins or ends with.
func refusedAs(t *testing.T, src, want string) {
	t.Helper()
	r := awsauth.Lint([]byte(src), awsauth.Options{})
	if len(r.Findings) == 0 || !r.Refused {
		t.Errorf("%q is not refused", src)
		return
	}
	f := r.Findings[0]
	_, why, _ := strings.Cut(f.Message, ": ")
	if got := fmt.Sprintf("%d:%d %s", f.Line, f.Column, why); !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	if !strings.HasPrefix(why, f.Wrong) || f.Wrong == "" && strings.HasPrefix(why, `"`) {
		t.Errorf("%s is said to be wrong in: %s", f.Wrong, f.Message)
	}
}

func TestJSONFaultIsPlaced(t *testing.T) {
	wantFound(t, "{\n \"apiVersion\": \"v1\",\n \"kind\": \"ConfigMap\"\n \"data\": {}\n}\n", "error aws_auth_refused 4:2")
	wantFound(t, "{\n \"apiVersion\": \"v1\"\n", "error aws_auth_refused 2:20")
}
