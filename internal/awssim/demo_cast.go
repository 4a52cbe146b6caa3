package awssim

import (
	"fmt"
	"strings"
	"time"
)

// demoCluster is what the demo says of one cluster.
type demoCluster struct {
	name, account, region string
	class                 string
	mode                  string   // authentication mode
	logging               []string // enabled log types; none: no log group
	apiServers, nodes     int
	story                 func(*scene)
}

func demoClusters() []demoCluster {
	all := []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}
	return []demoCluster{
		{"prod", demoHome, "eu-central-1", Standard, "API_AND_CONFIG_MAP", all, 3, 12, (*scene).storyProd},
		{"web", demoHome, "eu-central-1", Standard, "API", all, 2, 6, (*scene).storyWeb},
		{"staging", demoHome, "us-east-1", Standard, "API_AND_CONFIG_MAP", all, 2, 4, (*scene).storyStaging},
		{"data", demoOther, "eu-central-1", Standard, "API_AND_CONFIG_MAP", all, 3, 8, (*scene).storyData},
		{"ml", demoOther, "us-east-1", Standard, "API", all, 2, 5, (*scene).storyML},
		{"prod", demoOther, "us-east-1", InfrequentAccess, "CONFIG_MAP", all, 2, 6, (*scene).storyOutage},
		{name: "sandbox", account: demoOther, region: "eu-central-1", mode: "API", story: func(*scene) {}},
	}
}

// cast lets the people, nodes and pipelines of the cluster begin to log in.
func (s *scene) cast() {
	for range s.nodes {
		node := s.node("eks-node-" + s.name)
		node.username = "system:node:" + privateName(s.rng.IntN(256), s.rng.IntN(256), s.region)
		node.groups = "[system:bootstrappers system:nodes]"
		s.regular(7*time.Minute, node)
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		person := s.sso("PlatformAdmin", "1234567890abcdef", name+"@example.com", "platform-admins")
		s.regular(6*time.Minute, person)
	}
	s.regular(40*time.Second, s.role("github-deploy", "GitHubActions", "deployers"))
	s.regular(25*time.Second, s.role("observability/grafana-agent", "grafana-agent", "viewers"))
	creator := s.user("testuser", "kubernetes-admin", "system:masters")
	creator.awsAuth = false
	s.regular(50*time.Minute, creator)
	s.castAWS()
	s.every(11*time.Minute, func(t time.Time) {
		api, _ := s.anyAPI()
		s.write(api, t, logLine(t, "info", "Received aws-auth watch event"))
	})
	s.story(s)
}

// regular lets somebody log in every gap. Who is mapped by aws-auth suffers
// when it breaks.
func (s *scene) regular(gap time.Duration, p *principal) {
	if p.awsAuth {
		s.mapped = append(s.mapped, p)
	}
	s.every(gap, func(t time.Time) { s.login(t, p) })
}

// castAWS adds EKS's own principals, which log in all day and mean nothing.
func (s *scene) castAWS() {
	for _, own := range [][3]string{
		{"AWSWesleyClusterManagerLambda-NodeManagerRole-EXAMPLE", "eks:node-manager", "EKSAuthTokenSession"},
		{"AWSWesleyClusterManagerLambda-Add-AddonManagerRole-EXAMPLE", "eks:addon-manager", "EKSAuthTokenSession"},
	} {
		p := s.principal("123456789012", "assumed-role/"+own[0]+"/"+own[2], "role/"+own[0], own[2])
		p.username, p.groups = own[1], "[]"
		s.every(2*time.Minute, func(t time.Time) { s.login(t, p) })
	}
}

// principal is a session of the role or other resource of that account.
func (s *scene) principal(account, stsResource, iamResource, session string) *principal {
	return &principal{
		arn: "arn:aws:iam::" + account + ":" + iamResource, sts: "arn:aws:sts::" + account + ":" + stsResource,
		account: account, session: session,
		userID: uniqueID("AROA", account, iamResource), key: uniqueID("ASIA", account, stsResource),
	}
}

// role is a session of a role of the cluster's account, mapped by aws-auth. No
// line shows the role's path.
func (s *scene) role(name, session, group string) *principal {
	last := name[strings.LastIndexByte(name, '/')+1:]
	p := s.principal(s.account, "assumed-role/"+last+"/"+session, "role/"+last, session)
	p.awsAuth = s.mode != "API"
	if group != "" {
		p.username, p.groups = last+":"+session, "["+group+"]"
	}
	return p
}

// sso is a person who comes through IAM Identity Center.
func (s *scene) sso(set, suffix, session, group string) *principal {
	return s.role("AWSReservedSSO_"+set+"_"+suffix, session, group)
}

// node is an EC2 instance with the given role, not mapped yet.
func (s *scene) node(role string) *principal { return s.role(role, "i-0"+s.hex(16), "") }

func (s *scene) user(name, username, group string) *principal {
	arn := "arn:aws:iam::" + s.account + ":user/" + name
	return &principal{
		arn: arn, sts: arn, account: s.account, userID: uniqueID("AIDA", arn), key: uniqueID("AKIA", arn),
		username: username, groups: "[" + group + "]", awsAuth: s.mode != "API",
	}
}

func privateName(a, b int, region string) string {
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return fmt.Sprintf("ip-10-0-%d-%d.%s", a, b, domain)
}
