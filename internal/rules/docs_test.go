package rules_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

const docsDir = "../../docs/reasons"

// TestDocs holds docs/reasons to the catalogue: one page for each reason, an
// index, and nothing else. With -update it writes them.
func TestDocs(t *testing.T) {
	want := map[string]string{"README.md": index()}
	for _, r := range rules.All() {
		want[r.Code+".md"] = page(t, &r)
	}
	if *update {
		writeDocs(t, want)
	}
	got := map[string]string{}
	files, err := filepath.Glob(docsDir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(file)] = string(b)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/reasons differs (-catalogue +files; -update writes them):\n%s", diff)
	}
}

func writeDocs(t *testing.T, pages map[string]string) {
	t.Helper()
	if err := os.MkdirAll(docsDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(docsDir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var layerText = map[rules.Layer]string{
	rules.LayerToken:    "the bearer token itself",
	rules.LayerSTS:      "AWS STS, which is asked who made the token",
	rules.LayerMapping:  "the mapping of the identity: access entries, aws-auth",
	rules.LayerUsername: "the Kubernetes user name of the mapping",
	rules.LayerEC2:      "the look-up of a node's name in EC2",
	rules.LayerServer:   "not known",
}

var actorText = map[rules.Actor]string{
	rules.ActorClientOwner:     "whoever runs the client: kubectl, a CI job, a controller, a node",
	rules.ActorClientDeveloper: "whoever wrote the code that makes the token",
	rules.ActorCredentialOwner: "whoever holds the AWS credentials",
	rules.ActorClusterAdmin:    "an administrator of the cluster",
	rules.ActorAccountAdmin:    "an administrator of the AWS account",
	rules.ActorAWS:             "AWS",
	rules.ActorOperator:        "whoever runs the authenticator, where it is not EKS",
	rules.ActorSecurity:        "whoever looks into attacks",
}

var retryText = map[rules.Retry]string{
	rules.RetryNo:             "no",
	rules.RetryYes:            "yes, as it is",
	rules.RetryNewToken:       "yes, with a new token",
	rules.RetryNewCredentials: "yes, with new credentials",
	rules.RetryAfterFix:       "yes, after the fix",
	rules.RetryUnknown:        "not known",
}

var placeholderText = map[string]string{
	"CLUSTER":          "the cluster's name",
	"REGION":           "the cluster's region",
	"OTHER_REGION":     "a region whose STS endpoint works",
	"PARTITION":        "aws, aws-cn, aws-us-gov, …: the second part of the cluster's ARN",
	"PROFILE":          "a profile of the AWS CLI",
	"ARN":              "the principal's full ARN, a role's with its path",
	"NEW_ARN":          "the ARN that the principal has now",
	"ARN_WITHOUT_PATH": "the principal's ARN, a role's without its path, as the log has it",
	"ROLE_NAME":        "the last part of the role's ARN",
	"USER_NAME":        "the name of an IAM user",
	"NEW_USERNAME":     "a Kubernetes user name",
	"GROUP":            "a Kubernetes group that a RoleBinding of yours names",
	"NAMESPACE":        "a Kubernetes namespace",
	"DEPLOYMENT":       "the deployment of the pods",
	"NODE":             "the node's name",
	"INSTANCE_ID":      "the EC2 instance",
	"CLUSTER_ROLE":     "the last part of the cluster role's ARN",
	"CLUSTER_ROLE_ARN": "the cluster role's ARN",
	"START":            "the begin of the time to search, in seconds since 1970",
	"END":              "its end",
}

// words writes a code of a fixed list for people: client_owner, client owner.
func words[T ~string](code T) string { return strings.ReplaceAll(string(code), "_", " ") }

func page(t *testing.T, r *rules.Reason) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", r.Code, r.Summary)
	b.WriteString("| | |\n|---|---|\n")
	row := func(name, text string) { fmt.Fprintf(&b, "| %s | %s |\n", name, strings.ReplaceAll(text, "|", `\|`)) }
	row("Layer", string(r.Layer)+": "+layerText[r.Layer])
	row("Who acts first", words(r.WhoActs)+": "+actorText[r.WhoActs])
	row("Try again", retryText[r.Retryable]+". "+r.RetryNote)
	row("The line names the principal", map[bool]string{true: "yes, unless EKS scrubs its account", false: "no"}[r.IdentityKnown])
	row("Suspicion", strings.TrimSuffix(words(r.Suspicion)+". "+r.SuspicionNote, " "))
	row("Authenticator versions", r.Versions)
	row("Answer to the API server", answerText(r))
	fmt.Fprintf(&b, "\n## How the line reads\n\n`error=` is\n\n```text\n%s\n```\n\nas in\n\n```text\n%s\n```\n",
		strings.ReplaceAll(r.Signature, " | ", "\n"), example(t, r.Code))
	fmt.Fprintf(&b, "\n## Cause\n\n%s\n\n## What to do\n\n", r.Cause)
	for i, s := range r.Remedy {
		fmt.Fprintf(&b, "%d. **%s**: %s\n", i+1, words(s.Who), s.Do)
		if s.Command != "" {
			fmt.Fprintf(&b, "\n   ```sh\n   %s\n   ```\n\n", s.Command)
		}
	}
	b.WriteString("\n## Documentation\n\n")
	for _, link := range r.Docs {
		fmt.Fprintf(&b, "- <%s>\n", link)
	}
	b.WriteString("\n[All reasons](README.md), with the meaning of the words and placeholders\n")
	return strings.ReplaceAll(b.String(), "\n\n\n", "\n\n")
}

func answerText(r *rules.Reason) string {
	s := fmt.Sprintf("HTTP %d; the user sees 401 Unauthorized", r.HTTPStatus)
	if r.Result != "" {
		s += "; counted by the authenticator as `" + r.Result + "`"
	}
	return s
}

// example is the first denied line of the reason's own lesson.
func example(t *testing.T, code string) string {
	t.Helper()
	for _, ev := range read(section(archive(t, linesDir+"/"+code+".txtar"), "line")) {
		if ev.Kind == authlog.KindDenied {
			return authlog.Sanitize(ev.Text)
		}
	}
	t.Errorf("%s.txtar has no denied line", code)
	return ""
}

func index() string {
	var b strings.Builder
	b.WriteString("# Reasons\n\n" +
		"Why the authenticator of an EKS cluster refused a request: one page for each code of `/reasons`.\n" +
		"The pages are written from the catalogue in `internal/rules` by `go test ./internal/rules -run TestDocs -update`.\n\n" +
		"| reason | layer | who acts first | try again | |\n|---|---|---|---|---|\n")
	for _, r := range rules.All() {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %s | %s | %s |\n", r.Code, r.Code, r.Layer, words(r.WhoActs), retryText[r.Retryable], r.Summary)
	}
	writeWords(&b, "Layers", "In the order in which the authenticator works: a fault of an earlier layer hides those of the later ones.", layerText)
	writeWords(&b, "Who acts", "", actorText)
	writeWords(&b, "Placeholders in commands", "Set them as shell variables, or put the values in their place.", placeholderText)
	b.WriteString("\n## Markers\n\nLines that are no denial, but the cause of some.\n\n| marker | meaning |\n|---|---|\n")
	for _, m := range rules.Markers() {
		fmt.Fprintf(&b, "| %s | %s |\n", m.Code, m.Meaning)
	}
	return b.String()
}

func writeWords[K ~string](b *strings.Builder, title, text string, meaning map[K]string) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if text != "" {
		b.WriteString(text + "\n\n")
	}
	b.WriteString("| | |\n|---|---|\n")
	for _, k := range slices.Sorted(maps.Keys(meaning)) {
		fmt.Fprintf(b, "| %s | %s |\n", words(k), meaning[k])
	}
}
