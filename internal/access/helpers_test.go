package access_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/access"
	"github.com/eks-authlog/eks-authlog/internal/access/accesstest"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

const (
	account = "111122223333"
	iamARN  = "arn:aws:iam::" + account + ":"
)

var (
	clusterMade = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	later       = clusterMade.Add(30 * 24 * time.Hour)
)

// scene is a cluster called prod, its account, and its API server.
type scene struct {
	t       *testing.T
	world   *awssim.World
	account *awssim.Account
	region  *awssim.Region
	aws     *awssim.Server
	kube    *accesstest.APIServer
	cluster awssim.Cluster
}

func newScene(t *testing.T, awsAuth map[string]string) *scene {
	t.Helper()
	w := awssim.NewWorld(time.Now)
	s := &scene{t: t, world: w, account: w.Account(account)}
	s.region = s.account.Region("eu-central-1")
	srv, err := awssim.Start(w)
	if err != nil {
		t.Fatal(err)
	}
	s.aws = srv
	s.kube = accesstest.Start("prod", srv.Credentials(), awsAuth)
	t.Cleanup(func() {
		s.kube.Close()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	s.cluster = awssim.Cluster{
		Name: "prod", RoleARN: iamARN + "role/eks/cluster-role", Created: clusterMade, Logging: []string{"authenticator"},
		AuthenticationMode: "API_AND_CONFIG_MAP", BootstrapCreatorAdmin: true,
		Endpoint: s.kube.URL(), CertificateAuthority: s.kube.CA(),
	}
	s.region.AddCluster(s.cluster)
	return s
}

// change edits the cluster.
func (s *scene) change(do func(c *awssim.Cluster)) {
	do(&s.cluster)
	s.region.AddCluster(s.cluster)
}

// reader builds a reader of all tiers.
func (s *scene) reader(edit ...func(*access.Config)) *access.Reader {
	cfg := access.Config{AWS: s.aws.Config("eu-central-1"), Account: account, Rate: 1000, Kubernetes: true, IAM: true}
	for _, e := range edit {
		e(&cfg)
	}
	return access.New(cfg, zerolog.Nop())
}

func (s *scene) access(r *access.Reader) *authlog.Access {
	s.t.Helper()
	a, err := r.Access(s.t.Context(), "prod")
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *scene) explain(r *access.Reader, p authlog.Principal) *authlog.AccessVerdict {
	s.t.Helper()
	v, err := r.Explain(s.t.Context(), "prod", p, time.Time{})
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// entry is an access entry of a principal with the view policy.
func entry(arn string, created time.Time) awssim.AccessEntry {
	return awssim.AccessEntry{PrincipalARN: arn, Created: created, Username: arn, Policies: []awssim.AccessPolicy{{Name: "AmazonEKSViewPolicy", Namespaces: []string{"team"}}}}
}

// admin is the access entry that EKS makes for the creator.
func admin(arn string) awssim.AccessEntry {
	return awssim.AccessEntry{PrincipalARN: arn, Created: clusterMade, Policies: []awssim.AccessPolicy{{Name: "AmazonEKSClusterAdminPolicy"}}}
}

const nodeItem = `- rolearn: arn:aws:iam::111122223333:role/Node
  username: system:node:{{EC2PrivateDNSName}}
  groups:
    - system:bootstrappers
    - system:nodes
`

func roleItem(arn string) string {
	return "- rolearn: " + arn + "\n  username: dev:{{SessionName}}\n  groups:\n    - team\n"
}

func userItem(arn string) string {
	return "- userarn: " + arn + "\n  username: alice\n  groups:\n    - team\n"
}

func roles(items ...string) map[string]string { return section("mapRoles", items) }

func users(items ...string) map[string]string { return section("mapUsers", items) }

func section(name string, items []string) map[string]string {
	return map[string]string{name: strings.Join(items, "")}
}
