package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/config"
)

func TestEveryFaultOfABadFileIsNamedAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(file, ".yml") + ".err")
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Parse(filepath.Base(file), text)
			if err == nil {
				t.Fatal("the file was accepted")
			}
			if diff := cmp.Diff(strings.TrimSpace(string(want)), err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnEmptyFileIsTheDefault(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "sources:\ntail:\n"} {
		got, err := config.Parse("empty.yml", []byte(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(config.Default(), got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestAFileChangesWhatItNamesAndNothingElse(t *testing.T) {
	got, err := config.Parse("x.yml", []byte(`
sources:
  - regions: [eu-central-1, us-gov-west-1]
    role_arn: arn:aws:iam::111122223333:role/path/reader
    external_id: abc
    session_tags: {team: platform}
    clusters: {include: ["prod-*"], exclude: [prod-old]}
  - regions: all
    mode: filter-log-events
limits: {daily_budget: 20GB}
tail: {interval: 30s, sweep: {after: [30m]}}
storage: {path: /var/lib/x.db}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Sources = []config.Source{{
		Regions:     []string{"eu-central-1", "us-gov-west-1"},
		RoleARN:     "arn:aws:iam::111122223333:role/path/reader",
		ExternalID:  "abc",
		SessionTags: map[string]string{"team": "platform"},
		Clusters:    config.Clusters{Include: []string{"prod-*"}, Exclude: []string{"prod-old"}},
	}, {
		Regions: config.Regions{"all"},
		Mode:    "filter-log-events",
	}}
	want.Limits.DailyBudget = 20_000_000_000
	want.Tail.Interval = config.Duration(30 * time.Second)
	want.Tail.Sweep.After = []config.Duration{config.Duration(30 * time.Minute)}
	want.Storage.Path = "/var/lib/x.db"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadNamesAFileThatIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yml")
	if _, err := config.Load(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

func FuzzParseNeverPanicsAndFaultsHaveAPlace(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.yml")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			f.Add(string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := config.Parse("f.yml", []byte(text))
		faults, ok := errors.AsType[config.Faults](err)
		if err != nil && !ok {
			t.Fatalf("an error of another kind: %v", err)
		}
		for _, fault := range faults {
			if fault.File != "f.yml" || fault.Text == "" {
				t.Errorf("incomplete fault %+v", fault)
			}
		}
	})
}
