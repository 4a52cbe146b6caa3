// Command analyzer finds out who is locked out of which EKS cluster, and why:
// it follows the authenticator logs in CloudWatch and serves what they say as
// Prometheus metrics and a REST API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/go-logr/logr"
	"github.com/rs/zerolog"
	"k8s.io/klog/v2"
)

const description = `Finds out who is locked out of which Amazon EKS cluster, since when, and why.

When kubectl says "You must be logged in to the server (Unauthorized)", the reason
stands in one line of the EKS authenticator log. analyzer follows that log in
CloudWatch, classifies every refused request, and serves what it finds as
Prometheus metrics and a REST API.

  analyzer demo               try it on a simulated AWS, nothing needed
  analyzer serve              follow the clusters of your AWS credentials
  analyzer classify FILE      read log lines from a file or a pipe, without AWS`

// cli is the command line. Flags are spelled as the Prometheus family spells
// them.
type cli struct {
	Serve    serveCmd    `cmd:"" help:"Follow the clusters' logs and serve what they say."`
	Demo     demoCmd     `cmd:"" help:"Run the daemon against a simulated AWS on this machine."`
	Plan     planCmd     `cmd:"" help:"Show what serve would read, how often, and what that costs."`
	Query    queryCmd    `cmd:"" help:"Print a Logs Insights query for the console."`
	Backfill backfillCmd `cmd:"" help:"Read history that was never read before, oldest first."`
	Classify classifyCmd `cmd:"" help:"Classify log lines from files or a pipe, without AWS."`
	Explain  explainCmd  `cmd:"" help:"Answer pasted lines and error messages: who is out, why, and what lets them in."`
	Get      getCmd      `cmd:"" help:"Ask a running daemon, and print what it found."`
	Lint     lintCmd     `cmd:"" help:"Find what is wrong with an access configuration."`
	Token    tokenCmd    `cmd:"" help:"Make a token for someone who may ask serve."`
	Check    checkCmd    `cmd:"" help:"Check files before they are used."`

	Man        manCmd        `cmd:"" help:"Print the man page: analyzer man | man -l -."`
	Completion completionCmd `cmd:"" help:"Print what makes a shell complete commands and flags."`

	LogLevel  string           `name:"log.level" help:"Least level to log: ${enum}." enum:"debug,info,warn,error" default:"info"`
	LogFormat string           `name:"log.format" help:"Format of the log on standard error: ${enum}." enum:"json,console" default:"console"`
	Version   kong.VersionFlag `name:"version" help:"Print the version and exit."`
}

// run is one call of the program: its streams and its log.
type run struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	log            zerolog.Logger
}

// An exitError ends the program with that status after its text, if any, was
// printed.
type exitError struct {
	status int
	err    error // nil: everything was said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Main runs the program with these arguments, without its name, and returns
// its exit status: 0 when it did what was asked or ctx ended it, 1 when it
// failed, 2 when the command line was wrong.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	klog.SetLogger(logr.Discard()) // client-go returns what fails, and we log it
	var c cli
	exited, status := false, 0
	parser, err := kong.New(&c,
		kong.Name("analyzer"),
		kong.Description(description),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"version": versionText()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(n int) { exited, status = true, n }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "analyzer:", err)
		return 2
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	switch {
	case exited:
		return status
	case err != nil:
		fmt.Fprintf(stderr, "analyzer: %v\nTry \"analyzer --help\".\n", err)
		return 2
	}
	r := &run{stdin: stdin, stdout: stdout, stderr: stderr, log: newLog(stderr, c.LogLevel, c.LogFormat)}
	kctx.BindTo(ctx, (*context.Context)(nil))
	err = kctx.Run(r)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, text)
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.status
	}
	return 1
}

func newLog(w io.Writer, level, format string) zerolog.Logger {
	if format == "console" {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !isTerminal(w), TimeFormat: "2006-01-02T15:04:05Z07:00"}
	}
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		l = zerolog.InfoLevel
	}
	return zerolog.New(w).Level(l).With().Timestamp().Logger()
}
