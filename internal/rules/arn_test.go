package rules_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

func TestParseARNReadsWhatIAMAndSTSGiveOut(t *testing.T) {
	const account = "111122223333"
	for s, want := range map[string]rules.ARN{
		"arn:aws:iam::111122223333:role/Dev":                              {Partition: "aws", Service: "iam", Type: "role", Path: "/", Name: "Dev"},
		"arn:aws-cn:iam::111122223333:role/team/x/Dev":                    {Partition: "aws-cn", Service: "iam", Type: "role", Path: "/team/x/", Name: "Dev"},
		"arn:aws-us-gov:iam::111122223333:user/a+b=c,d.e@f-g_h":           {Partition: "aws-us-gov", Service: "iam", Type: "user", Path: "/", Name: "a+b=c,d.e@f-g_h"},
		"arn:aws-eusc:iam::111122223333:root":                             {Partition: "aws-eusc", Service: "iam", Type: "root"},
		"arn:aws-iso:sts::111122223333:assumed-role/Dev/bob@example.com":  {Partition: "aws-iso", Service: "sts", Type: "assumed-role", Name: "Dev", Session: "bob@example.com"},
		"arn:aws-iso-b:sts::111122223333:federated-user/bob":              {Partition: "aws-iso-b", Service: "sts", Type: "federated-user", Name: "bob"},
		"arn:aws-iso-e:iam::111122223333:role/" + strings.Repeat("r", 64): {Partition: "aws-iso-e", Service: "iam", Type: "role", Path: "/", Name: strings.Repeat("r", 64)},
		"arn:aws-iso-f:iam::111122223333:role/a":                          {Partition: "aws-iso-f", Service: "iam", Type: "role", Path: "/", Name: "a"},
	} {
		want.Account = account
		got, ok := rules.ParseARN(s)
		if !ok || !cmp.Equal(want, got) {
			t.Errorf("%s: ok=%v %s", s, ok, cmp.Diff(want, got))
		}
	}
}

func TestParseARNRefusesAllElse(t *testing.T) {
	for _, s := range []string{
		"", "arn", "arn:aws:iam::111122223333", "arn:aws:iam::111122223333:", "arn:aws:iam::111122223333:role",
		"arn:aws:iam::111122223333:role/", "arn:aws:iam::111122223333:role//Dev", "arn:aws:iam::111122223333:role/a//Dev",
		"arn:aws:iam::11112222333:role/Dev", "arn:aws:iam::1111222233334:role/Dev", "arn:aws:iam::XXXXXXXXXXXX:role/Dev",
		"arn:aws:iam:us-east-1:111122223333:role/Dev", "arn:aws-mars:iam::111122223333:role/Dev", "ARN:aws:iam::111122223333:role/Dev",
		"arn:aws:iam::111122223333:group/devs", "arn:aws:iam::111122223333:rootx", "arn:aws:iam::111122223333:root/x",
		"arn:aws:sts::111122223333:role/Dev", "arn:aws:iam::111122223333:assumed-role/Dev/bob", "arn:aws:ec2::111122223333:role/Dev",
		"arn:aws:sts::111122223333:assumed-role/Dev", "arn:aws:sts::111122223333:assumed-role/Dev/b", "arn:aws:sts::111122223333:assumed-role/team/Dev/bob",
		"arn:aws:iam::111122223333:role/" + strings.Repeat("r", 65), "arn:aws:iam::111122223333:role/" + strings.Repeat("p", 511) + "/Dev",
		"arn:aws:iam::111122223333:role/Dev;id", "arn:aws:iam::111122223333:role/$(id)", "arn:aws:iam::111122223333:role/Dev bob",
		"arn:aws:iam::111122223333:role/Dev\n", "arn:aws:iam::111122223333:role/Dév", "arn:aws:iam::１１１１２２２２３３３３:role/Dev",
		"arn:aws:iam::111122223333:role/{{SessionName}}", "arn:aws:iam::111122223333:role/*",
	} {
		if got, ok := rules.ParseARN(s); ok {
			t.Errorf("%q is taken for %+v", s, got)
		}
	}
}

func FuzzParseARNAcceptsOnlyWhatIsSafeInACommand(f *testing.F) {
	seedARNs(f)
	f.Fuzz(func(t *testing.T, s string) {
		arn, ok := rules.ParseARN(s)
		if !ok {
			return
		}
		const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+=,.@:/-"
		if rest := strings.Trim(s, safe); rest != "" {
			t.Errorf("%q is accepted with %q in it", s, rest)
		}
		if arn.String() != s {
			t.Errorf("%q is read as %q", s, arn)
		}
		if _, ok := rules.Canonical(s); !ok {
			t.Errorf("%q has no canonical form", s)
		}
	})
}

func TestCanonicalIsTheAuthenticatorsForm(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:sts::111122223333:assumed-role/Dev/bob":        "arn:aws:iam::111122223333:role/Dev",
		"arn:aws:sts::111122223333:assumed-role/team/x/Dev/bob": "arn:aws:iam::111122223333:role/team/x/Dev",
		"arn:aws:iam::111122223333:role/team/Dev":               "arn:aws:iam::111122223333:role/team/Dev",
		"arn:aws:iam::111122223333:user/devs/alice":             "arn:aws:iam::111122223333:user/devs/alice",
		"arn:aws:iam::111122223333:root":                        "arn:aws:iam::111122223333:root",
		"arn:aws:sts::111122223333:federated-user/Bob":          "arn:aws:sts::111122223333:federated-user/Bob",
		"arn:aws-cn:sts::111122223333:assumed-role/Dev/bob":     "arn:aws-cn:iam::111122223333:role/Dev",
		"arn:aws:sts::XXXXXXXXXXXX:assumed-role/Dev/bob":        "arn:aws:iam::XXXXXXXXXXXX:role/Dev",
		"arn:aws:sts::111122223333:assumed-role/OnlyRole":       "",
		"arn:aws:sts::111122223333:self":                        "",
		"arn:aws:iam::111122223333:group/devs":                  "",
		"arn:aws:ec2:us-west-2:111122223333:instance/i-0":       "",
		"arn:aws-mars:iam::111122223333:user/bob":               "",
		"": "",
	} {
		if got, ok := rules.Canonical(arn); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v; want %q", arn, got, ok, want)
		}
	}
}

func FuzzCanonicalIsIdempotent(f *testing.F) {
	seedARNs(f)
	f.Fuzz(func(t *testing.T, s string) {
		once, ok := rules.Canonical(s)
		if !ok {
			return
		}
		if twice, ok := rules.Canonical(once); !ok || twice != once {
			t.Errorf("%q becomes %q, then %q, %v", s, once, twice, ok)
		}
	})
}

func seedARNs(f *testing.F) {
	f.Helper()
	for _, l := range corpus(f) {
		ev := parse.Line(authlog.Line{Text: l.text})
		f.Add(ev.Get("arn"))
	}
}
