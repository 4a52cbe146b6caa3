package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"
)

// maxSpelled bounds the words that are remembered for reading: some 5 MB.
const maxSpelled = 30_000

// A speller remembers what rows of the table word say, so that a page of
// denials need not look up the same few words for each of its rows. An id is
// never given to another word.
type speller struct {
	mu    sync.Mutex
	known map[int64]string
}

// spell returns the texts of these ids, at least; 0 is the empty text.
func (sp *speller) spell(ctx context.Context, s *SQLite, ids []int64) (map[int64]string, error) {
	text, missing := sp.recall(ids)
	for some := range slices.Chunk(missing, 100) {
		args := make([]any, len(some))
		for i, id := range some {
			args[i] = id
		}
		rows, err := s.query(ctx, "SELECT id, text FROM word WHERE id IN ("+marks(len(args))+")", args...)
		err = each(rows, err, func(rows *sql.Rows) error {
			var id int64
			var word string
			err := rows.Scan(&id, &word)
			text[id] = word
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(missing) > 0 {
		sp.remember(text)
	}
	return text, nil
}

// recall returns what is known of the ids and which of them are not.
func (sp *speller) recall(ids []int64) (text map[int64]string, missing []int64) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	text = map[int64]string{0: ""}
	for _, id := range ids {
		if _, done := text[id]; done {
			continue
		}
		word, ok := sp.known[id]
		text[id] = word
		if !ok {
			missing = append(missing, id)
		}
	}
	return text, missing
}

// remember adds words, and forgets all others when they get too many.
func (sp *speller) remember(text map[int64]string) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.known == nil || len(sp.known)+len(text) > maxSpelled {
		sp.known = map[int64]string{}
	}
	maps.Copy(sp.known, text)
}
