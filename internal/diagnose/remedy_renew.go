package diagnose

import (
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// staleEntryARN is the ARN of the entry that is of an earlier principal of the
// name: its path may be another.
func (a *adviser) staleEntryARN() (string, bool) {
	c := a.v.cause(causeStaleEntry)
	if c == nil || c.Near == nil {
		return "", false
	}
	entry, ok := rules.ParseARN(c.Near.Have)
	if !ok || entry.Type != a.s.arn.Type || entry.Account != a.s.arn.Account || !strings.EqualFold(entry.Name, a.s.arn.Name) {
		return "", false
	}
	return entry.String(), true
}

// renewEntry makes an access entry anew whose principal is not the one that
// comes. In mode CONFIG_MAP there are no entries.
func (a *adviser) renewEntry() []authlog.Remedy {
	switch {
	case a.s.trust == authlog.No:
		return []authlog.Remedy{a.reviewAccount()}
	case a.t.mode == authlog.ModeConfigMap:
		// aws-auth knows a principal by its ARN, whatever its unique id.
		return a.grantAgain()
	}
	old := a.s.entry
	if entry, ok := a.staleEntryARN(); ok {
		old.text = entry
	}
	if a.v.code == "principal_renamed" {
		old = value{name: "OLD_ARN"}
	}
	kind, check := "STANDARD", a.checkGrant()
	if isNodeKind(a.nodeKind()) {
		kind, check = entryType(a.nodeKind()), a.checkNodes()
	}
	steps := append([]authlog.Step{needsCLI}, a.s.lookUp(&a.t)...)
	steps = append(steps,
		authlog.Step{
			Do:      "Save what the entry has: type, groups and user name.",
			Command: a.t.eks("describe-access-entry", "--cluster-name", "--principal-arn", old),
		},
		authlog.Step{
			Do:      "Save its access policies.",
			Command: a.t.eks("list-associated-access-policies", "--cluster-name", "--principal-arn", old),
		},
		authlog.Step{
			Do:      "Delete the entry. An entry's principal cannot be changed.",
			Command: a.t.eks("delete-access-entry", "--cluster-name", "--principal-arn", old),
		},
		authlog.Step{
			Do:      "Create it anew; give it the type, groups and user name that you saved.",
			Command: a.t.eks("create-access-entry", "--cluster-name", "--principal-arn", a.s.entry, "--type", kind),
		},
	)
	if kind == "STANDARD" {
		steps = append(steps, authlog.Step{
			Do: "Associate each policy again, in the scope that you saved.",
			Command: a.t.eks("associate-access-policy", "--cluster-name", "--principal-arn", a.s.entry,
				"--policy-arn", variable("POLICY"), "--access-scope", word(`type=namespace,namespaces="$NAMESPACE"`)),
		})
	}
	return []authlog.Remedy{{
		Key: "renew_access_entry", Title: "Make the access entry anew", Who: whoCluster, Warning: a.caution(""),
		Steps: steps, Terraform: "# terraform apply -replace=aws_eks_access_entry.NAME makes the entry anew with the same values\n",
		Check: check,
	}}
}
