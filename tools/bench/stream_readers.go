package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// streamCommand is how the bench calls itself to be the readers.
const streamCommand = "stream-readers"

// readStreams opens so many streams of a quiet cluster, and of a busy one, and
// reads the beginning of each and no more. It says when it is ready, and stays
// until the input ends.
func readStreams(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 3 {
		return errors.New("want the URL, and how many idle and slow readers")
	}
	address := strings.TrimPrefix(args[0], "http://")
	for i, cluster := range []string{quiet.Name, busy.Name} {
		n, err := strconv.Atoi(args[i+1])
		if err != nil {
			return err
		}
		for range n {
			conn, err := readStream(ctx, address, cluster)
			if err != nil {
				return err
			}
			defer conn.Close()
		}
	}
	fmt.Fprintln(out, "ready")
	_, err := io.Copy(io.Discard, in)
	return err
}

// readStream reads up to the first event, with a small buffer for the rest.
func readStream(ctx context.Context, address, cluster string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetReadBuffer(4 << 10)
	}
	if err == nil {
		_, err = fmt.Fprintf(conn, "GET /stream?cluster=%s HTTP/1.1\r\nHost: %s\r\n\r\n", cluster, address)
	}
	rd := bufio.NewReaderSize(conn, 512)
	for line := ""; err == nil && !strings.HasPrefix(line, "id: "); {
		line, err = rd.ReadString('\n')
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
