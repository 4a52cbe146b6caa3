package authlog

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"time"
)

// A Key tells one line from every other: it is made of log group, stream,
// event time, the text's bytes, and the line's number among its exact equals.
// The same line read twice has the same key; two equal lines written in one
// millisecond have two.
type Key [16]byte

// KeyOf makes the key of the n-th (from 0) of the lines equal to l.
func KeyOf(l *Line, n int) Key {
	h := sha256.New()
	var num [8]byte
	for _, s := range [...]string{l.Cluster.Account, l.Cluster.Region, l.Cluster.Name, l.Stream, l.Text} {
		binary.BigEndian.PutUint64(num[:], uint64(len(s)))
		h.Write(num[:])
		h.Write([]byte(s))
	}
	binary.BigEndian.PutUint64(num[:], uint64(l.Time.UnixMilli()))
	h.Write(num[:])
	binary.BigEndian.PutUint64(num[:], uint64(n))
	h.Write(num[:])
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return Key(sum[:16])
}

// An ID names a stored line. Its first six bytes are the time in milliseconds
// since 1970, so that byte order is time order; the others are the first of
// the line's Key.
type ID [16]byte

// NewID makes the ID of the line with that key which happened at that time.
func NewID(at time.Time, k Key) ID {
	var id ID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(at.UnixMilli(), 0)))
	copy(id[:6], ms[2:])
	copy(id[6:], k[:])
	return id
}

// Time is the time the ID was made with, in milliseconds.
func (id ID) Time() time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

var idText = base32.HexEncoding.WithPadding(base32.NoPadding)

// String gives the 26 characters that the API shows; their order is the byte
// order of the IDs.
func (id ID) String() string { return idText.EncodeToString(id[:]) }

// ParseID is the inverse of String. It accepts nothing else.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := idText.DecodeString(s)
	if err != nil || len(b) != len(id) || idText.EncodeToString(b) != s {
		return ID{}, fmt.Errorf("%q is no id", s)
	}
	return ID(b), nil
}
