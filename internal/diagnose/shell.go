package diagnose

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A word is one word of a POSIX shell command, in the form in which it stands
// there. The only ways to make one of text that is not ours are lit, which
// quotes, and value, whose text passed a strict grammar.
type word string

// lit is text as one word.
func lit(s string) word {
	if isSafe(s) {
		return word(s)
	}
	return word("'" + strings.ReplaceAll(s, "'", `'\''`) + "'")
}

// isSafe tells whether s needs no quotes as an argument.
func isSafe(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("_./:@%+=,-", c) < 0 {
			return false
		}
	}
	return s != ""
}

// variable is a shell variable as one word.
func variable(name string) word { return word(`"$` + name + `"`) }

// A value is text of a strict grammar, or where there is none the shell
// variable that is to hold it.
type value struct{ text, name string }

func (v value) known() bool { return v.text != "" }

func (v value) word() word {
	if v.known() {
		return lit(v.text)
	}
	return variable(v.name)
}

// plain is the value in prose and in files, where no shell fills it in.
func (v value) plain() string {
	if v.known() {
		return v.text
	}
	return "<" + v.name + ">"
}

// line joins words to a command: strings are quoted, words and values stand as
// they are.
func line(parts ...any) string {
	words := make([]string, 0, len(parts))
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			words = append(words, string(lit(p)))
		case word:
			words = append(words, string(p))
		case value:
			words = append(words, string(p.word()))
		}
	}
	return strings.Join(words, " ")
}

// assign is a command whose output a variable is set to.
func assign(name, command string) string { return name + "=$(" + command + ")" }

// placeholders are the variables that a person sets, and what to put there.
var placeholders = []authlog.Placeholder{
	{Name: "CLUSTER", What: "the name of the cluster: aws eks list-clusters"},
	{Name: "REGION", What: "the region of the cluster, e.g. eu-central-1"},
	{Name: "ARN", What: "the whole ARN of the principal, of a role with its path: aws iam get-role --role-name NAME --query Role.Arn"},
	{Name: "MAPPED_ARN", What: "the ARN of the principal; of a role without its path"},
	{Name: "OLD_ARN", What: "the ARN that the access entry has now: aws eks list-access-entries"},
	{Name: "KUBERNETES_USER", What: "the Kubernetes user name it is to have"},
	{Name: "NAMESPACE", What: "the namespace it may look at"},
	{Name: "PROFILE", What: "the AWS profile of the identity that is meant: aws configure list-profiles"},
	{Name: "ROLE_ARN", What: "the ARN of a role of their own, with its path"},
	{Name: "BREAK_GLASS_ARN", What: "the ARN of a role for emergencies that you can assume, with its path"},
	{Name: "CLUSTER_ROLE", What: "the name of the cluster role: the last part of aws eks describe-cluster --query cluster.roleArn"},
	{Name: "NODE_ROLE_ARN", What: "the ARN of the role of the nodes, without its path"},
	{Name: "INSTANCE_ID", What: "the id of the instance, i-…"},
	{Name: "ASSOCIATION_ID", What: "iip-assoc-… from the answer before"},
	{Name: "INSTANCE_PROFILE", What: "the instance profile that belongs to the role of the nodes: aws iam list-instance-profiles-for-role"},
	{Name: "IAM_USER", What: "the IAM user whose key it is"},
	{Name: "ACCESS_KEY_ID", What: "the id of the key, AKIA…"},
	{Name: "CIDRS", What: "the networks that may reach the endpoint, with commas between, e.g. 203.0.113.0/24"},
	{Name: "OLD_CIDRS", What: "the networks from before"},
	{Name: "POD_NAMESPACE", What: "the namespace of the pod that the audit log names"},
	{Name: "DEPLOYMENT", What: "its deployment"},
	{Name: "OIDC_CONFIG", What: "the name of the identity provider configuration: aws eks list-identity-provider-configs"},
	{Name: "COPY", What: "the file with the copy of aws-auth, e.g. aws-auth.1700000000.yaml"},
	{Name: "POLICY", What: "one policy ARN after the other, from what was saved"},
}

// unset lists the placeholders that the commands of a remedy use and do not
// set themselves.
func unset(r *authlog.Remedy) []authlog.Placeholder {
	var text strings.Builder
	for _, steps := range [...][]authlog.Step{r.Steps, r.Check, r.Undo} {
		for _, s := range steps {
			text.WriteString(s.Command)
			text.WriteByte('\n')
		}
	}
	commands := text.String()
	var list []authlog.Placeholder
	for _, p := range placeholders {
		if strings.Contains(commands, `"$`+p.Name+`"`) && !strings.Contains("\n"+commands, "\n"+p.Name+"=$(") {
			list = append(list, p)
		}
	}
	return list
}
