package awssim

import (
	"slices"
	"strings"
)

// oneGroup finds the group that a request names by exactly one of name and
// identifier.
func (c *call) oneGroup(name, identifier string) (*LogGroup, *apiError) {
	switch {
	case name != "" && identifier != "":
		return nil, invalidParameter("LogGroup name and LogGroup identifier cannot both be specified.")
	case name != "":
		return c.groupByName(name)
	case identifier != "":
		return c.groupByIdentifier(identifier)
	}
	return nil, invalidParameter("Either LogGroup name or LogGroup identifier must be specified.")
}

func (c *call) groupByName(name string) (*LogGroup, *apiError) {
	if !isGroupName(name) {
		return nil, violation(name, "logGroupName", `Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`)
	}
	if g := c.region.LogGroup(name); g != nil {
		return g, nil
	}
	return nil, noGroup(name, c.account.id)
}

func noGroup(name, account string) *apiError {
	return notFound("Log group '%s' does not exist for account ID '%s'", name, account)
}

func isGroupName(s string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/#"
	return s != "" && len(s) <= 512 && strings.Trim(s, allowed) == ""
}

// groupByIdentifier takes a name or an ARN without ":*". Groups of a linked
// source account can only be named by ARN.
func (c *call) groupByIdentifier(id string) (*LogGroup, *apiError) {
	if strings.ContainsFunc(id, func(r rune) bool { return r == '*' || r == ' ' }) {
		return nil, violation(id, "logGroupIdentifiers", `Member must satisfy constraint: [Member must satisfy regular expression pattern: [\w#+=/:,.@-]*]`)
	}
	if !strings.HasPrefix(id, "arn:") {
		return c.groupByName(id)
	}
	part := strings.SplitN(id, ":", 7)
	if len(part) != 7 || part[2] != "logs" || part[5] != "log-group" || !isGroupName(part[6]) {
		return nil, invalidParameter("The log group identifier %s is not valid.", id)
	}
	if part[3] != c.region.name {
		return nil, invalidParameter("The log group %s is not in region %s.", id, c.region.name)
	}
	for _, r := range append(c.region.linked(), c.region) {
		if r.account.id == part[4] {
			if g := r.LogGroup(part[6]); g != nil {
				return g, nil
			}
		}
	}
	return nil, noGroup(part[6], part[4])
}

type describeLogGroupsInput struct {
	AccountIdentifiers    []string `json:"accountIdentifiers"`
	IncludeLinkedAccounts bool     `json:"includeLinkedAccounts"`
	Limit                 int      `json:"limit"`
	LogGroupClass         string   `json:"logGroupClass"`
	LogGroupIdentifiers   []string `json:"logGroupIdentifiers"`
	LogGroupNamePattern   string   `json:"logGroupNamePattern"`
	LogGroupNamePrefix    string   `json:"logGroupNamePrefix"`
	NextToken             string   `json:"nextToken"`
}

type logGroupShape struct {
	Arn               string `json:"arn"`
	LogGroupArn       string `json:"logGroupArn,omitempty"`
	LogGroupName      string `json:"logGroupName"`
	CreationTime      int64  `json:"creationTime"`
	LogGroupClass     string `json:"logGroupClass,omitempty"`
	RetentionInDays   int    `json:"retentionInDays,omitempty"`
	MetricFilterCount *int   `json:"metricFilterCount,omitempty"`
	StoredBytes       *int64 `json:"storedBytes,omitempty"`
}

type describeLogGroupsOutput struct {
	LogGroups []logGroupShape `json:"logGroups"`
	NextToken string          `json:"nextToken,omitempty"`
}

// describeLogGroups is logs:DescribeLogGroups.
func describeLogGroups(c *call, in *describeLogGroupsInput) (*describeLogGroupsOutput, *apiError) {
	if refusal := in.check(); refusal != nil {
		return nil, refusal
	}
	var all []*LogGroup
	for _, r := range c.visibleRegions(in) {
		all = append(all, slices.DeleteFunc(r.logGroups(), func(g *LogGroup) bool { return !in.wants(g) })...)
	}
	slices.SortFunc(all, func(x, y *LogGroup) int { return strings.Compare(x.sortKey(), y.sortKey()) })
	page, next, refusal := paginate(all, (*LogGroup).sortKey, paging{token: in.NextToken, size: in.Limit, most: 50})
	if refusal != nil {
		return nil, refusal
	}
	out := &describeLogGroupsOutput{LogGroups: make([]logGroupShape, len(page)), NextToken: next}
	for i, g := range page {
		out.LogGroups[i] = g.shape(in.LogGroupNamePattern != "")
	}
	return out, nil
}

func (in *describeLogGroupsInput) check() *apiError {
	filters := in.LogGroupNamePrefix != "" || in.LogGroupNamePattern != "" || in.LogGroupClass != "" || len(in.AccountIdentifiers) > 0
	switch {
	case in.LogGroupNamePrefix != "" && in.LogGroupNamePattern != "":
		return invalidParameter("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	case in.LogGroupNamePrefix != "" && !isGroupName(in.LogGroupNamePrefix):
		return violation(in.LogGroupNamePrefix, "logGroupNamePrefix", `Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`)
	case len(in.AccountIdentifiers) > 20:
		return violation(in.AccountIdentifiers, "accountIdentifiers", "Member must have length less than or equal to 20")
	case len(in.AccountIdentifiers) > 0 && !in.IncludeLinkedAccounts:
		return invalidParameter("accountIdentifiers can be specified only if includeLinkedAccounts is true.")
	case len(in.LogGroupIdentifiers) > 0 && filters:
		return invalidParameter("logGroupIdentifiers can be combined with includeLinkedAccounts only.")
	case in.LogGroupClass != "" && !slices.Contains([]string{Standard, InfrequentAccess, Essentials, Delivery}, in.LogGroupClass):
		return violation(in.LogGroupClass, "logGroupClass", "Member must satisfy enum value set: [STANDARD, INFREQUENT_ACCESS, ESSENTIALS, DELIVERY]")
	}
	return nil
}

// visibleRegions are the caller's region and, if asked for, the linked ones.
func (c *call) visibleRegions(in *describeLogGroupsInput) []*Region {
	regions := []*Region{c.region}
	if in.IncludeLinkedAccounts {
		regions = append(regions, c.region.linked()...)
	}
	if len(in.AccountIdentifiers) == 0 {
		return regions
	}
	return slices.DeleteFunc(regions, func(r *Region) bool { return !slices.Contains(in.AccountIdentifiers, r.account.id) })
}

func (in *describeLogGroupsInput) wants(g *LogGroup) bool {
	class := in.LogGroupClass == "" || in.LogGroupClass == g.opts.Class ||
		isInfrequent(in.LogGroupClass) && isInfrequent(g.opts.Class)
	named := len(in.LogGroupIdentifiers) == 0 ||
		slices.Contains(in.LogGroupIdentifiers, g.name) || slices.Contains(in.LogGroupIdentifiers, g.ARN())
	return class && named && strings.HasPrefix(g.name, in.LogGroupNamePrefix) && strings.Contains(g.name, in.LogGroupNamePattern) &&
		g.created <= g.region.account.w.nowMillis()
}

// isInfrequent holds for the classes that DescribeLogGroups lists together.
func isInfrequent(class string) bool { return class == InfrequentAccess || class == Essentials }

func (g *LogGroup) sortKey() string { return g.name + "\x00" + g.region.account.id }

// shape shows the group. Asked for by pattern, AWS returns three members only.
func (g *LogGroup) shape(byPattern bool) logGroupShape {
	s := logGroupShape{Arn: g.ARN() + ":*", LogGroupName: g.name, CreationTime: g.created}
	if byPattern {
		return s
	}
	bytes, none := g.storedBytes(), 0
	s.LogGroupArn, s.LogGroupClass, s.RetentionInDays = g.ARN(), g.opts.Class, g.opts.RetentionDays
	s.StoredBytes, s.MetricFilterCount = &bytes, &none
	return s
}

func (g *LogGroup) storedBytes() int64 {
	now := g.region.account.w.nowMillis()
	g.mu.RLock()
	defer g.mu.RUnlock()
	var n int64
	for _, st := range g.streams {
		_, noise := st.noiseBetween(g.created, now, now)
		n += st.bytes + int64(noise)
	}
	return n
}
