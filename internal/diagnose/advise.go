package diagnose

import (
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// An adviser gives advice on one verdict.
type adviser struct {
	c *cluster
	v *verdict
	t target
	s subject // of the one principal it is about; zero when it is about none or many
}

// advice by code; what has none needs no commands.
var advice = map[string]func(*adviser) []authlog.Remedy{
	"aws_auth_malformed": (*adviser).mendAWSAuth,
	"aws_auth_deleted":   (*adviser).remakeAWSAuth,
	"aws_auth_wiped":     (*adviser).restoreAWSAuth,

	"mapping_lost":           (*adviser).grantAgain,
	"never_mapped":           (*adviser).checkThenGrant,
	"role_recreated":         (*adviser).renewEntry,
	"principal_renamed":      (*adviser).renewEntry,
	"sso_role_rotated":       (*adviser).grantRotated,
	"possible_wrong_profile": (*adviser).checkThenGrant,
	"denied_principal_loop":  (*adviser).stopClient,

	"node_role_unmapped":                  (*adviser).mapNodes,
	"node_role_swapped":                   (*adviser).restoreProfile,
	"node_granted_as_non_node":            (*adviser).retypeEntry,
	"cluster_role_missing_ec2_permission": (*adviser).allowEC2,
	"cross_account_node":                  (*adviser).moveNode,
	"node_template_on_non_node":           (*adviser).ownRole,

	"sts_region_disabled":        (*adviser).activateRegion,
	"opt_in_region_global_token": (*adviser).regionalTokens,
	"sts_throttled_cluster":      (*adviser).reuseTokens,
	"sts_outage":                 (*adviser).waitForSTS,

	"clock_skew":             (*adviser).setClock,
	"stale_token_loop":       (*adviser).freshTokens,
	"stale_credentials_loop": (*adviser).renewCredentials,
	"wrong_cluster_token":    (*adviser).rightCluster,
	"broken_token_client":    (*adviser).standardTokens,
	"non_iam_token_loop":     (*adviser).restartPod,

	"credential_probe":      (*adviser).narrowEndpoint,
	"foreign_account_probe": (*adviser).narrowEndpoint,
	"root_user_attempt":     (*adviser).noRoot,

	"creator_gone":           (*adviser).breakGlass,
	"creator_without_access": (*adviser).grantCreator,
	"not_seen_here":          (*adviser).rightIdentity,
	"log_gap":                (*adviser).enableLog,
	"logging_disabled":       (*adviser).enableLog,
}

// advise adds what would confirm a verdict and what puts it right. What a
// parent explains is put right there.
func (v *verdict) advise(c *cluster, d *authlog.Diagnosis) {
	if v.parent != nil {
		d.Remedies = []authlog.Remedy{mendParent(d, v.parent)}
		return
	}
	a := &adviser{c: c, v: v, t: c.target()}
	if len(v.affected) == 1 {
		a.s = c.subject(v.affected[0].principal)
	}
	d.WouldConfirm = a.confirm()
	if remedies, ok := advice[v.code]; ok {
		d.Remedies = a.byConfiguration(remedies(a))
	}
	for i := range d.Remedies {
		d.Remedies[i].Set = unset(&d.Remedies[i])
	}
}

func mendParent(d *authlog.Diagnosis, parent *verdict) authlog.Remedy {
	e, _ := ByCode(parent.code)
	return authlog.Remedy{
		Key: "mend_parent", Title: "Mend what causes it: " + e.Title, Who: string(e.WhoActs),
		Steps: []authlog.Step{{Do: "This is a part of the diagnosis " + d.Parent + " (" + parent.code + "); do what stands there."}},
	}
}

const (
	whoUser     = "user"
	whoCluster  = string(rules.ActorClusterAdmin)
	whoAccount  = string(rules.ActorAccountAdmin)
	whoClient   = string(rules.ActorClientOwner)
	whoSecurity = string(rules.ActorSecurity)
	whoAWS      = string(rules.ActorAWS)
)

// eks is a call of the AWS CLI about the cluster.
func (t *target) eks(verb, nameFlag string, more ...any) string {
	return line(append([]any{"aws", "eks", verb, nameFlag, t.cluster, "--region", t.region}, more...)...)
}

// confirm are commands that only read.
func (a *adviser) confirm() []authlog.Step {
	switch a.v.code {
	case "aws_auth_malformed", "aws_auth_deleted", "aws_auth_wiped":
		return []authlog.Step{a.readAWSAuth(), a.readMode(), a.readAudit()}
	case "mapping_lost", "never_mapped", "sso_role_rotated", "creator_without_access", "possible_wrong_profile":
		return append([]authlog.Step{a.readMode(), a.readEntries(), a.readAWSAuth(), a.readMappings(), a.readAudit()}, a.askForMore()...)
	case "role_recreated", "principal_renamed", "node_granted_as_non_node":
		return append([]authlog.Step{a.readMode(), a.readEntries()}, a.askForMore()...)
	case "node_role_unmapped", "node_template_on_non_node":
		return append([]authlog.Step{a.readMode(), a.readEntries(), a.readAWSAuth()}, a.askForMore()...)
	case "node_role_swapped":
		return []authlog.Step{a.readProfile()}
	case "cluster_role_missing_ec2_permission":
		return a.readClusterRole()
	case "creator_identified", "creator_gone":
		return a.readCreator()
	case "log_gap", "logging_disabled":
		return []authlog.Step{a.readLogging()}
	case "sts_outage", "sts_throttled_cluster", "sts_region_disabled", "cross_account_node", "not_seen_here", "root_user_attempt":
		return nil
	}
	return []authlog.Step{a.readClients()}
}

func (a *adviser) readMode() authlog.Step {
	return authlog.Step{
		Do:      "Ask where the cluster looks principals up.",
		Command: a.t.eks("describe-cluster", "--name", "--query", "cluster.[accessConfig,platformVersion]"),
		Expect:  "authenticationMode: API looks at access entries alone, CONFIG_MAP at aws-auth alone",
	}
}

func (a *adviser) readEntries() authlog.Step {
	s := authlog.Step{
		Do:      "List the access entries.",
		Command: a.t.eks("list-access-entries", "--cluster-name", "--output", "text"),
	}
	if a.s.valid && a.s.arn.Name != "" {
		s.Expect = "whether one ends in /" + a.s.arn.Name
	}
	return s
}

func (a *adviser) readAWSAuth() authlog.Step {
	return authlog.Step{
		Do:      "Read aws-auth, as somebody who still gets in.",
		Command: line("kubectl", "-n", "kube-system", "get", "configmap", "aws-auth", "-o", "yaml"),
		Expect:  a.awsAuthExpect(),
	}
}

func (a *adviser) readMappings() authlog.Step {
	return authlog.Step{
		Do:      "Or list what aws-auth maps.",
		Command: line("eksctl", "get", "iamidentitymapping", "--cluster", a.t.cluster, "--region", a.t.region),
	}
}

func (a *adviser) awsAuthExpect() string {
	switch {
	case a.s.isRole():
		return "an item with exactly " + a.s.mapped.text + ": with a path, with assumed-role, or in another account it can never match"
	case a.s.valid && a.s.arn.Type == "user":
		return "an item with exactly " + a.s.mapped.text + ", the path of the user included"
	}
	return "mapRoles with the roles of the nodes and of the people"
}

// readAudit is the query that tells who changed aws-auth.
func (a *adviser) readAudit() authlog.Step {
	return authlog.Step{
		Do: "See who changed aws-auth: run this in CloudWatch Logs Insights on the log group " + a.logGroup() + " (needs the audit log).",
		Text: `fields @timestamp, user.username, user.extra.sessionName.0, verb, userAgent, sourceIPs.0
| filter @logStream like "kube-apiserver-audit"
| filter verb in ["create", "update", "patch", "delete"]
| filter objectRef.resource = "configmaps" and objectRef.name = "aws-auth" and objectRef.namespace = "kube-system"
| sort @timestamp desc`,
	}
}

// readClients is the query that tells whose requests were refused.
func (a *adviser) readClients() authlog.Step {
	return authlog.Step{
		Do: "Find out who it is: run this in CloudWatch Logs Insights on the log group " + a.logGroup() + " (needs the audit log).",
		Text: `fields @timestamp, sourceIPs.0, userAgent, verb, requestURI
| filter @logStream like "kube-apiserver-audit"
| filter responseStatus.code = 401
| stats count(*) as requests by sourceIPs.0, userAgent
| sort requests desc`,
	}
}

func (a *adviser) logGroup() string { return "/aws/eks/" + a.t.cluster.plain() + "/cluster" }

// CreatorQuery is the query of AWS's article for who is let in as
// kubernetes-admin, for the console of CloudWatch Logs Insights.
const CreatorQuery = `fields @logStream, @timestamp, @message
| sort @timestamp desc
| filter @logStream like /authenticator/
| filter @message like "username=kubernetes-admin"
| limit 50`

func (a *adviser) readCreator() []authlog.Step {
	return []authlog.Step{
		{
			Do: "Look the creation up in CloudTrail; it answers for 90 days back, a trail for longer.",
			Command: line("aws", "cloudtrail", "lookup-events", "--region", a.t.region,
				"--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateCluster", "--query", "Events[].[EventTime,Username,Resources]"),
		},
		a.readEntries(),
		{
			Do:   "See who is let in as kubernetes-admin: run this in CloudWatch Logs Insights on the log group " + a.logGroup() + ".",
			Text: CreatorQuery,
		},
	}
}

func (a *adviser) readLogging() authlog.Step {
	return authlog.Step{
		Do:      "Ask which logs are on.",
		Command: a.t.eks("describe-cluster", "--name", "--query", "cluster.logging.clusterLogging"),
		Expect:  "the type authenticator with enabled: true",
	}
}

func (a *adviser) readProfile() authlog.Step {
	return authlog.Step{
		Do: "See which instance profile the instance has now.",
		Command: line("aws", "ec2", "describe-iam-instance-profile-associations", "--region", a.t.region,
			"--filters", word("Name=instance-id,Values="+string(a.instance().word()))),
	}
}

func (a *adviser) instance() value {
	v := value{name: "INSTANCE_ID"}
	if rules.IsInstanceID(a.v.about.instance) {
		v.text = a.v.about.instance
	}
	return v
}
