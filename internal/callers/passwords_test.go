package callers_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/eks-authlog/eks-authlog/internal/callers"
)

const (
	crowd    = 100              // more than wait of one address
	slow     = time.Second      // to check a password
	patience = 10 * time.Second // to wait for it
)

var errWrong = errors.New("wrong")

// slowly knows the users ann and bob, whose passwords are right, and takes a
// second for each.
func slowly() *callers.Callers {
	c := callers.New()
	c.Set(nil, map[string]string{"ann": "ann's hash", "bob": "bob's hash"})
	c.Compare(func(_, password []byte) error {
		time.Sleep(slow)
		if string(password) != "right" {
			return errWrong
		}
		return nil
	})
	return c
}

// address is one of many.
func address(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 32)
}

// knock shows crowd wrong passwords from each of that many addresses, until all
// that wait do. What it returns waits for all, and says how many were not
// checked.
func knock(t *testing.T, c *callers.Callers, addresses int) (refused func() int) {
	t.Helper()
	var wait sync.WaitGroup
	var mu sync.Mutex
	n := 0
	for i := range addresses * crowd {
		wait.Go(func() {
			_, ok, err := c.User(t.Context(), address(i%addresses), "ann", "wrong")
			if ok {
				t.Error("a wrong password lets in")
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				n++
			}
		})
	}
	synctest.Wait()
	return func() int {
		wait.Wait()
		return n
	}
}

func TestWrongPasswordsOfOneAddressKeepNobodyElseOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slowly()
		bob := func() time.Duration {
			t.Helper()
			begun := time.Now()
			if _, ok, err := c.User(t.Context(), address(200), "bob", "right"); !ok || err != nil {
				t.Errorf("bob is not let in: %v", err)
			}
			return time.Since(begun)
		}
		refused := knock(t, c, 3)
		if took := bob(); took > 5*slow { // one of each address is before him
			t.Errorf("bob waited %v", took)
		}
		if took := bob(); took != 0 {
			t.Errorf("bob's password was right before, and he waited %v", took)
		}
		if n := refused(); n < 2*crowd {
			t.Errorf("only %d of %d wrong passwords were not checked", n, 3*crowd)
		}
	})
}

func TestNoPasswordWaitsForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slowly()
		refused := knock(t, c, 200)
		begun := time.Now()
		if _, ok, err := c.User(t.Context(), address(200), "bob", "right"); ok || !errors.Is(err, callers.ErrBusy) || time.Since(begun) > 0 {
			t.Errorf("of too many addresses: %v, %v after %v", ok, err, time.Since(begun))
		}
		refused()
		if took := time.Since(begun); took > patience+slow {
			t.Errorf("a password waited %v", took)
		}
		if _, ok, err := c.User(t.Context(), address(200), "bob", "right"); !ok || err != nil {
			t.Errorf("after the crowd has left: %v, %v", ok, err)
		}
	})
}

func TestWhoLeavesWaitsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slowly()
		refused := knock(t, c, 1)
		time.Sleep(slow * 3 / 2) // there is room for one more
		for _, from := range []int{0, 1} {
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(slow/10, leave)
			begun := time.Now()
			if _, _, err := c.User(ctx, address(from), "bob", "right"); !errors.Is(err, context.Canceled) || time.Since(begun) != slow/10 {
				t.Errorf("from address %d: %v after %v", from, err, time.Since(begun))
			}
		}
		refused()
	})
}

func TestOfMoreThanOneRequestTheFirstIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := slowly()
		begun := time.Now()
		var page sync.WaitGroup
		for range 10 {
			page.Go(func() {
				if _, ok, err := c.User(t.Context(), address(1), "bob", "right"); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
		page.Wait()
		if took := time.Since(begun); took != slow {
			t.Errorf("took %v, want %v", took, slow)
		}
	})
}

// A cost takes twice the time of the one below.
func TestHowLongAWrongPasswordTakesTellsNothing(t *testing.T) {
	users := map[string]string{}
	for name, cost := range map[string]int{"low": 4, "ann": 5, "high": 6} {
		hash, err := bcrypt.GenerateFromPassword([]byte(name), cost)
		if err != nil {
			t.Fatal(err)
		}
		users[name] = string(hash)
	}
	c := callers.New()
	c.Set(nil, users)
	work := 0
	c.Compare(func(hash, password []byte) error {
		cost, err := bcrypt.Cost(hash)
		if err != nil {
			t.Error(err)
		}
		work += 1 << cost
		return bcrypt.CompareHashAndPassword(hash, password)
	})
	for _, name := range []string{"low", "ann", "high", "nobody", ""} {
		work = 0
		if _, ok, err := c.User(t.Context(), netip.Prefix{}, name, "wrong"); ok || err != nil || work != 1<<6 {
			t.Errorf("%q: %v, %v, %d hashes", name, ok, err, work)
		}
	}
	for name := range users {
		if _, ok, err := c.User(t.Context(), netip.Prefix{}, name, name); !ok || err != nil {
			t.Errorf("%s is not let in: %v", name, err)
		}
	}
}
