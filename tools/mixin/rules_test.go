package mixin_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-jsonnet/formatter"
)

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func glob(t *testing.T, pattern ...string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil || len(names) == 0 {
		t.Fatalf("%v: nothing found: %v", pattern, err)
	}
	return names
}

func TestTheRenderedFilesAreThoseOfTheJsonnet(t *testing.T) {
	files, err := load(t, "").Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got := read(t, folder, "rendered", name); got != string(want) {
			t.Errorf("%s is not what make mixin renders", name)
		}
	}
}

func TestADashboardThatIsNoMoreIsRemoved(t *testing.T) {
	m, dir := load(t, ""), t.TempDir()
	for _, name := range []string{"reader.json", "fleet.json"} {
		if err := m.Write(dir); err != nil {
			t.Fatal(err)
		}
		if len(glob(t, dir, "dashboards", "*.json")) != len(m.Dashboards) {
			t.Errorf("before %s went: %v", name, glob(t, dir, "dashboards", "*.json"))
		}
		delete(m.Dashboards, name)
	}
}

func TestTheJsonnetIsFormatted(t *testing.T) {
	for _, name := range append(glob(t, folder, "*.libsonnet"), glob(t, folder, "*", "*.libsonnet")...) {
		text := read(t, name)
		want, err := formatter.Format(name, text, formatter.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, text); diff != "" {
			t.Errorf("%s needs jsonnetfmt:\n%s", name, diff)
		}
	}
}

func TestTheConfigurationReachesEveryRule(t *testing.T) {
	m := load(t, `{
		selector: 'job="mine", team="x"',
		alerts: std.mapWithKey(function(name, a) a { severity: 'page', 'for': '7s' }, super.alerts),
	}`)
	for _, r := range rules(m) {
		for _, s := range selectors(t, r.Expr) {
			recorded := strings.Contains(s.Name, ":")
			if !recorded && matched(s, "team") != "x" {
				t.Errorf("%s%s selects %s", r.Alert, r.Record, s)
			}
		}
		if r.Alert != "" && (r.For != "7s" || r.Labels["severity"] != "page") {
			t.Errorf("%s is for %s and of severity %s", r.Alert, r.For, r.Labels["severity"])
		}
	}
}

func TestAnAlertSaysWhereAndHowMany(t *testing.T) {
	// What is only so or not so has no number.
	numberless := []string{"EKSAuthNoEvents", "EKSAuthConfigReloadFailed"}
	for name, r := range alerts(load(t, "")) {
		summary, description := r.Annotations["summary"], r.Annotations["description"]
		if r.For == "" || !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s: for %q, severity %q", name, r.For, r.Labels["severity"])
		}
		for _, text := range []string{summary, description} {
			where := strings.Contains(text, "$labels.cluster") || strings.Contains(text, "$labels.account") ||
				strings.Contains(text, "$labels.job") || strings.Contains(text, "$labels.instance")
			if text == "" || !where && name != "EKSAuthlogDown" {
				t.Errorf("%s does not say where: %q", name, text)
			}
		}
		if !strings.Contains(description, "$value") && !slices.Contains(numberless, name) {
			t.Errorf("%s does not say how many: %s", name, description)
		}
	}
}

func TestTheRunbookOfEveryAlertExists(t *testing.T) {
	const base, code = "https://github.com/eks-authlog/eks-authlog/blob/main/", "{{ $labels.diagnosis }}"
	for name, r := range alerts(load(t, "")) {
		target, ok := strings.CutPrefix(r.Annotations["runbook_url"], base)
		if !ok {
			t.Errorf("%s links to %s", name, r.Annotations["runbook_url"])
			continue
		}
		targets := []string{target}
		if strings.Contains(target, code) {
			targets = nil
			for _, d := range diagnosesOf(t, r.Expr) {
				targets = append(targets, strings.ReplaceAll(target, code, d))
			}
		}
		if len(targets) == 0 {
			t.Errorf("%s links to the page of no diagnosis", name)
		}
		for _, target := range targets {
			path, anchor, _ := strings.Cut(target, "#")
			text := strings.ToLower(read(t, repository, path))
			if anchor != "" && !strings.Contains(text, "\n### "+anchor+"\n") {
				t.Errorf("%s: %s has no heading %s", name, path, anchor)
			}
		}
	}
}

func TestEveryBadDiagnosisHasAnAlertOrAReason(t *testing.T) {
	readme, table := read(t, folder, "README.md"), read(t, repository, "docs/diagnoses/README.md")
	alerted := map[string]bool{}
	for _, r := range alerts(load(t, "")) {
		for _, code := range diagnosesOf(t, r.Expr) {
			alerted[code] = true
		}
	}
	for _, page := range glob(t, repository, "docs/diagnoses/*_*.md") {
		code := strings.TrimSuffix(filepath.Base(page), ".md")
		row := "[" + code + "](" + code + ".md) | "
		bad := strings.Contains(table, row+"critical") || strings.Contains(table, row+"warning")
		excused := strings.Contains(readme, "`"+code+"`")
		switch {
		case bad && !alerted[code] && !excused:
			t.Errorf("%s has no alert, and README.md does not say why", code)
		case alerted[code] && excused:
			t.Errorf("README.md excuses %s, which has an alert", code)
		}
		delete(alerted, code)
	}
	for code := range alerted {
		t.Errorf("an alert is about %s, which is no diagnosis", code)
	}
}

func TestEveryAlertIsTestedToFireAndToBeSilent(t *testing.T) {
	fires, silent := map[string]int{}, map[string]int{}
	for _, name := range glob(t, folder, "tests", "*.yaml") {
		var file struct {
			Tests []struct {
				Alerts []struct {
					Alertname string
					Expected  []any `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		if err := yaml.Unmarshal([]byte(read(t, name)), &file); err != nil {
			t.Fatal(err)
		}
		for _, test := range file.Tests {
			for _, a := range test.Alerts {
				if len(a.Expected) > 0 {
					fires[a.Alertname]++
				} else {
					silent[a.Alertname]++
				}
			}
		}
	}
	all := alerts(load(t, ""))
	for name := range all {
		if fires[name] == 0 || silent[name] == 0 {
			t.Errorf("%s: %d tests where it fires, %d where it is silent", name, fires[name], silent[name])
		}
	}
	for name := range fires {
		if _, ok := all[name]; !ok {
			t.Errorf("tests of %s, which is no alert", name)
		}
	}
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	run(t, "promtool", append([]string{"check", "rules"}, glob(t, folder, "rendered", "*.yaml")...)...)
	for _, name := range glob(t, folder, "tests", "*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			run(t, "promtool", "test", "rules", name)
		})
	}
}
