package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// An AWSAuthFile is an aws-auth ConfigMap to be checked before it is applied,
// and what is known of the cluster that it is meant for. All but Text may be
// zero.
type AWSAuthFile struct {
	Text    []byte // as it came, which may be no UTF-8
	Mode    authlog.AuthMode
	Account string // of the cluster
	Region  string // of the cluster
	// Granted are canonical ARNs that got in lately, and not by an access entry
	// or as the creator: those whom the file would deny are named.
	Granted []string
}

// A Linter checks aws-auth as the authenticator reads it. It keeps nothing of
// it, and is safe to share.
type Linter interface {
	LintAWSAuth(f AWSAuthFile) LintReport
}

// A LintReport is what a Linter found, in any of its forms: json, text or
// sarif.
type LintReport interface {
	Write(w io.Writer, form string) error
}

func lintParams() []param {
	return []param{{name: "cluster"}, {name: "account"}, {name: "region"}, {name: "mode"}, {name: "would_lock_out"}}
}

// lint checks an aws-auth. Nothing of it is stored or logged.
func lint(cfg *Config) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		doc, err := cfg.lintReport(r)
		if err != nil {
			fail(w, r, err)
			return
		}
		w.Header().Add("Vary", "Accept")
		reply(w, r, http.StatusOK, doc)
	}
}

func (cfg *Config) lintReport(r *http.Request) (doc document, err error) {
	if cfg.Linter == nil {
		return doc, plain(http.StatusNotImplemented, "this service does not check aws-auth")
	}
	q, err := parseQuery(r.URL.RawQuery, lintParams()...)
	if err != nil {
		return doc, err
	}
	f, err := cfg.fileFor(r, q)
	if err != nil {
		return doc, err
	}
	form, err := formFor(r, "application/json", "text/plain", "application/sarif+json")
	if err != nil {
		return doc, err
	}
	f.Text, err = bodyOf(r, "analyzer lint aws-auth checks a file of any size", "an aws-auth ConfigMap, in YAML or JSON")
	if err != nil {
		return doc, err
	}
	name := map[string]string{"application/json": "json", "text/plain": "text", "application/sarif+json": "sarif"}[form]
	var body bytes.Buffer
	err = cfg.Linter.LintAWSAuth(f).Write(&body, name)
	if strings.HasPrefix(form, "text/") {
		form += "; charset=utf-8"
	}
	return document{mediaType: form, body: body.Bytes()}, err
}

// fileFor is what is known of the cluster that a file is meant for: by its
// name, or by the parameters alone.
func (cfg *Config) fileFor(r *http.Request, q query) (f AWSAuthFile, err error) {
	if f.Mode, err = q.mode(); err != nil {
		return f, err
	}
	lockOut, err := q.flag("would_lock_out")
	if err != nil {
		return f, err
	}
	if q.get("cluster") == "" {
		if lockOut {
			return f, plain(http.StatusBadRequest, "would_lock_out needs the parameter cluster: it is the log of that cluster that tells who gets in")
		}
		f.Account, f.Region = q.get("account"), q.get("region")
		return f, q.accountAndRegion()
	}
	c, err := cfg.named(r, q, q.get("cluster"))
	if err != nil {
		return f, err
	}
	f.Account, f.Region = c.Cluster.Account, c.Cluster.Region
	if f.Mode == "" {
		f.Mode = cfg.facts(c.Cluster).Mode
	}
	if lockOut {
		var known *authlog.Access
		if cfg.Access != nil {
			known = cfg.Access.Access(c.Cluster)
		}
		f.Granted, err = NeedAWSAuth(r.Context(), cfg.Store, c.Cluster, known, cfg.Now().Add(-GrantedFor))
	}
	return f, err
}

// GrantedFor is how long ago a principal may have got in to be one that a file
// would lock out.
const GrantedFor = 24 * time.Hour

// Lately is what NeedAWSAuth asks of a store; see Store.
type Lately interface {
	Principals(ctx context.Context, f authlog.PrincipalFilter) ([]authlog.PrincipalSummary, error)
	Diagnoses(ctx context.Context, f authlog.DiagnosisFilter) ([]authlog.Diagnosis, error)
}

// NeedAWSAuth lists the principals that got in to a cluster since then and whom
// aws-auth alone can let in, the one heard of last first. What the cluster
// allows may be nil: not known.
func NeedAWSAuth(ctx context.Context, store Lately, c authlog.Cluster, known *authlog.Access, since time.Time) ([]string, error) {
	arns, err := grantedSince(ctx, store, c, since)
	if err != nil {
		return nil, err
	}
	var told authlog.Creator
	if known != nil {
		told = known.Creator
	}
	who, err := creatorOf(ctx, store, c, &told)
	if err != nil {
		return nil, err
	}
	if who == nil || who.Confidence == string(authlog.ConfidenceLow) { // several may be it
		return known.NeedAWSAuth(arns, ""), nil
	}
	return known.NeedAWSAuth(arns, who.ARN), nil
}

// grantedSince lists the principals that got in to a cluster since then, the one
// heard of last first. AWS's own need no mapping and are left out.
func grantedSince(ctx context.Context, store Lately, c authlog.Cluster, since time.Time) (arns []string, err error) {
	f := authlog.PrincipalFilter{Cluster: c.Name, Account: c.Account, Region: c.Region, Start: since, Limit: maxPrincipals}
	for {
		found, err := store.Principals(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if p := &found[i]; !p.LastGrant.Before(since) && !p.Principal.Benign && p.Principal.ARN != "" {
				arns = append(arns, p.Principal.ARN)
			}
		}
		if len(found) < f.Limit {
			return arns, nil
		}
		f.After = found[len(found)-1].Place()
	}
}
