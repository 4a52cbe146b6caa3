package awssim

import "time"

// entries are the access entries of the cluster: of the creator in every mode
// that has some, and where there are no others of everybody who gets in. prod
// has one of a role that was made anew since.
func (s *scene) entries(created time.Time) []AccessEntry {
	iam := "arn:aws:iam::" + s.account + ":"
	view := []AccessPolicy{{Name: "AmazonEKSViewPolicy", Namespaces: []string{"default"}}}
	admin := []AccessPolicy{{Name: "AmazonEKSClusterAdminPolicy"}}
	entry := func(resource, kind string, policies ...AccessPolicy) AccessEntry {
		return AccessEntry{PrincipalARN: iam + resource, Type: kind, Username: iam + resource, Policies: policies, Created: created}
	}
	var list []AccessEntry
	switch {
	case s.mode == "CONFIG_MAP":
		return nil
	case s.name == "prod":
		list = append(list, entry("role/payments-deploy", "", view...))
	case s.mode == "API" && len(s.logging) > 0:
		list = append(
			list, entry("role/eks-node-"+s.name, "EC2_LINUX"), entry("role/eks-gpu-node", "EC2_LINUX"),
			entry("role/github-deploy", "", view...), entry("role/observability/grafana-agent", "", view...),
			entry("role/aws-reserved/sso.amazonaws.com/"+s.region+"/AWSReservedSSO_PlatformAdmin_1234567890abcdef", "", admin...),
		)
	}
	return append(list, entry("user/testuser", "", admin...))
}

// hire makes the roles and users of the cluster's cast in IAM. That of
// payments-deploy was deleted and made anew three hours after the start.
func (s *scene) hire(a *Account, created time.Time) {
	for _, name := range []string{
		"eks-cluster-" + s.name, "eks-node-" + s.name, "eks-gpu-node", "github-deploy", "observability/grafana-agent", "karpenter-spot",
		"platform-tools", "aws-service-role/emr-containers.amazonaws.com/AWSServiceRoleForAmazonEMRContainers",
		"aws-reserved/sso.amazonaws.com/" + s.region + "/AWSReservedSSO_PlatformAdmin_1234567890abcdef",
		"aws-reserved/sso.amazonaws.com/" + s.region + "/AWSReservedSSO_ReadOnly_fedcba0987654321",
		"aws-reserved/sso.amazonaws.com/" + s.region + "/AWSReservedSSO_DataEngineer_eeeeffff00001111",
	} {
		a.AddRole(Role{Name: name, Created: created.AddDate(-1, 0, 0)})
	}
	a.AddRole(Role{Name: "payments-deploy", Created: s.start.Add(3 * time.Hour)})
	a.AddUser(User{Name: "testuser", Created: created.AddDate(-1, 0, 0)})
	a.AddUser(User{Name: "teams/dev/frank", Created: created.AddDate(-1, 0, 0)})
}
