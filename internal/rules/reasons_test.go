package rules_test

import (
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

func TestAllListsEachReasonOnceInOrder(t *testing.T) {
	all := rules.All()
	for i, r := range all {
		if i > 0 && r.Code <= all[i-1].Code {
			t.Errorf("%s stands behind %s", r.Code, all[i-1].Code)
		}
		if got, ok := rules.ByCode(r.Code); !ok || got.Code != r.Code {
			t.Errorf("ByCode(%s) is %q, %v", r.Code, got.Code, ok)
		}
	}
	if len(all) < 56 {
		t.Errorf("%d reasons", len(all))
	}
	for _, code := range []string{"", "arn", "zzz"} {
		if _, ok := rules.ByCode(code); ok {
			t.Errorf("ByCode finds %q", code)
		}
	}
	all[0].Code = "changed"
	if rules.All()[0].Code == "changed" {
		t.Error("a caller can change the catalogue")
	}
}

func TestEveryReasonIsToldInFull(t *testing.T) {
	code := regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	for _, r := range rules.All() {
		for what, missing := range map[string]bool{
			"code":           !code.MatchString(r.Code),
			"layer":          layerText[r.Layer] == "",
			"who acts":       actorText[r.WhoActs] == "",
			"retryable":      retryText[r.Retryable] == "",
			"suspicion":      !slices.Contains(suspicions, r.Suspicion),
			"summary":        !isSentence(r.Summary),
			"cause":          !isSentence(r.Cause),
			"retry note":     !isSentence(r.RetryNote),
			"suspicion note": r.SuspicionNote != "" && !isSentence(r.SuspicionNote),
			"signature":      r.Signature == "",
			"versions":       r.Versions == "",
			"http status":    r.HTTPStatus != 403 && r.HTTPStatus != 429,
			"remedy":         len(r.Remedy) == 0,
			"docs":           len(r.Docs) == 0,
		} {
			if missing {
				t.Errorf("%s: its %s is missing or malformed", r.Code, what)
			}
		}
		for i, s := range r.Remedy {
			if actorText[s.Who] == "" || !isSentence(s.Do) {
				t.Errorf("%s: step %d is not told: %+v", r.Code, i+1, s)
			}
		}
		if actors := actorsOf(&r); !slices.Contains(actors, r.WhoActs) {
			t.Errorf("%s: %s acts first, but no step is theirs", r.Code, r.WhoActs)
		}
	}
}

var suspicions = []rules.Suspicion{
	rules.SuspicionNone, rules.SuspicionLow, rules.SuspicionMedium, rules.SuspicionHigh, rules.SuspicionVeryHigh,
}

func isSentence(s string) bool {
	return s != "" && strings.HasSuffix(s, ".") && s == strings.TrimSpace(s) && !strings.ContainsAny(s, "\n\t")
}

func actorsOf(r *rules.Reason) []rules.Actor {
	var all []rules.Actor
	for _, s := range r.Remedy {
		all = append(all, s.Who)
	}
	return all
}

// The identity is on the line from the mapping on, never before.
func TestIdentityIsKnownFromTheMappingOn(t *testing.T) {
	for _, r := range rules.All() {
		before := r.Layer == rules.LayerToken || r.Layer == rules.LayerSTS || r.Layer == rules.LayerServer
		if r.IdentityKnown == before {
			t.Errorf("%s of layer %s: identity known=%v", r.Code, r.Layer, r.IdentityKnown)
		}
	}
}

// Whoever follows the advice must not hand out more than was asked for.
func TestNoRemedyGivesAwayTheCluster(t *testing.T) {
	for _, r := range rules.All() {
		for _, s := range r.Remedy {
			for _, word := range []string{"system:masters", "clusteradmin", "cluster-admin", "--kubernetes-groups", "adminpolicy", "0.0.0.0/0"} {
				if strings.Contains(strings.ToLower(s.Do+s.Command), word) {
					t.Errorf("%s advises %s: %s", r.Code, word, s.Command)
				}
			}
		}
	}
}

func TestEveryCommandIsShellWithKnownPlaceholders(t *testing.T) {
	variable := regexp.MustCompile(`\$\{?([A-Za-z_]+)`)
	for _, r := range rules.All() {
		var script strings.Builder
		for _, s := range r.Remedy {
			script.WriteString(s.Command + "\n")
			for _, m := range variable.FindAllStringSubmatch(s.Command, -1) {
				if placeholderText[m[1]] == "" {
					t.Errorf("%s: nobody says what $%s is", r.Code, m[1])
				}
			}
			if hasBareVariable(s.Command) {
				t.Errorf("%s: a placeholder without quotes: %s", r.Code, s.Command)
			}
		}
		if out, err := exec.CommandContext(t.Context(), "sh", "-n", "-c", script.String()).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", r.Code, out)
		}
	}
}

// hasBareVariable tells whether a variable stands outside of quotes, where a
// value with a blank or worse would fall apart.
func hasBareVariable(command string) bool {
	var quote byte
	for i := range len(command) {
		switch c := command[i]; {
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == '$' && !strings.HasPrefix(command[i:], "$("):
			return true
		}
	}
	return false
}

func TestEveryLinkIsAPageOfAWSOrKubernetes(t *testing.T) {
	hosts := []string{"docs.aws.amazon.com", "repost.aws", "kubernetes.io"}
	for _, r := range rules.All() {
		for _, link := range r.Docs {
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "https" || !slices.Contains(hosts, u.Host) {
				t.Errorf("%s links to %s", r.Code, link)
			}
		}
	}
}

func TestEveryReasonHasALesson(t *testing.T) {
	taught := map[string]bool{}
	for _, file := range lessons(t) {
		taught[reasonOf(lessonName(file))] = true
	}
	for _, r := range rules.All() {
		if !taught[r.Code] {
			t.Errorf("no testdata/lines/%s.txtar", r.Code)
		}
	}
}

func TestEveryMarkerHasACodeAndAMeaning(t *testing.T) {
	codes := map[string]bool{}
	for _, m := range rules.Markers() {
		if codes[m.Code] || m.Meaning == "" {
			t.Errorf("%q is told twice or not at all", m.Code)
		}
		codes[m.Code] = true
	}
	for _, msg := range parse.Markers() {
		ev := authlog.Event{Kind: authlog.KindMarker, Msg: msg}
		if code := rules.MarkerCode(&ev); !codes[code] {
			t.Errorf("the marker %q has the code %q", msg, code)
		}
		ev.Kind = authlog.KindOther
		if code := rules.MarkerCode(&ev); code != "" {
			t.Errorf("what is no marker has the code %q", code)
		}
	}
}
