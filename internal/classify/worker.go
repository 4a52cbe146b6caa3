package classify

import (
	"bytes"
	"context"
	"io"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/parse"
)

// A worker reads the lines of pieces. Its memory is used again for every
// piece, and it alone writes its tally.
type worker struct {
	out    io.Writer
	ndjson bool
	buf    []byte
	wire   []byte // the output of one piece
	reader parse.Reader
	ev     authlog.Event // of one line; its strings are gone with the next
	tally  *tally
}

func newWorker(cfg Config, out io.Writer) *worker {
	return &worker{out: out, ndjson: cfg.Format == NDJSON, buf: newBuffer(), tally: newTally()}
}

// run works until the input's end. The label names the input in the output.
func (w *worker) run(ctx context.Context, p *pieces, label string) error {
	for ctx.Err() == nil {
		c, ok := p.next(w.buf)
		if !ok {
			return nil
		}
		if !w.ndjson {
			w.count(c)
			continue
		}
		w.describe(c, label)
		if err := w.write(ctx, c); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// count adds the lines of a piece to the tally.
func (w *worker) count(c piece) {
	if c.long {
		w.tally.kinds[authlog.KindUnreadable]++
		return
	}
	for text := c.text; len(text) > 0; {
		var line []byte
		line, text = cutLine(text)
		if k, ok := parse.Skim(line); ok {
			w.tally.kinds[k]++
			continue
		}
		w.reader.Read(&w.ev, line)
		w.tally.count(&w.ev)
	}
}

// cutLine takes the first line off some text.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte{'\n'})
	return line, rest
}

// describe makes the output of a piece.
func (w *worker) describe(c piece, label string) {
	w.wire = w.wire[:0]
	if c.long {
		w.wire = appendLine(w.wire, label, c.number, &authlog.Event{})
		return
	}
	number := c.number
	for text := c.text; len(text) > 0; number++ {
		var line []byte
		line, text = cutLine(text)
		w.reader.Read(&w.ev, line)
		w.wire = appendLine(w.wire, label, number, &w.ev)
	}
}

// write writes the output of a piece when its turn comes.
func (w *worker) write(ctx context.Context, c piece) error {
	if c.turn != nil {
		select {
		case <-c.turn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if _, err := w.out.Write(w.wire); err != nil {
		return &writeError{err}
	}
	close(c.done)
	return nil
}
