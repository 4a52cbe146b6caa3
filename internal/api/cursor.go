package api

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A page token names the last denial of a page and nothing else: it may be used
// with other parameters, after a restart, and at another replica. Four bytes
// of a hash tell a token from a cut or made-up one; they guard no secret.
const tokenSum = 4

// pageToken is "" for the zero ID.
func pageToken(last authlog.ID) string {
	if last == (authlog.ID{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(last[:], sumOf(last)...))
}

// parsePageToken is the inverse of pageToken. It accepts nothing else.
func parsePageToken(s string) (authlog.ID, bool) {
	var id authlog.ID
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(id)+tokenSum {
		return id, false
	}
	copy(id[:], b)
	return id, slices.Equal(b[len(id):], sumOf(id))
}

func sumOf(id authlog.ID) []byte {
	sum := sha256.Sum256(append([]byte("denials page "), id[:]...))
	return sum[:tokenSum]
}
