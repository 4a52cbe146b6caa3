//go:build !linux

package store_test

import "testing"

func mount(t *testing.T, _, _ string) {
	t.Helper()
	t.Skip("there is no tmpfs to mount")
}
