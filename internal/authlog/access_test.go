package authlog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func TestAWSAuthIsNotNeededByThoseWhomEKSLetsIn(t *testing.T) {
	const iam = "arn:aws:iam::111122223333:"
	const maker, other, entered = iam + "user/maker", iam + "role/other", iam + "role/entered"
	entries := []authlog.AccessEntry{{ARN: iam + "role/path/Entered"}}
	items := func(username string) *authlog.AWSAuth {
		return &authlog.AWSAuth{Users: []authlog.AWSAuthItem{{ARN: maker, Username: username}}}
	}
	read := time.UnixMilli(1)
	for name, c := range map[string]struct {
		access  *authlog.Access
		creator string
		want    []string
	}{
		"nothing known":            {nil, "", []string{maker, other, entered}},
		"the creator alone":        {nil, maker, []string{other, entered}},
		"an entry":                 {&authlog.Access{Entries: entries}, "", []string{maker, other}},
		"CONFIG_MAP":               {&authlog.Access{Mode: authlog.ModeConfigMap, EntriesRead: read, BootstrapAdmin: authlog.Yes}, maker, []string{other, entered}},
		"both, entries not read":   {&authlog.Access{Mode: authlog.ModeBoth, Entries: entries}, maker, []string{other}},
		"both, the entry was lost": {&authlog.Access{Mode: authlog.ModeBoth, Entries: entries, EntriesRead: read}, maker, []string{maker, other}},
		"API":                      {&authlog.Access{Mode: authlog.ModeAPI}, maker, []string{maker, other, entered}},
		"no administrator":         {&authlog.Access{Mode: authlog.ModeConfigMap, BootstrapAdmin: authlog.No}, maker, []string{maker, other, entered}},
		"named by aws-auth":        {&authlog.Access{Mode: authlog.ModeConfigMap, AWSAuth: items("kubernetes-admin")}, maker, []string{maker, other, entered}},
		"mapped to another name":   {&authlog.Access{Mode: authlog.ModeConfigMap, AWSAuth: items("dev")}, maker, []string{other, entered}},
		"named, and surely it": {
			&authlog.Access{Mode: authlog.ModeConfigMap, AWSAuth: items("kubernetes-admin"), Creator: authlog.Creator{ARN: maker}}, maker, []string{other, entered},
		},
	} {
		if diff := cmp.Diff(c.want, c.access.NeedAWSAuth([]string{maker, other, entered}, c.creator)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
