package api

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// maxOpen bounds the lockouts shown with a cluster.
const maxOpen = 100

func showCluster(cfg *Config) ask {
	return ofCluster(cfg, func(ctx context.Context, c authlog.ClusterSummary) (document, error) {
		one, err := cfg.clusterDetail(ctx, c, cfg.Now())
		if err != nil {
			return document{}, err
		}
		return jsonDocument(one), nil
	})
}

// oneCluster finds the cluster of that name and, where they are given, account
// and region. It refuses to choose among several.
func oneCluster(ctx context.Context, store Store, at time.Time, want authlog.Cluster) (found authlog.ClusterSummary, err error) {
	all, err := store.Clusters(ctx, at)
	if err != nil {
		return found, err
	}
	all = slices.DeleteFunc(all, func(c authlog.ClusterSummary) bool {
		return c.Cluster.Name != want.Name ||
			want.Account != "" && want.Account != c.Cluster.Account || want.Region != "" && want.Region != c.Cluster.Region
	})
	switch len(all) {
	case 0:
		return found, refuse(unknownCluster, "no cluster named %q was ever read%s", want.Name, inPlace(want))
	case 1:
		return all[0], nil
	}
	places := make([]string, 0, len(all))
	for _, c := range all[:min(len(all), 10)] {
		places = append(places, "account="+c.Cluster.Account+"&region="+c.Cluster.Region)
	}
	return found, refuse(ambiguousCluster, "%d clusters are named %q; say which, for instance by ?%s",
		len(all), want.Name, strings.Join(places, " or ?"))
}

func inPlace(c authlog.Cluster) string {
	switch {
	case c.Account != "" && c.Region != "":
		return " in account " + c.Account + " and region " + c.Region
	case c.Account != "":
		return " in account " + c.Account
	case c.Region != "":
		return " in region " + c.Region
	}
	return ""
}

func (cfg *Config) clusterDetail(ctx context.Context, c authlog.ClusterSummary, at time.Time) (d clusterDetail, err error) {
	facts := cfg.facts(c.Cluster)
	d.cluster = wireCluster(&c, facts.Logging, at)
	d.ReadThrough = orNull(c.ReadThrough)
	if !c.ReadThrough.IsZero() {
		d.LagSeconds = new(int64(max(at.Sub(c.ReadThrough), 0) / time.Second))
	}
	if d.Insights, err = cfg.insightsOf(ctx, c.Cluster); err != nil {
		return d, err
	}
	d.Mode, d.Logging, d.EKSStatus = orNullText(string(facts.Mode)), orNullText(string(facts.Logging)), orNullText(facts.Status)
	if d.Logging == nil && (d.Status == statusOK || d.Status == statusDenials) {
		d.Logging = new(string(authlog.Yes)) // it just spoke
	}
	d.EnableLogging = loggingCommand(c.Cluster, &facts)
	if cfg.Access != nil {
		if a := cfg.Access.Access(c.Cluster); a != nil {
			d.AccessTier = &a.Tier
		}
	}
	if d.Creator, err = creatorOf(ctx, cfg.Store, c.Cluster, &facts.Creator); err != nil {
		return d, err
	}
	f := filterOf(c.Cluster)
	f.State, f.TopOnly, f.Codes, f.Limit = authlog.DiagnosisOpen, true, lockoutCodes(), maxOpen
	open, err := cfg.Store.Diagnoses(ctx, f)
	d.OpenLockouts = wireLockouts(open)
	return d, err
}

func filterOf(c authlog.Cluster) authlog.DiagnosisFilter {
	return authlog.DiagnosisFilter{Cluster: c.Name, Account: c.Account, Region: c.Region}
}

// creatorOf is who created the cluster: as it is known from elsewhere, or as
// the log suggests; nil if neither says.
func creatorOf(ctx context.Context, store Lately, c authlog.Cluster, known *authlog.Creator) (*creator, error) {
	if known.ARN != "" {
		return &creator{
			ARN: known.ARN, Confidence: string(authlog.ConfidenceCertain), Source: known.Source, Exists: orNullText(string(known.Exists)),
		}, nil
	}
	f := filterOf(c)
	f.Codes, f.State, f.Limit = []string{"creator_identified"}, authlog.DiagnosisOpen, 1
	found, err := store.Diagnoses(ctx, f)
	if err != nil || len(found) == 0 || len(found[0].Affected) == 0 {
		return nil, err
	}
	d := &found[0]
	return &creator{ARN: d.Affected[0].ARN, Confidence: string(d.Confidence), Source: "the log", Diagnosis: d.ID}, nil
}

func orNullText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// insightsOf is where to look with one's own eyes: a link to the console of
// Logs Insights with the log group, the query and the last hour filled in.
//
// AWS does not document the link's form, so the parts stand beside it. In the
// link, * and two hex digits stand for a byte, $ for the % of a URL.
func (cfg *Config) insightsOf(ctx context.Context, c authlog.Cluster) (insights, error) {
	cursors, err := cfg.Store.Cursors(ctx, []authlog.Cluster{c})
	var streams []string
	for i := range cursors {
		if cursors[i].Lane == "" {
			streams = cursors[i].Streams
		}
	}
	query := denialsQuery(streams)
	domain := "console.aws.amazon.com"
	switch {
	case strings.HasPrefix(c.Region, "cn-"):
		domain = "console.amazonaws.cn"
	case strings.HasPrefix(c.Region, "us-gov-"):
		domain = "console.amazonaws-us-gov.com"
	}
	detail := "~(end~0~start~-3600~timeType~'RELATIVE~tz~'UTC~unit~'seconds~editorString~'" + starred(query) +
		"~source~(~'" + starred(c.LogGroup()) + "))"
	return insights{
		URL: "https://" + c.Region + "." + domain + "/cloudwatch/home?region=" + c.Region +
			"#logsV2:logs-insights$3FqueryDetail$3D" + detail,
		LogGroup: c.LogGroup(), Query: query,
	}, err
}

var streamName = regexp.MustCompile(`^authenticator-[0-9a-f]{1,64}$`)

// denialsQuery finds the denials of a cluster. Streams that are named are all
// that is scanned, and paid for; with a pattern it is the whole group, the audit
// log included.
func denialsQuery(streams []string) string {
	names := make([]string, 0, len(streams))
	for _, s := range streams {
		if streamName.MatchString(s) {
			names = append(names, `"`+s+`"`)
		}
	}
	filter := "@logStream like /^authenticator-/"
	if len(names) > 0 {
		filter = "@logStream in [" + strings.Join(names, ", ") + "]"
	}
	return "fields @timestamp, @logStream, @message\n| filter " + filter +
		"\n| filter @message like \"access denied\"\n| sort @timestamp desc\n| limit 1000"
}

func starred(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "*%02x", c)
		}
	}
	return b.String()
}
