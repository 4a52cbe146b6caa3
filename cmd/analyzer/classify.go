package main

import (
	"context"
	"errors"
	"runtime"

	"github.com/schollz/progressbar/v3"

	"github.com/eks-authlog/eks-authlog/internal/classify"
)

type classifyCmd struct {
	Files  []string `arg:"" optional:"" name:"file" help:"Files to read, plain, .gz or .zst; - or none for standard input."`
	Output string   `help:"Form of the result: ${enum}. table is for people, ndjson has one object a line, summary one for everything." enum:"table,ndjson,summary" default:"table" short:"o"`
}

// Help says what can be read.
func (c *classifyCmd) Help() string {
	return `Lines may be as the authenticator writes them, or as they are shipped and pasted: with the
prefixes of kubectl logs, stern, Docker, CRI or an S3 export, as CSV of Logs Insights, as JSON of
the aws command.

  aws logs tail /aws/eks/prod/cluster --log-stream-name-prefix authenticator --since 1h | analyzer classify
  analyzer classify --output=ndjson export/*.gz | jq 'select(.reason == "arn_not_mapped")'

The exit status is 1 if an input could not be read; the others are read all the same.`
}

// Run reads all inputs and prints what they say.
func (c *classifyCmd) Run(ctx context.Context, r *run) error {
	cfg := classify.Config{
		Inputs:  c.Files,
		Stdin:   r.stdin,
		Format:  classify.Format(c.Output),
		Workers: min(runtime.GOMAXPROCS(0), 2),
	}
	if isTerminal(r.stderr) && (cfg.Format != classify.NDJSON || !isTerminal(r.stdout)) {
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(r.stderr),
			progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription("reading"))
		defer func() { _ = bar.Finish() }() // a bar that cannot be drawn is no failure
		cfg.Progress = func(read, total int64) {
			if total > 0 && bar.GetMax64() != total {
				bar.ChangeMax64(total)
			}
			_ = bar.Set64(read) // a bar that cannot be drawn is no reason to stop
		}
	}
	err := classify.Run(ctx, cfg, r.stdout)
	if errors.Is(err, context.Canceled) {
		return &exitError{status: 130}
	}
	return err
}
