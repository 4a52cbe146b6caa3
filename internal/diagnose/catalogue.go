package diagnose

import (
	"slices"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

// An Entry is one diagnosis of the catalogue: all that is known of it before
// it happens. Its fields are text for people; the code is for machines and
// never changes its meaning.
type Entry struct {
	Code     string           `json:"code"`
	Title    string           `json:"title"`    // some words
	Lockout  bool             `json:"lockout"`  // someone is kept out by it
	Severity authlog.Severity `json:"severity"` // the usual one
	Level    string           `json:"level"`    // what else may be the severity, and when

	Happened string      `json:"what_happened"`
	Known    string      `json:"how_we_know"`
	Sure     string      `json:"how_sure"`
	WhoActs  rules.Actor `json:"who_acts"` // who acts first
	Who      string      `json:"who"`      // the sentence behind WhoActs
	Fix      string      `json:"fix"`
	Prove    string      `json:"prove"`
	Undo     string      `json:"undo"`
	Docs     []string    `json:"docs"`
}

// All lists the catalogue, sorted by code. The caller may keep the slice but
// must not change what the entries point to.
func All() []Entry { return slices.Clone(catalogue) }

// ByCode finds an entry by its code.
func ByCode(code string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(catalogue, code, func(e Entry, code string) int {
		return strings.Compare(e.Code, code)
	})
	if !ok {
		return Entry{}, false
	}
	return catalogue[i], true
}

// catalogue holds all entries sorted by code; it is never changed.
var catalogue = sorted(awsAuthEntries, principalEntries, nodeEntries, stsEntries, tokenEntries, securityEntries, clusterEntries)

func sorted(families ...[]Entry) []Entry {
	all := slices.Concat(families...)
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Code, b.Code) })
	return all
}

// Pages that several entries name.
const (
	docEKS    = "https://docs.aws.amazon.com/eks/latest/userguide/"
	docRepost = "https://repost.aws/knowledge-center/"

	docAccessEntries = docEKS + "access-entries.html"
	docCreating      = docEKS + "creating-access-entries.html"
	docModes         = docEKS + "setting-up-access-entries.html"
	docAWSAuth       = docEKS + "auth-configmap.html"
	docPolicies      = docEKS + "access-policies.html"
	docTrouble       = docEKS + "troubleshooting.html"
	docIAMTrouble    = docEKS + "security-iam-troubleshoot.html"
	docLogs          = docEKS + "control-plane-logs.html"
	docUnauthorized  = docRepost + "eks-api-server-unauthorized-error"
	docRecover       = docRepost + "eks-api-recover-cluster-access"
	docGrant         = docRepost + "amazon-eks-cluster-access"
	docEntryTrouble  = docRepost + "eks-troubleshoot-access-entries"
	docPermissionSet = "https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html"
	docSTSRegions    = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_enable-regions.html"
	docHealth        = "https://health.aws.amazon.com/health/status"
)
