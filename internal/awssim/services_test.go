package awssim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/awssim"
)

func TestAnAssumedRoleActsInItsAccount(t *testing.T) {
	f := newFixture(t)
	addGroup(t, f.Account(other).Region(region), "/aws/eks/theirs/cluster", awssim.GroupOptions{})
	arn := f.Account(other).AddRole(awssim.Role{Name: "team/reader", ExternalID: "x", Trusted: []string{home}, Tags: map[string]string{"team": "sre"}})
	cfg := stubborn(f.srv.Config(region))
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), arn, func(o *stscreds.AssumeRoleOptions) {
		o.ExternalID, o.RoleSessionName = aws.String("x"), "tail"
		o.Tags = []ststypes.Tag{{Key: aws.String("team"), Value: aws.String("sre")}}
	}))
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *who.Account != other || *who.Arn != "arn:aws:sts::444455556666:assumed-role/reader/tail" || !strings.HasSuffix(*who.UserId, ":tail") {
		t.Errorf("identity %s %s %s", *who.Account, *who.Arn, *who.UserId)
	}
	out, err := cloudwatchlogs.NewFromConfig(cfg).DescribeLogGroups(t.Context(), nil)
	if err != nil || len(out.LogGroups) != 1 || *out.LogGroups[0].LogGroupName != "/aws/eks/theirs/cluster" {
		t.Errorf("groups %+v, %v", out, err)
	}
}

func TestAssumeRoleRefuses(t *testing.T) {
	f := newFixture(t)
	arn := f.Account(other).AddRole(awssim.Role{
		Name: "reader", ExternalID: "x", Trusted: []string{home}, Tags: map[string]string{"team": "sre"}, MaxSession: 2 * time.Hour,
	})
	closed := f.Account(other).AddRole(awssim.Role{Name: "closed", Trusted: []string{"777788889999"}})
	for name, tt := range map[string]struct {
		change func(*sts.AssumeRoleInput)
		code   string
	}{
		"another external id":  {func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("y") }, "AccessDenied"},
		"no external id":       {func(in *sts.AssumeRoleInput) { in.ExternalId = nil }, "AccessDenied"},
		"other tags":           {func(in *sts.AssumeRoleInput) { in.Tags[0].Value = aws.String("dev") }, "AccessDenied"},
		"no tags":              {func(in *sts.AssumeRoleInput) { in.Tags = nil }, "AccessDenied"},
		"a role not there":     {func(in *sts.AssumeRoleInput) { *in.RoleArn += "x" }, "AccessDenied"},
		"a role of no account": {func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::777788889999:role/reader") }, "AccessDenied"},
		"an untrusted caller":  {func(in *sts.AssumeRoleInput) { in.RoleArn = &closed }, "AccessDenied"},
		"no role ARN":          {func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("reader-role-by-name-alone") }, "ValidationError"},
		"a bad session name":   {func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, "ValidationError"},
		"14 minutes":           {func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(840) }, "ValidationError"},
		"more than the role's": {func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7201) }, "ValidationError"},
	} {
		t.Run(name, func(t *testing.T) {
			in := &sts.AssumeRoleInput{
				RoleArn: aws.String(arn), RoleSessionName: aws.String("tail"), ExternalId: aws.String("x"),
				Tags: []ststypes.Tag{{Key: aws.String("team"), Value: aws.String("sre")}},
			}
			tt.change(in)
			_, err := sts.NewFromConfig(stubborn(f.srv.Config(region))).AssumeRole(t.Context(), in)
			message := wantCode(t, err, tt.code)
			const denied = "User: arn:aws:iam::111122223333:user/analyzer is not authorized to perform: sts:AssumeRole on resource: "
			if tt.code == "AccessDenied" && !strings.HasPrefix(message, denied+*in.RoleArn) {
				t.Errorf("message %q", message)
			}
		})
	}
}

func TestAChainedRoleLastsAnHourAtMost(t *testing.T) {
	f := newFixture(t)
	first := f.Account(home).AddRole(awssim.Role{Name: "hub"})
	second := f.Account(other).AddRole(awssim.Role{Name: "reader", MaxSession: 12 * time.Hour})
	direct := sts.NewFromConfig(stubborn(f.srv.Config(region)))
	in := &sts.AssumeRoleInput{RoleArn: &second, RoleSessionName: aws.String("tail"), DurationSeconds: aws.Int32(7200)}
	if _, err := direct.AssumeRole(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	cfg := stubborn(f.srv.Config(region))
	cfg.Credentials = stscreds.NewAssumeRoleProvider(direct, first)
	_, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), in)
	wantCode(t, err, "ValidationError")
}

func TestEKSDescribesClusters(t *testing.T) {
	f := newFixture(t)
	created := noon().AddDate(0, -1, 0)
	f.region.AddCluster(awssim.Cluster{
		Name: "prod", RoleARN: "arn:aws:iam::111122223333:role/eks", Created: created, AuthenticationMode: "API",
		Logging: []string{"authenticator", "audit"}, Tags: map[string]string{"team": "sre"},
	})
	c := eks.NewFromConfig(stubborn(f.srv.Config(region)))
	out, err := c.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("prod")})
	if err != nil {
		t.Fatal(err)
	}
	cl := out.Cluster
	if *cl.Arn != "arn:aws:eks:eu-central-1:111122223333:cluster/prod" || !cl.CreatedAt.Equal(created) || *cl.RoleArn != "arn:aws:iam::111122223333:role/eks" ||
		cl.AccessConfig.AuthenticationMode != ekstypes.AuthenticationModeApi || cl.Status != ekstypes.ClusterStatusActive || cl.Tags["team"] != "sre" {
		t.Errorf("cluster %+v", cl)
	}
	logging := map[ekstypes.LogType]bool{}
	for _, setup := range cl.Logging.ClusterLogging {
		for _, kind := range setup.Types {
			logging[kind] = *setup.Enabled
		}
	}
	want := map[ekstypes.LogType]bool{"api": false, "audit": true, "authenticator": true, "controllerManager": false, "scheduler": false}
	if diff := cmp.Diff(want, logging); diff != "" {
		t.Errorf("logging (-want +got):\n%s", diff)
	}
	_, err = c.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("gone")})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestEKSListsClustersInPages(t *testing.T) {
	f := newFixture(t)
	var want []string
	for i := range 120 {
		want = append(want, fmt.Sprintf("c%03d", i))
		f.region.AddCluster(awssim.Cluster{Name: want[i]})
	}
	var got []string
	p := eks.NewListClustersPaginator(eks.NewFromConfig(stubborn(f.srv.Config(region))), &eks.ListClustersInput{})
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Clusters) > 100 {
			t.Errorf("a page of %d", len(out.Clusters))
		}
		got = append(got, out.Clusters...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("clusters %q", got)
	}
}

func TestListRegionsSaysWhichAreEnabled(t *testing.T) {
	f := newFixture(t)
	f.Account(home).Region("me-central-1")
	status := map[string]accounttypes.RegionOptStatus{}
	p := account.NewListRegionsPaginator(account.NewFromConfig(stubborn(f.srv.Config("us-east-1"))), &account.ListRegionsInput{MaxResults: aws.Int32(10)})
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.Regions {
			status[*r.RegionName] = r.RegionOptStatus
		}
	}
	for name, want := range map[string]accounttypes.RegionOptStatus{
		"eu-central-1": accounttypes.RegionOptStatusEnabledByDefault, "me-central-1": accounttypes.RegionOptStatusEnabled,
		"af-south-1": accounttypes.RegionOptStatusDisabled,
	} {
		if status[name] != want {
			t.Errorf("%s is %s, want %s", name, status[name], want)
		}
	}
	out, err := account.NewFromConfig(stubborn(f.srv.Config("us-east-1"))).ListRegions(t.Context(), &account.ListRegionsInput{
		RegionOptStatusContains: []accounttypes.RegionOptStatus{accounttypes.RegionOptStatusEnabled},
	})
	if err != nil || len(out.Regions) != 1 {
		t.Errorf("enabled regions %+v, %v", out, err)
	}
}
