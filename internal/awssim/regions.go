package awssim

import "slices"

// defaultRegions are the regions that every account of the partition aws has.
func defaultRegions() []string {
	return []string{
		"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
		"ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3",
		"sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
	}
}

// optInRegions are some of those that an account must opt in to.
func optInRegions() []string {
	return []string{"af-south-1", "ap-east-1", "ca-west-1", "eu-central-2", "eu-south-1", "il-central-1", "me-central-1", "me-south-1"}
}

type listRegionsInput struct {
	MaxResults              int      `json:"MaxResults"`
	NextToken               string   `json:"NextToken"`
	RegionOptStatusContains []string `json:"RegionOptStatusContains"`
}

type regionStatus struct {
	RegionName      string `json:"RegionName"`
	RegionOptStatus string `json:"RegionOptStatus"`
}

type listRegionsOutput struct {
	Regions   []regionStatus `json:"Regions"`
	NextToken string         `json:"NextToken,omitempty"`
}

// listRegions is account:ListRegions.
func listRegions(c *call, in *listRegionsInput) (*listRegionsOutput, *apiError) {
	var all []regionStatus
	for _, name := range slices.Sorted(slices.Values(append(defaultRegions(), optInRegions()...))) {
		status := "DISABLED"
		if slices.Contains(defaultRegions(), name) {
			status = "ENABLED_BY_DEFAULT"
		} else if c.account.enabled(name) != nil {
			status = "ENABLED"
		}
		if len(in.RegionOptStatusContains) == 0 || slices.Contains(in.RegionOptStatusContains, status) {
			all = append(all, regionStatus{name, status})
		}
	}
	byName := func(r regionStatus) string { return r.RegionName }
	page, next, refusal := paginate(all, byName, paging{token: in.NextToken, size: in.MaxResults, most: 50})
	if refusal != nil {
		return nil, refusal
	}
	return &listRegionsOutput{Regions: page, NextToken: next}, nil
}
