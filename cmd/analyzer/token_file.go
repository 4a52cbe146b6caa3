package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/eks-authlog/eks-authlog/internal/config"
)

var (
	tokensKey = regexp.MustCompile(`(?m)^tokens:`)
	firstItem = regexp.MustCompile(`(?m)^ *- `)
)

// withToken is the text of a tokens file with one more item, below the others
// as they are indented.
func withToken(text, item string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if !tokensKey.MatchString(text) {
		text += "tokens:\n"
	}
	if first := firstItem.FindString(text); first != "" {
		indent := strings.TrimSuffix(first, "- ")
		item = indent + strings.ReplaceAll(strings.TrimSpace(item), "\n  ", "\n"+indent) + "\n"
	}
	return text + item
}

// addToken adds an item to the tokens file, which is made if it is not there.
// Whoever reads it meanwhile finds the old one or the new one, and only one that
// serve takes is put in its place.
func addToken(path, item string) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	beside := path + ".new"
	// That nobody else has it keeps two who add at once apart.
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: another token is being added, or was when the machine stopped; remove it then", err)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(beside))
		}
	}()
	defer f.Close()
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text := withToken(string(old), item)
	if _, err := config.ParseTokens(path, []byte(text)); err != nil {
		return fmt.Errorf("with the new item this would be wrong, so nothing was changed:\n%w", err)
	}
	if err := alike(f, path); err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(beside, path)
}

// alike gives a file the owner and mode of the one at path, if there is one:
// serve may run as another user than who adds a token.
func alike(f *os.File, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
			return fmt.Errorf("%s would change its owner: %w", path, err)
		}
	}
	return f.Chmod(info.Mode().Perm())
}
