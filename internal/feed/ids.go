package feed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// ids makes places unreadable: whoever may see some changes only would learn
// from the gaps between plain places how many others there are. Two ids of one
// place differ, or he would learn from the same when others are quiet.
type ids struct{ aead cipher.AEAD }

// newIDs derives a key of its own, so that nothing else that is made of the
// secret says anything of the ids.
func newIDs(secret [16]byte) (*ids, error) {
	key, err := hkdf.Key(sha256.New, secret[:], nil, "ids of the stream", 2*aes.BlockSize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &ids{aead}, err
}

func (s *ids) id(place int64) string {
	sealed := s.aead.Seal(nil, nil, binary.BigEndian.AppendUint64(nil, uint64(place)), nil)
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// place is the inverse of id. It accepts nothing else: the decoder alone would
// skip line ends.
func (s *ids) place(id string) (place int64, ok bool) {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || base64.RawURLEncoding.EncodeToString(sealed) != id {
		return 0, false
	}
	plain, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil || len(plain) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(plain)), true
}
