package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// load reads compose files as docker compose does: the library is its own.
func load(t *testing.T, files ...string) *types.Project {
	t.Helper()
	for i, f := range files {
		files[i] = filepath.Join(repo, "deploy", f)
	}
	options, err := cli.NewProjectOptions(files, cli.WithEnv([]string{"AWS_REGION=eu-central-1", "HOME=/home/somebody"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestComposeAcceptsTheFiles(t *testing.T) {
	for _, files := range [][]string{{"compose.yaml"}, {"compose.yaml", "compose.aws.yaml"}} {
		project := load(t, files...)
		want := []string{"alertmanager", "analyzer", "grafana", "prometheus"}
		if got := project.ServiceNames(); !slices.Equal(got, want) {
			t.Errorf("%v: services %v, want %v", files, got, want)
		}
		accepts(t, project.Services["analyzer"].Command)
	}
}

func TestComposeFailsWithoutARegionToRead(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{repo + "/deploy/compose.yaml", repo + "/deploy/compose.aws.yaml"}, cli.WithEnv([]string{"HOME=/"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := options.LoadProject(t.Context()); err == nil {
		t.Error("a project without AWS_REGION was loaded")
	}
}

func TestComposeMountsOnlyWhatIsThere(t *testing.T) {
	for name, s := range load(t, "compose.yaml").Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("service %s mounts what is not there: %v", name, err)
			}
		}
	}
}

func TestComposePublishesOnLoopbackAlone(t *testing.T) {
	for name, s := range load(t, "compose.yaml").Services {
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("service %s is open to others on %s:%s", name, p.HostIP, p.Published)
			}
		}
	}
}

func TestPrometheusAcceptsItsConfiguration(t *testing.T) {
	promtool := need(t, "promtool")
	output(t, exec.CommandContext(t.Context(), promtool, "check", "config", "--syntax-only", filepath.Join(repo, "deploy/compose/prometheus.yml")))
}
