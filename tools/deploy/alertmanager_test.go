package deploy_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAlertmanagerAcceptsItsConfiguration(t *testing.T) {
	amtool := need(t, "amtool")
	output(t, exec.CommandContext(t.Context(), amtool, "check-config", alertmanagerFile()))
}

func TestAlertsReachWhoMustAct(t *testing.T) {
	amtool := need(t, "amtool")
	for alert, receiver := range map[string]string{
		"alertname=EKSAuthMappingBroken severity=critical cluster=prod":        "on-call",
		"alertname=EKSAuthMappingBroken severity=critical cluster=payments-1":  "on-call",
		"alertname=EKSRootUser severity=warning cluster=payments-1":            "security",
		"alertname=EKSPrincipalLostAccess severity=warning cluster=prod":       "platform",
		"alertname=EKSPrincipalLostAccess severity=warning cluster=payments-1": "payments",
		"alertname=EKSClockSkew severity=info cluster=prod":                    "platform",
	} {
		args := append([]string{"config", "routes", "test", "--config.file=" + alertmanagerFile()}, strings.Fields(alert)...)
		out, err := exec.CommandContext(t.Context(), amtool, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(out)); got != receiver {
			t.Errorf("%s goes to %q, want %q", alert, got, receiver)
		}
	}
}

func alertmanagerFile() string { return filepath.Join(repo, "deploy/alertmanager/alertmanager.yml") }
