package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// A page token names the last item of a page, or the last one that was tried for
// it, and nothing else: it may be used with other parameters, after a restart, and
// at another replica. Both are of clusters that the caller sees, for the store
// reads him no others. Four bytes of a hash tell a token from a cut or made-up
// one, and one list's from another's; they guard no secret.
const tokenSum = 4

// What a token may be a place in.
const (
	placeOfCluster   = "clusters page "
	placeOfDenial    = "denials page "
	placeOfDiagnosis = "diagnoses page "
	placeOfPrincipal = "principals page "
)

// pageToken is "" for the zero ID.
func pageToken(last authlog.ID) string {
	if last == (authlog.ID{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(last[:], sumOf(placeOfDenial, last[:])...))
}

// parsePageToken is the inverse of pageToken. It accepts nothing else.
func parsePageToken(s string) (authlog.ID, bool) {
	var id authlog.ID
	b, ok := unsealBytes(placeOfDenial, s)
	if !ok || len(b) != len(id) {
		return id, false
	}
	return authlog.ID(b), true
}

// seal makes a token of the parts that name a place.
func seal(place string, parts ...string) string {
	b := jsonDocument(parts).body
	b = b[:len(b)-1] // without the line's end
	return base64.RawURLEncoding.EncodeToString(append(b, sumOf(place, b)...))
}

// unseal is the inverse of seal for so many parts.
func unseal(place, token string, parts int) ([]string, bool) {
	b, ok := unsealBytes(place, token)
	var found []string
	if !ok || json.Unmarshal(b, &found) != nil || len(found) != parts {
		return nil, false
	}
	return found, true
}

func unsealBytes(place, token string) ([]byte, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < tokenSum {
		return nil, false
	}
	n := len(b) - tokenSum
	return b[:n], slices.Equal(b[n:], sumOf(place, b[:n]))
}

func sumOf(place string, b []byte) []byte {
	sum := sha256.Sum256(append([]byte(place), b...))
	return sum[:tokenSum]
}

func refuseToken() error {
	return refuseParameter("next", "must be the next of an earlier answer, unchanged; leave it out to begin anew")
}

// stamp is a time in a token.
func stamp(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// parseStamp is the inverse of stamp; what a token with a true sum holds is a
// stamp.
func parseStamp(s string) time.Time {
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
