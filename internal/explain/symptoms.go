package explain

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
)

// A Symptom is what a tool said.
type Symptom struct {
	Code  string         `json:"code"`
	Said  string         `json:"said"`  // the line; the last of its kind
	Count int            `json:"count"` // how many lines said so
	Layer string         `json:"layer"` // client, network, authentication or authorization
	Means string         `json:"means"`
	InLog bool           `json:"in_log"` // whether the authenticator's log has a line of it
	Steps []authlog.Step `json:"steps"`
}

// The layers that a symptom comes from.
const (
	layerClient         = "client"         // before there is a token
	layerNetwork        = "network"        // before the API server
	layerAuthentication = "authentication" // 401
	layerAuthorization  = "authorization"  // 403
)

// A sign is how a symptom is known: by any of its words, in lower case.
type sign struct {
	code, layer string
	words       []string
	means       string
	inLog       bool
	steps       func(*names) []authlog.Step
}

// signs are in the order of how much they tell; the first that fits a line
// counts. The texts are those of kubectl, client-go, kubelet, helm and the AWS
// CLI.
var signs = [...]sign{
	{
		code: "sso_login_expired", layer: layerClient,
		words: []string{"the sso session associated with this profile has expired", "token has expired and refresh failed", "error loading sso token", "sso token"},
		means: "The login of IAM Identity Center has expired on your machine. No request came to the cluster.",
		steps: func(*names) []authlog.Step {
			return []authlog.Step{{Do: "Log in again.", Command: `aws sso login --profile "$PROFILE"`}}
		},
	},
	{
		code: "no_credentials", layer: layerClient,
		words: []string{"unable to locate credentials", "the config profile (", "no credentialproviders", "failed to retrieve credentials", "nocredentialproviders"},
		means: "The AWS CLI finds no credentials or no such profile on your machine. No request came to the cluster.",
		steps: func(*names) []authlog.Step {
			return []authlog.Step{{Do: "See which profiles there are.", Command: "aws configure list-profiles"}, whoAmI}
		},
	},
	{
		code: "assume_role_denied", layer: layerClient,
		words: []string{"when calling the assumerole operation", "sts:assumerole on resource", "when calling the assumerolewithwebidentity operation"},
		means: "AWS does not let you assume the role that kubeconfig names. A policy, a trust policy or a missing MFA is why; no request came to the cluster.",
		steps: func(*names) []authlog.Step {
			return []authlog.Step{whoAmI, {Do: "See which role kubectl wants.", Command: "kubectl config view --minify", Expect: "--role-arn in exec, or role_arn in the profile of AWS_PROFILE"}, {Do: "Whoever administers the role adds you to its trust policy."}}
		},
	},
	{
		code: "describe_cluster_denied", layer: layerClient,
		words: []string{"when calling the describecluster operation", "eks:describecluster"},
		means: "AWS does not let you ask for the cluster, or there is none of that name in this account and region. No request came to the cluster.",
		steps: func(n *names) []authlog.Step {
			return []authlog.Step{whoAmI, {Do: "See which clusters there are.", Command: "aws eks list-clusters --region " + n.region}}
		},
	},
	{
		code: "bad_keys", layer: layerClient,
		words: []string{"(invalidclienttokenid)", "(signaturedoesnotmatch)", "(expiredtoken)", "(expiredtokenexception)", "(unrecognizedclientexception)"},
		means: "AWS does not take the credentials on your machine: they have expired, were deleted, or the secret is wrong. No request came to the cluster.",
		steps: func(*names) []authlog.Step { return []authlog.Step{freshShell, whoAmI} },
	},
	{
		code: "exec_plugin_version", layer: layerClient,
		words: []string{"client.authentication.k8s.io/v1alpha1"},
		means: "kubectl and the AWS CLI are too far apart in age to talk about tokens. No request came to the cluster.",
		steps: func(n *names) []authlog.Step {
			return []authlog.Step{{Do: "Use the newest AWS CLI, and write kubeconfig anew.", Command: "aws eks update-kubeconfig --name " + n.cluster + " --region " + n.region}}
		},
	},
	{
		code: "exec_plugin_failed", layer: layerClient,
		words: []string{"getting credentials: exec:", "executable aws failed", "executable aws-iam-authenticator", "exec: executable"},
		means: "The command that makes the token failed on your machine. What it says on the lines around tells why. No request came to the cluster.",
		steps: func(n *names) []authlog.Step {
			return []authlog.Step{{Do: "Run it yourself.", Command: "aws eks get-token --cluster-name " + n.cluster + " --region " + n.region, Expect: "a token that begins with k8s-aws-v1."}, whoAmI}
		},
	},
	{
		code: "console_no_access", layer: layerAuthentication, inLog: true,
		words: []string{"your current iam principal doesn't have access to kubernetes objects", "your current user or role does not have access to kubernetes objects"},
		means: "The EKS console asked the cluster as the role you signed in with, and that role is not mapped.",
		steps: askLog,
	},
	{
		code: "unauthorized_node", layer: layerAuthentication, inLog: true,
		words: []string{"unable to register node with api server", "failed to contact api server when waiting for csinode", "failed to ensure lease exists", "error updating node status"},
		means: "A node is refused with 401: its role is not mapped, or is another one than it ought to be.",
		steps: askLog,
	},
	{
		code: "unauthorized", layer: layerAuthentication, inLog: true,
		words: []string{"you must be logged in to the server", "the server has asked for the client to provide credentials", "error: you must be logged in", "401 unauthorized", "(unauthorized)", "unauthorized"},
		means: "401: the API server does not know who you are. Either your AWS identity is not the one that is mapped, or it is not mapped, or the token was refused; the authenticator's log says which.",
		steps: askLog,
	},
	{
		code: "no_resource_type", layer: layerAuthentication, inLog: true,
		words: []string{"the server doesn't have a resource type"},
		means: "kubectl could not ask the server what it knows. Most often that is a 401: the API server does not know who you are.",
		steps: askLog,
	},
	{
		code: "forbidden", layer: layerAuthorization,
		words: []string{"is forbidden: user", "(forbidden)", "403 forbidden", "forbidden:"},
		means: "403: you are let in, and may not do this. It is a matter of RBAC or of access policies, not of the mapping; the log has only a grant.",
		steps: func(*names) []authlog.Step {
			return []authlog.Step{
				{Do: "See who you are to the cluster.", Command: "kubectl auth whoami", Expect: "the user name and groups that roles are bound to"},
				{Do: "See what you may do.", Command: "kubectl auth can-i --list"},
				{Do: "An access entry without an access policy and without groups lets in and allows nothing: a cluster administrator associates a policy."},
			}
		},
	},
	{
		code: "wrong_ca", layer: layerNetwork,
		words: []string{"x509: certificate signed by unknown authority", "certificate is valid for"},
		means: "The certificate of the server is not the one in kubeconfig: it is another cluster's, or one that was made anew under the same name, or a proxy stands between.",
		steps: func(n *names) []authlog.Step {
			return []authlog.Step{{Do: "Write kubeconfig anew.", Command: "aws eks update-kubeconfig --name " + n.cluster + " --region " + n.region}}
		},
	},
	{
		code: "not_reached", layer: layerNetwork,
		words: []string{"i/o timeout", "no such host", "connection refused", "unable to connect to the server: dial", "tls handshake timeout", "context deadline exceeded"},
		means: "The API server was not reached. The endpoint may be private, your network not among those allowed, or the name that of a cluster that is gone. The authenticator was not asked.",
		steps: func(n *names) []authlog.Step {
			return []authlog.Step{{
				Do:      "See which networks may reach it.",
				Command: "aws eks describe-cluster --name " + n.cluster + " --region " + n.region + " --query 'cluster.[endpoint,resourcesVpcConfig.[endpointPublicAccess,publicAccessCidrs]]'",
			}}
		},
	},
}

// names are cluster and region as words of a command: of the strict grammar,
// else variables.
type names struct{ cluster, region, logGroup string }

func namesOf(o *Options) *names {
	n := &names{cluster: `"$CLUSTER"`, region: `"$REGION"`, logGroup: "/aws/eks/<cluster>/cluster"}
	if diagnose.IsClusterName(o.Cluster.Name) {
		n.cluster, n.logGroup = o.Cluster.Name, o.Cluster.LogGroup()
	}
	if authlog.IsRegion(o.Cluster.Region) {
		n.region = o.Cluster.Region
	}
	return n
}

var (
	whoAmI     = authlog.Step{Do: "Ask AWS who you are. With a profile: add --profile.", Command: "aws sts get-caller-identity", Expect: "the identity that you mean to be"}
	freshShell = authlog.Step{Do: "Forget what the shell has.", Command: "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE"}
)

// askLog is how to get at the lines that tell why.
func askLog(n *names) []authlog.Step {
	return []authlog.Step{
		whoAmI,
		{
			Do: "See as whom kubectl asks, and whom.", Command: "kubectl config view --minify",
			Expect: "in exec: --cluster-name, --region, --role-arn and AWS_PROFILE as you mean them",
		},
		logQuery(n),
	}
}

// logQuery fetches the authenticator's lines of the time of the failure.
func logQuery(n *names) authlog.Step {
	return authlog.Step{
		Do: "Get the authenticator's lines of that minute, and paste them here: run this in CloudWatch Logs Insights on the log group " + n.logGroup + ", over the minutes in which it failed.",
		Text: `fields @timestamp, @message
| filter @logStream like /authenticator/
| sort @timestamp desc
| limit 1000`,
		Expect: "lines; none at all means that the authenticator log is off",
	}
}

// symptoms finds what tools said in lines, and counts the lines that nothing
// could be made of.
func symptoms(lines []string, o *Options) (list []Symptom, unknown int) {
	n := namesOf(o)
	at := map[string]int{}
	for _, line := range lines {
		s := signOf(line)
		if s == nil {
			unknown++
			continue
		}
		if i, ok := at[s.code]; ok {
			list[i].Count++
			list[i].Said = diagnose.Plain(line)
			continue
		}
		at[s.code] = len(list)
		list = append(list, Symptom{
			Code: s.code, Said: diagnose.Plain(line), Count: 1, Layer: s.layer, Means: s.means, InLog: s.inLog, Steps: s.steps(n),
		})
	}
	return list, unknown
}

func signOf(line string) *sign {
	line = strings.ToLower(strings.ReplaceAll(line, "’", "'"))
	for i := range signs {
		for _, w := range signs[i].words {
			if strings.Contains(line, w) {
				return &signs[i]
			}
		}
	}
	return nil
}

// next is how to find out more, where the text did not tell enough.
func (a *Answer) next(o *Options) []authlog.Step {
	n := namesOf(o)
	switch {
	case len(a.Diagnoses) > 0 || len(a.Reasons) > 0:
		return nil
	case len(a.Symptoms) > 0:
		return a.Symptoms[0].Steps
	case a.Identity != nil:
		return []authlog.Step{logQuery(n)}
	case a.Read.Kinds[authlog.KindGranted.String()] > 0:
		return nil
	}
	return []authlog.Step{whoAmI, logQuery(n)}
}
