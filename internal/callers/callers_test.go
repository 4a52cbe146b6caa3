package callers_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/callers"
)

func TestATokenIsItsHoldersAlone(t *testing.T) {
	c := callers.New()
	one, two := callers.NewToken(), callers.NewToken()
	guessable := "hunter2"
	c.Set([]callers.Holder{
		{Hash: callers.Hash(one), Caller: authlog.Caller{Name: "one"}},
		{Hash: callers.Hash(two), Caller: authlog.Caller{Name: "two", Admin: true}},
		{Hash: callers.Hash(guessable), Caller: authlog.Caller{Name: "guessed", Admin: true}},
		{Hash: callers.Hash(""), Caller: authlog.Caller{Name: "nothing", Admin: true}},
	}, nil)
	for token, name := range map[string]string{
		one: "one", two: "two", one + "x": "", one[:len(one)-1]: "", strings.ToUpper(one): "", guessable: "", "": "",
		callers.Hash(one): "", callers.NewToken(): "",
	} {
		got, ok := c.Token(token)
		if ok != (name != "") || got.Name != name {
			t.Errorf("%q: got %+v, %v", token, got, ok)
		}
	}
	c.Set([]callers.Holder{}, nil)
	if _, ok := c.Token(one); ok || len(c.Schemes()) != 1 {
		t.Errorf("after all tokens were taken back: let in: %v, asked for %v", ok, c.Schemes())
	}
}

func TestAUserIsKnownByThePasswordInForce(t *testing.T) {
	hash := func(password string) string {
		h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	}
	c := callers.New()
	check := func(name, password string, want bool) {
		t.Helper()
		for range 2 { // what is remembered must not change the answer
			got, ok, err := c.User(t.Context(), netip.Prefix{}, name, password)
			if err != nil || ok != want || ok && (got.Name != name || !got.Admin || !got.Scope.All()) {
				t.Errorf("%s with %q: %+v, %v, %v", name, password, got, ok, err)
			}
		}
	}
	c.Set(nil, map[string]string{"ann": hash("right"), "bob": hash("other")})
	check("ann", "right", true)
	check("ann", "other", false)
	check("ann", "", false)
	check("cid", "right", false)
	check("", "", false)
	c.Set(nil, map[string]string{"ann": hash("new")})
	check("ann", "right", false)
	check("ann", "new", true)
	check("bob", "other", false)
}

func TestWhatIsAskedForFollowsWhatIsKnown(t *testing.T) {
	c := callers.New()
	users := map[string]string{"ann": "x"}
	for _, s := range []struct {
		holders          []callers.Holder
		users            map[string]string
		want, passwordly []string
	}{
		{nil, nil, nil, nil},
		{[]callers.Holder{}, nil, []string{"Bearer"}, nil},
		{nil, users, []string{"Basic"}, []string{"Basic"}},
		{[]callers.Holder{}, users, []string{"Bearer", "Basic"}, []string{"Basic"}},
	} {
		c.Set(s.holders, s.users)
		if got := c.Schemes(); !slices.Equal(got, s.want) {
			t.Errorf("asked for %v, want %v", got, s.want)
		}
		if got := c.Users().Schemes(); !slices.Equal(got, s.passwordly) {
			t.Errorf("where no token is asked for: %v, want %v", got, s.passwordly)
		}
	}
}
