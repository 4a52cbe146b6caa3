package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/eks-authlog/eks-authlog/internal/client"
)

// A list is one of the API's, to be printed.
type list struct {
	member  string   // of the answers that has the rows
	columns []string // names
	narrow  int      // how many of the columns a table has: the first ones
	max     int      // most rows of one page; 0 where there is one page only
	page    func(ctx context.Context, limit *int, next *string) (page, error)
}

// A row is what one thing is, as the API wrote it, and its cells, one of each
// column: a string, int, time.Time or *time.Time.
type row struct {
	key   string // the same for the same thing
	raw   json.RawMessage
	cells []any
}

type page struct {
	rows []row
	next *string
}

// rows follows the pages until there are limit rows; all for 0.
func (l *list) rows(ctx context.Context, limit int) ([]row, error) {
	var all []row
	for next := (*string)(nil); ; {
		size := l.max
		if limit > 0 {
			size = min(size, limit-len(all))
		}
		p, err := l.page(ctx, &size, next)
		if err != nil {
			return nil, err
		}
		all = append(all, p.rows...)
		if limit > 0 && len(all) >= limit {
			return all[:limit], nil
		}
		if p.next == nil {
			return all, nil
		}
		next = p.next
	}
}

// pageOf makes a page of an answer's rows: as they were decoded, and as they
// were written.
func pageOf[T any](body []byte, member string, items []T, next *string, key func(*T) string, cells func(*T) []any) (page, error) {
	var doc map[string]json.RawMessage
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &doc); err != nil {
		return page{}, err
	}
	if err := json.Unmarshal(doc[member], &raw); err != nil || len(raw) != len(items) {
		return page{}, fmt.Errorf("the answer has no %s", member)
	}
	p := page{next: next}
	for i := range items {
		p.rows = append(p.rows, row{key: key(&items[i]), raw: raw[i], cells: cells(&items[i])})
	}
	return p, nil
}

func (a *asker) clusters(params client.ListClustersParams) *list {
	l := &list{member: "clusters", narrow: 8, columns: strings.Fields(
		"name account region status denials_24h principals_denied_24h last_denial last_event log_group")}
	l.page = func(ctx context.Context, _ *int, _ *string) (page, error) {
		res, err := a.api.ListClustersWithResponse(ctx, &params, asJSON)
		if err != nil {
			return page{}, a.unreachable(err)
		}
		if err := a.refused(res.HTTPResponse, res.ApplicationProblemJSONDefault, res.JSON200 != nil); err != nil {
			return page{}, err
		}
		return pageOf(res.Body, l.member, res.JSON200.Clusters, nil,
			func(c *client.Cluster) string { return strings.Join([]string{c.Name, c.Account, c.Region}, "/") },
			func(c *client.Cluster) []any {
				return []any{
					c.Name, c.Account, c.Region, string(c.Status), c.Denials24H,
					c.PrincipalsDenied24H, c.LastDenial, c.LastEvent, c.LogGroup,
				}
			})
	}
	return l
}

func (a *asker) denials(cluster string, params client.ListDenialsParams) *list {
	l := &list{member: "denials", max: 1000, narrow: 7, columns: strings.Fields(
		"time reason principal session who_acts account region " +
			"cluster id kind layer retryable sts_endpoint client error summary")}
	l.page = func(ctx context.Context, limit *int, next *string) (page, error) {
		params.Limit, params.Next = limit, next
		res, err := a.api.ListDenialsWithResponse(ctx, cluster, &params, asJSON)
		if err != nil {
			return page{}, a.unreachable(err)
		}
		if err := a.refused(res.HTTPResponse, res.ApplicationProblemJSONDefault, res.JSON200 != nil); err != nil {
			return page{}, err
		}
		return pageOf(res.Body, l.member, res.JSON200.Denials, res.JSON200.Next,
			func(d *client.Denial) string { return d.ID }, denialCells)
	}
	return l
}

func denialCells(d *client.Denial) []any {
	who := client.Principal{}
	if d.Principal != nil {
		who = *d.Principal
	}
	return []any{
		d.Time, d.Reason, who.ARN, who.Session, d.WhoActs, d.Account, d.Region,
		d.Cluster, d.ID, string(who.Kind), d.Layer, d.Retryable, d.STSEndpoint, d.Client, d.Error, d.Summary,
	}
}

// lockouts are those of one cluster, or of all for "". A name that no cluster
// has is refused, rather than taken for one that nobody is locked out of.
func (a *asker) lockouts(cluster string, params client.ListLockoutsParams) *list {
	l := &list{member: "lockouts", max: 500, narrow: 8, columns: strings.Fields(
		"last_seen severity state code cluster affected_total summary id " +
			"account region count subject confidence who_acts first_seen")}
	l.page = func(ctx context.Context, limit *int, next *string) (page, error) {
		params.Limit, params.Next = limit, next
		res, err := a.lockoutPage(ctx, cluster, &params)
		if err != nil {
			return page{}, a.unreachable(err)
		}
		if err := a.refused(res.HTTPResponse, res.ApplicationProblemJSONDefault, res.JSON200 != nil); err != nil {
			return page{}, err
		}
		return pageOf(res.Body, l.member, res.JSON200.Lockouts, res.JSON200.Next,
			func(d *client.Lockout) string { return d.ID }, lockoutCells)
	}
	return l
}

func (a *asker) lockoutPage(ctx context.Context, cluster string, params *client.ListLockoutsParams) (*client.ListLockoutsResponse, error) {
	if cluster == "" {
		return a.api.ListLockoutsWithResponse(ctx, params, asJSON)
	}
	res, err := a.api.ListClusterLockoutsWithResponse(ctx, cluster, &client.ListClusterLockoutsParams{
		State: (*client.ListClusterLockoutsParamsState)(params.State), Account: params.Account, Region: params.Region,
		Since: params.Since, Filter: params.Filter, Limit: params.Limit, Next: params.Next,
	}, asJSON)
	return (*client.ListLockoutsResponse)(res), err
}

func lockoutCells(d *client.Lockout) []any {
	return []any{
		d.LastSeen, string(d.Severity), string(d.State), d.Code, d.Cluster.Name, d.AffectedTotal, d.Summary, d.ID,
		d.Cluster.Account, d.Cluster.Region, d.Count, d.Subject, string(d.Confidence), d.WhoActs, d.FirstSeen,
	}
}

func (a *asker) principals(cluster string, params client.ListPrincipalsParams) *list {
	l := &list{member: "principals", max: 500, narrow: 9, columns: strings.Fields(
		"principal kind denials last_denial grants last_grant reasons account region " +
			"cluster first_denial first_grant sessions user_ids")}
	l.page = func(ctx context.Context, limit *int, next *string) (page, error) {
		params.Limit, params.Next = limit, next
		res, err := a.api.ListPrincipalsWithResponse(ctx, cluster, &params, asJSON)
		if err != nil {
			return page{}, a.unreachable(err)
		}
		if err := a.refused(res.HTTPResponse, res.ApplicationProblemJSONDefault, res.JSON200 != nil); err != nil {
			return page{}, err
		}
		return pageOf(res.Body, l.member, res.JSON200.Principals, res.JSON200.Next,
			func(p *client.PrincipalSummary) string {
				return strings.Join([]string{p.ARN, p.Cluster.Name, p.Cluster.Account, p.Cluster.Region}, " ")
			}, principalCells)
	}
	return l
}

func principalCells(p *client.PrincipalSummary) []any {
	var reasons []string
	for _, r := range p.Reasons {
		reasons = append(reasons, r.Reason)
	}
	return []any{
		p.ARN, string(p.Kind), p.Denials, p.LastDenial, p.Grants, p.LastGrant, strings.Join(reasons, " "),
		p.Cluster.Account, p.Cluster.Region, p.Cluster.Name, p.FirstDenial, p.FirstGrant,
		strings.Join(p.Sessions, " "), strings.Join(p.UserIds, " "),
	}
}

// asJSON asks for the form that is decoded, should the daemon prefer another.
func asJSON(_ context.Context, req *http.Request) error {
	req.Header.Set("Accept", "application/json")
	return nil
}
