package classify

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

const (
	// pieceSize is how much is read at a time. It is small enough that a piece
	// is still in the processor's cache when its lines are read.
	pieceSize = 256 << 10
	// maxLine is the longest line that is kept whole. CloudWatch takes events
	// of up to 1 MiB.
	maxLine = 1 << 20
)

// A piece is some whole lines of an input.
type piece struct {
	text   []byte // ends with a line end, but for the end of the input
	number int64  // of its first line, from 1, where lines are numbered
	long   bool   // stands for one line that was too long to keep; text is empty

	// The piece's turn to be written comes when turn is closed; whoever has
	// written it closes done.
	turn <-chan struct{}
	done chan struct{}
}

// pieces cuts an input into pieces. Many goroutines may call next.
type pieces struct {
	src      io.Reader
	numbered bool

	mu     sync.Mutex
	rest   []byte // what was read after the last line end
	skip   bool   // in the middle of a line that is too long
	line   int64  // lines given out, where they are numbered
	fail   error  // what ended the input, io.EOF included
	before <-chan struct{}
}

// newBuffer makes the memory that next works in.
func newBuffer() []byte { return make([]byte, maxLine+pieceSize) }

// next gives the next piece, in buf. It reports false at the end of the input
// or after an error, which err tells.
func (p *pieces) next(buf []byte) (piece, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := copy(buf, p.rest)
	p.rest = p.rest[:0]
	for {
		if p.fail != nil {
			return p.last(buf[:n])
		}
		from := n
		n = p.read(buf, n)
		end := bytes.LastIndexByte(buf[from:n], '\n') + 1
		switch {
		case end > 0:
			end += from
			p.rest = append(p.rest, buf[end:n]...)
			return p.give(piece{text: buf[:end]}), true
		case n > maxLine:
			p.skip = true
			return p.give(piece{long: true}), true
		}
	}
}

// read reads once, behind the n bytes that buf holds already, and returns how
// many it holds then. It drops what belongs to a line that is too long.
func (p *pieces) read(buf []byte, n int) int {
	got, err := p.src.Read(buf[n:min(n+pieceSize, len(buf))])
	p.fail = err
	if !p.skip {
		return n + got
	}
	end := bytes.IndexByte(buf[n:n+got], '\n') + 1
	if end == 0 {
		return n
	}
	p.skip = false
	return n + copy(buf[n:], buf[n+end:n+got])
}

// last gives what stands behind the last line end.
func (p *pieces) last(text []byte) (piece, bool) {
	if len(text) == 0 {
		return piece{}, false
	}
	return p.give(piece{text: text}), true
}

// give numbers a piece and puts it behind the one before.
func (p *pieces) give(c piece) piece {
	if !p.numbered {
		return c
	}
	c.number = p.line + 1
	p.line += int64(bytes.Count(c.text, []byte{'\n'}))
	if c.long || !bytes.HasSuffix(c.text, []byte{'\n'}) {
		p.line++
	}
	c.turn, c.done = p.before, make(chan struct{})
	p.before = c.done
	return c
}

// err is what ended the input too early, if anything did.
func (p *pieces) err() error {
	if p.fail == nil || errors.Is(p.fail, io.EOF) {
		return nil
	}
	return p.fail
}
