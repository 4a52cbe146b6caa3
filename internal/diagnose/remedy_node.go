package diagnose

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// nodeKind is what sort of node the one principal was.
func (a *adviser) nodeKind() authlog.PrincipalKind {
	if len(a.v.affected) != 1 {
		return ""
	}
	for _, s := range a.v.affected[0].sessions {
		if k := kindAs(a.v.affected[0].arn, s); isNodeKind(k) {
			return k
		}
	}
	if a.v.about.variant != "" && isNodeKind(authlog.PrincipalKind(a.v.about.variant)) {
		return authlog.PrincipalKind(a.v.about.variant)
	}
	return a.s.kind
}

// entryType is the type of an access entry for a node.
func entryType(k authlog.PrincipalKind) string {
	switch k {
	case authlog.PrincipalFargate:
		return "FARGATE_LINUX"
	case authlog.PrincipalHybrid:
		return "HYBRID_LINUX"
	default:
		return "EC2_LINUX"
	}
}

func (a *adviser) mapNodes() []authlog.Remedy {
	if a.s.trust == authlog.No {
		return []authlog.Remedy{a.moveNodeRemedy()}
	}
	var all []authlog.Remedy
	if a.t.mode != authlog.ModeConfigMap {
		all = append(all, a.nodeEntry())
	}
	if a.t.mode != authlog.ModeAPI && a.nodeKind() != authlog.PrincipalHybrid {
		all = append(all, a.nodeAWSAuth())
	}
	return all
}

func (a *adviser) nodeEntry() authlog.Remedy {
	kind := entryType(a.nodeKind())
	steps := append([]authlog.Step{needsCLI}, a.s.lookUp(&a.t)...)
	do := "Create the access entry, without groups and policies: the type gives them."
	if kind == "EC2_LINUX" {
		do += " For Windows nodes the type is EC2_WINDOWS, for Auto Mode EC2. You need iam:PassRole on the role."
	}
	r := authlog.Remedy{
		Key: "node_access_entry", Title: "Let the nodes in with an access entry", Who: whoCluster,
		Warning: a.caution("Make sure that this is the role the nodes ought to have: it must not be one that people or other machines use too."),
		Steps: append(steps, authlog.Step{
			Do: do, Command: a.t.eks("create-access-entry", "--cluster-name", "--principal-arn", a.s.entry, "--type", kind),
		}),
		Terraform: a.entryTerraform(kind), Check: a.checkNodes(),
		Undo: []authlog.Step{{
			Do: "Delete the access entry.", Command: a.t.eks("delete-access-entry", "--cluster-name", "--principal-arn", a.s.entry),
		}},
	}
	if a.t.mode == "" {
		r.When = whenEntries
	}
	return r
}

func (a *adviser) checkNodes() []authlog.Step {
	return []authlog.Step{
		{Do: "Nodes try again by themselves.", Command: line("kubectl", "get", "nodes", "-o", "wide"), Expect: "the node, Ready within some minutes"},
		{Do: "The log then shows `access granted` for the role, which resolves this."},
	}
}

// nodeMapping is how a node stands in aws-auth.
func (a *adviser) nodeMapping() (user string, groups []string) {
	if a.nodeKind() == authlog.PrincipalFargate {
		return "system:node:{{SessionName}}", []string{"system:bootstrappers", "system:nodes", "system:node-proxier"}
	}
	return "system:node:{{EC2PrivateDNSName}}", []string{"system:bootstrappers", "system:nodes"}
}

func (a *adviser) nodeAWSAuth() authlog.Remedy {
	user, groups := a.nodeMapping()
	words := []any{"eksctl", "create", "iamidentitymapping", "--cluster", a.t.cluster, "--region", a.t.region, "--arn", a.s.mapped, "--username", user}
	for _, g := range groups {
		words = append(words, "--group", g)
	}
	r := authlog.Remedy{
		Key: "node_aws_auth", Title: "Let the nodes in with aws-auth", Who: whoCluster, Warning: a.caution(""),
		Steps: []authlog.Step{
			backup(),
			{
				Do:      "Add the item. The ARN of a role stands in aws-auth without its path. Windows nodes need the group eks:kube-proxy-windows besides.",
				Command: line(append(words, "--no-duplicate-arns")...),
			},
			{
				Do:   "Or write it by hand with `kubectl edit -n kube-system configmap/aws-auth`, in mapRoles.",
				Text: yamlItem("rolearn", a.s.mapped.plain(), user, groups...),
			},
		},
		Check: a.checkNodes(),
		Undo: []authlog.Step{{
			Do:      "Take the item out.",
			Command: line("eksctl", "delete", "iamidentitymapping", "--cluster", a.t.cluster, "--region", a.t.region, "--arn", a.s.mapped),
		}},
	}
	if a.t.mode == "" {
		r.When = whenConfigMap
	}
	return r
}

func (a *adviser) restoreProfile() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "restore_instance_profile", Title: "Give the instance its own role back", Who: whoAccount,
		Warning: "Do not map the role it has now: it is not a node's.",
		Steps: []authlog.Step{
			a.readProfile(),
			{
				Do: "Put the node's own instance profile back.",
				Command: line("aws", "ec2", "replace-iam-instance-profile-association", "--region", a.t.region,
					"--association-id", variable("ASSOCIATION_ID"), "--iam-instance-profile", word(`Name="$INSTANCE_PROFILE"`)),
			},
			{
				Do: "See whether Systems Manager Quick Setup (host management) attaches its own profile, and leave the nodes out of it.",
				Command: line("aws", "ssm", "list-associations", "--region", a.t.region,
					"--query", "Associations[?contains(Name,'QuickSetup')].[Name,AssociationId]"),
			},
		},
		Check: a.checkNodes(),
	}}
}

func (a *adviser) retypeEntry() []authlog.Remedy {
	remedies := a.renewEntry()
	if remedies[0].Key == "renew_access_entry" {
		remedies[0].Title = "Make the access entry anew with the type of a node"
		remedies[0].When = "the instances are nodes"
		remedies[0].Check = a.checkNodes()
	}
	if a.t.mode != authlog.ModeAPI && a.s.trust != authlog.No {
		r := a.nodeAWSAuth()
		r.When = "the role stands in aws-auth and has no access entry"
		remedies = append(remedies, r)
	}
	return remedies
}

// clusterRole is the name of the cluster role: as told, or as EC2 named it.
func (a *adviser) clusterRole() value {
	v := value{name: "CLUSTER_ROLE"}
	for _, s := range [...]string{a.c.facts.RoleARN, a.v.about.caller} {
		arn, ok := rules.ParseARN(s)
		if ok && (arn.Type == "role" || arn.Type == "assumed-role") && !strings.HasPrefix(arn.Name, "-") &&
			(a.t.account == "" || arn.Account == a.t.account) {
			v.text = arn.Name
			return v
		}
	}
	return v
}

func (a *adviser) readClusterRole() []authlog.Step {
	return []authlog.Step{
		{Do: "Ask which role is the cluster's.", Command: a.t.eks("describe-cluster", "--name", "--query", "cluster.roleArn", "--output", "text")},
		{
			Do:      "See which policies it has.",
			Command: line("aws", "iam", "list-attached-role-policies", "--role-name", a.clusterRole()),
			Expect:  "AmazonEKSClusterPolicy",
		},
		{
			Do: "See who may assume it.", Command: line("aws", "iam", "get-role", "--role-name", a.clusterRole(), "--query", "Role.AssumeRolePolicyDocument"),
			Expect: "eks.amazonaws.com",
		},
	}
}

func (a *adviser) allowEC2() []authlog.Remedy {
	attach := authlog.Remedy{
		Key: "attach_cluster_policy", Title: "Let the cluster role look nodes up", Who: whoAccount,
		Steps: []authlog.Step{{
			Do: "Attach AmazonEKSClusterPolicy to the cluster role, not to the role of the nodes.",
			Command: line("aws", "iam", "attach-role-policy", "--role-name", a.clusterRole(),
				"--policy-arn", "arn:"+a.t.partition+":iam::aws:policy/AmazonEKSClusterPolicy"),
		}, {Do: "If it is attached already, look for a service control policy or a permissions boundary that denies ec2:DescribeInstances."}},
		Terraform: "resource \"aws_iam_role_policy_attachment\" \"cluster\" {\n" +
			"  role       = " + a.clusterRole().hcl("cluster_role") + "\n" +
			"  policy_arn = \"arn:" + a.t.partition + ":iam::aws:policy/AmazonEKSClusterPolicy\"\n}\n",
		Check: []authlog.Step{{
			Do:      "Nodes try again by themselves; a node that was denied must join.",
			Command: line("kubectl", "get", "nodes", "-o", "wide"), Expect: "the node, Ready within some minutes",
		}},
		Undo: []authlog.Step{{
			Do: "Detach the policy.",
			Command: line("aws", "iam", "detach-role-policy", "--role-name", a.clusterRole(),
				"--policy-arn", "arn:"+a.t.partition+":iam::aws:policy/AmazonEKSClusterPolicy"),
		}},
	}
	if a.v.about.reason != "ec2_assume_role_denied" {
		return []authlog.Remedy{attach}
	}
	trust := authlog.Remedy{
		Key: "trust_eks", Title: "Let EKS assume the cluster role", Who: whoAccount,
		Steps: []authlog.Step{
			{Do: "Save the trust policy.", Command: line("aws", "iam", "get-role", "--role-name", a.clusterRole(), "--query", "Role.AssumeRolePolicyDocument")},
			{Do: "Let the service assume it. Keep the other statements of the policy that you saved, if it has any.", Command: line("aws", "iam", "update-assume-role-policy", "--role-name", a.clusterRole(), "--policy-document", trustPolicy)},
		},
		Check: attach.Check,
		Undo:  []authlog.Step{{Do: "Set the policy that you saved."}},
	}
	return []authlog.Remedy{trust, attach}
}

const trustPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`

func (a *adviser) moveNode() []authlog.Remedy { return []authlog.Remedy{a.moveNodeRemedy()} }

func (a *adviser) moveNodeRemedy() authlog.Remedy {
	return authlog.Remedy{
		Key: "move_node", Title: "Run the nodes in the cluster's account", Who: whoCluster,
		Warning: "A node's access entry can only be of the cluster's own account.",
		Steps: []authlog.Step{
			{Do: "Find out who runs the instance, and why it was set up to join this cluster."},
			{Do: "Run EC2 nodes in the account and region of the cluster. Machines from elsewhere can join as hybrid nodes."},
		},
	}
}

func (a *adviser) ownRole() []authlog.Remedy {
	t, s := a.t, a.s
	s.valid, s.entry, s.mapped = false, value{name: "ROLE_ARN"}, value{name: "MAPPED_ARN"}
	s.trust, s.kind = authlog.Yes, authlog.PrincipalRole
	own := &adviser{c: a.c, v: a.v, t: t, s: s}
	remedies := own.grants("own_role", "Let a role of their own in")
	for i := range remedies {
		remedies[i].When = "people or tools used the node's role"
		remedies[i].Steps = append([]authlog.Step{{Do: "Make a role for the people or the tool, and let them assume that."}}, remedies[i].Steps...)
	}
	return append(remedies, authlog.Remedy{
		Key: "other_node_type", Title: "Use the entry type of the node", Who: whoCluster, When: "it was a Fargate pod or a hybrid node",
		Steps: []authlog.Step{{Do: "Fargate pods and hybrid nodes need roles of their own, with access entries of the types FARGATE_LINUX and HYBRID_LINUX."}},
	})
}
