// Package callers knows who may ask the API: the holders of tokens, and the
// users of a web configuration file. It must never keep or show a token or a
// password itself: it has their hashes.
package callers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"regexp"
	"sync/atomic"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// prefix tells the tokens of this service from others', for those who look for
// secrets that leaked.
const prefix = "eksauthlog_"

// tokenForm is that of every token: 32 random bytes.
var tokenForm = regexp.MustCompile(`^` + prefix + `[A-Za-z0-9_-]{43}$`)

// NewToken makes a token of 256 random bits. Nobody guesses it, so its hash may
// be a quick one.
func NewToken() string {
	secret := make([]byte, 32)
	rand.Read(secret) // it never fails
	return prefix + base64.RawURLEncoding.EncodeToString(secret)
}

// Hash is what a tokens file has of a token: its SHA-256 in hexadecimal.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// A Holder is who shows the token of that hash.
type Holder struct {
	Hash   string // see Hash
	Caller authlog.Caller
}

// known is who may ask at some time. It does not change.
type known struct {
	tokens  bool // tokens are asked for
	holders []Holder
	users   map[string]string
}

// Callers is who may ask now. It is safe to share.
type Callers struct {
	now       atomic.Pointer[known]
	passwords *passwords
}

// New knows nobody: everyone may ask.
func New() *Callers {
	c := &Callers{passwords: newPasswords()}
	c.Set(nil, nil)
	return c
}

// Set changes who may ask: the holders of tokens, nil where no token is asked
// for, and users by name with the bcrypt hash of their password. The change is
// whole for every request.
func (c *Callers) Set(holders []Holder, users map[string]string) {
	c.now.Store(&known{tokens: holders != nil, holders: holders, users: users})
}

// Schemes are the ways to say who asks, as the header WWW-Authenticate names
// them; none where everyone may ask.
func (c *Callers) Schemes() (schemes []string) {
	k := c.now.Load()
	if k.tokens {
		schemes = append(schemes, "Bearer")
	}
	if len(k.users) > 0 {
		schemes = append(schemes, "Basic")
	}
	return schemes
}

// Token tells whose token it is. Each hash is compared whole, so that the time
// it takes tells nothing of them. What has not the form of a token is nobody's,
// even if a file has its hash: it could be guessed.
func (c *Callers) Token(token string) (found authlog.Caller, ok bool) {
	if !tokenForm.MatchString(token) {
		return found, false
	}
	hash := []byte(Hash(token))
	for _, h := range c.now.Load().holders {
		if subtle.ConstantTimeCompare(hash, []byte(h.Hash)) == 1 {
			found, ok = h.Caller, true
		}
	}
	return found, ok
}

// User tells who has that name and password. Users see every cluster and are
// admins, as with other programs that know such a file. A password that was not
// right before waits to be checked, behind few of the same address and few
// addresses: the error is ErrBusy, or that of ctx.
func (c *Callers) User(ctx context.Context, from netip.Prefix, name, password string) (authlog.Caller, bool, error) {
	ok, err := c.passwords.check(ctx, from, c.now.Load().users, name, password)
	if !ok {
		return authlog.Caller{}, false, err
	}
	return authlog.Caller{Name: name, Scope: authlog.Everything(), Admin: true}, true, nil
}

// Users are the same callers where no token is asked for: on a listener for
// metrics and health alone.
func (c *Callers) Users() Users { return Users{c} }

// Users are the callers with a password.
type Users struct{ all *Callers }

// Schemes is that of passwords where there are any, else none.
func (u Users) Schemes() []string {
	if len(u.all.now.Load().users) == 0 {
		return nil
	}
	return []string{"Basic"}
}

// Token is nobody's.
func (u Users) Token(string) (authlog.Caller, bool) { return authlog.Caller{}, false }

// User is that of Callers.
func (u Users) User(ctx context.Context, from netip.Prefix, name, password string) (authlog.Caller, bool, error) {
	return u.all.User(ctx, from, name, password)
}
