package awsauth_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

var update = flag.Bool("update", false, "write the generated files of the corpus anew")

const generated = 150

// TestGeneratedCorpus holds the generated files to their generator, so that
// the differential test in tools/awsauth-diff reads the same ones.
func TestGeneratedCorpus(t *testing.T) {
	for i := range generated {
		file := filepath.Join(lessons, fmt.Sprintf("gen_%03d.yaml", i))
		text := generate(rand.New(rand.NewPCG(20, uint64(i))))
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, []byte(text)) {
			t.Errorf("%s is not what the generator writes; run with -update", file)
		}
		checkInvariants(t, awsauth.Lint(got, awsauth.Options{}))
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// often gives the first one mostly.
func often[T any](r *rand.Rand, first T, others ...T) T {
	if r.IntN(4) > 0 {
		return first
	}
	return pick(r, others...)
}

// generate writes an aws-auth manifest with some faults in it.
func generate(r *rand.Rand) string {
	data := map[string]string{}
	if r.IntN(8) > 0 {
		data[often(r, "mapRoles", "maproles", "mapRoles ", "MapRoles")] = items(r, "rolearn")
	}
	if r.IntN(2) > 0 {
		data[often(r, "mapUsers", "mapusers", "mapUser")] = items(r, "userarn")
	}
	if r.IntN(3) == 0 {
		data["mapAccounts"] = pick(r, "- \"444455556666\"\n", "- 444455556666\n- 012345678901\n", "- [1]\n- \"444455556666\"\n", "444455556666", "''", "- ~\n- 1.5\n- true\n", "{a: b}", "- a\n -b\n\t- c")
	}
	return manifest(r, data)
}

func manifest(r *rand.Rand, data map[string]string) string {
	if r.IntN(5) == 0 {
		doc, err := json.MarshalIndent(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]string{"name": "aws-auth", "namespace": "kube-system"}, "data": data}, "", "    ")
		if err != nil {
			panic(err)
		}
		return string(doc) + "\n"
	}
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: aws-auth\n  namespace: kube-system\ndata:\n")
	for _, key := range []string{"mapRoles", "maproles", "mapRoles ", "MapRoles", "mapUsers", "mapusers", "mapUser", "mapAccounts"} {
		text, ok := data[key]
		if !ok {
			continue
		}
		if r.IntN(4) == 0 || strings.HasPrefix(text, " ") || key != strings.TrimSpace(key) {
			doc, err := json.Marshal(text)
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(&b, "  %q: %s\n", key, doc)
			continue
		}
		b.WriteString("  " + key + ": |" + pick(r, "", "-", "+") + "\n")
		for line := range strings.Lines(text) {
			b.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	return b.String()
}

func items(r *rand.Rand, key string) string {
	if r.IntN(12) == 0 {
		return pick(r, "", "''", "``", " ", "{}", "[]", "null", "text", "42", "- - nested\n", "{\"rolearn\": \"x\"}", "{broken", "- {rolearn: x, groups: [a, 1, ~]}\n", "- ? [a]\n  : b\n", "- !!binary aGk=\n", "- .nan\n", "- 2020-01-01\n", "- ~: x\n", "- <<: {rolearn: a}\n")
	}
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString(item(r, key))
	}
	if r.IntN(10) == 0 {
		return strings.Replace(b.String(), pick(r, "  ", ": ", "- ", "\n"), pick(r, "\t", ":", "", " - ", "\u00a0"), 1+r.IntN(3))
	}
	return b.String()
}

func item(r *rand.Rand, key string) string {
	other := map[string]string{"rolearn": "userarn", "userarn": "rolearn"}[key]
	name := often(r, key, strings.ToUpper(key), key[:4]+"ARN", other, "arn", key+"s", "sso")
	arn := often(r, pick(r, "arn:aws:iam::111122223333:role/Dev", "arn:aws:iam::111122223333:user/devs/alice", "arn:aws:iam::111122223333:role/Node"),
		"arn:aws:iam::111122223333:role/p/Dev", "arn:aws:sts::111122223333:assumed-role/Dev/x", "\"arn:aws:iam::111122223333:role/Dev \"", "42", "yes", "~", "\"\"", "[a]", "{a: b}", "{{x}}", "'it''s'", "\"tab\\t\"")
	if name == "sso" {
		arn = pick(r, "{permissionSetName: A, accountID: \"111122223333\"}", "{permissionSetName: A, accountID: 111122223333}", "{permissionSetName: \"a b\", accountID: \"111122223333\"}", "{permissionSetName: A, accountID: \"111122223333\", partition: aws}", "{permissionSetName: A, accountID: \"111122223333\", partition: x}", "text")
	}
	username := often(r, "dev", "\"system:node:{{EC2PrivateDNSName}}\"", "{{SessionName}}", "7", "dev:{{SessionName}}", "no", "", "'a: b'", "a: b", "@x")
	groups := often(r, "\n    - system:bootstrappers\n    - system:nodes", " []", " system:masters", "\n  - a\n  - b", " [a, 1]", "\n    - a\n     - b", " {a: b}", "", " ~", "\n    - {{x}}")
	lines := []string{name + ":" + often(r, " ", "", "  ") + arn, "username: " + username, "groups:" + groups}
	r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	if r.IntN(10) == 0 {
		lines = append(lines, pick(r, "username: twice", name+": arn:aws:iam::111122223333:role/Twice", "comment: x", "userid: AROA", "group: [x]", "Username: other"))
	}
	return "- " + strings.Join(lines, "\n"+often(r, "  ", "   ", " ", "", "\t")) + "\n"
}
