package mixin_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// One Prometheus and one Alertmanager serve all that is to be seen on them.
func TestOnAPrometheusThatScrapesTheDemo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	// The demo breaks aws-auth of staging 20 s after its start and mends it
	// 40 s later; a line may be shown two minutes late.
	t.Run("the alert of an incident comes and goes", s.testIncident)
	t.Run("every rule is evaluated", s.testRules)
	t.Run("what lasts in the demo alerts, and the reader does not", s.testFiring)
	t.Run("every selector of every rule has series", s.testSelectors)
	t.Run("every panel has data", s.testPanels)
	t.Run("every table of the API has rows", s.testTables)
}

func (s *stage) testIncident(t *testing.T) {
	const alert, cluster = "EKSAuthMappingBroken", "staging"
	var firing *notification
	until(t, 3*time.Minute, func() error {
		if firing = s.told("firing", alert, cluster); firing == nil {
			return fmt.Errorf("%s of %s was not notified", alert, cluster)
		}
		return nil
	})
	t.Logf("notified after %v: %s", time.Since(s.began), firing.Annotations["description"])
	for label, want := range map[string]string{
		"account": "111122223333", "region": "us-east-1", "diagnosis": "aws_auth_malformed", "severity": "critical",
	} {
		if firing.Labels[label] != want {
			t.Errorf("label %s is %q, want %q", label, firing.Labels[label], want)
		}
	}
	for name, part := range map[string]string{
		"summary": "staging (111122223333, us-east-1)", "description": "on cluster staging", "runbook_url": "docs/diagnoses/aws_auth_malformed.md",
	} {
		if !strings.Contains(firing.Annotations[name], part) {
			t.Errorf("%s is %q, want %q in it", name, firing.Annotations[name], part)
		}
	}
	until(t, 3*time.Minute, func() error {
		if s.told("resolved", alert, cluster) == nil {
			return fmt.Errorf("%s of %s did not end", alert, cluster)
		}
		return nil
	})
	t.Logf("resolved after %v", time.Since(s.began))
}

func (s *stage) testRules(t *testing.T) {
	until(t, time.Minute, func() error {
		var found struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
		if err := s.query(t.Context(), &found, "rules", nil); err != nil {
			return err
		}
		n := 0
		for _, g := range found.Groups {
			for _, r := range g.Rules {
				n++
				if r.Health != "ok" {
					return fmt.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
				}
			}
		}
		if want := len(rules(load(t, ""))); n != want {
			return fmt.Errorf("%d rules, want %d", n, want)
		}
		return nil
	})
}

func (s *stage) testFiring(t *testing.T) {
	lasting := map[string]string{
		"EKSNodesLockedOut": "data", "EKSStsBroken": "prod", "EKSPrincipalLostAccess": "prod", "EKSForeignAccount": "prod",
		"EKSRootUser": "prod", "EKSCredentialProbe": "prod", "EKSClockSkew": "web", "EKSAuthLoggingOff": "sandbox",
	}
	ofTheReader := []string{
		"EKSAuthReaderErrors", "EKSAuthReaderLag", "EKSAuthCursorStale", "EKSAuthNoEvents", "EKSAuthlogDown", "EKSAuthUnclassified",
	}
	until(t, time.Minute, func() error {
		firing, err := s.firing(t.Context())
		for alert, cluster := range lasting {
			if err == nil && !slices.Contains(firing[alert], cluster) {
				err = fmt.Errorf("%s of %s does not fire", alert, cluster)
			}
		}
		for _, alert := range ofTheReader {
			if err == nil && firing[alert] != nil {
				err = fmt.Errorf("%s fires", alert)
			}
		}
		return err
	})
}

// firing lists the clusters of each alert that fires; the cluster of an alert
// about none is empty.
func (s *stage) firing(ctx context.Context) (map[string][]string, error) {
	var found struct {
		Alerts []struct{ Labels map[string]string }
	}
	err := s.query(ctx, &found, "alerts", nil)
	clusters := map[string][]string{}
	for _, a := range found.Alerts {
		name := a.Labels["alertname"]
		clusters[name] = append(clusters[name], a.Labels["cluster"])
	}
	return clusters, err
}

func (s *stage) testSelectors(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rules(load(t, "")) {
		for _, sel := range selectors(t, r.Expr) {
			expr := "count(" + sel.String() + ")"
			if seen[expr] {
				continue
			}
			seen[expr] = true
			until(t, 30*time.Second, func() error { return s.has(t.Context(), expr, time.Minute) })
		}
	}
}

// has reports whether an expression had a value within the time before now.
func (s *stage) has(ctx context.Context, expr string, before time.Duration) error {
	now := time.Now()
	var found struct {
		Result []struct {
			Values [][2]any
		}
	}
	err := s.query(ctx, &found, "query_range", url.Values{
		"query": {expr}, "step": {"2"},
		"start": {seconds(now.Add(-before))}, "end": {seconds(now)},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", expr, err)
	}
	for _, series := range found.Result {
		for _, v := range series.Values {
			if v[1] != "NaN" {
				return nil
			}
		}
	}
	return fmt.Errorf("no data: %s", expr)
}

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
