package diagnose

import "github.com/eks-authlog/eks-authlog/internal/authlog"

func (a *adviser) activateRegion() []authlog.Remedy {
	return []authlog.Remedy{
		{
			Key: "activate_sts_region", Title: "Activate STS in the region", Who: whoAccount,
			Steps: []authlog.Step{
				{Do: "Sign in to the account that is named" + a.accountHint() + ", open IAM, Account settings, Security Token Service (STS), and activate the endpoint of " + a.t.region.plain() + ". There is no command for it."},
			},
			Check: []authlog.Step{{Do: "With credentials of that account:", Command: line("aws", "sts", "get-caller-identity", "--region", a.t.region), Expect: "your identity"}},
			Undo:  []authlog.Step{{Do: "Deactivate the endpoint on the same page."}},
		},
		{
			Key: "other_sts_region", Title: "Meanwhile sign for another region", Who: whoUser, When: "people must get in before that; nodes cannot",
			Steps: []authlog.Step{{Do: "Make tokens for a region whose STS is active: set --region in the exec arguments of kubeconfig and AWS_STS_REGIONAL_ENDPOINTS=regional."}},
		},
	}
}

func (a *adviser) accountHint() string {
	if authlog.IsAccount(a.v.about.account) {
		return " (" + a.v.about.account + ")"
	}
	return ""
}

func (a *adviser) regionalTokens() []authlog.Remedy {
	return []authlog.Remedy{
		{
			Key: "regional_endpoint", Title: "Use the regional STS endpoint", Who: whoClient,
			Steps: []authlog.Step{
				{Do: "For the shell, the CI job or the pod:", Command: "export AWS_STS_REGIONAL_ENDPOINTS=regional"},
				{Do: "Or for a profile:", Command: line("aws", "configure", "set", "sts_regional_endpoints", "regional")},
				{Do: "Get new credentials over it, then a new token.", Command: line("aws", "sts", "get-caller-identity", "--region", a.t.region), Expect: "your identity"},
			},
			Check: []authlog.Step{{Do: "Try.", Command: line("kubectl", "get", "svc"), Expect: "the service kubernetes"}},
		},
		{
			Key: "version_2_tokens", Title: "Let the global endpoint give tokens that are good everywhere", Who: whoAccount,
			Warning: "Version 2 tokens are longer: systems that store them in a field of fixed length may break.",
			Steps: []authlog.Step{{
				Do: "Change it for the whole account.",
				Command: line("aws", "iam", "set-security-token-service-preferences",
					"--global-endpoint-token-version", "v2Token"),
			}},
			Undo: []authlog.Step{{
				Do:      "Set it back.",
				Command: line("aws", "iam", "set-security-token-service-preferences", "--global-endpoint-token-version", "v1Token"),
			}},
		},
	}
}

func (a *adviser) reuseTokens() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "reuse_tokens", Title: "Find what makes the many requests", Who: whoClient,
		Steps: []authlog.Step{
			{Do: "Look at the principals that are denied over and over in the same minutes, and at who is granted most."},
			{Do: "Let controllers reuse a token for 14 minutes, and sign for the regional endpoint.", Command: "export AWS_STS_REGIONAL_ENDPOINTS=regional"},
			{Do: "If all is as it must be, ask AWS Support for a higher STS quota in " + a.t.region.plain() + "."},
		},
		Check: []authlog.Step{{Do: "The lines stop."}},
	}}
}

func (a *adviser) waitForSTS() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "wait_for_sts", Title: "See whether AWS knows of it", Who: whoAWS,
		Warning: "Change no mapping: who is denied now is denied for no fault of theirs.",
		Steps: []authlog.Step{
			{Do: "Look at the AWS Health Dashboard for STS and EKS in " + a.t.region.plain() + ".", Command: line("aws", "health", "describe-events", "--region", "us-east-1", "--filter", "services=STS,EKS")},
			{Do: "Open a case with AWS Support; give cluster, region and the time of the first line."},
		},
		Check: []authlog.Step{{Do: "The lines stop, and grants come as before."}},
	}}
}

func (a *adviser) narrowEndpoint() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "narrow_endpoint", Title: "Find the source, and narrow who can reach the endpoint", Who: whoSecurity,
		Warning: "Networks that are left out are cut off at once: nodes and people that use the public endpoint too. Let nobody of an unknown account in.",
		Steps: []authlog.Step{
			a.readClients(),
			{Do: "Keep what is set now.", Command: a.t.eks("describe-cluster", "--name", "--query", "cluster.resourcesVpcConfig.[endpointPublicAccess,endpointPrivateAccess,publicAccessCidrs]")},
			{
				Do: "Let only your own networks reach the public endpoint.",
				Command: a.t.eks("update-cluster-config", "--name", "--resources-vpc-config",
					word(`endpointPublicAccess=true,endpointPrivateAccess=true,publicAccessCidrs="$CIDRS"`)),
			},
		},
		Terraform: "resource \"aws_eks_cluster\" \"this\" {\n  # besides what it has\n  vpc_config {\n    endpoint_private_access = true\n    public_access_cidrs     = var.cidrs\n  }\n}\n",
		Check:     []authlog.Step{{Do: "From your own network:", Command: line("kubectl", "get", "svc"), Expect: "the service kubernetes"}},
		Undo: []authlog.Step{{
			Do:      "Set what you kept.",
			Command: a.t.eks("update-cluster-config", "--name", "--resources-vpc-config", word(`publicAccessCidrs="$OLD_CIDRS"`)),
		}},
	}}
}

func (a *adviser) noRoot() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "no_root", Title: "Stop using the root user", Who: whoSecurity,
		Steps: []authlog.Step{
			{
				Do: "See whether the root user has access keys.", Command: line("aws", "iam", "get-account-summary", "--query", "SummaryMap.AccountAccessKeysPresent"),
				Expect: "0; otherwise delete them",
			},
			{Do: "Find out who it was: CloudTrail has the sign-in and GetCallerIdentity of the same minute."},
			{Do: "Use a role, and have that let in. The root user cannot have an access entry."},
		},
	}}
}

// EnableLogging is the command that turns the authenticator log of a cluster on;
// other types stay as they are. What of the cluster is not of EKS's own grammar
// is a shell variable.
func EnableLogging(c authlog.Cluster) string {
	t := (&cluster{id: c}).target()
	return t.eks("update-cluster-config", "--name", "--logging", logging)
}

const logging = `{"clusterLogging":[{"types":["authenticator"],"enabled":true}]}`

func (a *adviser) enableLog() []authlog.Remedy {
	const off = `{"clusterLogging":[{"types":["authenticator"],"enabled":false}]}`
	return []authlog.Remedy{{
		Key: "enable_log", Title: "Switch the authenticator log on", Who: whoCluster,
		Steps: []authlog.Step{
			a.readLogging(),
			{
				Do:      "Switch it on; other types stay as they are. It takes some minutes.",
				Command: a.t.eks("update-cluster-config", "--name", "--logging", logging),
				Expect:  "an update of type LoggingUpdate; `aws eks describe-update` tells when it is Successful",
			},
			{Do: "If it was on: see whether the reader may still read the log group " + a.logGroup() + " (logs:StartQuery, logs:GetQueryResults, logs:DescribeLogStreams)."},
		},
		Terraform: "resource \"aws_eks_cluster\" \"this\" {\n  # besides what it has\n  enabled_cluster_log_types = [\"authenticator\"]\n}\n",
		Check:     []authlog.Step{{Do: "A line comes within minutes: EKS itself calls every active cluster."}},
		Undo:      []authlog.Step{{Do: "Switch it off.", Command: a.t.eks("update-cluster-config", "--name", "--logging", off)}},
	}}
}
