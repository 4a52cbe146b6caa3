package awssim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An AccessEntry is an EKS access entry of a cluster.
type AccessEntry struct {
	PrincipalARN string // with its path
	Type         string // "": STANDARD
	Username     string
	Groups       []string
	Policies     []AccessPolicy
	Created      time.Time // zero: the cluster's
	Modified     time.Time // zero: Created
}

// An AccessPolicy is an access policy that is associated with an entry.
type AccessPolicy struct {
	Name       string   // e.g. AmazonEKSViewPolicy
	Namespaces []string // none: the whole cluster
}

// caShape is a certificate authority, base64 of PEM.
type caShape struct {
	Data string `json:"data"`
}

func (c Cluster) authority() *caShape {
	if len(c.CertificateAuthority) == 0 {
		return nil
	}
	return &caShape{base64.StdEncoding.EncodeToString(c.CertificateAuthority)}
}

// accessOperation reads the operations on access entries out of the path; the
// target is the cluster, or cluster and ARN with a zero byte between them.
func accessOperation(method string, parts []string) (operation, target string) {
	if method != http.MethodGet || len(parts) < 3 || parts[0] != "clusters" || parts[2] != "access-entries" {
		return "", ""
	}
	cluster, err := url.PathUnescape(parts[1])
	if err != nil {
		return "", ""
	}
	if len(parts) == 3 {
		return "ListAccessEntries", cluster
	}
	arn, err := url.PathUnescape(parts[3])
	switch {
	case err != nil:
	case len(parts) == 4:
		return "DescribeAccessEntry", cluster + "\x00" + arn
	case len(parts) == 5 && parts[4] == "access-policies":
		return "ListAssociatedAccessPolicies", cluster + "\x00" + arn
	}
	return "", ""
}

// entries finds the cluster that the call is about, refused as EKS refuses
// calls on access entries in the mode CONFIG_MAP.
func (c *call) entries() (Cluster, *apiError) {
	name, _, _ := strings.Cut(c.target, "\x00")
	c.region.mu.RLock()
	cl, ok := c.region.clusters[name]
	c.region.mu.RUnlock()
	if !ok {
		return cl, &apiError{status: http.StatusNotFound, code: "ResourceNotFoundException", message: fmt.Sprintf("No cluster found for name: %s.", name)}
	}
	if cl.AuthenticationMode == "CONFIG_MAP" {
		return cl, &apiError{
			status: http.StatusBadRequest, code: "InvalidRequestException",
			message: "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
		}
	}
	return cl, nil
}

func (c *call) entry() (AccessEntry, Cluster, *apiError) {
	cl, refusal := c.entries()
	if refusal != nil {
		return AccessEntry{}, cl, refusal
	}
	_, arn, _ := strings.Cut(c.target, "\x00")
	for _, e := range cl.AccessEntries {
		if e.PrincipalARN != arn {
			continue
		}
		if e.Type == "" {
			e.Type = "STANDARD"
		}
		if e.Created.IsZero() {
			e.Created = cl.Created
		}
		if e.Modified.IsZero() {
			e.Modified = e.Created
		}
		return e, cl, nil
	}
	return AccessEntry{}, cl, &apiError{
		status: http.StatusNotFound, code: "ResourceNotFoundException",
		message: "The specified principalArn could not be found. You can view your available access entries with 'ListAccessEntries'. Principal: " + arn,
	}
}

// maxResults reads the page size of an EKS list.
func (c *call) maxResults() (int, *apiError) {
	text := c.request.URL.Query().Get("maxResults")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 100 {
		return 0, invalidParameter("maxResults must be from 1 to 100")
	}
	return n, nil
}

type listAccessEntriesOutput struct {
	AccessEntries []string `json:"accessEntries"`
	NextToken     string   `json:"nextToken,omitempty"`
}

// listAccessEntries is eks:ListAccessEntries.
func listAccessEntries(c *call) (any, *apiError) {
	cl, refusal := c.entries()
	if refusal != nil {
		return nil, refusal
	}
	size, refusal := c.maxResults()
	if refusal != nil {
		return nil, refusal
	}
	arns := []string{}
	for _, e := range cl.AccessEntries {
		arns = append(arns, e.PrincipalARN)
	}
	slices.Sort(arns)
	same := func(arn string) string { return arn }
	page, next, refusal := paginate(arns, same, paging{token: c.request.URL.Query().Get("nextToken"), size: size, most: 100})
	if refusal != nil {
		return nil, refusal
	}
	return listAccessEntriesOutput{AccessEntries: page, NextToken: next}, nil
}

type accessEntryShape struct {
	ClusterName      string            `json:"clusterName"`
	PrincipalArn     string            `json:"principalArn"`
	KubernetesGroups []string          `json:"kubernetesGroups"`
	AccessEntryArn   string            `json:"accessEntryArn"`
	CreatedAt        float64           `json:"createdAt"`
	ModifiedAt       float64           `json:"modifiedAt"`
	Tags             map[string]string `json:"tags"`
	Username         string            `json:"username"`
	Type             string            `json:"type"`
}

type describeAccessEntryOutput struct {
	AccessEntry accessEntryShape `json:"accessEntry"`
}

// describeAccessEntry is eks:DescribeAccessEntry.
func describeAccessEntry(c *call) (any, *apiError) {
	e, cl, refusal := c.entry()
	if refusal != nil {
		return nil, refusal
	}
	groups := e.Groups
	if groups == nil {
		groups = []string{}
	}
	return describeAccessEntryOutput{accessEntryShape{
		ClusterName: cl.Name, PrincipalArn: e.PrincipalARN, KubernetesGroups: groups, Username: e.Username, Type: e.Type,
		AccessEntryArn: c.resource(), CreatedAt: seconds(e.Created), ModifiedAt: seconds(e.Modified), Tags: map[string]string{},
	}}, nil
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

type associatedPolicyShape struct {
	PolicyArn    string           `json:"policyArn"`
	AccessScope  accessScopeShape `json:"accessScope"`
	AssociatedAt float64          `json:"associatedAt"`
	ModifiedAt   float64          `json:"modifiedAt"`
}

type accessScopeShape struct {
	Type       string   `json:"type"`
	Namespaces []string `json:"namespaces"`
}

type listAssociatedAccessPoliciesOutput struct {
	ClusterName              string                  `json:"clusterName"`
	PrincipalArn             string                  `json:"principalArn"`
	AssociatedAccessPolicies []associatedPolicyShape `json:"associatedAccessPolicies"`
	NextToken                string                  `json:"nextToken,omitempty"`
}

// listAssociatedAccessPolicies is eks:ListAssociatedAccessPolicies.
func listAssociatedAccessPolicies(c *call) (any, *apiError) {
	e, cl, refusal := c.entry()
	if refusal != nil {
		return nil, refusal
	}
	size, refusal := c.maxResults()
	if refusal != nil {
		return nil, refusal
	}
	policies := slices.SortedFunc(slices.Values(e.Policies), func(a, b AccessPolicy) int { return strings.Compare(a.Name, b.Name) })
	name := func(p AccessPolicy) string { return p.Name }
	page, next, refusal := paginate(policies, name, paging{token: c.request.URL.Query().Get("nextToken"), size: size, most: 100})
	if refusal != nil {
		return nil, refusal
	}
	out := listAssociatedAccessPoliciesOutput{
		ClusterName: cl.Name, PrincipalArn: e.PrincipalARN, NextToken: next,
		AssociatedAccessPolicies: []associatedPolicyShape{},
	}
	for _, p := range page {
		scope := accessScopeShape{Type: "cluster", Namespaces: []string{}}
		if len(p.Namespaces) > 0 {
			scope = accessScopeShape{Type: "namespace", Namespaces: p.Namespaces}
		}
		out.AssociatedAccessPolicies = append(out.AssociatedAccessPolicies, associatedPolicyShape{
			"arn:aws:eks::aws:cluster-access-policy/" + p.Name, scope, seconds(e.Created), seconds(e.Created),
		})
	}
	return out, nil
}
