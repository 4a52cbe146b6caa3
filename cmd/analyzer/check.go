package main

import (
	"fmt"

	"github.com/eks-authlog/eks-authlog/internal/config"
)

type checkCmd struct {
	Config checkConfigCmd `cmd:"" help:"Check a configuration file: all faults at once, by line and key."`
	Tokens checkTokensCmd `cmd:"" help:"Check a tokens file (--web.tokens-file)."`
	Web    checkWebCmd    `cmd:"" help:"Check a web configuration file (--web.config.file), and the files it names."`
}

type checkConfigCmd struct {
	File string `arg:"" help:"The configuration file."`
}

// Run checks the file in the words in which serve would refuse it.
func (c *checkConfigCmd) Run(r *run) error {
	_, err := config.Load(c.File)
	return r.ok(c.File, err)
}

type checkTokensCmd struct {
	File string `arg:"" help:"The tokens file."`
}

// Run checks the file as serve would.
func (c *checkTokensCmd) Run(r *run) error {
	_, err := config.LoadTokens(c.File)
	return r.ok(c.File, err)
}

type checkWebCmd struct {
	File string `arg:"" help:"The web configuration file."`
}

// Run checks the file as serve would.
func (c *checkWebCmd) Run(r *run) error {
	_, err := config.LoadWeb(c.File)
	return r.ok(c.File, err)
}

// ok says that a file is right, unless err says otherwise.
func (r *run) ok(file string, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.stdout, "%s: ok\n", file)
	return err
}
