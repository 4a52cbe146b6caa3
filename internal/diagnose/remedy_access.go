package diagnose

import (
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// byConfiguration puts first what the cluster's own configuration asks for.
func (a *adviser) byConfiguration(remedies []authlog.Remedy) []authlog.Remedy {
	known := a.v.known
	switch {
	case known == nil:
		return remedies
	case known.Mapped != "" && a.v.code != "node_granted_as_non_node":
		return append([]authlog.Remedy{a.tryAgain()}, remedies...)
	case known.Exists == authlog.No:
		// Nothing can be granted to who is not there any more.
		return append(a.rightIdentity(), slices.DeleteFunc(remedies, func(r authlog.Remedy) bool {
			return r.Key == "use_right_identity" || grantsAccess(r.Key)
		})...)
	}
	var first []authlog.Remedy
	for i := range a.v.causes() {
		c := &known.Causes[i]
		if c.System == "aws_auth" && c.Corrected != "" && a.t.mode != authlog.ModeAPI {
			first = append(first, a.correctItem(c))
		}
	}
	if a.v.cause(causeAuthDeleted) != nil && a.s.trust != authlog.No {
		first = append(first, a.remakeAWSAuth()[:1]...)
	}
	return append(first, remedies...)
}

func grantsAccess(key string) bool {
	for _, prefix := range [...]string{"grant_", "switch_mode", "map_", "renew_access_entry"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// tryAgain is for a principal that was mapped after it was denied.
func (a *adviser) tryAgain() authlog.Remedy {
	return authlog.Remedy{
		Key: "try_again", Title: "Try again: it is mapped now", Who: whoUser,
		Steps: []authlog.Step{{
			Do: "The configuration lets it in, as it was last read.", Command: line("kubectl", "get", "svc"),
			Expect: "the service kubernetes, or Forbidden: then the identity is let in and only its permissions are too few",
		}},
		Check: []authlog.Step{{Do: "The log then shows `access granted` for the principal, which resolves this."}},
	}
}

// correctItem mends the item of aws-auth that was meant for the principal. Its
// text is the cluster's own: it comes into a command only as an ARN of the
// strict grammar.
func (a *adviser) correctItem(c *authlog.Cause) authlog.Remedy {
	edit := authlog.Step{
		Do:      "Write the item so, and leave the others as they are.",
		Command: line("kubectl", "-n", "kube-system", "edit", "configmap", "aws-auth"), Text: strings.ReplaceAll(c.Corrected, masters, viewers),
	}
	if c.Near != nil {
		edit.Do = "In " + Plain(c.Near.Where) + " stands " + quoted(c.Near.Have) + ". Write the item so, and leave the others as they are."
	}
	r := authlog.Remedy{
		Key: "correct_aws_auth_item", Title: "Correct the item of aws-auth that was meant for it", Who: whoCluster, Warning: a.caution(mastersIn(c.Corrected)),
		Steps: []authlog.Step{a.beAdmin("Be somebody who may change aws-auth"), backup(), edit},
		Check: append([]authlog.Step{{
			Do:      "Check what you wrote before the others try.",
			Command: line("eksctl", "get", "iamidentitymapping", "--cluster", a.t.cluster, "--region", a.t.region),
			Expect:  "an item with exactly " + a.s.mapped.plain(),
		}}, a.checkGrant()...),
		Undo: []authlog.Step{{
			Do:      "Put the copy back that you kept, without its lines resourceVersion and uid.",
			Command: line("kubectl", "apply", "-f", variable("COPY")),
		}},
	}
	if a.t.mode == "" {
		r.When = whenConfigMap
	}
	return r
}

const masters = "system:masters"

// mastersIn warns of an item that gives everything away.
func mastersIn(item string) string {
	if !strings.Contains(item, masters) {
		return ""
	}
	return "The item was written with the group " + masters + ": who comes in by it may do anything and cannot be limited. " +
		"Here stands " + viewers + " instead; bind that group to the rights that the principal needs."
}

func quoted(s string) string { return "“" + Plain(s) + "”" }

// fullARN is the ARN with its path that IAM gave for a principal, if it is one
// of the strict grammar and of that principal.
func (c *cluster) fullARN(s *subject) string {
	full, ok := rules.ParseARN(c.facts.Principals[s.arn.String()].FullARN)
	if !ok || full.Type != s.arn.Type || full.Account != s.arn.Account || full.Partition != s.arn.Partition || !strings.EqualFold(full.Name, s.arn.Name) {
		return ""
	}
	return full.String()
}

// faultSteps show what is wrong with aws-auth and what to write instead.
func (a *adviser) faultSteps() []authlog.Step {
	var steps []authlog.Step
	for _, f := range a.c.broken(a.v) {
		steps = append(steps, authlog.Step{
			Do: "Mend " + Plain(f.Where) + ": " + Plain(f.Message) + ". Effect: " + Plain(f.Effect) + ".", Text: f.Corrected,
		})
	}
	return steps
}

// maxFaults is how many faults of aws-auth one diagnosis shows.
const maxFaults = 10

// broken is what is wrong with aws-auth now, for verdicts on it that still
// hold.
func (c *cluster) broken(v *verdict) []authlog.AccessFault {
	if !v.open() || !isAuthCode(v.code) && v.code != "aws_auth_wiped" {
		return nil
	}
	return c.facts.Broken[:min(len(c.facts.Broken), maxFaults)]
}

// askForMore says which permissions would let the service settle itself what
// the log leaves open.
func (a *adviser) askForMore() []authlog.Step {
	missing := a.c.facts.Missing
	if len(missing) == 0 || len(a.v.affected) == 0 {
		return nil
	}
	return []authlog.Step{{
		Do: "Or let this service look itself: it lacks " + Plain(strings.Join(missing, ", ")) + ". The policies of deploy/iam allow that.",
	}}
}
