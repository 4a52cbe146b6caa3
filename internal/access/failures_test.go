package access_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// A failure is a configuration that locks somebody out, or seems to, and what
// is said of it. The names are those of the ways in which a mapping fails.
type failure struct {
	mode    string // "": API_AND_CONFIG_MAP
	awsAuth map[string]string
	entries []awssim.AccessEntry
	// iam makes what IAM has; nil: the principal, as old as the cluster.
	iam         func(*scene)
	noBootstrap bool // the creator was given no access entry
	who         authlog.Principal

	mapped string   // by what it is let in
	causes []string // code and confidence
}

func role(name string) authlog.Principal {
	return authlog.Principal{ARN: iamARN + "role/" + name, Kind: authlog.PrincipalRole}
}

func user(name string) authlog.Principal {
	return authlog.Principal{ARN: iamARN + "user/" + name, Kind: authlog.PrincipalUser}
}

func node(name string) authlog.Principal {
	return authlog.Principal{ARN: iamARN + "role/" + name, Kind: authlog.PrincipalNode, Session: "i-0123456789abcdef0"}
}

const (
	oldSSO = "AWSReservedSSO_Admin_0123456789abcdef"
	newSSO = "AWSReservedSSO_Admin_fedcba9876543210"
)

func failures() map[string]failure {
	none := map[string]string{"mapRoles": nodeItem}
	return map[string]failure{
		"F1 never mapped": {
			awsAuth: none, who: role("Dev"), causes: []string{"never_mapped certain"},
		},
		"F2 mapping removed leaves nothing": {
			awsAuth: none, entries: []awssim.AccessEntry{entry(iamARN+"role/Ops", later)}, who: user("devs/alice"),
			causes: []string{"never_mapped certain"},
		},
		"F3 aws-auth deleted": {
			mode: "CONFIG_MAP", who: role("Dev"), causes: []string{"aws_auth_deleted high"},
		},
		"F3 aws-auth malformed": {
			mode: "CONFIG_MAP", awsAuth: roles(nodeItem, "- rolearn: "+iamARN+"role/Dev\n\tusername: x\n"), who: role("Dev"),
			causes: []string{"aws_auth_not_yaml certain"},
		},
		"F3 aws-auth malformed beyond repair": {
			mode: "CONFIG_MAP", awsAuth: map[string]string{"mapRoles": "- rolearn: [\n"}, who: role("Dev"),
			causes: []string{"aws_auth_not_yaml medium"},
		},
		"F3 aws-auth wiped": {
			mode: "CONFIG_MAP", awsAuth: map[string]string{"mapRoles": ""}, who: node("Node"), causes: []string{"never_mapped certain"},
		},
		"F4 role path in aws-auth": {
			awsAuth: roles(nodeItem, roleItem(iamARN+"role/team/x/Dev")), who: role("Dev"), causes: []string{"aws_auth_role_path certain"},
		},
		"F4 path of IAM Identity Center in aws-auth": {
			awsAuth: roles(roleItem(iamARN + "role/aws-reserved/sso.amazonaws.com/eu-central-1/" + oldSSO)), who: role(oldSSO),
			causes: []string{"aws_auth_sso_path certain"},
		},
		"F5 assumed-role ARN": {
			awsAuth: roles(roleItem("arn:aws:sts::111122223333:assumed-role/Dev/alice")), who: role("Dev"),
			causes: []string{"aws_auth_assumed_role_arn certain"},
		},
		"F5 wrong account": {
			awsAuth: roles(roleItem("arn:aws:iam::111122223334:role/Dev")), who: role("Dev"), causes: []string{"aws_auth_bad_arn high"},
		},
		"F5 eleven digits": {
			awsAuth: roles(roleItem("arn:aws:iam::11112222333:role/Dev")), who: role("Dev"), causes: []string{"aws_auth_bad_arn high"},
		},
		"F5 wrong partition": {
			awsAuth: roles(roleItem("arn:aws-cn:iam::111122223333:role/Dev")), who: role("Dev"), causes: []string{"aws_auth_bad_arn high"},
		},
		"F5 one colon": {
			awsAuth: roles(roleItem("arn:aws:iam:111122223333:role/Dev")), who: role("Dev"), causes: []string{"aws_auth_bad_arn high"},
		},
		"F6 no blank behind the colon": {
			awsAuth: roles(nodeItem, "- rolearn:"+iamARN+"role/Dev\n  username: dev\n"), who: role("Dev"), causes: []string{"aws_auth_not_yaml certain"},
		},
		"F6 unquoted braces lock the nodes out too": {
			awsAuth: roles(nodeItem, "- rolearn: "+iamARN+"role/Dev\n  username: {{SessionName}}\n"), who: node("Node"),
			causes: []string{"aws_auth_not_yaml certain"},
		},
		"F7 merged items": {
			awsAuth: roles(nodeItem, "  rolearn: "+iamARN+"role/Dev\n"), who: node("Node"), causes: []string{"aws_auth_duplicate_key certain"},
		},
		"F7 trailing blank in quotes": {
			awsAuth: roles("- rolearn: \"" + iamARN + "role/Dev \"\n  username: dev\n"), who: role("Dev"), causes: []string{"aws_auth_invisible_char certain"},
		},
		"F7 wrong key": {
			awsAuth: roles("- role_arn: " + iamARN + "role/Dev\n  username: dev\n"), who: role("Dev"), causes: []string{"aws_auth_wrong_key certain"},
		},
		"F7 wrong section": {
			awsAuth: users(roleItem(iamARN + "role/Dev")), who: role("Dev"), causes: []string{"aws_auth_wrong_section certain"},
		},
		"F7 groups as a text let the principal in": {
			awsAuth: roles("- rolearn: " + iamARN + "role/Dev\n  username: dev\n  groups: system:masters\n"), who: role("Dev"), mapped: "aws_auth",
		},
		"F8 case of the name": {
			awsAuth: roles("- roleARN: '" + iamARN + "role/DEV'\n\n  username: dev\n"), who: role("dev"), mapped: "aws_auth",
		},
		"F8 user under mapRoles": {
			awsAuth: roles(roleItem(iamARN + "user/alice")), who: user("alice"), mapped: "aws_auth",
		},
		"F9 user without its path": {
			awsAuth: users(userItem(iamARN + "user/alice")), who: user("devs/alice"), causes: []string{"aws_auth_user_path_missing high"},
		},
		"F10 entry of a role that was made anew": {
			awsAuth: none, entries: []awssim.AccessEntry{entry(iamARN+"role/team/Dev", clusterMade)},
			iam: func(s *scene) { s.account.AddRole(awssim.Role{Name: "team/Dev", Created: later}) },
			who: role("Dev"), causes: []string{"entry_stale_unique_id certain"},
		},
		"F10 entry of a role that IAM cannot tell of": {
			awsAuth: none, entries: []awssim.AccessEntry{entry("arn:aws:iam::444455556666:role/Dev", clusterMade)},
			who: authlog.Principal{ARN: "arn:aws:iam::444455556666:role/Dev"}, causes: []string{"entry_stale_unique_id high"},
		},
		"F10 entry that is younger than the role": {
			awsAuth: none, entries: []awssim.AccessEntry{entry(iamARN+"role/team/Dev", later)},
			iam: func(s *scene) { s.account.AddRole(awssim.Role{Name: "team/Dev", Created: clusterMade}) },
			who: role("Dev"), mapped: "access_entry",
		},
		"F11 renamed user": {
			awsAuth: none, entries: []awssim.AccessEntry{entry(iamARN+"user/devs/alice", later)}, who: user("devs/alicia"),
			iam:    func(s *scene) { s.account.AddUser(awssim.User{Name: "devs/alicia", Created: clusterMade}) },
			causes: []string{"entry_misspelt high"},
		},
		"F12 entry missing in mode API": {
			mode: "API", awsAuth: none, who: role("Dev"), causes: []string{"entry_missing certain"},
		},
		"F12 aws-auth edited in vain": {
			mode: "API", awsAuth: roles(nodeItem, roleItem(iamARN+"role/Dev")), who: role("Dev"),
			causes: []string{"aws_auth_ignored_in_api_mode certain"},
		},
		"F12 aws-auth edited in vain and wrongly": {
			mode: "API", awsAuth: roles(roleItem(iamARN + "role/p/Dev")), who: role("Dev"), causes: []string{"aws_auth_ignored_in_api_mode certain"},
		},
		"F13 the entry wins": {
			awsAuth: roles(roleItem(iamARN + "role/Dev")), entries: []awssim.AccessEntry{entry(iamARN+"role/team/Dev", later)},
			iam: func(s *scene) { s.account.AddRole(awssim.Role{Name: "team/Dev", Created: clusterMade}) },
			who: role("Dev"), mapped: "access_entry",
		},
		"F14 creator that is no administrator": {
			mode: "API", noBootstrap: true, who: role("boss"), causes: []string{"entry_missing certain", "creator_without_access low"},
		},
		"F15 service-linked role": {
			awsAuth: none, who: authlog.Principal{ARN: iamARN + "role/AWSServiceRoleForBatch", Kind: authlog.PrincipalServiceLinked},
			causes: []string{"service_linked_role certain"},
		},
		"F15 service-linked role with its path in aws-auth": {
			awsAuth: roles(roleItem(iamARN + "role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch")),
			who:     authlog.Principal{ARN: iamARN + "role/AWSServiceRoleForBatch", Kind: authlog.PrincipalServiceLinked},
			causes:  []string{"service_linked_role certain", "aws_auth_role_path certain"},
		},
		"F16 new suffix, old one in an entry": {
			awsAuth: none, entries: []awssim.AccessEntry{entry(iamARN+"role/aws-reserved/sso.amazonaws.com/"+oldSSO, later)},
			iam: addSSO, who: role(newSSO), causes: []string{"sso_role_rotated high"},
		},
		"F16 new suffix, old one in aws-auth": {
			awsAuth: roles(roleItem(iamARN + "role/" + oldSSO)), iam: addSSO, who: role(newSSO), causes: []string{"sso_role_rotated high"},
		},
		"F16 session of the old role": {
			awsAuth: none, iam: addSSO, who: role(oldSSO), causes: []string{"principal_gone high", "sso_role_rotated high"},
		},
		"F17 node role missing": {
			mode: "API", who: node("Karpenter"), causes: []string{"entry_missing certain"},
		},
		"F18 wrong role on the nodes": {
			awsAuth: none, who: node("AmazonSSMRoleForInstancesQuickSetup"), causes: []string{"never_mapped certain"},
		},
		"F19 node entry of type STANDARD": {
			awsAuth: none, entries: []awssim.AccessEntry{entry(iamARN+"role/Worker", later)},
			iam: func(s *scene) { s.account.AddRole(awssim.Role{Name: "Worker", Created: clusterMade}) },
			who: node("Worker"), mapped: "access_entry", causes: []string{"entry_standard_for_node certain"},
		},
		"F19 node entry of the right type": {
			awsAuth: none, entries: []awssim.AccessEntry{{PrincipalARN: iamARN + "role/Worker", Type: "EC2_LINUX", Created: later}},
			iam: func(s *scene) { s.account.AddRole(awssim.Role{Name: "Worker", Created: clusterMade}) },
			who: node("Worker"), mapped: "access_entry",
		},
		"F20 node template on another role still maps": {
			awsAuth: roles(nodeItem), who: role("Node"), mapped: "aws_auth",
		},
		"F21 the cluster role does not matter for the mapping": {
			awsAuth: none, who: node("Node"), mapped: "aws_auth",
		},
		"F22 node of another account": {
			awsAuth: none, who: authlog.Principal{ARN: "arn:aws:iam::444455556666:role/Node", Kind: authlog.PrincipalNode},
			causes: []string{"aws_auth_bad_arn high"},
		},
		"F23 reserved username still maps": {
			awsAuth: roles("- rolearn: " + iamARN + "role/Dev\n  username: eks:dev\n"), who: role("Dev"), mapped: "aws_auth",
		},
		"F24 root user": {
			awsAuth: none, who: authlog.Principal{ARN: iamARN + "root", Kind: authlog.PrincipalRoot}, causes: []string{"entry_impossible certain"},
		},
		"F24 root user in mapUsers": {
			awsAuth: users(userItem(iamARN + "root")), who: authlog.Principal{ARN: iamARN + "root", Kind: authlog.PrincipalRoot}, mapped: "aws_auth",
		},
		"F25 console user": {
			awsAuth: none, who: role("ConsoleAdmin"), causes: []string{"never_mapped certain"},
		},
		"F26 AWS's own": {
			awsAuth: none, who: authlog.Principal{ARN: "arn:aws:iam::444455556666:role/AWSWesleyClusterManagerLambda-NodeManagerRole-X", Kind: authlog.PrincipalAWS, Benign: true},
		},
		"whole account": {
			awsAuth: map[string]string{"mapAccounts": "- \"" + account + "\"\n"}, who: role("Any"), mapped: "aws_auth",
		},
	}
}

func addSSO(s *scene) {
	s.account.AddRole(awssim.Role{Name: "aws-reserved/sso.amazonaws.com/eu-central-1/" + newSSO, Created: clusterMade})
}

func TestEachFailureIsExplained(t *testing.T) {
	for name, f := range failures() {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, f.awsAuth)
			s.change(func(c *awssim.Cluster) {
				c.AccessEntries, c.BootstrapCreatorAdmin = f.entries, !f.noBootstrap
				if f.mode != "" {
					c.AuthenticationMode = f.mode
				}
			})
			if f.iam == nil {
				f.iam = func(s *scene) { s.addPrincipal(f.who.ARN) }
			}
			f.iam(s)
			v := s.explain(s.reader(), f.who)
			var got []string
			for _, c := range v.Causes {
				got = append(got, c.Code+" "+string(c.Confidence))
				if c.Why == "" || c.System == "" {
					t.Errorf("%s says too little: %+v", c.Code, c)
				}
			}
			if d := cmp.Diff(f.causes, got); d != "" {
				t.Errorf("causes (-want +got):\n%s", d)
			}
			if v.Mapped != f.mapped {
				t.Errorf("mapped by %q, want %q", v.Mapped, f.mapped)
			}
		})
	}
}

// addPrincipal makes a role or user of the account, as old as the cluster.
func (s *scene) addPrincipal(arn string) {
	if name, ok := strings.CutPrefix(arn, iamARN+"role/"); ok {
		s.account.AddRole(awssim.Role{Name: name, Created: clusterMade})
	}
	if name, ok := strings.CutPrefix(arn, iamARN+"user/"); ok {
		s.account.AddUser(awssim.User{Name: name, Created: clusterMade})
	}
}

func TestExplanationHasWhatARemedyNeeds(t *testing.T) {
	s := newScene(t, roles(nodeItem, roleItem(iamARN+"role/team/x/Dev")))
	s.account.AddRole(awssim.Role{Name: "team/x/Dev", Created: later})
	v := s.explain(s.reader(), role("Dev"))
	if v.FullARN != iamARN+"role/team/x/Dev" || v.Exists != authlog.Yes || !v.Created.Equal(later) {
		t.Errorf("IAM told %+v", v)
	}
	if len(v.Causes) != 1 || v.Causes[0].Near == nil {
		t.Fatalf("causes: %+v", v.Causes)
	}
	c := v.Causes[0]
	if marked := c.Near.Have[c.Near.HaveFrom:c.Near.HaveTo]; marked != "team/x/" || c.Near.WantFrom != c.Near.WantTo {
		t.Errorf("marked %q of %q", marked, c.Near.Have)
	}
	if want := "- rolearn: " + iamARN + "role/Dev\n  username: dev:{{SessionName}}\n  groups:\n  - team\n"; c.Corrected != want {
		t.Errorf("corrected:\n%s", c.Corrected)
	}
	if c.Near.Where != "aws-auth mapRoles item 2, line 6:12" {
		t.Errorf("where: %s", c.Near.Where)
	}
}

func TestDenialBeforeTheEntryWasMadeIsNoCause(t *testing.T) {
	s := newScene(t, nil)
	other := authlog.Principal{ARN: "arn:aws:iam::444455556666:role/Dev"}
	s.change(func(c *awssim.Cluster) { c.AccessEntries = []awssim.AccessEntry{entry(other.ARN, later)} })
	v, err := s.reader().Explain(t.Context(), "prod", other, later.Add(-time.Hour))
	if err != nil || v.Mapped != "access_entry" || len(v.Causes) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestRotatedPermissionSetsAreNamedBeforeAnybodyIsDenied(t *testing.T) {
	s := newScene(t, roles(nodeItem, roleItem(iamARN+"role/"+oldSSO)))
	addSSO(s)
	s.change(func(c *awssim.Cluster) {
		c.AccessEntries = []awssim.AccessEntry{entry(iamARN+"role/aws-reserved/sso.amazonaws.com/eu-central-1/"+oldSSO, later)}
	})
	var got []string
	for _, b := range s.access(s.reader()).Broken {
		got = append(got, b.Code+" "+b.Corrected)
	}
	want := []string{"sso_role_rotated " + iamARN + "role/" + newSSO, "sso_role_rotated " + iamARN + "role/" + newSSO}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
