package tailtest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// One account of three refuses queries from the fifth minute on. The others
// lose nothing, the health names the account and the action that is missing,
// and once it is allowed the account loses nothing either.
func TestAnAccountWithoutPermissionHarmsNoOther(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), defaults(t)
	s.accounts = []string{account, "222233334444", "333344445555"}
	want := map[string]int{}
	for _, id := range s.accounts {
		before := w.written()
		w.write(streams(w.group(t, id, "prod")), 3500, noon(), busy*time.Minute)
		want[id] = w.written() - before
	}
	l := begin(t, w, s)
	var denied *awssim.Injected
	for minute := range minutes + 10 {
		switch minute {
		case 5:
			denied = w.fault(awssim.Fault{Operation: "StartQuery", Account: "222233334444", Fail: awssim.AccessDenied})
		case minutes:
			l.checkHealth(t, "222233334444/"+region, "logs:StartQuery")
			for _, id := range []string{account, "333344445555"} {
				if got := l.query(t, "SELECT count(*) FROM denial d JOIN cluster c ON c.id = d.cluster WHERE c.account = '"+id+"'"); got != want[id] {
					t.Errorf("%d denials of %s, want %d", got, id, want[id])
				}
			}
			denied.Remove()
		}
		l.cycle(t.Context(), t)
		w.clock.add(time.Minute)
	}
	l.checkHealth(t, "", "")
	l.check(t, w)
	l.end(t)
}

// checkHealth expects that the shard, and no other, has an error that names
// the action; none at all where the shard is empty.
func (l *life) checkHealth(t *testing.T, shard, action string) {
	t.Helper()
	_, shards := l.health.Ready()
	for _, s := range shards {
		if s.Shard != shard && s.Error != "" {
			t.Errorf("%s has failed: %s", s.Shard, s.Error)
		}
		if s.Shard == shard && !strings.Contains(s.Error, action) {
			t.Errorf("the error of %s does not name %s: %q", s.Shard, action, s.Error)
		}
	}
}
