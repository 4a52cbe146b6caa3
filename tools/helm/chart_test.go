package helm_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	chart = "../../deploy/helm/eks-authlog"
	// operator holds the definitions of ServiceMonitor and PrometheusRule.
	operator = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
	// kubernetes is the version that all three are told.
	kubernetes = "--kube-version=1.30"
)

// run runs a program that must succeed and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// tool is the path of a tool of a module; the Go command builds it once.
func tool(t *testing.T, module, name string) string {
	t.Helper()
	return strings.TrimSpace(run(t, "go", "-C", module, "tool", "-n", name))
}

// definitions is a directory with the operator's two kinds.
func definitions(t *testing.T) string {
	t.Helper()
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(run(t, "go", "mod", "download", "-json", operator)), &module); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, kind := range []string{"servicemonitors", "prometheusrules"} {
		name := "monitoring.coreos.com_" + kind + ".yaml"
		text, err := os.ReadFile(filepath.Join(module.Dir, "example/prometheus-operator-crd", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// An object is what the tests read of a rendered manifest.
type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Data map[string]string `json:"data"`
	Spec struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Args []string `json:"args"`
				} `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

func objects(t *testing.T, manifests string) []object {
	t.Helper()
	var all []object
	for _, text := range strings.Split(manifests, "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if o.Kind != "" {
			all = append(all, o)
		}
	}
	return all
}

func TestTheChartHoldsForEveryExample(t *testing.T) {
	examples, err := filepath.Glob(filepath.Join(chart, "ci/*-values.yaml"))
	if err != nil || len(examples) < 5 {
		t.Fatalf("found %d examples: %v", len(examples), err)
	}
	helm, validate, score := tool(t, ".", "helm"), tool(t, ".", "kubectl-validate"), tool(t, "../kube-score", "kube-score")
	crds := definitions(t)
	analyzer := filepath.Join(t.TempDir(), "analyzer")
	run(t, "go", "-C", "../..", "build", "-o", analyzer, "./cmd/analyzer")
	for _, values := range examples {
		t.Run(filepath.Base(values), func(t *testing.T) {
			run(t, helm, "lint", "--strict", "--quiet", chart, kubernetes, "--values", values)
			manifests := run(t, helm, "template", "eks-authlog", chart, kubernetes, "--namespace", "eks-authlog", "--values", values)
			file := filepath.Join(t.TempDir(), "manifests.yaml")
			if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, validate, "--local-crds", crds, "--version", "1.30", file)
			run(t, score, "score", "--output-format", "ci", "--kubernetes-version", "v1.30", file)
			for _, o := range objects(t, manifests) {
				accepted(t, analyzer, &o)
			}
		})
	}
}

// accepted asks the analyzer itself for what of an object is meant for it.
func accepted(t *testing.T, analyzer string, o *object) {
	t.Helper()
	if text := o.Data["analyzer.yml"]; text != "" {
		config := filepath.Join(t.TempDir(), "analyzer.yml")
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, analyzer, "check", "config", config)
	}
	for _, c := range o.Spec.Template.Spec.Containers {
		run(t, analyzer, append(slices.Clone(c.Args), "--help")...)
	}
}

func TestTheChartRefusesWhatCannotRun(t *testing.T) {
	helm := tool(t, ".", "helm")
	for _, c := range []struct{ set, says string }{
		{"aws.identity=chain", "set aws.region"},
		{"aws.identity=irsa,aws.region=eu-central-1", "roleArn"},
		{"aws.region=eu-central-1,image.tag=latest", "image.tag"},
		{"aws.region=eu-central-1,config.storage.path=/tmp/x", "config.storage"},
		{"aws.region=eu-central-1,replicas=2", "replicas"},
		{"aws.region=eu-central-1,web.tlsConfig=x", "web"},
	} {
		out, err := exec.CommandContext(t.Context(), helm, "template", "x", chart, kubernetes, "--set", c.set).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.says) {
			t.Errorf("--set %s: %v, and it does not name %q:\n%s", c.set, err, c.says, out)
		}
	}
}

func TestAllRulesAndDashboardsAreInTheChart(t *testing.T) {
	helm := tool(t, ".", "helm")
	all := objects(t, run(t, helm, "template", "x", chart, kubernetes, "--values", filepath.Join(chart, "ci/monitoring-values.yaml")))
	rendered := filepath.Join("../../deploy/mixin/rendered")
	dashboards, err := filepath.Glob(filepath.Join(rendered, "dashboards/*.json"))
	if err != nil || len(dashboards) == 0 {
		t.Fatal("no dashboards", err)
	}
	for _, path := range dashboards {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(all, func(o object) bool { return o.Data[filepath.Base(path)] == string(want) }) {
			t.Errorf("no ConfigMap has %s as it is", filepath.Base(path))
		}
	}
	manifests := run(t, helm, "template", "x", chart, kubernetes, "--values", filepath.Join(chart, "ci/monitoring-values.yaml"), "--show-only", "templates/prometheusrule.yaml")
	for _, file := range []string{"alerts.yaml", "rules.yaml"} {
		text, err := os.ReadFile(filepath.Join(rendered, file))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for _, key := range []string{"- alert: ", "- record: "} {
				if _, name, ok := strings.Cut(line, key); ok && !strings.Contains(manifests, ": "+strings.TrimSpace(name)) {
					t.Errorf("the PrometheusRule lacks %s", name)
				}
			}
		}
	}
}
