package main

import (
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/eks-authlog/eks-authlog/internal/manual"
)

type manCmd struct{}

// Run prints the man page.
func (manCmd) Run(k *kong.Kong, r *run) error {
	version, _ := buildVersion()
	return manual.Man(r.stdout, k.Model, version, buildDate())
}

type completionCmd struct {
	Shell string `arg:"" help:"The shell: ${enum}." enum:"bash,zsh,fish"`
}

// Help says how to use it.
func (completionCmd) Help() string {
	return `  analyzer completion bash > /etc/bash_completion.d/analyzer
  analyzer completion zsh > "${fpath[1]}/_analyzer"
  analyzer completion fish > ~/.config/fish/completions/analyzer.fish`
}

// Run prints the completion.
func (c completionCmd) Run(k *kong.Kong, r *run) error {
	return manual.Completion(r.stdout, k.Model, c.Shell)
}

// buildDate is the day of the commit the program was built from, as YYYY-MM-DD,
// or that of nothing when the Go command did not record it.
func buildDate() string {
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" && len(s.Value) >= len("2006-01-02") {
				return s.Value[:len("2006-01-02")]
			}
		}
	}
	return "1970-01-01"
}
