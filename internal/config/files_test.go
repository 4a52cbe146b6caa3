package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/config"
)

var (
	hashA = strings.Repeat("a", 64)
	hashB = strings.Repeat("b", 64)
)

func TestATokensFileSaysWhoSeesWhat(t *testing.T) {
	got, err := config.ParseTokens("tokens.yml", []byte(`
tokens:
  - {name: team-a, sha256: `+hashA+`, clusters: ["a-*", shared], accounts: ["111122223333"]}
  - {name: ops.1, sha256: `+hashB+`, admin: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Token{
		{Name: "team-a", SHA256: hashA, Clusters: []string{"a-*", "shared"}, Accounts: []string{"111122223333"}},
		{Name: "ops.1", SHA256: hashB, Admin: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFaultOfATokensFileIsNamed(t *testing.T) {
	const alone = ": a name has letters, digits, - and _ alone, and beside them only *, ?, [a-z] and [^a-z] mean something"
	_, err := config.ParseTokens("t.yml", []byte(`tokens:
  - {name: a, sha256: `+hashA+`}
  - {name: a, sha256: `+hashA+`, admin: true, clusters: [x]}
  - {name: B, sha256: hunter2, clusters: ["["], accounts: [12]}
  - {sha256: `+hashB+`, clusters: [""], token: x}
  - {name: c, sha256: `+strings.Repeat("c", 64)+`, clusters: ["*", "!prod", "[!a]*", "[^a]?-b_[0-9]", "^prod", "a.b"]}
`))
	want := `t.yml:2:5: tokens[0]: must say which clusters or accounts it may see; clusters: ["*"] is all of them
t.yml:3:12: tokens[1].name: "a" is the name of another token too
t.yml:3:23: tokens[1].sha256: is that of another token too
t.yml:3:96: tokens[1].admin: sees every cluster: leave clusters and accounts out, or make it false
t.yml:4:12: tokens[2].name: "B" is no name of lower case letters, digits, dot, - and _, at most 63
t.yml:4:23: tokens[2].sha256: must be the 64 hexadecimal digits that analyzer token prints, never the token itself
t.yml:4:43: tokens[2].clusters[0]: "[" is no pattern: syntax error in pattern
t.yml:4:60: tokens[2].accounts[0]: "12" is no account id of 12 digits; put it in quotes
t.yml:5:5: tokens[3].name: "" is no name of lower case letters, digits, dot, - and _, at most 63
t.yml:5:91: tokens[3].clusters[0]: is empty, which no cluster's name is
t.yml:5:96: tokens[3].token: unknown key; known here: name, sha256, clusters, accounts, admin
t.yml:6:105: tokens[4].clusters[1]: "!prod" matches no cluster` + alone + `
t.yml:6:114: tokens[4].clusters[2]: "[!a]*" matches no cluster` + alone + `
t.yml:6:140: tokens[4].clusters[4]: "^prod" matches no cluster` + alone + `
t.yml:6:149: tokens[4].clusters[5]: "a.b" matches no cluster` + alone
	if err == nil {
		t.Fatal("accepted")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"", "tokens: []"} {
		if _, err := config.ParseTokens("t.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), "must have at least one") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEveryFaultOfAWebConfigurationIsNamed(t *testing.T) {
	const (
		noRange     = "no client can meet a min_version, TLS12 unless it is set, above max_version"
		noAuthority = "tls_server_config.client_auth_type: needs client_ca_file"
	)
	for text, want := range map[string]string{
		"tls_server_config: {cert_file: x.crt}":                                     "web.yml:1:20: tls_server_config: missing one of key or key_file",
		"tls_server_config: {cert_file: x.crt, key_file: x.key}":                    "tls_server_config: failed to read cert_file",
		"tls_server_config: {certfile: x.crt}":                                      "tls_server_config.certfile: unknown key; known here: cert,",
		"tls_server_config: {min_version: TLS13, max_version: TLS12, cert_file: x}": "web.yml:1:34: tls_server_config.min_version: " + noRange,
		"tls_server_config: {max_version: TLS11, cert_file: x}":                     "web.yml:1:34: tls_server_config.max_version: " + noRange,
		"tls_server_config: {client_auth_type: RequireAndVerifyClientCert}":         noAuthority,
		"tls_server_config: {client_auth_type: VerifyClientCertIfGiven}":            noAuthority,
		"tls_server_config: {min_version: SSL3}":                                    "web.yml:1:34: tls_server_config.min_version:",
		"basic_auth_users: {ann: secret}":                                           `basic_auth_users: the password of "ann" must be a bcrypt hash`,
		"http_server_config: {headers: {X-Frame-Options: whatever}}":                "http_server_config: invalid value for X-Frame-Options",
		"http_server_config: {headers: {X-Own: 1}}":                                 `HTTP header "X-Own" can not be configured`,
		"rate_limit: {interval: 1s, burst: 2}":                                      "set --web.rate-limit",
	} {
		path := filepath.Join(t.TempDir(), "web.yml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.LoadWeb(path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v quotes a password", err)
		}
	}
}
