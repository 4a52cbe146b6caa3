package main_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// One life of the daemon after another is killed at a random moment while
// lines arrive, some late, some twice in one millisecond.
func TestKilledAtAnyMomentNoDenialIsLostOrDoubled(t *testing.T) {
	const lives = 20
	world := awssim.NewWorld(time.Now)
	streams := addCluster(t, world.Account("111122223333").Region("eu-central-1"), "prod", time.Hour, streamA, streamB)
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()

	dir := t.TempDir()
	cfg := filepath.Join(dir, "analyzer.yml")
	text := `
tail: {interval: 1s, settle: {min: 5s, max: 5s}, lookback: 1h, step: 10m, discovery: 10s, sweep: {after: [10s], interval: 1s}}
limits: {start_query_rate: 10, get_results_rate: 10, describe_rate: 10}
storage: {path: ` + filepath.Join(dir, "analyzer.db") + `}
`
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	want := map[string]int{}
	written := 0
	// write puts n lines of the last span; late ones are shown up to so much
	// later.
	write := func(n int, span, late time.Duration) {
		for range n {
			at := time.Now().Add(-time.Duration(written%97) * span / 97)
			event := awssim.Event{Time: at, Visible: time.Now().Add(time.Duration(written%11) * late / 10), Message: deniedLine(written, at)}
			arn := fmt.Sprintf("arn:aws:iam::111122223333:role/r%d", written)
			streams[written%2].Put(event)
			want[arn]++
			if written%10 == 0 {
				streams[written%2].Put(event)
				want[arn]++
			}
			written++
		}
	}
	write(2000, 50*time.Minute, 0)
	for life := range lives {
		c := start(t, aws, freeAddress(t), "serve", "--config.file", cfg)
		write(50, time.Second, 4*time.Second)
		moment := time.Duration(life*life*7%1500+20) * time.Millisecond
		select {
		case <-time.After(moment):
		case err := <-c.exited:
			t.Fatalf("the daemon ended by itself: %v\n%s", err, c.stderr)
		}
		write(50, time.Second, 4*time.Second)
		if err := c.signal(t, syscall.SIGKILL); err == nil {
			t.Fatal("not killed")
		}
	}

	before := storedDenials(t, filepath.Join(dir, "analyzer.db"))
	last := start(t, aws, freeAddress(t), "serve", "--config.file", cfg)
	until(t, "the last life is ready", func() bool { return last.ready(t) })
	write(100, time.Second, 4*time.Second)
	total := 0
	for _, n := range want {
		total += n
	}
	until(t, "all lines are found", func() bool {
		found := 0
		for _, n := range last.denials(t) {
			found += n
		}
		return found >= total
	})
	got := last.denials(t)
	for arn, n := range want {
		if got[arn] != n {
			t.Errorf("%s: found %d times, written %d times", arn, got[arn], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d principals found, %d written", len(got), len(want))
	}
	if counted := last.counter(t, "eks_authn_denials_total"); counted != total-before {
		t.Errorf("the last life counted %d denials, it saved %d", counted, total-before)
	}
	if err := last.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	t.Logf("%d denials over %d kills; %d were saved before the last life", total, lives, before)
}

func TestDemoHasDenialsAtOnceAndEndsCleanly(t *testing.T) {
	address := freeAddress(t)
	c := start(t, nil, address, "demo")
	began := time.Now()
	until(t, "the demo has denials", func() bool {
		body, status, err := c.get(t.Context(), "/clusters/prod/denials")
		return err == nil && status == http.StatusOK && strings.Contains(string(body), `"reason":"arn_not_mapped"`)
	})
	t.Logf("denials after %v", time.Since(began))
	// By a clock that does not stand at a whole millisecond.
	for _, path := range []string{"/stats?by=cluster", "/clusters/prod/denials/stats?by=reason&step=5m", "/clusters/staging", "/lockouts", "/clusters/staging/access"} {
		if body, status, err := c.get(t.Context(), path); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %v %s", path, status, err, body)
		}
	}
	if err := c.signal(t, os.Interrupt); err != nil {
		t.Errorf("ended by Ctrl-C: %v", err)
	}
}

func TestServeRefusesAnAddressThatIsTaken(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := start(t, nil, ln.Addr().String(), "serve")
	err = <-c.exited
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 || !strings.Contains(c.stderr.String(), "address already in use") {
		t.Errorf("ended with %v: %s", err, c.stderr)
	}
}

func TestOneBrokenAccountDoesNotStopTheOthers(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	home, other := world.Account("111122223333"), world.Account("444455556666")
	n := 0
	for account, regions := range map[*awssim.Account][]string{home: {"eu-central-1", "ap-east-1"}, other: {"eu-central-1"}} {
		for _, region := range regions {
			n++ // no two control planes have a stream of one name
			streams := addCluster(t, account.Region(region), account.ID()[:3]+"-"+region, time.Hour, fmt.Sprintf("authenticator-%032x", n))
			at := time.Now().Add(-10 * time.Minute)
			streams[0].Put(awssim.Event{Time: at, Message: deniedLine(1, at)})
		}
	}
	role := other.AddRole(awssim.Role{Name: "reader", ExternalID: "right", Trusted: []string{home.ID()}})
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	dir := t.TempDir()
	cfg := filepath.Join(dir, "analyzer.yml")
	text := "sources:\n" +
		"  - {regions: all}\n" +
		"  - {regions: [eu-central-1], role_arn: '" + role + "', external_id: wrong}\n" +
		"tail: {interval: 1s}\nstorage: {path: " + filepath.Join(dir, "analyzer.db") + "}\n"
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, aws, freeAddress(t), "serve", "--config.file", cfg)
	until(t, "both regions of the account that can be read have their denial", func() bool {
		for _, cluster := range []string{"111-eu-central-1", "111-ap-east-1"} {
			body, status, err := c.get(t.Context(), "/clusters/"+cluster+"/denials")
			if err != nil || status != http.StatusOK || !strings.Contains(string(body), `"reason":"arn_not_mapped"`) {
				return false
			}
		}
		return true
	})
	until(t, "the broken account is named and the others are ready", func() bool {
		body, status, err := c.get(t.Context(), "/-/ready")
		return err == nil && status == http.StatusOK && strings.Contains(string(body), role) && strings.Contains(string(body), "sts:AssumeRole")
	})
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
}
