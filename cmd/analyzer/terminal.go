package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// isTerminal reports whether a person watches what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
