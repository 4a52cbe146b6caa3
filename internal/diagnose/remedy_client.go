package diagnose

import (
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// rightIdentity is for the person: is this the identity that was meant?
func (a *adviser) rightIdentity() []authlog.Remedy {
	remedy := authlog.Remedy{
		Key: "use_right_identity", Title: "See which identity you use", Who: whoUser,
		Steps: []authlog.Step{
			{
				Do: "Ask AWS who you are. With a profile: add --profile.", Command: line("aws", "sts", "get-caller-identity"),
				Expect: a.identityExpect(),
			},
			{
				Do:      "If it is not who you meant to be: forget what the shell has, and log in.",
				Command: line("unset", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
			},
			{Do: "With IAM Identity Center, log in again.", Command: line("aws", "sso", "login", "--profile", variable("PROFILE"))},
			{
				Do:      "Let kubectl use that profile for this cluster.",
				Command: line("aws", "eks", "update-kubeconfig", "--name", a.t.cluster, "--region", a.t.region, "--profile", variable("PROFILE")),
			},
			{
				Do: "Look at what kubectl will do.", Command: line("kubectl", "config", "view", "--minify"),
				Expect: "in exec: --cluster-name " + a.t.cluster.plain() + ", --region " + a.t.region.plain() + ", the role in --role-arn and the profile in AWS_PROFILE that you mean",
			},
		},
		Check: []authlog.Step{{
			Do: "Try.", Command: line("kubectl", "get", "svc"),
			Expect: "the service kubernetes; Forbidden means that you are let in, and RBAC refuses what you ask for",
		}},
	}
	return []authlog.Remedy{remedy}
}

// identityExpect is what get-caller-identity shows to whoever was denied.
func (a *adviser) identityExpect() string {
	switch {
	case a.v.code == "not_seen_here":
		return "the identity you asked about; if another, that is the one to look for"
	case a.s.isRole():
		return "Arn …:assumed-role/" + a.s.arn.Name + "/… and Account " + a.s.arn.Account + ": that is the identity that was denied. Anything else: your request came as another identity, or to another cluster."
	case a.s.valid:
		return "Arn " + a.s.mapped.text + ": that is the identity that was denied. Anything else: your request came as another identity, or to another cluster."
	}
	return "whether it is the identity that was denied"
}

func (a *adviser) stopClient() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "stop_client", Title: "Find the client and stop it", Who: whoClient,
		Steps: []authlog.Step{
			a.readClients(),
			{Do: "Stop it until the principal is let in, or give it the right identity."},
		},
	}}
}

func (a *adviser) setClock() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "set_clock", Title: "Set the machine's clock", Who: whoClient,
		Steps: []authlog.Step{
			a.readClients(),
			{Do: "On that machine, see how far the clock is off.", Command: line("chronyc", "tracking"), Expect: "System time within a second of NTP time"},
			{Do: "Set it at once.", Command: line("sudo", "chronyc", "makestep")},
			{Do: "Without chrony, see whether the clock is kept by NTP.", Command: "timedatectl", Expect: "System clock synchronized: yes"},
		},
		Check: []authlog.Step{{Do: "Try on that machine.", Command: line("kubectl", "get", "svc"), Expect: "the service kubernetes"}},
	}}
}

// execKubeconfig makes kubectl ask for a token each time.
func (a *adviser) execKubeconfig() authlog.Step {
	return authlog.Step{
		Do:      "Let kubectl and client libraries ask for a token each time.",
		Command: line("aws", "eks", "update-kubeconfig", "--name", a.t.cluster, "--region", a.t.region),
		Expect:  "a kubeconfig with an exec section instead of a token",
	}
}

func (a *adviser) freshTokens() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "fresh_tokens", Title: "Use a fresh token each time", Who: whoClient,
		Steps: []authlog.Step{
			a.readClients(),
			{Do: "Look for a token in a kubeconfig, a CI variable, a Terraform provider or a dashboard."},
			a.execKubeconfig(),
		},
		Terraform: "provider \"kubernetes\" {\n  host                   = data.aws_eks_cluster.this.endpoint\n" +
			"  cluster_ca_certificate = base64decode(data.aws_eks_cluster.this.certificate_authority[0].data)\n\n" +
			"  exec {\n    api_version = \"client.authentication.k8s.io/v1beta1\"\n    command     = \"aws\"\n" +
			"    args        = [\"eks\", \"get-token\", \"--cluster-name\", " + a.t.cluster.hcl("cluster_name") + ", \"--region\", " + a.t.region.hcl("region") + "]\n  }\n}\n",
		Check: []authlog.Step{{Do: "The lines stop."}},
	}}
}

func (a *adviser) renewCredentials() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "renew_credentials", Title: "Find the client and renew its credentials", Who: string(rules.ActorCredentialOwner),
		Steps: []authlog.Step{
			a.readClients(),
			{Do: "People log in again.", Command: line("aws", "sso", "login", "--profile", variable("PROFILE"))},
			{Do: "For an IAM user: see its keys and whether they are active.", Command: line("aws", "iam", "list-access-keys", "--user-name", variable("IAM_USER"))},
			{Do: "See when a key was used last.", Command: line("aws", "iam", "get-access-key-last-used", "--access-key-id", variable("ACCESS_KEY_ID"))},
			{Do: "Start the client anew with credentials that refresh themselves (IRSA, Pod Identity, an instance profile), not with copied ones."},
		},
		Check: []authlog.Step{{Do: "With the client's own credentials:", Command: line("aws", "sts", "get-caller-identity", "--region", a.t.region), Expect: "its identity"}},
	}}
}

func (a *adviser) rightCluster() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "right_cluster", Title: "Make the token for this cluster, with the right secret", Who: whoClient,
		Steps: []authlog.Step{
			{
				Do: "Compare the server and the name of the cluster.", Command: line("kubectl", "config", "view", "--minify"),
				Expect: "in exec: --cluster-name " + a.t.cluster.plain() + ", beside the server of that cluster",
			},
			{Do: "Write both anew.", Command: line("aws", "eks", "update-kubeconfig", "--name", a.t.cluster, "--region", a.t.region)},
			{
				Do: "See whether the keys themselves are good.", Command: line("aws", "sts", "get-caller-identity"),
				Expect: "your identity; SignatureDoesNotMatch here too means that the secret key is wrong",
			},
		},
		Check: []authlog.Step{{Do: "Try.", Command: line("kubectl", "get", "svc"), Expect: "the service kubernetes"}},
	}}
}

func (a *adviser) standardTokens() []authlog.Remedy {
	r := authlog.Remedy{
		Key: "standard_tokens", Title: "Make tokens as EKS expects them", Who: string(rules.ActorClientDeveloper),
		Steps: []authlog.Step{a.readClients()},
		Check: []authlog.Step{{
			Do: "Compare with a good token.", Command: a.t.eks("get-token", "--cluster-name"),
			Expect: "a token that begins with k8s-aws-v1.",
		}},
	}
	if reason, ok := rules.ByCode(a.v.subject); ok {
		r.Steps = append(r.Steps, authlog.Step{Do: "What is wrong: " + reason.Cause})
	}
	r.Steps = append(r.Steps, authlog.Step{Do: "Use `aws eks get-token`, or the pre-signer of the AWS SDK: GetCallerIdentity on the regional STS endpoint, the header x-k8s-aws-id signed, X-Amz-Expires 60, the URL in base64url without padding behind k8s-aws-v1."})
	return []authlog.Remedy{r}
}

func (a *adviser) restartPod() []authlog.Remedy {
	return []authlog.Remedy{{
		Key: "restart_pod", Title: "Find the client and renew its token", Who: whoClient,
		Steps: []authlog.Step{
			a.readClients(),
			{
				Do:      "If it is a pod: restart it, so that it reads its service-account token anew.",
				Command: line("kubectl", "-n", variable("POD_NAMESPACE"), "rollout", "restart", word("deployment/"+string(variable("DEPLOYMENT")))),
			},
			{
				Do: "If people log in by OIDC: check issuer, client id and that the issuer can be reached.",
				Command: a.t.eks("describe-identity-provider-config", "--cluster-name",
					"--identity-provider-config", word(`type=oidc,name="$OIDC_CONFIG"`)),
			},
		},
		Check: []authlog.Step{{Do: "The lines stop."}},
	}}
}
