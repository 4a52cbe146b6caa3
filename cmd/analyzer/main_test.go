package main_test

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	main "github.com/eks-authlog/eks-authlog/cmd/analyzer"
)

// asAnalyzer, when set in the environment, makes the test binary the program.
const asAnalyzer = "TEST_AS_ANALYZER"

func TestMain(m *testing.M) {
	if os.Getenv(asAnalyzer) != "" {
		analyzer()
	}
	testscript.Main(m, map[string]func(){"analyzer": analyzer})
}

func analyzer() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(main.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}
