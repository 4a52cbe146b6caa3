package source

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/account/types"
)

// Regions asks which regions are enabled in the account of the credentials
// (account:ListRegions), in the order of AWS. A missing permission is an
// *authlog.AccessError.
func Regions(ctx context.Context, awscfg aws.Config) ([]string, error) {
	pages := account.NewListRegionsPaginator(account.NewFromConfig(awscfg), &account.ListRegionsInput{
		RegionOptStatusContains: []types.RegionOptStatus{types.RegionOptStatusEnabled, types.RegionOptStatusEnabledByDefault},
	})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the enabled regions: %w", typed(opListRegions, err))
		}
		for _, r := range page.Regions {
			names = append(names, aws.ToString(r.RegionName))
		}
	}
	return names, nil
}
