package callers

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/crypto/bcrypt"
)

const (
	// remembered is how many right passwords are not hashed again.
	remembered = 100
	// nobodysHash makes a wrong name take as long as a wrong password. It is
	// one of random bytes, and of the cost that htpasswd -B and bcrypt take
	// unless told otherwise.
	nobodysHash = "$2a$10$AHyEEFvxIq5mfP7gyspiReiw5ygNBcowY15m6h6P9uEaRT8moiRj2"
)

// passwords checks them. bcrypt takes a twentieth of a second of CPU on
// purpose, so only one is hashed at a time, and one that was right is
// remembered.
type passwords struct {
	one   sync.Mutex
	right *lru.Cache[[sha256.Size]byte, bool]
	salt  [32]byte // so that what is remembered is worth nothing elsewhere
}

func newPasswords() *passwords {
	right, err := lru.New[[sha256.Size]byte, bool](remembered)
	if err != nil {
		panic(err) // only a size below 1 can cause it
	}
	p := &passwords{right: right}
	rand.Read(p.salt[:]) // it never fails
	return p
}

// check reports whether users has a user of that name with that password.
func (p *passwords) check(users map[string]string, name, password string) bool {
	hash, known := users[name]
	if !known {
		hash = nobodysHash
	}
	key := sha256.Sum256([]byte(strings.Join([]string{string(p.salt[:]), hash, password}, "\x00")))
	if known && p.right.Contains(key) {
		return true
	}
	p.one.Lock()
	defer p.one.Unlock()
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) != nil || !known {
		return false
	}
	p.right.Add(key, true)
	return true
}
