package rules

// Result labels of the authenticator's metric authenticate_latency_seconds;
// the spelling of the last is the authenticator's own.
const (
	resultInvalidToken = "invalid_token"
	resultSTSError     = "sts_error"
	resultThrottled    = "sts_throttling"
	resultUnknownUser  = "uknown_user"
)

const noRetry = "The same token is refused again."

// Steps that several reasons share.
var (
	findClient = Step{
		Who: ActorClusterAdmin,
		Do: "The line does not say who it was. Where audit logging is on, look for requests that were answered 401 in the same second: " +
			"sourceIPs and userAgent tell the client.",
		Command: `aws logs start-query --region "$REGION" --log-group-name "/aws/eks/$CLUSTER/cluster" --start-time "$START" --end-time "$END" ` +
			`--query-string 'fields @timestamp, sourceIPs.0, userAgent, requestURI | filter responseStatus.code = 401 | sort @timestamp desc | limit 100'`,
	}
	useGetToken = Step{
		Who:     ActorClientDeveloper,
		Do:      "Let the AWS CLI or aws-iam-authenticator make the token instead of code of your own.",
		Command: `aws eks get-token --cluster-name "$CLUSTER" --region "$REGION"`,
	}
	newKubeconfig = Step{
		Who:     ActorClientOwner,
		Do:      "Write the kubeconfig anew, so that a token is fetched for each call and for this cluster.",
		Command: `aws eks update-kubeconfig --name "$CLUSTER" --region "$REGION"`,
	}
	whoAmI = Step{
		Who:     ActorClientOwner,
		Do:      "See which identity the client really has. It must be the one that was meant.",
		Command: `aws sts get-caller-identity`,
	}
	regionalSTS = Step{
		Who:     ActorClientOwner,
		Do:      "Sign for the STS endpoint of the cluster's region, and unset endpoints of your own.",
		Command: `unset AWS_ENDPOINT_URL AWS_ENDPOINT_URL_STS AWS_USE_DUALSTACK_ENDPOINT; export AWS_STS_REGIONAL_ENDPOINTS=regional AWS_REGION="$REGION"`,
	}
	lookIntoSource = Step{
		Who: ActorSecurity,
		Do:  "If it goes on, or comes from where no client of yours runs, treat it as an attack on the API server's endpoint: limit who can reach it.",
		Command: `aws eks describe-cluster --name "$CLUSTER" --region "$REGION" ` +
			`--query 'cluster.resourcesVpcConfig.[endpointPublicAccess,publicAccessCidrs]'`,
	}
	syncClock = Step{
		Who:     ActorClientOwner,
		Do:      "Compare the client's clock with a time server and set it right (Windows: w32tm /resync).",
		Command: `chronyc tracking && sudo chronyc makestep`,
	}
	waitForAWS = Step{
		Who: ActorAWS,
		Do:  "Nothing on your side is wrong. Retry; look at the AWS Health Dashboard; open a case with AWS Support if it lasts.",
	}
	checkEgress = Step{
		Who:     ActorOperator,
		Do:      "Only for an authenticator of your own: check DNS, proxy, certificate authorities and the way out to STS.",
		Command: `curl -sS -o /dev/null -w '%{http_code}\n' "https://sts.$REGION.amazonaws.com/"`,
	}
	describeMode = Step{
		Who:     ActorClusterAdmin,
		Do:      "See where the cluster keeps its mappings: access entries (API), aws-auth (CONFIG_MAP), or both.",
		Command: `aws eks describe-cluster --name "$CLUSTER" --region "$REGION" --query cluster.accessConfig.authenticationMode`,
	}
	showEntry = Step{
		Who: ActorClusterAdmin,
		Do:  "Look at the access entry and the policies associated with it, and keep the output: the entry is made anew below.",
		Command: `aws eks describe-access-entry --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$ARN" && ` +
			`aws eks list-associated-access-policies --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$ARN"`,
	}
)

// Pages of AWS and Kubernetes.
const (
	docAccessEntries   = "https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html"
	docCreateEntry     = "https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html"
	docAccessPolicies  = "https://docs.aws.amazon.com/eks/latest/userguide/access-policies.html"
	docAWSAuth         = "https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html"
	docKubeconfig      = "https://docs.aws.amazon.com/eks/latest/userguide/create-kubeconfig.html"
	docTroubleshooting = "https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html"
	docClusterRole     = "https://docs.aws.amazon.com/eks/latest/userguide/cluster-iam-role.html"
	docNodeRole        = "https://docs.aws.amazon.com/eks/latest/userguide/create-node-role.html"
	docHybridNodes     = "https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-cluster-prep.html"
	docLogs            = "https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html"
	docEndpointAccess  = "https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html"
	docServiceAccounts = "https://docs.aws.amazon.com/eks/latest/userguide/service-accounts.html"
	docOIDC            = "https://docs.aws.amazon.com/eks/latest/userguide/authenticate-oidc-identity-provider.html"
	docUnauthorized    = "https://repost.aws/knowledge-center/eks-api-server-unauthorized-error"
	docGetToken        = "https://docs.aws.amazon.com/cli/latest/reference/eks/get-token.html"
	docCallerIdentity  = "https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"
	docSTSErrors       = "https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html"
	docSTSRegions      = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_enable-regions.html"
	docSTSEndpoints    = "https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html"
	docSigning         = "https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html"
	docAccessKeys      = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html"
	docTemporary       = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html"
	docAccessDenied    = "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"
	docIdentifiers     = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"
	docPartitions      = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"
	docSSORoles        = "https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html"
	docEC2Errors       = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"
	docEC2Throttling   = "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"
	docHealth          = "https://docs.aws.amazon.com/health/latest/ug/aws-health-dashboard-status.html"
	docWebhook         = "https://kubernetes.io/docs/reference/access-authn-authz/authentication/"
)
