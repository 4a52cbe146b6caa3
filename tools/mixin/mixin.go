// Package mixin renders deploy/mixin: Jsonnet in, the files that Prometheus and
// Grafana load out. Its tests run what was rendered on a real Prometheus and a
// real Alertmanager. It must never change a rule on the way: what is rendered
// says what the Jsonnet says.
package mixin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
	"github.com/google/go-jsonnet"
)

// A Mixin is what mixin.libsonnet evaluates to.
type Mixin struct {
	Alerts     RuleFile                   `json:"prometheusAlerts"`
	Rules      RuleFile                   `json:"prometheusRules"`
	Dashboards map[string]json.RawMessage `json:"grafanaDashboards"` // by file name
}

// A RuleFile is a rule file of Prometheus.
type RuleFile struct {
	Groups []Group `json:"groups" yaml:"groups"`
}

// A Group of rules is evaluated together.
type Group struct {
	Name     string `json:"name" yaml:"name"`
	Interval string `json:"interval" yaml:"interval,omitempty"`
	Rules    []Rule `json:"rules" yaml:"rules"`
}

// A Rule either records or alerts. The order of the fields is that of the
// rendered file.
type Rule struct {
	Record      string            `json:"record" yaml:"record,omitempty"`
	Alert       string            `json:"alert" yaml:"alert,omitempty"`
	Expr        string            `json:"expr" yaml:"expr"`
	For         string            `json:"for" yaml:"for,omitempty"`
	Labels      map[string]string `json:"labels" yaml:"labels,omitempty"`
	Annotations map[string]string `json:"annotations" yaml:"annotations,omitempty"`
}

// Load evaluates the mixin in dir. What config, a Jsonnet object such as
// `{selector: 'job="x"'}`, has is put over the mixin's own configuration; it
// may be empty.
func Load(dir, config string) (*Mixin, error) {
	vm := jsonnet.MakeVM()
	vm.Importer(&jsonnet.FileImporter{JPaths: []string{dir}})
	if config == "" {
		config = "{}"
	}
	snippet := fmt.Sprintf("local m = (import 'mixin.libsonnet') + { _config+:: (%s) };\n"+
		"{ [k]: m[k] for k in ['prometheusAlerts', 'prometheusRules', 'grafanaDashboards'] }", config)
	text, err := vm.EvaluateAnonymousSnippet("render", snippet)
	if err != nil {
		return nil, fmt.Errorf("evaluate the mixin in %s: %w", dir, err)
	}
	m := &Mixin{}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("read what the mixin in %s evaluates to: %w", dir, err)
	}
	return m, nil
}

// Files are the rendered files by their path below the folder for them.
func (m *Mixin) Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	var errs []error
	for name, rules := range map[string]RuleFile{"alerts.yaml": m.Alerts, "rules.yaml": m.Rules} {
		text, err := yaml.MarshalWithOptions(rules, yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
		files[name] = append([]byte("# Made by `make mixin` from deploy/mixin. Do not edit.\n"), text...)
		errs = append(errs, err)
	}
	for name, dashboard := range m.Dashboards {
		var text bytes.Buffer
		errs = append(errs, json.Indent(&text, dashboard, "", "  "))
		text.WriteByte('\n')
		files[filepath.Join("dashboards", name)] = text.Bytes()
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("write the mixin: %w", err)
	}
	return files, nil
}

// Write writes the rendered files into the folder out, and removes dashboards
// that are there no more.
func (m *Mixin) Write(out string) error {
	files, err := m.Files()
	if err != nil {
		return err
	}
	dashboards := filepath.Join(out, "dashboards")
	if err := os.MkdirAll(dashboards, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dashboards, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, ok := m.Dashboards[filepath.Base(path)]; ok {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
