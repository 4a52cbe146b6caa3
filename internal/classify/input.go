package classify

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// open opens an input and undoes its packing: what is read from it are lines.
func open(name string, stdin io.Reader, p *progress) (io.ReadCloser, error) {
	file := io.NopCloser(stdin)
	if name != Stdin {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		file = f
	}
	r, closePacked, err := unpack(&counted{file, p})
	if err != nil {
		_ = file.Close() // the other error says more
		return nil, fmt.Errorf("read %s: %w", inputName(name), err)
	}
	if bytes.HasPrefix(start(r), bom) {
		_, _ = r.Discard(len(bom)) // what was peeked is there
	}
	if isDocument(start(r)) {
		return source{newDocument(r), file, closePacked}, nil
	}
	return source{r, file, closePacked}, nil
}

// bom is a byte order mark, which Windows puts before a file's first line.
var bom = []byte("\uFEFF")

func inputName(name string) string {
	if name == Stdin {
		return "standard input"
	}
	return name
}

// A source reads from one place and closes others.
type source struct {
	io.Reader
	file        io.Closer
	closePacked func()
}

func (s source) Close() error {
	s.closePacked()
	return s.file.Close()
}

// bufferSize is less than pieceSize, so that a bufio.Reader hands the reads of
// pieces through once it is empty.
const bufferSize = 64 << 10

// maxWindow bounds the memory that a Zstandard file may ask for. The zstd
// command stays within it up to level 19.
const maxWindow = 8 << 20

// unpack undoes gzip and Zstandard, which it knows by their first bytes.
func unpack(file io.Reader) (*bufio.Reader, func(), error) {
	r := bufio.NewReaderSize(file, bufferSize)
	switch head := start(r); {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, err
		}
		return bufio.NewReaderSize(z, bufferSize), func() { _ = z.Close() }, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return bufio.NewReaderSize(windowHint{z}, bufferSize), z.Close, nil
	}
	return r, func() {}, nil
}

// windowHint says what to do about a file that was packed with more memory
// than there is to unpack it.
type windowHint struct{ io.Reader }

func (h windowHint) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = fmt.Errorf("%w: it was packed with zstd --long or --ultra; pipe it in with zstd -dc --long=31", err)
	}
	return n, err
}

// start gives what is there of the first bytes without waiting for more than
// one read.
func start(r *bufio.Reader) []byte {
	if _, err := r.Peek(1); err != nil {
		return nil
	}
	head, _ := r.Peek(r.Buffered())
	return head
}

// progress adds up what was read of all inputs.
type progress struct {
	tell        func(read, total int64)
	read, total int64
}

func newProgress(cfg Config) *progress {
	p := &progress{tell: cfg.Progress}
	for _, name := range cfg.Inputs {
		info, err := os.Stat(name)
		if name == Stdin || err == nil && !info.Mode().IsRegular() {
			p.total = -1
			return p
		}
		if err == nil {
			p.total += info.Size()
		}
	}
	return p
}

// counted tells progress of what is read through it.
type counted struct {
	io.Reader
	p *progress
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.p.read += int64(n)
	if c.p.tell != nil && n > 0 {
		c.p.tell(c.p.read, c.p.total)
	}
	return n, err
}
