package diagnose

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

func (a *adviser) mendAWSAuth() []authlog.Remedy {
	return append([]authlog.Remedy{a.editAWSAuth("mend_aws_auth", "Mend aws-auth",
		authlog.Step{
			Do:      "Mend the YAML: the log line tells the line of the fault. Tabs, a wrong indent, a missing blank after a colon, and an unquoted {{…}} are the usual ones.",
			Command: line("kubectl", "-n", "kube-system", "edit", "configmap", "aws-auth"),
		})}, a.breakGlass()...)
}

func (a *adviser) remakeAWSAuth() []authlog.Remedy {
	return append([]authlog.Remedy{a.editAWSAuth("remake_aws_auth", "Create aws-auth anew",
		authlog.Step{
			Do:      "Put the last good copy back, if there is one (without its lines resourceVersion and uid); else write it anew.",
			Command: line("kubectl", "apply", "-f", variable("COPY")),
		})}, a.breakGlass()...)
}

func (a *adviser) restoreAWSAuth() []authlog.Remedy {
	return append([]authlog.Remedy{a.editAWSAuth("restore_aws_auth", "Put back what was lost",
		authlog.Step{
			Do:      "Compare aws-auth with your last good copy, and put the missing items back. If it was access entries that are gone, create them again.",
			Command: line("kubectl", "-n", "kube-system", "edit", "configmap", "aws-auth"),
		})}, a.breakGlass()...)
}

// editAWSAuth is for whoever still gets in. The nodes come first.
func (a *adviser) editAWSAuth(key, title string, edit authlog.Step) authlog.Remedy {
	steps := []authlog.Step{
		a.beAdmin("Be somebody who still gets in"),
		{
			Do:      "Point kubectl at the cluster.",
			Command: line("aws", "eks", "update-kubeconfig", "--name", a.t.cluster, "--region", a.t.region),
		},
		backup(),
		edit,
	}
	steps = append(steps, a.faultSteps()...)
	steps = append(steps, authlog.Step{
		Do:   "See to the roles of the nodes first; one item for each node role, without path.",
		Text: yamlItem("rolearn", a.nodeRole(), "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers", "system:nodes"),
	})
	return authlog.Remedy{
		Key: key, Title: title, Who: whoCluster, When: "somebody still gets in", Steps: steps,
		Check: []authlog.Step{
			{Do: "The log must show aws-auth read without an error.", Expect: "Received aws-auth watch event, and no `Errors parsing configmap` after it"},
			{Do: "Nodes come back by themselves.", Command: line("kubectl", "get", "nodes"), Expect: "the nodes, Ready within some minutes"},
		},
		Undo: []authlog.Step{{
			Do:      "Put the copy back that you kept, without its lines resourceVersion and uid.",
			Command: line("kubectl", "apply", "-f", variable("COPY")),
		}},
	}
}

// nodeRole is the role of nodes that were denied, where there is one.
func (a *adviser) nodeRole() string {
	role := value{name: "NODE_ROLE_ARN"}
	for _, p := range a.v.affected {
		if p.asNode.empty() {
			continue
		}
		if s := a.c.subject(p.principal); s.isRole() && (!role.known() || s.mapped.text < role.text) {
			role.text = s.mapped.text
		}
	}
	return role.plain()
}

// beAdmin is the step to become whoever may change aws-auth.
func (a *adviser) beAdmin(do string) authlog.Step {
	return authlog.Step{Do: do + a.creatorHint() + ".", Command: line("aws", "sts", "get-caller-identity"), Expect: "that identity"}
}

func (a *adviser) creatorHint() string {
	cr := &a.c.claim
	if cr.arn == "" || cr.confidence == authlog.ConfidenceLow || a.c.facts.Creator.Exists == authlog.No {
		return ": the creator of the cluster needs no mapping in aws-auth, nor does a principal with an access entry"
	}
	likely := "the creator of the cluster, "
	if cr.confidence != authlog.ConfidenceCertain {
		likely = "likely the creator of the cluster (it was let in as kubernetes-admin), "
	}
	return ": " + likely + Plain(cr.arn) + ", needs no mapping in aws-auth"
}

// breakGlass is the way back in when nobody is left: an access entry made from
// outside of the cluster.
func (a *adviser) breakGlass() []authlog.Remedy {
	var steps []authlog.Step
	steps = append(steps, needsCLI, a.readMode())
	if a.t.mode != authlog.ModeAPI && a.t.mode != authlog.ModeBoth {
		mode := a.oneWayMode()
		if a.t.mode == "" {
			mode.Do = "Only if the mode is CONFIG_MAP: " + strings.ToLower(mode.Do[:1]) + mode.Do[1:]
		}
		steps = append(steps, mode)
	}
	steps = append(steps,
		authlog.Step{
			Do:      "Create an access entry for the emergency role.",
			Command: a.t.eks("create-access-entry", "--cluster-name", "--principal-arn", variable("BREAK_GLASS_ARN"), "--type", "STANDARD"),
		},
		authlog.Step{
			Do: "Make it an administrator, for as long as the repair takes.",
			Command: a.t.eks("associate-access-policy", "--cluster-name", "--principal-arn", variable("BREAK_GLASS_ARN"),
				"--policy-arn", a.t.policy("AmazonEKSClusterAdminPolicy"), "--access-scope", "type=cluster"),
		},
		authlog.Step{
			Do:      "As that role, point kubectl at the cluster.",
			Command: line("aws", "eks", "update-kubeconfig", "--name", a.t.cluster, "--region", a.t.region, "--role-arn", variable("BREAK_GLASS_ARN")),
		},
		authlog.Step{
			Do:   "Put the roles of the nodes back into aws-auth first, then the others.",
			Text: yamlItem("rolearn", a.nodeRole(), "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers", "system:nodes"),
		},
	)
	r := authlog.Remedy{
		Key: "break_glass", Title: "Get back in from outside the cluster", Who: whoCluster, When: "nobody gets in any more",
		Warning: "AmazonEKSClusterAdminPolicy may do anything in the cluster: give it to a role for emergencies only, and take it back. Whoever runs this needs eks:CreateAccessEntry and eks:AssociateAccessPolicy; nobody with these: AWS Support.",
		Steps:   steps,
		Check:   []authlog.Step{{Do: "As the emergency role:", Command: line("kubectl", "get", "svc"), Expect: "the service kubernetes"}},
		Undo: []authlog.Step{{
			Do: "Delete the emergency role's access entry.", Command: a.t.eks("delete-access-entry", "--cluster-name", "--principal-arn", variable("BREAK_GLASS_ARN")),
		}},
	}
	if a.v.code != "creator_gone" {
		return []authlog.Remedy{r}
	}
	r.Title, r.When = "Make a second way in while it is calm", ""
	r.Steps = r.Steps[:len(r.Steps)-1]
	return append([]authlog.Remedy{r}, a.recreateCreator()...)
}

// recreateCreator is to make a deleted creator anew, which helps only where
// the cluster knows it by its ARN.
func (a *adviser) recreateCreator() []authlog.Remedy {
	if a.t.mode == authlog.ModeAPI || a.v.about.variant == "sso" || strings.Contains(a.v.about.otherARN, "AWSReservedSSO_") {
		return nil
	}
	r := authlog.Remedy{
		Key: "recreate_creator", Title: "Create the creator again under the same name", Who: whoAccount,
		When:    "the authentication mode is CONFIG_MAP",
		Warning: "With access entries a principal is known by its unique id; one made anew has another and is not let in by the old entry.",
		Steps: []authlog.Step{
			{Do: "Create a role or user of exactly the same name and path, " + Plain(a.v.about.otherARN) + ", so that it has the same ARN."},
			{Do: "Be that identity.", Command: line("aws", "sts", "get-caller-identity"), Expect: "the same account and name"},
			{Do: "Point kubectl at the cluster.", Command: line("aws", "eks", "update-kubeconfig", "--name", a.t.cluster, "--region", a.t.region)},
		},
		Check: []authlog.Step{{Do: "Try.", Command: line("kubectl", "get", "svc"), Expect: "the service kubernetes"}},
	}
	return []authlog.Remedy{r}
}
