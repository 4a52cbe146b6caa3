package access

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"golang.org/x/time/rate"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// people looks roles and users up in IAM and keeps the answers for the TTL.
type people struct {
	client  *iam.Client
	limit   *rate.Limiter
	account string
	ttl     time.Duration

	mu    sync.Mutex
	known map[string]person  // by canonical ARN
	fails map[string]failure // by action; the last call's, where that failed
	sso   []person
	ssoAt time.Time
}

// failure is a call that did not work, and until when it is not tried again.
type failure struct {
	err   error
	until time.Time
	arn   string // of whom it asked; empty for the list
}

// failurePause is how long a call that failed for another reason than a
// permission is not tried again.
const failurePause = 30 * time.Second

// person is what IAM knows of a role or user.
type person struct {
	exists  authlog.Answer // "" where IAM was not or cannot be asked
	arn     string         // with its path
	created time.Time
	at      time.Time // when IAM was asked
}

func newPeople(client *iam.Client, limit *rate.Limiter, cfg Config) *people {
	return &people{client: client, limit: limit, account: cfg.Account, ttl: cfg.ttl(), known: map[string]person{}, fails: map[string]failure{}}
}

// find looks up a canonical ARN of the reader's own account; of others it
// knows nothing.
func (p *people) find(ctx context.Context, arn string) (person, error) {
	return p.findSince(ctx, arn, time.Time{})
}

// findSince is find with an answer that is not older than since.
func (p *people) findSince(ctx context.Context, arn string, since time.Time) (person, error) {
	kind, name := kindAndName(arn)
	action := map[string]string{"role": actionGetRole, "user": actionGetUser}[kind]
	if accountOf(arn) != p.account || name == "" || action == "" {
		return person{}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if who, ok := p.known[arn]; ok && time.Since(who.at) < p.ttl && !who.at.Before(since) {
		return who, nil
	}
	if err := p.paused(action); err != nil {
		return person{}, err
	}
	began := time.Now()
	who, err := p.ask(ctx, kind, name)
	if p.note(ctx, action, arn, err); err != nil {
		return person{}, err
	}
	who.at = began
	// A role or user of the same name that has another path is another one.
	if who.exists == authlog.Yes && !strings.EqualFold(authlog.CanonicalARN(who.arn), arn) {
		who = person{exists: authlog.No, at: who.at}
	}
	p.known[arn] = who
	return who, nil
}

// note keeps how the last call of an action went. p.mu is held.
func (p *people) note(ctx context.Context, action, arn string, err error) {
	switch {
	case err == nil:
		delete(p.fails, action)
	case refused(err):
		p.fails[action] = failure{err, time.Now().Add(p.ttl), arn}
	case ctx.Err() == nil:
		p.fails[action] = failure{err, time.Now().Add(min(failurePause, p.ttl)), arn}
	}
}

// retry asks again for whom a call failed some time ago, or the failure would
// be told of for as long as nobody else is asked for.
func (p *people) retry(ctx context.Context) {
	p.mu.Lock()
	var again []string
	for _, f := range p.fails {
		if f.arn != "" && !time.Now().Before(f.until) {
			again = append(again, f.arn)
		}
	}
	p.mu.Unlock()
	for _, arn := range again {
		_, _ = p.find(ctx, arn) // noted
	}
}

// paused gives the error of an action that is not to be tried yet. p.mu is
// held.
func (p *people) paused(action string) error {
	if f, ok := p.fails[action]; ok && time.Now().Before(f.until) {
		return f.err
	}
	return nil
}

// failures are the actions whose last call failed.
func (p *people) failures() map[string]error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]error{}
	for action, f := range p.fails {
		out[action] = f.err
	}
	return out
}

func (p *people) ask(ctx context.Context, kind, name string) (person, error) {
	who := person{exists: authlog.Yes}
	var err error
	if kind == "role" {
		var out *iam.GetRoleOutput
		out, err = call(ctx, p.limit, func(ctx context.Context) (*iam.GetRoleOutput, error) {
			return p.client.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(name)})
		})
		if err == nil && out.Role != nil {
			who.arn, who.created = aws.ToString(out.Role.Arn), utc(out.Role.CreateDate)
		}
	} else {
		var out *iam.GetUserOutput
		out, err = call(ctx, p.limit, func(ctx context.Context) (*iam.GetUserOutput, error) {
			return p.client.GetUser(ctx, &iam.GetUserInput{UserName: aws.String(name)})
		})
		if err == nil && out.User != nil {
			who.arn, who.created = aws.ToString(out.User.Arn), utc(out.User.CreateDate)
		}
	}
	if err != nil && absent(err) {
		return person{exists: authlog.No}, nil
	}
	return who, err
}

// answered says whether IAM has answered anything.
func (p *people) answered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.ssoAt.IsZero() || len(p.known) > 0
}

const ssoPath = "/aws-reserved/sso.amazonaws.com/"

// ssoRoles lists the roles of IAM Identity Center in the account, as they were
// at since or are later.
func (p *people) ssoRoles(ctx context.Context, since time.Time) ([]person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ssoAt.IsZero() && time.Since(p.ssoAt) < p.ttl && !p.ssoAt.Before(since) {
		return p.sso, nil
	}
	if err := p.paused(actionListRoles); err != nil {
		return nil, err
	}
	began := time.Now()
	var roles []person
	pages := iam.NewListRolesPaginator(p.client, &iam.ListRolesInput{PathPrefix: aws.String(ssoPath)})
	for pages.HasMorePages() {
		page, err := call(ctx, p.limit, func(ctx context.Context) (*iam.ListRolesOutput, error) { return pages.NextPage(ctx) })
		if p.note(ctx, actionListRoles, "", err); err != nil {
			return nil, err
		}
		for _, role := range page.Roles {
			roles = append(roles, person{exists: authlog.Yes, arn: aws.ToString(role.Arn), created: utc(role.CreateDate)})
		}
	}
	p.sso, p.ssoAt = roles, began
	return roles, nil
}
