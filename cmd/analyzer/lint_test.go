package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

// lint runs the command as the credentials of the stage see AWS.
func (s *stage) lint(t *testing.T, args ...string) (int, string) {
	t.Helper()
	return runChild(t, s.aws, append([]string{"lint", "aws-auth"}, args...)...)
}

// says runs the command and wants its status and all of the words.
func (s *stage) says(t *testing.T, what string, status int, words []string, args ...string) {
	t.Helper()
	got, said := s.lint(t, args...)
	if got != status {
		t.Errorf("%s: status %d, want %d:\n%s", what, got, status, said)
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("%s: no %q in\n%s", what, w, said)
		}
	}
}

func TestLintReadsTheAWSAuthOfACluster(t *testing.T) {
	s := newStage(t, mapRole(stageIAM+"role/team/x/r1"))
	s.says(t, "an item with a path", 1, []string{"prod/aws-auth:1:", "[aws_auth_role_path]", "- rolearn: " + stageIAM + "role/r1"}, "--cluster", "prod")
	s.kube.Set(map[string]string{"mapRoles": mapRole(stageIAM + "role/r1")})
	s.says(t, "nothing wrong", 0, []string{"prod/aws-auth: nothing wrong (1 roles"}, "--cluster", "prod")

	s.kube.Forbid("get", true)
	s.says(t, "a reader that RBAC refuses", 1, []string{"no permission for get configmaps/aws-auth"}, "--cluster", "prod")
	s.kube.Forbid("get", false)
	fault := s.world.Inject(awssim.Fault{Operation: "DescribeCluster", Fail: awssim.AccessDenied})
	s.says(t, "a reader that EKS refuses", 1, []string{"no permission for eks:DescribeCluster"}, "--cluster", "prod")
	fault.Remove()

	s.cluster.AuthenticationMode = "API"
	s.region.AddCluster(s.cluster)
	s.says(t, "a cluster that does not read it", 0, []string{"warning: the cluster's authentication mode is API"}, "--cluster", "prod")
	s.kube.Set(nil)
	s.says(t, "no aws-auth", 1, []string{"aws-auth of prod: not found"}, "--cluster", "prod")
	s.says(t, "no such cluster", 1, []string{`EKS has no cluster "nowhere"`}, "--cluster", "nowhere")
}

func TestLintDoesNotChooseAmongClustersOfOneName(t *testing.T) {
	s := newStage(t, mapRole(stageIAM+"role/r1"))
	s.account.Region("us-east-1").AddCluster(s.cluster)
	// A region that is read twice has one cluster of the name all the same.
	cfg := configured(t, "1h", "sources: [{regions: [eu-central-1, us-east-1]}, {regions: [eu-central-1], mode: filter-log-events}]")
	s.says(t, "two of the name", 1, []string{`several clusters are named "prod": say which by --account and --region`}, "--cluster", "prod", "--config.file", cfg)
	s.says(t, "one of them", 0, []string{"prod/aws-auth: nothing wrong"}, "--cluster", "prod", "--region", "eu-central-1", "--config.file", cfg)
}

// Of those that got in within a day the file lets r1 in, and an access entry
// Ops; r2 would be out. r3 got in the day before that, r4 never.
func TestLintNamesWhomAFileWouldLockOut(t *testing.T) {
	s := newStage(t, mapRole(stageIAM+"role/r1"))
	old := addCluster(t, s.region, "old", 27*time.Hour, streamB)[0]
	grant := func(stream *awssim.Stream, name string, ago time.Duration) {
		at := time.Now().Add(-ago)
		stream.Put(awssim.Event{Time: at, Message: fmt.Sprintf(`time=%q level=info msg="access granted" arn="%srole/%s" client="127.0.0.1:1024" groups="[team]" method=POST path=/authenticate uid="aws-iam-authenticator:111122223333:AROA%s" username=dev`,
			at.UTC().Format(time.RFC3339), stageIAM, name, strings.ToUpper(name))})
	}
	for _, name := range []string{"r1", "r2", "Ops"} {
		grant(s.stream, name, 10*time.Minute)
	}
	at := time.Now().Add(-10 * time.Minute)
	s.stream.Put(awssim.Event{Time: at, Message: deniedLine(4, at)})
	grant(old, "r2", 23*time.Hour)
	grant(old, "r3", 25*time.Hour)
	file := filepath.Join(t.TempDir(), "aws-auth.yaml")
	if err := os.WriteFile(file, []byte("mapRoles: |\n  - rolearn: "+stageIAM+"role/r1\n    username: dev\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := configured(t, "26h", "access: {interval: 1s, rate: 50}")
	c := start(t, s.aws, freeAddress(t), "serve", "--config.file", cfg)
	type list struct{ Principals []struct{ ARN string } }
	until(t, "all are known", func() bool {
		prod, _ := see[list](t, c, "/clusters/prod/principals")
		before, _ := see[list](t, c, "/clusters/old/principals")
		return len(prod.Principals) == 4 && len(before.Principals) == 2 && len(accessOf(t, c).Entries) == 1
	})
	lockedOut := func(what string, want []string, args ...string) {
		t.Helper()
		status, said := s.lint(t, append([]string{"--would-lock-out"}, args...)...)
		var words []string
		for _, name := range want {
			words = append(words, "would lock out "+stageIAM+"role/"+name+"\n")
		}
		if n := strings.Count(said, "would lock out"); status != 1 || n != len(want) {
			t.Errorf("%s: status %d, %d of them, want %v:\n%s", what, status, n, want, said)
		}
		for _, w := range words {
			if !strings.Contains(said, w) {
				t.Errorf("%s: no %q in\n%s", what, w, said)
			}
		}
	}
	lockedOut("by the daemon", []string{"r2"}, "--cluster", "prod", "--server", c.url, file)
	lockedOut("by the daemon, within a day", []string{"r2"}, "--cluster", "old", "--server", c.url, file)
	s.says(t, "a cluster that the daemon does not know", 1, []string{`no cluster named "nowhere"`}, "--would-lock-out", "--cluster", "nowhere", "--server", c.url, file)
	lockedOut("by the cluster's own aws-auth", []string{"r2"}, "--cluster", "prod", "--server", c.url)
	if err := c.signal(t, syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	// The database does not know access entries; EKS does.
	lockedOut("by the database", []string{"r2", "Ops"}, "--cluster", "prod", "--config.file", cfg, file)
	lockedOut("by the database, within a day", []string{"r2"}, "--cluster", "old", "--config.file", cfg, file)
	lockedOut("by the database and the cluster", []string{"r2"}, "--cluster", "prod", "--config.file", cfg)
}

// answers is a daemon that knows the cluster web of that mode, into which its
// creator and role/r1 got lately.
func answers(t *testing.T, mode string) string {
	t.Helper()
	const place = `"account":"444455556666","region":"cn-north-1"`
	at := time.Now().UTC().Format(time.RFC3339)
	got := func(arn string) string {
		return `{"arn":"arn:aws-cn:iam::444455556666:` + arn + `","last_grant":"` + at + `"}`
	}
	bodies := map[string]string{
		"access":     `{"cluster":{"name":"web",` + place + `},"mode":"` + mode + `","bootstrap_admin":"yes","entries":[]}`,
		"creator":    `{"creator":{"arn":"arn:aws-cn:iam::444455556666:user/maker","confidence":"medium","source":"the log","exists":null}}`,
		"principals": `{"principals":[` + got("user/maker") + "," + got("role/r1") + `]}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, bodies[strings.TrimPrefix(r.URL.Path, "/clusters/web/")])
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// written is a file with that text.
func written(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestLintTakesWhatTheDaemonKnowsOfTheCluster(t *testing.T) {
	s := newStage(t, "")
	file := written(t, `mapRoles: ""`)
	args := []string{"--would-lock-out", "--cluster", "web", file, "--server"}
	s.says(t, "mode API", 0, []string{"the cluster's authentication mode is API"}, append(args, answers(t, "API"))...)
	s.says(t, "the flag counts", 1, []string{"would lock out arn:aws-cn:iam::444455556666:role/r1"}, append(args, answers(t, "API"), "--auth-mode", "CONFIG_MAP")...)
	status, said := s.lint(t, append(args, answers(t, "CONFIG_MAP"))...)
	if status != 1 || !strings.Contains(said, "would lock out arn:aws-cn:iam::444455556666:role/r1") || strings.Contains(said, "user/maker") {
		t.Errorf("the creator: status %d\n%s", status, said)
	}
	file = written(t, "mapRoles: |\n  - rolearn: arn:aws:iam::444455556666:role/r1\n    username: dev\n")
	s.says(t, "the partition of its region", 1, []string{"aws-cn"}, "--would-lock-out", "--cluster", "web", file, "--server", answers(t, "CONFIG_MAP"))
}

func TestLintTakesThePrincipalsOfAFile(t *testing.T) {
	s := newStage(t, "")
	file := written(t, "mapRoles: |\n  - rolearn: "+stageIAM+"role/r1\n    username: dev\n")
	in := func(name string) string { return "would lock out " + name + "\n" }
	granted := written(t, "# who came\r\n\r\n  "+stageIAM+"role/team/r1\r\n"+
		"arn:aws:sts::111122223333:assumed-role/r2/alice # Alice\n"+stageIAM+"role/r2\n\n#"+stageIAM+"role/r3\n"+stageIAM+"user/dev/bob")
	s.says(t, "who is denied", 1, []string{in(stageIAM + "role/r2"), in(stageIAM + "user/dev/bob"), " 2 principals locked out"}, "--granted", granted, file)
	for _, line := range []string{"r2", "role/r2", "arn:aws:s3:::bucket", stageIAM + "role/r2 " + stageIAM + "role/r3", "arn:aws:iam::111122223333"} {
		granted := written(t, "# who came\n\n"+line+"\n")
		status, said := s.lint(t, "--granted", granted, file)
		if status != 1 || !strings.Contains(said, fmt.Sprintf("--granted: %s:3: %q is no ARN of a principal", granted, line)) {
			t.Errorf("%q: status %d\n%s", line, status, said)
		}
	}
}

func TestLintRefusesWhatNoClusterHas(t *testing.T) {
	s := newStage(t, "")
	file := written(t, "mapRoles: |\n  - rolearn: "+stageIAM+"role/r1\n    username: dev\n")
	for flag, value := range map[string]string{"--account": "1111-2222-3333", "--region": "frankfurt", "--partition": "china"} {
		s.says(t, flag, 1, []string{fmt.Sprintf("%s: %q is no ", flag, value)}, flag, value, file)
	}
	s.says(t, "all of a cluster", 0, []string{"nothing wrong"}, "--account", "111122223333", "--region", "eu-central-1", "--partition", "aws", file)
}
