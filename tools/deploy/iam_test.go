package deploy_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const iam = "deploy/iam"

func TestPoliciesAreJSON(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(repo, iam, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no policies", err)
	}
	for _, file := range files {
		var policy struct {
			Version   string
			Statement []struct{ Effect string }
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &policy)
		}
		if err != nil || policy.Version != "2012-10-17" || len(policy.Statement) == 0 {
			t.Errorf("%s is no policy: %v", file, err)
		}
	}
}

// recorder stands in the place of a command that changes an account: it writes
// its arguments down, answers what is asked of it, and keeps each document it is given.
const recorder = `#!/bin/sh
echo "$(basename "$0") $*" >> "$LOG"
case "$*" in
*get-caller-identity*) echo 111122223333 ;;
*identity.oidc.issuer*) echo https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF ;;
esac
for word; do
	case $word in
	file://*) cat "${word#file://}" > "$DOCS/$(date +%s%N).json" ;;
	*.yaml) test -s "$word" ;;
	esac
done`

func TestTheCommandsOfTheReadmeNameFilesThatExistAndFillThemIn(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(read(t, iam+"/README.md"), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks of commands in the README", len(blocks))
	}
	dir, bin, docs := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(repo, iam))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"aws", "kubectl", "eksctl"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(recorder), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
	}
	logFile := filepath.Join(dir, "log")
	for _, block := range blocks {
		sh := exec.CommandContext(t.Context(), "sh", "-euc", block[1])
		sh.Dir = dir
		sh.Env = []string{
			"PATH=" + bin + ":/usr/bin:/bin", "LOG=" + logFile, "DOCS=" + docs, "CLUSTER=prod", "CENTRAL=111122223333",
			"EXTERNAL_ID=example", "READER=arn:aws:iam::111122223333:role/eks-authlog",
		}
		output(t, sh)
	}

	given, err := filepath.Glob(filepath.Join(docs, "*.json"))
	if err != nil || len(given) == 0 {
		t.Fatal("no document was given to AWS", err)
	}
	for _, file := range given {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(text) {
			t.Errorf("AWS is given no JSON:\n%s", text)
		}
		if left := regexp.MustCompile(`\b(ACCOUNT|OIDC|NAMESPACE|EXTERNAL_ID)\b`).Find(text); left != nil {
			t.Errorf("%s was not filled in:\n%s", left, text)
		}
	}
	said, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"aws iam create-role --role-name eks-authlog ", "aws iam create-role --role-name eks-authlog-member ",
		"--policy-name assume-members", "kubectl apply -f tier2-kubernetes.yaml",
	} {
		if !strings.Contains(string(said), want) {
			t.Errorf("the commands lack %q:\n%s", want, said)
		}
	}
}
