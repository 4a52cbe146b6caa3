package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// What is in the file: of 1,000,000 lines 70 % grants, 20 % denials of 500
// principals that are not mapped, 8 % STS responses and 2 % denials with the
// JSON body of STS. The seed is fixed, so the file is the same everywhere.
const (
	lineCount = 1_000_000
	unmapped  = 500
	linesName = "authenticator-1m-v1.log"
	seed1     = 0x656b73
	seed2     = 0x617574686c6f67
	firstLine = "2026-11-23T00:00:00Z" // and one every 80 ms
)

// counts is what is in a file of lines; a contender that does not count
// something leaves it at -1.
type counts struct {
	Lines, Granted, STS, Denied, NotMapped, InvalidToken, Principals int
}

// linesFile makes the file in dir unless it is there, and says what is in it.
func linesFile(dir string) (name string, want counts, err error) {
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return "", want, err
	}
	name = filepath.Join(dir, linesName)
	size, want := writeLines(io.Discard)
	if info, err := os.Stat(name); err == nil && info.Size() == size {
		return name, want, nil
	}
	f, err := os.CreateTemp(dir, linesName)
	if err != nil {
		return "", want, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already when all went well
	w := bufio.NewWriterSize(f, 1<<20)
	writeLines(w)
	if err = w.Flush(); err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", want, fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return name, want, os.Rename(f.Name(), name)
}

// writeLines writes all lines. Errors are kept by a bufio.Writer.
func writeLines(w io.Writer) (size int64, want counts) {
	rnd := rand.New(rand.NewPCG(seed1, seed2))
	start, err := time.Parse(time.RFC3339, firstLine)
	if err != nil {
		panic(err)
	}
	denied := map[int]bool{}
	for i := range lineCount {
		at := start.Add(time.Duration(i) * 80 * time.Millisecond).Format(time.RFC3339)
		client := fmt.Sprintf("127.0.0.1:%d", 32768+rnd.IntN(28000))
		var n int
		switch p := rnd.IntN(100); {
		case p < 70:
			want.Granted++
			n, _ = grant(w, rnd, at, client)
		case p < 90:
			want.NotMapped++
			role := rnd.IntN(unmapped)
			denied[role] = true
			n, _ = fmt.Fprintf(w, "time=%q level=warning msg=\"access denied\" arn=\"arn:aws:iam::%012d:role/team-%03d-deployer\" client=%q error=\"identity is not mapped\" method=POST path=/authenticate\n",
				at, 111122223333+role%7, role, client)
		case p < 98:
			want.STS++
			n, _ = stsResponse(w, rnd, at, client)
		default:
			want.InvalidToken++
			n, _ = fmt.Fprintf(w, "time=%q level=warning msg=\"access denied\" client=%q error=%q method=POST path=/authenticate\n", at, client,
				fmt.Sprintf(`sts getCallerIdentity failed: error from AWS (expected 200, got 403) on us-west-2 endpoint. Body: {"Error":{"Code":"InvalidClientTokenId","Message":"The security token included in the request is invalid.","Type":"Sender"},"RequestId":"%08x-%04x-%04x-%04x-%012x"}`,
					rnd.Uint32(), rnd.IntN(1<<16), rnd.IntN(1<<16), rnd.IntN(1<<16), rnd.Int64N(1<<48)))
		}
		size += int64(n)
	}
	want.Lines, want.Denied, want.Principals = lineCount, want.NotMapped+want.InvalidToken, len(denied)
	return size, want
}

func grant(w io.Writer, rnd *rand.Rand, at, client string) (int, error) {
	const text = "time=%q level=info msg=\"access granted\" arn=\"arn:aws:iam::111122223333:role/%s\" client=%q groups=%q method=POST path=/authenticate stsendpoint=%s uid=\"aws-iam-authenticator:111122223333:AROA%s\" username=%s\n"
	const regional = "sts.us-west-2.amazonaws.com"
	id := uniqueID(rnd)
	switch rnd.IntN(10) {
	case 0:
		node := fmt.Sprintf("%q", fmt.Sprintf("system:node:ip-10-%d-%d-%d.ec2.internal", rnd.IntN(100), rnd.IntN(256), rnd.IntN(256)))
		return fmt.Fprintf(w, text, at, "NodeRole", client, "[system:bootstrappers system:nodes]", regional, id, node)
	case 1, 2, 3:
		return fmt.Fprintf(w, text, at, "Admin", client, "[system:masters]", regional, id, "admin")
	}
	return fmt.Fprintf(w, text, at, "ci", client, "[]", "sts.amazonaws.com", id, fmt.Sprintf("ci-%d", rnd.IntN(50)))
}

func stsResponse(w io.Writer, rnd *rand.Rand, at, client string) (int, error) {
	id := uniqueID(rnd)
	return fmt.Fprintf(w, "time=%q level=info msg=\"STS response\" accesskeyid=ASIA%s accountid=111122223333 arn=\"arn:aws:sts::111122223333:assumed-role/NodeRole/i-0%016x\" client=%q method=POST path=/authenticate session=i-0%016x stsendpoint=sts.us-west-2.amazonaws.com userid=AROA%s\n",
		at, id, rnd.Uint64(), client, rnd.Uint64(), id)
}

func uniqueID(rnd *rand.Rand) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := make([]byte, 16)
	for i := range b {
		b[i] = letters[rnd.IntN(len(letters))]
	}
	return string(b)
}
