package store

import (
	"context"
	"fmt"
)

// LimitPages lets the file grow to so many pages only.
func (s *SQLite) LimitPages(ctx context.Context, pages int) error {
	_, err := s.w.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}
