package source

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Why a query's answer is of no use as it is.
var (
	// errOverflow: the rows of the first second alone exceed the limit.
	errOverflow = errors.New("more lines in one second than a query returns")
	// errTooMuch: the query took longer than AWS or we allow.
	errTooMuch = errors.New("query took too long")
	// errFailed: AWS failed, the same query may work.
	errFailed = errors.New("query failed")
)

// AWS's codes for a request that it will never answer because of one of its
// log groups.
const (
	codeNotFound  = "ResourceNotFoundException"
	codeMalformed = "MalformedQueryException"
	codeInvalid   = "InvalidParameterException"
)

// narrow asks for the job in smaller parts after err, which stopped it at
// j.from, and returns what is then left of it.
func (r *reader) narrow(ctx context.Context, j job, err error) job {
	first, rest := j, j
	switch {
	case errors.Is(err, errOverflow):
		first.to = j.from.Add(time.Second)
		rest.from = first.to
		rest.targets = r.parts(ctx, first, err)
	case errors.Is(err, errTooMuch):
		half := (j.to.Sub(j.from) / 2).Truncate(time.Second)
		first.to = j.from.Add(max(half, time.Second))
		rest.from = first.to
		if half > 0 {
			rest.targets = r.work(ctx, first)
		} else {
			rest.targets = r.parts(ctx, first, err)
		}
	case oneGroup(err):
		return r.isolate(ctx, j, err)
	default:
		r.fail(j, err)
		return job{}
	}
	return rest
}

// parts reads the job as two with half of the streams each.
func (r *reader) parts(ctx context.Context, j job, err error) []authlog.Target {
	a, b, ok := halve(j.targets)
	if !ok {
		return r.single(ctx, j, err)
	}
	left, right := j, j
	left.targets, right.targets = a, b
	return join(r.work(ctx, left), r.work(ctx, right))
}

// single reads one second of one stream that no query could answer, page by
// page with FilterLogEvents. The log classes that do not know that operation
// get the longest query there is.
func (r *reader) single(ctx context.Context, j job, err error) []authlog.Target {
	overflow := errors.Is(err, errOverflow)
	switch {
	case j.targets[0].Group.Class == string(types.LogGroupClassStandard):
		if overflow {
			sh := r.known()
			r.meter.Overflow(sh.Account, sh.Region)
		}
		if _, err = r.filter(ctx, j); err == nil {
			return j.targets
		}
	case overflow && j.limit < maxRows:
		j.limit = maxRows
		return r.work(ctx, j)
	}
	r.fail(j, blame(j.targets[0].Group, err))
	return nil
}

// oneGroup reports whether err may be the fault of one log group alone.
func oneGroup(err error) bool {
	switch code(err) {
	case codeNotFound, codeMalformed, codeInvalid:
		return true
	}
	access, ok := errors.AsType[*authlog.AccessError](err)
	return ok && access.Action == "logs:"+opStartQuery
}

// isolate finds the log group that err is about, leaves it out, and returns
// what is left of the job. The group that AWS names is read alone, to be sure;
// where it names none, halves of the groups are tried.
func (r *reader) isolate(ctx context.Context, j job, err error) job {
	if len(j.targets) == 1 {
		r.fail(j, blame(j.targets[0].Group, err))
		return job{}
	}
	one, others := j, j
	if i, ok := accused(j.targets, err); ok {
		one.targets, others.targets = j.targets[i:i+1], slices.Concat(j.targets[:i], j.targets[i+1:])
	} else {
		mid := len(j.targets) / 2
		one.targets, others.targets = j.targets[:mid], j.targets[mid:]
	}
	j.targets = join(r.work(ctx, one), r.work(ctx, others))
	j.from = j.to
	return j
}

// groupName finds log groups in AWS's messages.
var groupName = regexp.MustCompile(`/aws/eks/[A-Za-z0-9_.-]+/cluster`)

// accused is the index of the target whose log group AWS's message names; ok is
// false unless there is exactly one.
func accused(targets []authlog.Target, err error) (index int, ok bool) {
	found := 0
	said := groupName.FindAllString(err.Error(), -1)
	for i, t := range targets {
		if slices.Contains(said, t.Group.Cluster.LogGroup()) {
			index = i
			found++
		}
	}
	return index, found == 1
}

// blame says which log group AWS refused.
func blame(g authlog.Group, err error) error {
	if access, ok := errors.AsType[*authlog.AccessError](err); ok {
		fill(&access.Resource, g.ARN)
		return access
	}
	if code(err) == codeNotFound {
		return &authlog.GoneError{LogGroup: g.ARN, Err: err}
	}
	return fmt.Errorf("read %s: %w", g.ARN, err)
}
