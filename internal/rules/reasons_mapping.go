package rules

// mappingReasons are the refusals of an identity that STS vouched for: nobody
// mapped it, or the mapping could not be used.
var mappingReasons = []Reason{
	{
		Code:    "arn_not_mapped",
		Layer:   LayerMapping,
		Summary: "A valid AWS identity that has neither an access entry nor a place in aws-auth.",
		Cause: "It was never granted, or the person used the wrong profile or role. " +
			"Or it was granted and the grant no longer fits: the role was deleted and created again, so its access entry holds the old unique id; " +
			"IAM Identity Center gave the role a new suffix; aws-auth has the role with its path, or as an assumed-role ARN; aws-auth is broken or was deleted; " +
			"the authentication mode is API, which ignores aws-auth. A node's role, and a principal of a foreign account, read the same.",
		Signature:     `identity is not mapped`,
		Versions:      "v0.7.7 and newer; Identity is not mapped: v0.5.21 to v0.5.27 and v0.6.14 to v0.7.6; ARN is not mapped: older, up to v0.4 with the ARN behind it",
		HTTPStatus:    403,
		Result:        resultUnknownUser,
		IdentityKnown: true,
		WhoActs:       ActorClusterAdmin,
		Retryable:     RetryNo,
		RetryNote:     "Not before it is mapped.",
		Suspicion:     SuspicionLow,
		SuspicionNote: "High when the account is none of yours: review before anything is granted.",
		Remedy: []Step{
			whoAmI,
			{
				Who:     ActorClientOwner,
				Do:      "If another identity was meant, write the kubeconfig with it.",
				Command: `aws eks update-kubeconfig --name "$CLUSTER" --region "$REGION" --profile "$PROFILE"`,
			},
			describeMode,
			{
				Who:     ActorClusterAdmin,
				Do:      "Look the principal's full ARN up: the line has a role without its path, and an access entry needs it with.",
				Command: `ARN=$(aws iam get-role --role-name "$ROLE_NAME" --query Role.Arn --output text)`,
			},
			{
				Who:     ActorClusterAdmin,
				Do:      "See whether an access entry is there. If it is, the principal was created again since: delete the entry and create it anew.",
				Command: `aws eks describe-access-entry --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$ARN"`,
			},
			{
				Who: ActorClusterAdmin,
				Do:  "Mode API or API_AND_CONFIG_MAP, a person or tool that shall have access: an access entry, and read access to one namespace. Widen it on purpose only.",
				Command: `aws eks create-access-entry --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$ARN" --type STANDARD && ` +
					`aws eks associate-access-policy --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$ARN" ` +
					`--policy-arn "arn:$PARTITION:eks::aws:cluster-access-policy/AmazonEKSViewPolicy" --access-scope "type=namespace,namespaces=$NAMESPACE"`,
			},
			{
				Who:     ActorClusterAdmin,
				Do:      "Mode API or API_AND_CONFIG_MAP, a node role: an access entry of the nodes' type (EC2_LINUX, EC2_WINDOWS, EC2, FARGATE_LINUX or HYBRID_LINUX).",
				Command: `aws eks create-access-entry --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$ARN" --type EC2_LINUX`,
			},
			{
				Who: ActorClusterAdmin,
				Do:  "Mode CONFIG_MAP: an entry of aws-auth, with the role's ARN without its path and a group that you bind to what it may do. Keep a copy first.",
				Command: `kubectl -n kube-system get configmap aws-auth -o yaml > aws-auth.backup.yaml && ` +
					`eksctl create iamidentitymapping --cluster "$CLUSTER" --region "$REGION" --arn "$ARN_WITHOUT_PATH" --username "$ROLE_NAME:{{SessionName}}" --group "$GROUP" --no-duplicate-arns`,
			},
			{
				Who: ActorClusterAdmin,
				Do:  "Mode CONFIG_MAP, a node role: an entry of aws-auth with the node template.",
				Command: `eksctl create iamidentitymapping --cluster "$CLUSTER" --region "$REGION" --arn "$ARN_WITHOUT_PATH" ` +
					`--username 'system:node:{{EC2PrivateDNSName}}' --group system:bootstrappers --group system:nodes`,
			},
			{
				Who: ActorClusterAdmin,
				Do: "If many were locked out in the same minute, look for the markers aws_auth_parse_error and aws_auth_deleted first: then aws-auth is to be repaired, not this principal. " +
					"Where nobody is left who can, this opens the way to access entries. It cannot be undone.",
				Command: `aws eks update-cluster-config --name "$CLUSTER" --region "$REGION" --access-config authenticationMode=API_AND_CONFIG_MAP`,
			},
		},
		Docs: []string{docUnauthorized, docAccessEntries, docCreateEntry, docAccessPolicies, docAWSAuth, docSSORoles},
	},
	{
		Code:    "arn_userid_mismatch",
		Layer:   LayerMapping,
		Summary: "An access entry was found by the principal's unique id, but its ARN is another.",
		Cause: "The IAM user was renamed or moved to another path after the access entry was made; or the entry's ARN is malformed. " +
			"The line before it, additional arn comparison, has both ARNs.",
		Signature:     `mapper DynamicFile Map error: ARN does not match User ID`,
		Versions:      "v0.5.21, v0.6.14 and newer; a malformed ARN since v0.7.17",
		HTTPStatus:    403,
		Result:        resultUnknownUser,
		IdentityKnown: true,
		WhoActs:       ActorClusterAdmin,
		Retryable:     RetryNo,
		RetryNote:     "Not before the entry was made anew.",
		Suspicion:     SuspicionMedium,
		SuspicionNote: "A user can be renamed to look like another.",
		Remedy: []Step{
			{
				Who:     ActorClusterAdmin,
				Do:      "Find the entry with the old ARN.",
				Command: `aws eks list-access-entries --cluster-name "$CLUSTER" --region "$REGION"`,
			},
			showEntry,
			{
				Who: ActorClusterAdmin,
				Do:  "Delete it and create it for the new ARN; then associate each policy again. This cannot be undone but by creating it once more.",
				Command: `aws eks delete-access-entry --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$ARN" && ` +
					`aws eks create-access-entry --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$NEW_ARN"`,
			},
		},
		Docs: []string{docAccessEntries, docCreateEntry, docIdentifiers},
	},
	{
		Code:          "mapper_error",
		Layer:         LayerMapping,
		Summary:       "A source of mappings failed, and no other had the identity.",
		Cause:         "A mapper could not look the identity up: see its words in the line. With several mappers the text lists their errors.",
		Signature:     `mapper … Map error: … | [mapper … Map error: …, mapper … Map error: …]`,
		Versions:      "v0.5.0 and newer",
		HTTPStatus:    403,
		Result:        resultUnknownUser,
		IdentityKnown: true,
		WhoActs:       ActorClusterAdmin,
		Retryable:     RetryNo,
		RetryNote:     "Not before the mapper works.",
		Suspicion:     SuspicionLow,
		Remedy: []Step{
			describeMode,
			{
				Who: ActorClusterAdmin,
				Do:  "Read the mapper's words in the line. On EKS open a case with AWS Support and quote it; elsewhere check what the mapper reads from.",
			},
		},
		Docs: []string{docAccessEntries, docTroubleshooting},
	},
	{
		Code:       Unclassified,
		Layer:      LayerServer,
		Summary:    "A wording that this catalogue does not have.",
		Cause:      "A new version of the authenticator, or one that nobody has described. The line is kept as it was and counted.",
		Signature:  `anything else`,
		Versions:   "not known",
		HTTPStatus: 403,
		WhoActs:    ActorClusterAdmin,
		Retryable:  RetryUnknown,
		RetryNote:  "The line has to be read by a person.",
		Suspicion:  SuspicionLow,
		Remedy: []Step{
			{Who: ActorClusterAdmin, Do: "Read the line's own words. Tell the makers of this program, so that the next version knows it; leave accounts and names out."},
		},
		Docs: []string{docTroubleshooting, docUnauthorized},
	},
}

// usernameReasons are the refusals of a mapped identity whose Kubernetes user
// name is reserved or cannot be made.
var usernameReasons = []Reason{
	{
		Code:          "username_reserved_prefix",
		Layer:         LayerUsername,
		Summary:       "The identity is mapped, but to a user name with a prefix that is reserved.",
		Cause:         "A mapping gives a user name that begins with aws:, eks:, iam:, amazon: or another prefix that the authenticator keeps for itself. The line names the mapper: EKSConfigMap is aws-auth, DynamicFile is an access entry.",
		Signature:     `invalid username '…' for mapper …: username must not begin with with the following prefixes: […]`,
		Versions:      "v0.5.15, v0.6.6 and newer",
		HTTPStatus:    403,
		Result:        resultUnknownUser,
		IdentityKnown: true,
		WhoActs:       ActorClusterAdmin,
		Retryable:     RetryNo,
		RetryNote:     "Not before the mapping has another user name.",
		Suspicion:     SuspicionMedium,
		SuspicionNote: "Such a name would be taken for a component of EKS.",
		Remedy: []Step{
			{
				Who:     ActorClusterAdmin,
				Do:      "aws-auth: give the entry another user name. Keep a copy first.",
				Command: `kubectl -n kube-system get configmap aws-auth -o yaml > aws-auth.backup.yaml && kubectl -n kube-system edit configmap aws-auth`,
			},
			{
				Who:     ActorClusterAdmin,
				Do:      "Access entry: give it another user name.",
				Command: `aws eks update-access-entry --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$ARN" --username "$NEW_USERNAME"`,
			},
		},
		Docs: []string{docCreateEntry, docAWSAuth},
	},
	{
		Code:    "session_not_instance_id",
		Layer:   LayerUsername,
		Summary: "The identity is mapped as a node, but its session is no EC2 instance.",
		Cause: "Somebody or something other than an EC2 instance uses the node role: a person, a CI job, a controller, a Fargate or hybrid node. " +
			"The node template needs the instance id as the name of the session.",
		Signature:     `mapper … renderTemplates error: error rendering … template "…": SessionName did not contain an instance id`,
		Versions:      "all; up to v0.4: failed mapping username: …",
		HTTPStatus:    403,
		Result:        resultUnknownUser,
		IdentityKnown: true,
		WhoActs:       ActorClusterAdmin,
		Retryable:     RetryNo,
		RetryNote:     "Not with this role and session.",
		Suspicion:     SuspicionMedium,
		SuspicionNote: "A node's credentials that are used elsewhere read like this.",
		Remedy: []Step{
			{Who: ActorClientOwner, Do: "A person or tool: do not use the node role. Use a role of your own that has an access entry of type STANDARD."},
			{
				Who:     ActorClusterAdmin,
				Do:      "A Fargate or hybrid node: its role needs an access entry of its own type, FARGATE_LINUX or HYBRID_LINUX.",
				Command: `aws eks create-access-entry --cluster-name "$CLUSTER" --region "$REGION" --principal-arn "$ARN" --type HYBRID_LINUX`,
			},
			{
				Who:     ActorSecurity,
				Do:      "If nobody knows who it was, look in CloudTrail for who assumed the node role.",
				Command: `aws cloudtrail lookup-events --region "$REGION" --lookup-attributes "AttributeKey=ResourceName,AttributeValue=$ARN"`,
			},
		},
		Docs: []string{docNodeRole, docCreateEntry, docHybridNodes},
	},
	{
		Code:          "username_not_dns1123",
		Layer:         LayerUsername,
		Summary:       "The identity is mapped, but to a user name without any letter or digit.",
		Cause:         "Only versions v0.3 and v0.4 check this.",
		Signature:     `failed mapping username: username or group is not a DNS-1123 hostname`,
		Versions:      "v0.3 and v0.4",
		HTTPStatus:    403,
		Result:        resultUnknownUser,
		IdentityKnown: true,
		WhoActs:       ActorClusterAdmin,
		Retryable:     RetryNo,
		RetryNote:     "Not before the mapping has another user name.",
		Suspicion:     SuspicionLow,
		Remedy: []Step{
			{
				Who:     ActorClusterAdmin,
				Do:      "Give the mapping another user name, or use a newer version.",
				Command: `kubectl -n kube-system get configmap aws-auth -o yaml`,
			},
		},
		Docs: []string{docAWSAuth},
	},
	{
		Code:          "mapping_template_error",
		Layer:         LayerUsername,
		Summary:       "The identity is mapped, but its user name or a group could not be made from the template.",
		Cause:         "A template failed for a reason that has no code of its own: see the words of the line.",
		Signature:     `mapper … renderTemplates error: … | failed mapping username: … | failed mapping group: …`,
		Versions:      "all",
		HTTPStatus:    403,
		Result:        resultUnknownUser,
		IdentityKnown: true,
		WhoActs:       ActorClusterAdmin,
		Retryable:     RetryNo,
		RetryNote:     "Not before the template or what it asks for was put right.",
		Suspicion:     SuspicionLow,
		Remedy: []Step{
			{
				Who:     ActorClusterAdmin,
				Do:      "Compare the template in the line with the mapping.",
				Command: `eksctl get iamidentitymapping --cluster "$CLUSTER" --region "$REGION"`,
			},
			{
				Who: ActorClusterAdmin,
				Do:  "If the line quotes an error of EC2, look it up.",
			},
		},
		Docs: []string{docAWSAuth, docCreateEntry, docEC2Errors},
	},
}
