package awsauth_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

// utf16Of encodes a text, without a byte order mark.
func utf16Of(text string, order binary.AppendByteOrder) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

func TestByteOrderMarkTellsTheEncoding(t *testing.T) {
	src := object("kube-system", "p/😀A")
	want := awsauth.Lint([]byte(src), awsauth.Options{}).Findings
	for name, same := range map[string]string{
		"UTF-8": "\ufeff" + src, "UTF-16LE": utf16Of("\ufeff"+src, binary.LittleEndian), "UTF-16BE": utf16Of("\ufeff"+src, binary.BigEndian),
	} {
		if d := cmp.Diff(want, awsauth.Lint([]byte(same), awsauth.Options{}).Findings); d != "" || len(want) == 0 {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
	if data := awsauth.Data([]byte(utf16Of("\ufeff"+src, binary.LittleEndian))); !strings.HasPrefix(data[awsauth.MapRoles], "- rolearn: ") {
		t.Errorf("%q", data)
	}
}

func TestEncodingsThatKubectlDoesNotReadAreNamed(t *testing.T) {
	src := object("kube-system", "A")
	for text, want := range map[string]string{
		utf16Of(src, binary.LittleEndian):                           `1:2 "\x00" is part of a character of UTF-16 or UTF-32`,
		utf16Of(src, binary.BigEndian):                              `1:1 "\x00" is part of a character of UTF-16 or UTF-32`,
		utf16Of("\ufeff"+src, binary.LittleEndian) + "x":            `9:1 "�" stands for what is no character`,
		strings.Replace(src, "    - ", "\ufeff    - ", 1):           `6:1 "\ufeff" is a byte order mark`,
		strings.Replace(src, "\ndata:", "\n\ufeffdata:", 1):         `4:1 "\ufeff" is a byte order mark`,
		"# none\n---\n\ufeff" + src:                                 `3:1 "\ufeff" is a byte order mark`,
		strings.Replace(src, "\ndata:", "\n\"\\ufeffdata\":", 1):    `4:1 "\ufeff" is a byte order mark`,
		strings.Replace(src, "\ndata:", "\n\"\\ud83d\\ude00\":", 1): `4:4 line 4: found invalid Unicode character escape code`,
	} {
		refusedAs(t, text, want)
	}
}

// One is ignored at the beginning of a section, and a character elsewhere.
func TestByteOrderMarksOfASectionArePlaced(t *testing.T) {
	const item = "- rolearn: arn:aws:iam::111122223333:role/p/A\n  username: dev\n"
	for _, mark := range []string{"\ufeff", `\ufeff`} {
		section := func(text string) string {
			if mark == "\ufeff" {
				return "mapRoles: |\n  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
			}
			return `{"mapRoles": "` + strings.ReplaceAll(text, "\n", `\n`) + `"}`
		}
		for text, want := range map[string]string{
			mark + item: `p/`,
			item + mark + strings.Replace(item, "p/", "", 1):         mark,
			strings.Replace(item, "arn:aws", mark+"arn:aws", 1):      mark,
			strings.Replace(item, "username", mark+"username", 1):    mark + "username",
			strings.Replace(item, "dev", "dev\n  groups: [a, 7]", 1): "p/",
		} {
			src := section(text)
			lines := strings.Split(src, "\n")
			r := awsauth.Lint([]byte(src), awsauth.Options{})
			ok := false
			for _, f := range r.Findings {
				line := []rune(lines[f.Line-1])
				ok = ok || strings.HasPrefix(string(line[f.Column-1:]), want)
			}
			if !ok {
				t.Errorf("%q: no finding stands at %q: %+v", src, want, r.Findings)
			}
		}
	}
}

func TestEscapedSurrogatesArePlaced(t *testing.T) {
	manifest := func(arn string) string {
		return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"aws-auth","namespace":"kube-system"},"data":{` + "\n" + `"mapRoles":"- rolearn: arn:aws:iam::111122223333:role/` + arn + `\n  username: dev\n"}}`
	}
	for arn, want := range map[string]string{
		`D\ud83d\ude00v`:       `error aws_auth_bad_arn 2:56 "😀"`,
		`D\uD83D\uDE00v`:       `error aws_auth_bad_arn 2:56 "😀"`,
		`D\ud83dv`:             `error aws_auth_invisible_char 2:56 "�"`,
		`D\ude00v`:             `error aws_auth_invisible_char 2:56 "�"`,
		`D\ud83d\ud83d\ude00v`: `error aws_auth_invisible_char 2:56 "�"`,
		`\\ud83dv`:             `error aws_auth_bad_arn 2:55 "\\"`,
		`p/D`:                  `error aws_auth_role_path 2:55 "p/"`,
	} {
		wantFound(t, manifest(arn), want)
		wantFound(t, strings.Replace(manifest(arn), "{", `{"metadata":{"labels":{"x":"\ud83d\ude00\ud83d"}},`, 1), want)
	}
	r := awsauth.Lint([]byte(manifest(`D\ud83dv`)), awsauth.Options{})
	if f := r.Findings[0]; !strings.Contains(f.Message, "U+FFFD") || f.Corrected != "" {
		t.Errorf("%+v", f)
	}
}
