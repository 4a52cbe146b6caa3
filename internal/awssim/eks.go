package awssim

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Cluster is an EKS cluster as eks:DescribeCluster shows it.
type Cluster struct {
	Name                  string
	Version               string // of Kubernetes; "": 1.34
	PlatformVersion       string // "": eks.1
	Status                string // "": ACTIVE
	RoleARN               string
	Created               time.Time // zero: now
	Logging               []string  // enabled log types, e.g. authenticator, audit
	AuthenticationMode    string    // "": API_AND_CONFIG_MAP
	BootstrapCreatorAdmin bool
	Tags                  map[string]string
	Endpoint              string // of its API server
	CertificateAuthority  []byte // of its API server, PEM
	AccessEntries         []AccessEntry
}

// AddCluster makes or replaces a cluster.
func (r *Region) AddCluster(c Cluster) {
	for value, other := range map[*string]string{
		&c.Version: "1.34", &c.PlatformVersion: "eks.1", &c.Status: "ACTIVE", &c.AuthenticationMode: "API_AND_CONFIG_MAP",
	} {
		if *value == "" {
			*value = other
		}
	}
	if c.Created.IsZero() {
		c.Created = r.account.w.Now()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clusters[c.Name] = c
}

// DeleteCluster removes a cluster; its log group stays, as with EKS.
func (r *Region) DeleteCluster(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.clusters, name)
}

// eksOperation reads the operation out of method and path.
func eksOperation(r *http.Request) (operation, cluster string) {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	if operation, target := accessOperation(r.Method, parts); operation != "" {
		return operation, target
	}
	if r.Method == http.MethodGet && parts[0] == "clusters" {
		switch len(parts) {
		case 1:
			return "ListClusters", ""
		case 2:
			if name, err := url.PathUnescape(parts[1]); err == nil {
				return "DescribeCluster", name
			}
		}
	}
	return r.Method + " " + r.URL.Path, ""
}

type listClustersOutput struct {
	Clusters  []string `json:"clusters"`
	NextToken string   `json:"nextToken,omitempty"`
}

// listClusters is eks:ListClusters.
func listClusters(c *call) (any, *apiError) {
	q := c.request.URL.Query()
	size := 100
	if text := q.Get("maxResults"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return nil, invalidParameter("maxResults must be from 1 to 100")
		}
		size = n
	}
	c.region.mu.RLock()
	names := slices.Sorted(maps.Keys(c.region.clusters))
	c.region.mu.RUnlock()
	same := func(name string) string { return name }
	page, next, refusal := paginate(names, same, paging{token: q.Get("nextToken"), size: size, most: 100})
	if refusal != nil {
		return nil, refusal
	}
	return listClustersOutput{Clusters: page, NextToken: next}, nil
}

type clusterShape struct {
	Name            string            `json:"name"`
	Arn             string            `json:"arn"`
	CreatedAt       float64           `json:"createdAt"` // seconds
	Version         string            `json:"version"`
	PlatformVersion string            `json:"platformVersion"`
	Status          string            `json:"status"`
	RoleArn         string            `json:"roleArn"`
	Logging         loggingShape      `json:"logging"`
	AccessConfig    accessShape       `json:"accessConfig"`
	Tags            map[string]string `json:"tags"`
	Endpoint        string            `json:"endpoint,omitempty"`
	CA              *caShape          `json:"certificateAuthority,omitempty"`
}

type loggingShape struct {
	ClusterLogging []logSetup `json:"clusterLogging"`
}

type logSetup struct {
	Types   []string `json:"types"`
	Enabled bool     `json:"enabled"`
}

type accessShape struct {
	AuthenticationMode                      string `json:"authenticationMode"`
	BootstrapClusterCreatorAdminPermissions bool   `json:"bootstrapClusterCreatorAdminPermissions"`
}

type describeClusterOutput struct {
	Cluster clusterShape `json:"cluster"`
}

// describeCluster is eks:DescribeCluster.
func describeCluster(c *call) (any, *apiError) {
	c.region.mu.RLock()
	cl, ok := c.region.clusters[c.target]
	c.region.mu.RUnlock()
	if !ok {
		return nil, &apiError{
			status: http.StatusNotFound, code: "ResourceNotFoundException",
			message: fmt.Sprintf("No cluster found for name: %s.", c.target),
		}
	}
	return describeClusterOutput{Cluster: clusterShape{
		Name: cl.Name, Arn: fmt.Sprintf("arn:aws:eks:%s:%s:cluster/%s", c.region.name, c.account.id, cl.Name),
		CreatedAt: float64(cl.Created.UnixMilli()) / 1000, Version: cl.Version, PlatformVersion: cl.PlatformVersion,
		Status: cl.Status, RoleArn: cl.RoleARN, Tags: cl.Tags, Logging: cl.logging(),
		AccessConfig: accessShape{cl.AuthenticationMode, cl.BootstrapCreatorAdmin},
		Endpoint:     cl.Endpoint, CA: cl.authority(),
	}}, nil
}

// logging shows the enabled types in one setup and the others in another, as
// EKS does.
func (c Cluster) logging() loggingShape {
	var off []string
	for _, t := range []string{"api", "audit", "authenticator", "controllerManager", "scheduler"} {
		if !slices.Contains(c.Logging, t) {
			off = append(off, t)
		}
	}
	var l loggingShape
	if len(c.Logging) > 0 {
		l.ClusterLogging = append(l.ClusterLogging, logSetup{c.Logging, true})
	}
	if len(off) > 0 {
		l.ClusterLogging = append(l.ClusterLogging, logSetup{off, false})
	}
	return l
}
