package main

import (
	"fmt"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/callers"
	"github.com/eks-authlog/eks-authlog/internal/config"
)

type tokenCmd struct {
	Name     string   `arg:"" help:"Name of whoever gets it, as it stands in the log."`
	Clusters []string `help:"Patterns of the names of the clusters it may see, e.g. team-a-*." placeholder:"PATTERN"`
	Accounts []string `help:"Accounts of the clusters it may see." placeholder:"ID"`
	Admin    bool     `help:"It sees every cluster, and may reload and profile the service."`

	TokensFile string `name:"tokens-file" help:"The tokens file of serve, to add the item to; made if it is not there. Without it the item is on standard error." placeholder:"FILE"`
}

// Help says what to do with it.
func (c *tokenCmd) Help() string {
	return `The token is on standard output, once: nobody has it but you. The tokens file of serve
(--web.tokens-file) has its hash alone; serve knows the token once it has reloaded.

  analyzer token team-a --clusters 'team-a-*' --tokens-file=tokens.yml >token
  curl -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8484/clusters`
}

// Run makes a token and prints it.
func (c *tokenCmd) Run(r *run) error {
	token := callers.NewToken()
	item := c.item(callers.Hash(token))
	if _, err := config.ParseTokens("the command line", []byte("tokens:\n"+item)); err != nil {
		return err
	}
	if c.TokensFile == "" {
		fmt.Fprintf(r.stderr, "%s", item)
	} else if err := addToken(c.TokensFile, item); err != nil {
		return err
	}
	_, err := fmt.Fprintln(r.stdout, token)
	return err
}

func (c *tokenCmd) item(hash string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - name: %q\n    sha256: %s\n", c.Name, hash)
	for _, list := range []struct {
		key    string
		values []string
	}{{"clusters", c.Clusters}, {"accounts", c.Accounts}} {
		if len(list.values) > 0 {
			fmt.Fprintf(&b, "    %s: [%s]\n", list.key, quoted(list.values))
		}
	}
	if c.Admin {
		b.WriteString("    admin: true\n")
	}
	return b.String()
}

func quoted(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(out, ", ")
}
