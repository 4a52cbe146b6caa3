package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const service = "deploy/systemd/eks-authlog.service"

// mostExposure is the worst exposure that the service may have, in tenths, as
// `systemd-analyze security` counts it: 0 is closed, 100 open.
const mostExposure = "15"

// units is a copy of the units whose program is the one that was built.
func units(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	var copies []string
	for _, pattern := range []string{"*.service", "*.socket"} {
		found, err := filepath.Glob(filepath.Join(repo, "deploy/systemd", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			unit := read(t, filepath.Join("deploy/systemd", filepath.Base(path)))
			unit = strings.ReplaceAll(unit, "/usr/bin/analyzer", analyzer())
			path = filepath.Join(dir, filepath.Base(path))
			if err := os.WriteFile(path, []byte(unit), 0o600); err != nil {
				t.Fatal(err)
			}
			copies = append(copies, path)
		}
	}
	return copies
}

func TestSystemdUnderstandsTheUnits(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	args := append([]string{"verify", "--man=no", "--recursive-errors=no"}, units(t)...)
	if said := output(t, exec.CommandContext(t.Context(), analyze, args...)); said != "" {
		t.Errorf("systemd-analyze verify complains:\n%s", said)
	}
}

func TestTheServiceIsHardened(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	output(t, exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold="+mostExposure, filepath.Join(repo, service)))
}

func TestTheServiceStartsTheAnalyzerWithFlagsItKnows(t *testing.T) {
	command := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/analyzer (.+)$`).FindStringSubmatch(read(t, service))
	if command == nil {
		t.Fatal("no ExecStart=/usr/bin/analyzer in the unit")
	}
	accepts(t, strings.Fields(command[1]))
}

func TestTheServicesUserIsMade(t *testing.T) {
	sysusers := need(t, "systemd-sysusers")
	root := t.TempDir()
	conf, err := filepath.Abs(filepath.Join(repo, "deploy/systemd/eks-authlog.sysusers"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	output(t, exec.CommandContext(t.Context(), sysusers, "--root="+root, conf))
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	user := regexp.MustCompile(`(?m)^User=(.+)$`).FindStringSubmatch(read(t, service))
	if user == nil || !strings.Contains(string(passwd), user[1]+":x:") {
		t.Errorf("the service runs as %v; made was\n%s", user, passwd)
	}
}
