package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

func TestBackfillReadsHistoryOnce(t *testing.T) {
	world := awssim.NewWorld(time.Now)
	streams := addCluster(t, world.Account("111122223333").Region("eu-central-1"), "prod", 96*time.Hour, streamA)
	for i := range 72 * 6 {
		at := time.Now().Add(-time.Duration(i)*10*time.Minute - 5*time.Minute)
		streams[0].Put(awssim.Event{Time: at, Message: deniedLine(i, at)})
	}
	aws, err := awssim.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	dir := t.TempDir()
	cfg, db := filepath.Join(dir, "analyzer.yml"), filepath.Join(dir, "analyzer.db")
	text := "tail: {lookback: 1h, step: 6h}\nlimits: {start_query_rate: 10, get_results_rate: 10}\nstorage: {path: " + db + "}\n"
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		status, said := runChild(t, aws, "backfill", "--config.file", cfg, "--since", "25h")
		if status != 0 || !strings.Contains(said, "111122223333/eu-central-1: ") {
			t.Fatalf("status %d: %s", status, said)
		}
		if n := storedDenials(t, db); n != 24*6 {
			t.Errorf("%d denials, want those of the 24 hours before the last one", n)
		}
	}
	if status, said := runChild(t, aws, "backfill", "--start", "2026-11-02T00:00:00Z", "--end", "2026-11-01T00:00:00Z"); status != 1 || !strings.Contains(said, "would begin") {
		t.Errorf("a span turned around: status %d: %s", status, said)
	}
}

func TestPlanAndQueryReadOnly(t *testing.T) {
	demo, err := awssim.NewDemo(time.Now, 1)
	if err != nil {
		t.Fatal(err)
	}
	aws, err := awssim.Start(demo.World)
	if err != nil {
		t.Fatal(err)
	}
	defer aws.Close()
	dir := t.TempDir()
	cfg := filepath.Join(dir, "analyzer.yml")
	var text strings.Builder
	text.WriteString("sources:\n")
	for _, s := range demo.Sources {
		fmt.Fprintf(&text, "  - {regions: [%s], role_arn: '%s', external_id: %s}\n", s.Region, s.RoleARN, s.ExternalID)
	}
	if err := os.WriteFile(cfg, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	status, said := runChild(t, aws, "plan", "--config.file", cfg)
	for _, want := range []string{
		"account 444455556666, region us-east-1", "/aws/eks/prod/cluster", "INFREQUENT_ACCESS",
		"queries a minute in all", "expected with the index: at most", "expected without it: at most", "missing permissions: none",
	} {
		if status != 0 || !strings.Contains(said, want) {
			t.Errorf("plan: status %d, no %q in:\n%s", status, want, said)
		}
	}
	status, said = runChild(t, aws, "query", "prod", "--config.file", cfg)
	if status != 0 || strings.Count(said, `| filter @logStream in ["authenticator-`) != 2 || strings.Contains(said, "@logStream like") {
		t.Errorf("query: status %d:\n%s", status, said)
	}
	status, said = runChild(t, aws, "query", "prod", "--for=creator", "--config.file", cfg)
	if status != 0 || strings.Count(said, `fields @timestamp, @message, @logStream | filter @logStream in ["authenticator-`) != 2 ||
		strings.Count(said, ` | filter @message like "username=kubernetes-admin" | sort @timestamp desc`) != 2 {
		t.Errorf("query for the creator: status %d:\n%s", status, said)
	}
	status, said = runChild(t, aws, "query", "nowhere", "--config.file", cfg)
	if status != 1 || !strings.Contains(said, `no log group of a cluster "nowhere"`) {
		t.Errorf("query of an unknown cluster: status %d: %s", status, said)
	}
	demo.World.Inject(awssim.Fault{Operation: "StartQuery", Fail: awssim.AccessDenied})
	status, said = runChild(t, aws, "plan", "--config.file", cfg)
	if status != 1 || !strings.Contains(said, "missing permission: logs:StartQuery") {
		t.Errorf("plan without a permission: status %d: %s", status, said)
	}
}
