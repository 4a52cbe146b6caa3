package callers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/crypto/bcrypt"
)

// remembered is how many right passwords are not hashed again.
const remembered = 100

// patience is how long a password waits to be hashed: whoever asks waits half a
// minute for an answer, and learns by one that it is to be tried again.
const patience = 10 * time.Second

// passwords checks them. bcrypt takes a twentieth of a second of CPU on
// purpose, so only one is hashed at a time, and one that was right is
// remembered, which waits for none.
type passwords struct {
	compare func(hash, password []byte) error // bcrypt's
	queue   *queue
	right   *lru.Cache[[sha256.Size]byte, bool]
	salt    [32]byte // so that what is remembered is worth nothing elsewhere
}

func newPasswords() *passwords {
	right, err := lru.New[[sha256.Size]byte, bool](remembered)
	if err != nil {
		panic(err) // only a size below 1 can cause it
	}
	p := &passwords{compare: bcrypt.CompareHashAndPassword, queue: newQueue(), right: right}
	rand.Read(p.salt[:]) // it never fails
	return p
}

// check reports whether users has a user of that name with that password. It
// fails with ErrBusy, or when ctx ends.
func (p *passwords) check(ctx context.Context, from netip.Prefix, users map[string]string, name, password string) (bool, error) {
	hash, known := users[name]
	key := sha256.Sum256([]byte(strings.Join([]string{string(p.salt[:]), hash, password}, "\x00")))
	if known && p.right.Contains(key) {
		return true, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrBusy)
	defer cancel()
	leave, err := p.queue.wait(ctx, from)
	if err != nil {
		return false, err
	}
	defer leave()
	if known && p.right.Contains(key) { // a page asks for many things at once
		return true, nil
	}
	return p.hash(users, key, name, password), nil
}

// hash is check where nothing is remembered. It takes as long as the costliest
// hash of all users unless the password is right: that tells neither who is a
// user nor whose hash is cheap. As each cost takes twice the time of the one
// below, a hash and one of each cost from its own on take as long as the one
// above them.
func (p *passwords) hash(users map[string]string, key [sha256.Size]byte, name, password string) bool {
	highest := bcrypt.MinCost
	for _, h := range users {
		highest = max(highest, costOf(h))
	}
	hash, known := users[name]
	if !known {
		hash = nobodys(highest)
	}
	if p.compare([]byte(hash), []byte(password)) == nil && known {
		p.right.Add(key, true)
		return true
	}
	for cost := costOf(hash); cost < highest; cost++ {
		_ = p.compare([]byte(nobodys(cost)), []byte(password)) // it takes its time, and is nobody's
	}
	return false
}

// nobodys is a hash of that cost of what is nobody's password: random bytes.
func nobodys(cost int) string {
	return fmt.Sprintf("$2a$%02d$AHyEEFvxIq5mfP7gyspiReiw5ygNBcowY15m6h6P9uEaRT8moiRj2", cost)
}

// costOf is what a hash costs; one that is none costs nothing that counts.
func costOf(hash string) int {
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return bcrypt.MinCost
	}
	return cost
}
