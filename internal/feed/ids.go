package feed

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base32"
	"encoding/binary"
)

// ids makes places unreadable: whoever may see some changes only would learn
// from the gaps between plain places how many others there are.
type ids struct{ block cipher.Block }

var idText = base32.HexEncoding.WithPadding(base32.NoPadding)

func newIDs(secret [16]byte) (*ids, error) {
	block, err := aes.NewCipher(secret[:])
	return &ids{block}, err
}

// id encrypts a single block, of which half is zero so that place can tell its
// own ids from others.
func (s *ids) id(place int64) string {
	var b [aes.BlockSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(place))
	s.block.Encrypt(b[:], b[:])
	return idText.EncodeToString(b[:])
}

// place is the inverse of id. It accepts nothing else.
func (s *ids) place(id string) (place int64, ok bool) {
	b, err := idText.DecodeString(id)
	if err != nil || len(b) != aes.BlockSize || idText.EncodeToString(b) != id {
		return 0, false
	}
	s.block.Decrypt(b, b)
	place = int64(binary.BigEndian.Uint64(b))
	return place, place >= 0 && binary.BigEndian.Uint64(b[8:]) == 0
}
