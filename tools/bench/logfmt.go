package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-logfmt/logfmt"
)

// logfmtCommand runs countWithLogfmt in a process of its own, so that its time
// and memory are measured as those of the others are.
const logfmtCommand = "logfmt"

// countWithLogfmt does the job with the library that a Go program would take.
func countWithLogfmt(name string, out io.Writer) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	var c counts
	who := map[string]int{}
	d := logfmt.NewDecoder(bufio.NewReaderSize(f, 1<<20))
	for d.ScanRecord() {
		c.Lines++
		var msg, arn, errText string
		for d.ScanKeyval() {
			switch string(d.Key()) {
			case "msg":
				msg = string(d.Value())
			case "arn":
				if msg == "access denied" {
					arn = string(d.Value())
				}
			case "error":
				errText = string(d.Value())
			}
		}
		switch msg {
		case "access granted":
			c.Granted++
		case "STS response":
			c.STS++
		case "access denied":
			c.Denied++
			if errText == "identity is not mapped" {
				c.NotMapped++
				who[arn]++
			} else if strings.Contains(errText, `"Code":"InvalidClientTokenId"`) {
				c.InvalidToken++
			}
		}
	}
	if err := d.Err(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, c.Lines, c.Granted, c.STS, c.Denied, c.NotMapped, c.InvalidToken, len(who))
	return err
}
