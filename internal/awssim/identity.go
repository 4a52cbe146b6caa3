package awssim

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// An identity is whoever a pair of access keys belongs to.
type identity struct {
	account            *Account
	arn, userID        string
	key, secret, token string    // token is empty for long-term keys
	expires            time.Time // of temporary keys, by real time
}

// Keys gives the long-term keys of the account's IAM user.
func (a *Account) Keys() aws.Credentials { return a.user.credentials() }

func (id *identity) credentials() aws.Credentials {
	return aws.Credentials{
		AccessKeyID: id.key, SecretAccessKey: id.secret, SessionToken: id.token, Source: "awssim",
		CanExpire: !id.expires.IsZero(), Expires: id.expires, AccountID: id.account.id,
	}
}

// uniqueID makes an IAM unique id or access key id, 20 characters in AWS's way
// for examples; the same parts always give the same.
func uniqueID(prefix string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "/")))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:9] + "EXAMPLE"
}

// longTermIdentity derives the keys from the account's id, so that they are
// the same in each run, and in AWS's way for examples.
func longTermIdentity(a *Account, user string) *identity {
	sum := sha256.Sum256([]byte(a.id + "/" + user))
	return &identity{
		account: a,
		arn:     "arn:aws:iam::" + a.id + ":user/" + user,
		userID:  uniqueID("AIDA", a.id, user),
		key:     uniqueID("AKIA", a.id, user),
		secret:  base64.StdEncoding.EncodeToString(sum[:])[:30] + "EXAMPLEKEY",
	}
}

// sessionIdentity makes temporary keys for a role's session.
func sessionIdentity(a *Account, role Role, session string, life time.Duration) *identity {
	name := role.Name[strings.LastIndexByte(role.Name, '/')+1:]
	return &identity{
		account: a,
		arn:     fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", a.id, name, session),
		userID:  uniqueID("AROA", a.id, name) + ":" + session,
		key:     "ASIA" + rand.Text()[:9] + "EXAMPLE",
		secret:  rand.Text() + "EXAMPLEKEY",
		token:   "FwoGZXIvYXdzE" + rand.Text() + rand.Text(),
		expires: time.Now().Add(life),
	}
}

// A Role can be assumed through STS.
type Role struct {
	Name       string   // may have a path: team/reader
	Trusted    []string // account ids; none: every account of the world
	ExternalID string   // what the caller must send; "": nothing is asked for
	// Tags are the session tags that the caller must send, and no others. A
	// nil map asks for none and takes any.
	Tags map[string]string
	// MaxSession is the longest session; zero: one hour.
	MaxSession time.Duration
	// Created is when IAM made it; zero: 2020-01-01.
	Created time.Time
}

// AddRole makes or replaces a role and returns its ARN.
func (a *Account) AddRole(r Role) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	arn := "arn:aws:iam::" + a.id + ":role/" + r.Name
	a.roles[arn] = r
	return arn
}

// ExpireSessions ends all temporary keys that were given out for the account.
func (a *Account) ExpireSessions() {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	for key, id := range a.w.keys {
		if id.account == a && id.token != "" {
			expired := *id
			expired.expires = time.Now()
			a.w.keys[key] = &expired
		}
	}
}

func (w *World) identity(key string) *identity {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.keys[key]
}

func (w *World) addIdentity(id *identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[id.key] = id
}
