package diagnose

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Conditions under which a remedy is the right one, where the authentication
// mode is not known.
const (
	whenEntries   = "the authentication mode is API or API_AND_CONFIG_MAP"
	whenConfigMap = "the authentication mode is CONFIG_MAP, or API_AND_CONFIG_MAP and you keep to aws-auth"
)

const warnAdmin = "AmazonEKSEditPolicy, AmazonEKSAdminPolicy and AmazonEKSClusterAdminPolicy are further choices; the last may do anything in the cluster. Give no more than is asked for."

// Who is not mapped is either the wrong identity or one that nobody has mapped:
// both ways are offered, the likelier first.

func (a *adviser) grantAgain() []authlog.Remedy {
	return append(a.grants("grant", "Let the principal in again"), a.rightIdentity()...)
}

func (a *adviser) grantCreator() []authlog.Remedy {
	return append(a.grants("grant", "Let the creator in"), a.rightIdentity()...)
}

func (a *adviser) checkThenGrant() []authlog.Remedy {
	return append(a.rightIdentity(), a.grants("grant", "Let the principal in")...)
}

func (a *adviser) grantRotated() []authlog.Remedy {
	remedies := a.grants("grant", "Let the new role in")
	for i := range remedies {
		if a.s.trust == authlog.No {
			break
		}
		remedies[i].Steps = append(remedies[i].Steps, authlog.Step{
			Do: "Give it what the old role had; then delete the mapping of the old role, which nobody can assume any more.",
		})
	}
	return append(remedies, a.rightIdentity()...)
}

// grants are the ways to let a principal in, by what the cluster and the
// principal allow: none for a principal of an account that is not trusted.
func (a *adviser) grants(key, title string) []authlog.Remedy {
	switch {
	case a.s.kind == authlog.PrincipalAWS, a.s.kind == authlog.PrincipalRoot:
		return nil
	case a.s.trust == authlog.No:
		return []authlog.Remedy{a.reviewAccount()}
	case a.s.kind == authlog.PrincipalFederatedUser:
		return []authlog.Remedy{useRole()}
	case a.s.kind == authlog.PrincipalServiceLinked:
		return a.serviceLinked()
	}
	var all []authlog.Remedy
	if a.t.mode != authlog.ModeConfigMap {
		all = append(all, a.grantEntry(key, title))
	}
	if a.t.mode != authlog.ModeAPI {
		all = append(all, a.grantAWSAuth(key, title))
	}
	if a.t.mode == authlog.ModeConfigMap {
		all = append(all, a.switchMode())
	}
	return all
}

// reviewAccount stands where a grant would, for a principal of an account that
// is not trusted.
func (a *adviser) reviewAccount() authlog.Remedy {
	return authlog.Remedy{
		Key: "review_account", Title: "Find out whose account it is", Who: whoSecurity,
		Warning: "The account of the principal is not among the trusted ones. Let nobody of it in before you know whose it is.",
		Steps: []authlog.Step{
			{
				Do:      "Ask your organisation for the account, if you have one.",
				Command: line("aws", "organizations", "list-accounts", "--query", "Accounts[].[Id,Name]", "--output", "text"),
				Expect:  "the account, if it is yours",
			},
			{Do: "If it is yours or a partner's, name it among the trusted accounts of this service; the commands are given then."},
		},
	}
}

func useRole() authlog.Remedy {
	return authlog.Remedy{
		Key: "use_role", Title: "Use a role instead", Who: whoUser,
		Steps: []authlog.Step{{Do: "A federated user (sts:GetFederationToken) cannot have an access entry. Assume a role, and have that let in."}},
	}
}

// needsCLI says which AWS CLI knows access entries.
var needsCLI = authlog.Step{
	Do: "Access entries need AWS CLI 2.12.3 or newer (1.27.160 of version 1).", Command: line("aws", "--version"),
}

// grantEntry is an access entry with the least that is useful: to look at one
// namespace.
func (a *adviser) grantEntry(key, title string) authlog.Remedy {
	steps := append([]authlog.Step{needsCLI}, a.s.lookUp(&a.t)...)
	steps = append(steps,
		authlog.Step{
			Do:      "Create the access entry. It takes effect within seconds.",
			Command: a.t.eks("create-access-entry", "--cluster-name", "--principal-arn", a.s.entry, "--type", "STANDARD"),
			Expect:  "the entry; ResourceInUseException says that there is one already",
		},
		authlog.Step{
			Do: "Let it look at one namespace.",
			Command: a.t.eks("associate-access-policy", "--cluster-name", "--principal-arn", a.s.entry,
				"--policy-arn", a.t.policy("AmazonEKSViewPolicy"), "--access-scope", word(`type=namespace,namespaces="$NAMESPACE"`)),
		},
	)
	r := authlog.Remedy{
		Key: key + "_access_entry", Title: title + " with an access entry", Who: whoCluster, Warning: a.caution(warnAdmin),
		Steps: steps, Terraform: a.entryTerraform("STANDARD"), Check: a.checkGrant(),
		Undo: []authlog.Step{{
			Do: "Delete the access entry.", Command: a.t.eks("delete-access-entry", "--cluster-name", "--principal-arn", a.s.entry),
		}},
	}
	if a.t.mode == "" {
		r.When = whenEntries
	}
	return r
}

// caution is a warning, with one before it where it is not known whether the
// account of the principal is trusted.
func (a *adviser) caution(warning string) string {
	if a.s.trust != "" || !a.s.valid {
		return warning
	}
	return strings.TrimSpace("Make sure that the account " + a.s.arn.Account + " is yours. " + warning)
}

func (t *target) policy(name string) string {
	return "arn:" + t.partition + ":eks::aws:cluster-access-policy/" + name
}

// checkGrant shows that it worked.
func (a *adviser) checkGrant() []authlog.Step {
	return []authlog.Step{
		{
			Do: "Whoever was denied tries again.", Command: line("kubectl", "get", "svc"),
			Expect: "the service kubernetes, or Forbidden: then the identity is let in and only its permissions are too few",
		},
		{Do: "The log then shows `access granted` for the principal, which resolves this."},
	}
}

// user is the Kubernetes user name of a role's sessions in aws-auth. The
// session is in it, so that the audit log tells people apart.
func (a *adviser) user() value {
	v := value{name: "KUBERNETES_USER"}
	if !a.s.valid {
		return v
	}
	name := a.s.arn.Name
	if isReserved(name + ":") {
		name = "role-" + name
	}
	if a.s.arn.Type == "role" {
		name += ":{{SessionName}}"
	}
	v.text = name
	return v
}

// isReserved knows the beginnings of user names that EKS keeps for itself.
func isReserved(user string) bool {
	for _, prefix := range [...]string{"system:", "eks:", "aws:", "amazon:", "iam:"} {
		if strings.HasPrefix(strings.ToLower(user), prefix) {
			return true
		}
	}
	return false
}

// viewers is the group that aws-auth maps to and a role binding lets look at a
// namespace.
const viewers = "team-viewers"

func (a *adviser) grantAWSAuth(key, title string) authlog.Remedy {
	r := authlog.Remedy{
		Key: key + "_aws_auth", Title: title + " with aws-auth", Who: whoCluster,
		Warning: a.caution("Do not use the group system:masters: it may do anything and cannot be limited."),
		Steps: []authlog.Step{
			a.beAdmin("Be somebody who may change aws-auth"),
			backup(),
			{
				Do: "Add the item. The ARN of a role stands in aws-auth without its path.",
				Command: line("eksctl", "create", "iamidentitymapping", "--cluster", a.t.cluster, "--region", a.t.region,
					"--arn", a.s.mapped, "--username", a.user(), "--group", viewers, "--no-duplicate-arns"),
			},
			{Do: "Or write it by hand with `kubectl edit -n kube-system configmap/aws-auth`, in " + a.section() + ".", Text: a.item(viewers)},
			{
				Do: "Let the group look at one namespace.",
				Command: line("kubectl", "-n", variable("NAMESPACE"), "create", "rolebinding", viewers,
					"--clusterrole", "view", "--group", viewers),
			},
		},
		Check: a.checkGrant(),
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

func backup() authlog.Step {
	return authlog.Step{
		Do:      "Keep a copy of aws-auth first.",
		Command: `kubectl -n kube-system get configmap aws-auth -o yaml > "aws-auth.$(date +%s).yaml"`,
	}
}

func (a *adviser) section() string {
	if a.s.valid && a.s.arn.Type == "user" {
		return "mapUsers"
	}
	return "mapRoles"
}

// item is an item of aws-auth. What passed the strict grammar needs no quotes
// in YAML, but for the braces of a template.
func (a *adviser) item(groups ...string) string {
	key := "rolearn"
	if a.section() == "mapUsers" {
		key = "userarn"
	}
	return yamlItem(key, a.s.mapped.plain(), a.user().plain(), groups...)
}

func yamlItem(key, arn, user string, groups ...string) string {
	s := "- " + key + ": \"" + arn + "\"\n  username: \"" + user + "\"\n"
	if len(groups) == 0 {
		return s
	}
	return s + "  groups:\n    - " + strings.Join(groups, "\n    - ") + "\n"
}

// oneWayMode is the step that opens a cluster to access entries for good.
func (a *adviser) oneWayMode() authlog.Step {
	return authlog.Step{
		Do: "Let the cluster look at access entries besides aws-auth. Minimum platform versions: 1.23 eks.17, 1.24 eks.20, 1.25 eks.18, " +
			"1.26 eks.14, 1.27 eks.13, 1.28 eks.7, 1.29 eks.1, 1.30 eks.2, all of later ones.",
		Command: a.t.eks("update-cluster-config", "--name", "--access-config", "authenticationMode=API_AND_CONFIG_MAP"),
		Expect:  "an update of type AccessConfigUpdate; `aws eks describe-update` tells when it is Successful",
		OneWay:  true,
	}
}

// switchMode is for a cluster of mode CONFIG_MAP that nobody gets into.
func (a *adviser) switchMode() authlog.Remedy {
	r := a.grantEntry("switch_mode", "Let the principal in")
	r.Title = "Open the cluster to access entries, then let the principal in with one"
	r.When = "nobody is left who can change aws-auth"
	r.Warning = "The authentication mode cannot be set back to CONFIG_MAP. " + r.Warning
	r.Steps = append([]authlog.Step{a.oneWayMode()}, r.Steps...)
	r.Terraform = `resource "aws_eks_cluster" "this" {
  # besides what it has. This cannot be undone
  access_config {
    authentication_mode = "API_AND_CONFIG_MAP"
  }
}

` + r.Terraform
	return r
}

func (a *adviser) serviceLinked() []authlog.Remedy {
	if a.t.mode == authlog.ModeAPI {
		return []authlog.Remedy{{
			Key: "service_integration", Title: "Use the service's own integration with access entries", Who: whoCluster,
			Steps: []authlog.Step{{Do: "A service-linked role cannot have an access entry, and this cluster does not look at aws-auth. Follow the pages of the service that the role belongs to."}},
		}}
	}
	user := value{name: "KUBERNETES_USER"}
	if a.s.valid && a.s.arn.Name == "AWSServiceRoleForBatch" {
		user.text = "aws-batch"
	}
	return []authlog.Remedy{{
		Key: "map_service_role", Title: "Map the service-linked role in aws-auth", Who: whoCluster,
		Warning: a.caution("A service-linked role cannot have an access entry. Map it only if you use the service with this cluster."),
		Steps: []authlog.Step{
			backup(),
			{
				Do: "Add the item, without the path of the role.",
				Command: line("eksctl", "create", "iamidentitymapping", "--cluster", a.t.cluster, "--region", a.t.region,
					"--arn", a.s.mapped, "--username", user, "--no-duplicate-arns"),
			},
			{Do: "Create the role binding that the service asks for, for this user name."},
		},
		Check: a.checkGrant(),
		Undo: []authlog.Step{{
			Do:      "Take the item out.",
			Command: line("eksctl", "delete", "iamidentitymapping", "--cluster", a.t.cluster, "--region", a.t.region, "--arn", a.s.mapped),
		}},
	}}
}

// entryTerraform is an access entry as Terraform. Values that are not known
// are variables.
func (a *adviser) entryTerraform(kind string) string {
	var b strings.Builder
	arn := "var.principal_arn"
	switch {
	case a.s.isRole() && (a.t.account == "" || a.s.arn.Account == a.t.account):
		b.WriteString("data \"aws_iam_role\" \"denied\" {\n  name = \"" + a.s.arn.Name + "\"\n}\n\n")
		arn = "data.aws_iam_role.denied.arn"
	case a.s.entry.known():
		arn = `"` + a.s.entry.text + `"`
	}
	b.WriteString("resource \"aws_eks_access_entry\" \"denied\" {\n" +
		"  cluster_name  = " + a.t.cluster.hcl("cluster_name") + "\n" +
		"  principal_arn = " + arn + "\n" +
		"  type          = \"" + kind + "\"\n}\n")
	if kind != "STANDARD" {
		return b.String()
	}
	b.WriteString("\nresource \"aws_eks_access_policy_association\" \"denied\" {\n" +
		"  cluster_name  = aws_eks_access_entry.denied.cluster_name\n" +
		"  principal_arn = aws_eks_access_entry.denied.principal_arn\n" +
		"  policy_arn    = \"" + a.t.policy("AmazonEKSViewPolicy") + "\"\n\n" +
		"  access_scope {\n    type       = \"namespace\"\n    namespaces = var.namespaces\n  }\n}\n")
	return b.String()
}

// hcl is the value as a Terraform expression.
func (v value) hcl(variable string) string {
	if v.known() {
		return `"` + v.text + `"`
	}
	return "var." + variable
}
