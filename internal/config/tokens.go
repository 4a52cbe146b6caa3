package config

import (
	"fmt"
	"os"
	"regexp"
)

// Tokens is the whole tokens file: who may ask the API, and for what.
type Tokens struct {
	Tokens []Token `yaml:"tokens"`
}

// A Token is one who may ask. What he shows stands there as a hash alone.
type Token struct {
	Name string `yaml:"name"` // stands in the log
	// SHA256 is the hash of the token in hexadecimal, as analyzer token
	// prints it. A hash that is slow to make would protect passwords that can
	// be guessed, and cost each request; a token has 256 random bits.
	SHA256 string `yaml:"sha256"`
	// Clusters are patterns of names, as path.Match has them; empty with
	// accounts: any name.
	Clusters []string `yaml:"clusters"`
	// Accounts are ids of 12 digits; empty with clusters: any account.
	Accounts []string `yaml:"accounts"`
	// Admin sees every cluster, and may reload and profile the service.
	Admin bool `yaml:"admin"`
}

var (
	tokenName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	tokenHash = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// LoadTokens reads the tokens file. A file that cannot be read gives the error
// of the file system; one that is wrong gives Faults.
func LoadTokens(path string) ([]Token, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return ParseTokens(path, text)
}

// ParseTokens is LoadTokens on a text; path stands in the faults only.
func ParseTokens(path string, text []byte) ([]Token, error) {
	var file Tokens
	if err := parse(path, text, &file, func(d *decoder) { validateTokens(file.Tokens, d) }); err != nil {
		return nil, err
	}
	return file.Tokens, nil
}

func validateTokens(tokens []Token, d *decoder) {
	if len(tokens) == 0 {
		d.wrong("tokens", "must have at least one; without a tokens file no token is asked for")
	}
	names, hashes := map[string]bool{}, map[string]bool{}
	for i := range tokens {
		key, t := fmt.Sprintf("tokens[%d]", i), &tokens[i]
		switch {
		case !tokenName.MatchString(t.Name):
			d.wrong(key+".name", fmt.Sprintf("%q is no name of lower case letters, digits, dot, - and _, at most 63", t.Name))
		case names[t.Name]:
			d.wrong(key+".name", fmt.Sprintf("%q is the name of another token too", t.Name))
		}
		switch {
		case !tokenHash.MatchString(t.SHA256):
			// It is not quoted: it may be the token itself.
			d.wrong(key+".sha256", "must be the 64 hexadecimal digits that analyzer token prints, never the token itself")
		case hashes[t.SHA256]:
			d.wrong(key+".sha256", "is that of another token too")
		}
		names[t.Name], hashes[t.SHA256] = true, true
		validateScope(t, key, d)
	}
}

func validateScope(t *Token, key string, d *decoder) {
	switch scoped := len(t.Clusters)+len(t.Accounts) > 0; {
	case t.Admin && scoped:
		d.wrong(key+".admin", "sees every cluster: leave clusters and accounts out, or make it false")
	case !t.Admin && !scoped && !d.bad[key+".admin"]:
		d.wrong(key, `must say which clusters or accounts it may see; clusters: ["*"] is all of them`)
	}
	for i, p := range t.Clusters {
		k := fmt.Sprintf("%s.clusters[%d]", key, i)
		d.clusterPattern(k, p)
		if p == "" {
			d.wrong(k, "is empty, which no cluster's name is")
		}
	}
	for i, a := range t.Accounts {
		if !accountForm.MatchString(a) {
			d.wrong(fmt.Sprintf("%s.accounts[%d]", key, i), fmt.Sprintf("%q is no account id of 12 digits; put it in quotes", a))
		}
	}
}
