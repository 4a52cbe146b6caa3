package main

import (
	"fmt"

	"github.com/eks-authlog/eks-authlog/internal/config"
)

type checkCmd struct {
	Config checkConfigCmd `cmd:"" help:"Check a configuration file: all faults at once, by line and key."`
}

type checkConfigCmd struct {
	File string `arg:"" help:"The configuration file."`
}

// Run checks the file in the words in which serve would refuse it.
func (c *checkConfigCmd) Run(r *run) error {
	if _, err := config.Load(c.File); err != nil {
		return err
	}
	_, err := fmt.Fprintf(r.stdout, "%s: ok\n", c.File)
	return err
}
