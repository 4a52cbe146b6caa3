package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
	"github.com/eks-authlog/eks-authlog/internal/authlog"
)

// Files is what somebody has at hand of a cluster's configuration, without
// access to the cluster. It is safe for concurrent use.
type Files struct {
	access *authlog.Access
	auth   *authSnapshot
}

// ReadFiles takes the aws-auth ConfigMap in any form that awsauth.Lint reads,
// and the answers of `aws eks list-access-entries`, `describe-access-entry`,
// `list-associated-access-policies` and `describe-cluster`, one after the other
// or in a JSON array. Either may be nil: not known. A mode that is given wins
// over that of describe-cluster. The error says what cannot be read.
func ReadFiles(c authlog.Cluster, mode authlog.AuthMode, awsAuth, entries []byte) (*Files, error) {
	f := &Files{access: &authlog.Access{Cluster: c, Mode: mode, Read: time.Now().UTC()}, auth: &authSnapshot{}}
	if len(bytes.TrimSpace(entries)) > 0 {
		if err := f.readEntries(entries); err != nil {
			return nil, fmt.Errorf("access entries: %w", err)
		}
	}
	if len(bytes.TrimSpace(awsAuth)) > 0 {
		o := Options(f.access)
		report := awsauth.Lint(awsAuth, o)
		if report.Refused {
			return nil, errors.New("aws-auth: " + report.Findings[0].Message)
		}
		f.auth = &authSnapshot{known: true, exists: true, at: f.access.Read, data: awsauth.Data(awsAuth), report: report}
	}
	return f, nil
}

// answers are those of the AWS CLI that tell of access entries.
type answers struct {
	List     []string         `json:"accessEntries"`
	Entry    *entryAnswer     `json:"accessEntry"`
	Cluster  *clusterAnswer   `json:"cluster"`
	Of       string           `json:"principalArn"`
	Policies *[]policyAnswers `json:"associatedAccessPolicies"`
}

type entryAnswer struct {
	ARN      string   `json:"principalArn"`
	Type     string   `json:"type"`
	Username string   `json:"username"`
	Groups   []string `json:"kubernetesGroups"`
	Created  cliTime  `json:"createdAt"`
	Modified cliTime  `json:"modifiedAt"`
}

type clusterAnswer struct {
	Access struct {
		Mode authlog.AuthMode `json:"authenticationMode"`
	} `json:"accessConfig"`
	RoleARN string `json:"roleArn"`
}

type policyAnswers struct {
	ARN   string `json:"policyArn"`
	Scope struct {
		Type       string   `json:"type"`
		Namespaces []string `json:"namespaces"`
	} `json:"accessScope"`
}

// cliTime is a time as the AWS CLI writes it: version 2 in ISO 8601, version 1
// in seconds.
type cliTime struct{ time.Time }

// UnmarshalJSON reads both forms.
func (t *cliTime) UnmarshalJSON(text []byte) error {
	if seconds := 0.0; json.Unmarshal(text, &seconds) == nil {
		t.Time = time.UnixMilli(int64(seconds * 1000)).UTC()
		return nil
	}
	return json.Unmarshal(text, &t.Time)
}

func (f *Files) readEntries(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	for {
		var raw json.RawMessage
		switch err := dec.Decode(&raw); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("no JSON of the AWS CLI: %w", err)
		}
		list := []json.RawMessage{raw}
		if raw[0] == '[' {
			if err := json.Unmarshal(raw, &list); err != nil {
				return err
			}
		}
		for _, one := range list {
			if err := f.take(one); err != nil {
				return err
			}
		}
	}
}

// take reads one answer.
func (f *Files) take(raw json.RawMessage) error {
	var a answers
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("no answer of the AWS CLI: %w", err)
	}
	switch {
	case a.Cluster != nil:
		if f.access.Mode == "" {
			f.access.Mode = a.Cluster.Access.Mode
		}
		f.access.RoleARN = a.Cluster.RoleARN
		return nil
	case a.Entry != nil && a.Entry.ARN != "":
		e := f.entry(a.Entry.ARN)
		e.Type, e.Username, e.Groups = a.Entry.Type, a.Entry.Username, a.Entry.Groups
		e.Created, e.Modified = a.Entry.Created.UTC(), a.Entry.Modified.UTC()
	case a.Policies != nil && a.Of != "":
		e := f.entry(a.Of)
		e.Policies = []authlog.AccessPolicy{}
		for _, p := range *a.Policies {
			e.Policies = append(e.Policies, authlog.AccessPolicy{ARN: p.ARN, Scope: p.Scope.Type, Namespaces: p.Scope.Namespaces})
		}
	case a.List != nil:
		for _, arn := range a.List {
			f.entry(arn)
		}
		f.access.EntriesRead = f.access.Read // all of them are known now
	default:
		return errors.New("an answer is none of list-access-entries, describe-access-entry, list-associated-access-policies and describe-cluster")
	}
	return nil
}

// entry is that of an ARN, made where there is none.
func (f *Files) entry(arn string) *authlog.AccessEntry {
	for i := range f.access.Entries {
		if f.access.Entries[i].ARN == arn {
			return &f.access.Entries[i]
		}
	}
	f.access.Entries = append(f.access.Entries, authlog.AccessEntry{ARN: arn})
	return &f.access.Entries[len(f.access.Entries)-1]
}

// Explain says what the files hold for one principal, as Reader.Explain does.
func (f *Files) Explain(p authlog.Principal, at time.Time) *authlog.AccessVerdict {
	q := &question{a: f.access, auth: f.auth, p: p, at: at}
	return q.ask()
}

// Facts is what a diagnosis takes of the files.
func (f *Files) Facts() authlog.ClusterFacts {
	a := *f.access
	if f.auth.known {
		a.Broken = f.auth.faults(&a)
	}
	facts := a.Facts()
	facts.Logging, facts.Status = "", ""
	if i := strings.Index(facts.RoleARN, ":iam:"); i < 0 {
		facts.RoleARN = ""
	}
	return facts
}
