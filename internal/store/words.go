package store

import (
	"context"
	"database/sql"
	"maps"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// maxWords bounds what is remembered of the table word: some 20 MB.
const maxWords = 100_000

// A word is a string's row in the table word.
type word struct {
	id   int64
	used int64 // days since 1970
}

// words remembers committed rows of the table word by their text. The zero
// value remembers nothing.
type words map[string]word

// add remembers more words, and forgets all others when they get too many.
func (w *words) add(more words) {
	if *w == nil || len(*w)+len(more) > maxWords {
		*w = words{}
	}
	maps.Copy(*w, more)
}

// A lexicon is the words of one batch.
type lexicon struct {
	known words // read only
	fresh words // not known, or last used on an earlier day; ids once saved
	today int64
}

// want notes that the batch uses the words.
func (l *lexicon) want(texts ...string) {
	for _, text := range texts {
		if w, ok := l.known[text]; ok && w.used >= l.today {
			continue
		}
		if _, ok := l.fresh[text]; !ok {
			l.fresh[authlog.Sanitize(text)] = word{}
		}
	}
}

// save gives each wanted word its id.
func (l *lexicon) save(ctx context.Context, tx *sql.Tx, in insert) error {
	args := make([]any, 0, 2*len(l.fresh))
	for text := range l.fresh {
		args = append(args, text, l.today)
	}
	return in.query(ctx, tx, args, func(rows *sql.Rows) error {
		var w word
		var text string
		if err := rows.Scan(&w.id, &text, &w.used); err != nil {
			return err
		}
		l.fresh[text] = w
		return nil
	})
}

// id returns the id of a word that was wanted and saved.
func (l *lexicon) id(text string) int64 {
	if w, ok := l.fresh[text]; ok {
		return w.id
	}
	if w, ok := l.known[text]; ok {
		return w.id
	}
	return l.fresh[authlog.Sanitize(text)].id
}
