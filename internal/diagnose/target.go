package diagnose

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// A target is what may be said of a cluster in a command.
type target struct {
	cluster, region value
	partition       string
	account         string
	mode            authlog.AuthMode
}

func (c *cluster) target() target {
	t := target{
		cluster: value{name: "CLUSTER"}, region: value{name: "REGION"},
		partition: c.facts.Partition, mode: c.facts.Mode,
	}
	if IsClusterName(c.id.Name) {
		t.cluster.text = c.id.Name
	}
	if authlog.IsRegion(c.id.Region) {
		t.region.text = c.id.Region
	}
	if authlog.IsAccount(c.id.Account) {
		t.account = c.id.Account
	}
	if !rules.IsPartition(t.partition) {
		t.partition = PartitionOf(c.id.Region)
	}
	return t
}

// IsClusterName holds names to EKS's own grammar,
// ^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$.
func IsClusterName(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && (i == 0 || s[i] != '-' && s[i] != '_') {
			return false
		}
	}
	return 1 <= len(s) && len(s) <= 100
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// PartitionOf gives the partition of a region by its name.
func PartitionOf(region string) string {
	for _, p := range [...]struct{ prefix, partition string }{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"},
		{"us-iso-", "aws-iso"},
		{"eu-isoe-", "aws-iso-e"},
		{"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}

// A subject is what may be said of a principal in a command.
type subject struct {
	arn   rules.ARN
	valid bool // it passed the strict grammar
	kind  authlog.PrincipalKind
	trust authlog.Answer
	// entry is its ARN for an access entry: a user's as it is, a role's with
	// the path that only IAM knows, so that a command looks it up.
	entry  value
	mapped value // its ARN for aws-auth: as the log prints it, a role without path
}

func (c *cluster) subject(p *principal) subject {
	s := subject{kind: p.kind, trust: c.trusts(p.account), entry: value{name: "ARN"}, mapped: value{name: "MAPPED_ARN"}}
	s.arn, s.valid = rules.ParseARN(p.arn)
	// A name may begin with a dash, which a command would take for an option.
	s.valid = s.valid && !strings.HasPrefix(s.arn.Name, "-")
	if !s.valid {
		return s
	}
	if s.arn.Type == "user" {
		s.entry.text = p.arn
	}
	path := s.arn
	if path.Type == "role" {
		path.Path = "/"
	}
	s.mapped.text = path.String()
	if full := c.fullARN(&s); full != "" {
		s.entry.text = full
	}
	return s
}

// isRole reports whether it is a role of a form that may stand in a command.
func (s *subject) isRole() bool { return s.valid && s.arn.Type == "role" }

// lookUp finds the whole ARN of a role that is not known. It runs in the role's
// account.
func (s *subject) lookUp(t *target) []authlog.Step {
	if !s.isRole() || s.entry.known() {
		return nil
	}
	do := "Look up the ARN with its path; the log has it without."
	if t.account != "" && s.arn.Account != t.account {
		do = "Look up the ARN with its path, with credentials of the account " + s.arn.Account + "; the log has it without."
	}
	command := line("aws", "iam", "get-role", "--role-name", s.arn.Name, "--query", "Role.Arn", "--output", "text")
	if s.kind == authlog.PrincipalSSO {
		do = "Look up the ARN with its path, which is not to be guessed: some have the region in it, some have not."
		command = line("aws", "iam", "list-roles", "--path-prefix", "/aws-reserved/sso.amazonaws.com/",
			"--query", "Roles[?RoleName=='"+s.arn.Name+"'].Arn", "--output", "text")
	}
	return []authlog.Step{{
		Do: do, Command: assign("ARN", command),
		Expect: "an ARN of the account " + s.arn.Account + " that ends in /" + s.arn.Name,
	}}
}
