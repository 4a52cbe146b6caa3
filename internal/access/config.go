package access

import (
	"cmp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Config says how to read the clusters of one account and region. Zero fields
// take the defaults named beside them.
type Config struct {
	AWS     aws.Config // region and credentials
	Account string     // of the credentials, 12 digits
	// TTL is how long an answer is used; 10 minutes. Details of access entries
	// rarely change and take two calls each: most are used for six of them.
	TTL  time.Duration
	Rate float64 // calls a second to EKS and IAM together; 5
	// Kubernetes lets aws-auth be read from the clusters' API servers, with a
	// token made from the AWS credentials.
	Kubernetes bool
	// IAM lets roles and users be looked up.
	IAM bool
	// InCluster is the name of the cluster that the process runs in, whose
	// aws-auth is read with the pod's service account instead.
	InCluster string
	// ServiceAccount is where the pod's credentials are mounted; the directory
	// that Kubernetes uses.
	ServiceAccount string
	// AWSAuthFiles are files to take the aws-auth of a cluster from instead, by
	// the cluster's name.
	AWSAuthFiles map[string]string
	// OnChange is called when a cluster's aws-auth was read and is another than
	// before, or could not be read the first time. It must not block.
	OnChange func(cluster string)
	// OnCall is told of each call to EKS and IAM when it has ended: the name of
	// the operation, like DescribeCluster, and the error or nil. What the SDK
	// repeats by itself is one call. It must not block.
	OnCall func(operation string, err error)
}

func (c Config) onCall() func(operation string, err error) {
	if c.OnCall == nil {
		return func(string, error) {}
	}
	return c.OnCall
}

func (c Config) ttl() time.Duration { return cmp.Or(c.TTL, 10*time.Minute) }

// long is how long holds what rarely changes.
func (c Config) long() time.Duration { return 6 * c.ttl() }

// soon is when to try again what failed.
func (c Config) soon() time.Duration { return min(failurePause, c.ttl()) }

// detailTTL is how long the details of an access entry are used. One that is at
// fault is being mended, perhaps.
func (c Config) detailTTL(e *authlog.AccessEntry) time.Duration {
	if len(entryFaults(&authlog.Access{Entries: []authlog.AccessEntry{*e}})) > 0 {
		return c.ttl()
	}
	return c.long()
}

func (c Config) rate() float64 { return cmp.Or(c.Rate, 5) }

// callTimeout bounds one call to AWS or to an API server, its retries
// included.
const callTimeout = 30 * time.Second

// Actions are the calls of a tier that a permission is needed for: IAM actions
// for the tiers 1 and 3, verb and resource in Kubernetes for tier 2.
func Actions(tier int) []string {
	switch tier {
	case 1:
		return []string{actionListClusters, actionDescribeCluster, actionListEntries, actionDescribeEntry, actionListPolicies}
	case 2:
		return []string{actionGetAWSAuth, actionWatchAWSAuth}
	case 3:
		return []string{actionGetRole, actionGetUser, actionListRoles}
	}
	return nil
}

const (
	actionListClusters    = "eks:ListClusters"
	actionDescribeCluster = "eks:DescribeCluster"
	actionListEntries     = "eks:ListAccessEntries"
	actionDescribeEntry   = "eks:DescribeAccessEntry"
	actionListPolicies    = "eks:ListAssociatedAccessPolicies"
	actionGetAWSAuth      = "get configmaps/aws-auth"
	actionWatchAWSAuth    = "watch configmaps/aws-auth"
	actionGetRole         = "iam:GetRole"
	actionGetUser         = "iam:GetUser"
	actionListRoles       = "iam:ListRoles"
)

// tierOf is the tier that an action belongs to.
func tierOf(action string) int {
	for tier := 1; tier <= 3; tier++ {
		if slices.Contains(Actions(tier), action) {
			return tier
		}
	}
	return 2 // signing in to Kubernetes
}
