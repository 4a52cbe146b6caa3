package store_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

// What a file of the first schema holds is found in the second: a denial of an
// hour ago, grants of two hours, and one of AWS's own.
func TestAFileOfTheFirstSchemaIsTakenOver(t *testing.T) {
	path := dbPath(t)
	if err := os.MkdirAll(path[:len(path)-len("/authlog.db")], 0o750); err != nil {
		t.Fatal(err)
	}
	db := raw(t, path)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations/sqlite"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	hour := noon.Unix() / 3600
	ms := func(d time.Duration) int64 { return noon.Add(d).UnixMilli() }
	id := authlog.NewID(noon.Add(-time.Hour), keyOf("denied"))
	for _, stmt := range []struct {
		query string
		args  []any
	}{
		{"PRAGMA application_id = 1701540705", nil},
		{`INSERT INTO word (id, text, used) VALUES (1, '', 30000), (2, 'arn:aws:iam::111122223333:role/a', 30000), (3, 'role', 30000),
			(4, 'AROA1', 30000), (5, 'dev', 30000), (6, '111122223333', 30000), (7, 'arn_not_mapped', 30000), (8, 'aws', 30000)`, nil},
		{"INSERT INTO cluster (id, name, account, region, last_event, last_denial) VALUES (1, ?, ?, ?, 0, 0)", []any{alpha.Name, alpha.Account, alpha.Region}},
		{
			`INSERT INTO grant_hour (hour, cluster, principal, kind, user_id, username, groups, n, first, last) VALUES
			(?1 - 2, 1, 2, 3, 4, 5, 1, 3, ?2, ?3), (?1, 1, 2, 3, 4, 5, 1, 1, ?4, ?4), (?1, 1, 8, 8, 1, 5, 1, 1, ?4, ?4)`,
			[]any{hour, ms(-2 * time.Hour), ms(-time.Hour - time.Minute), ms(time.Minute)},
		},
		{`INSERT INTO denial (id, cluster, reason, principal, stream, kind, account, sts_endpoint, benign, session, user_id, access_key_id, client, error, raw)
			VALUES (?, 1, 7, 2, 1, 3, 6, 1, 0, '', '', '', '', '', x'')`, []any{id[:]}},
		{"INSERT INTO denied (cluster, principal, reason, last) VALUES (1, 2, 7, ?)", []any{ms(-time.Hour)}},
		{"INSERT INTO denial_hour (hour, cluster, reason, principal, n) VALUES (? - 1, 1, 7, 2, 1)", []any{hour}},
	} {
		if _, err := db.ExecContext(t.Context(), stmt.query, stmt.args...); err != nil {
			t.Fatalf("%v in %s", err, stmt.query)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	s := open(t, path)
	role := authlog.Principal{ARN: "arn:aws:iam::111122223333:role/a", Kind: authlog.PrincipalRole, UserID: "AROA1"}
	own := authlog.Principal{ARN: "aws", Kind: authlog.PrincipalAWS, Benign: true}
	minute := noon.Add(time.Minute)
	spans, err := s.GrantSpans(t.Context(), alpha, noon.Add(-5*time.Hour), noon.Add(-5*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "grants", []authlog.GrantSpan{
		{Principal: role, Username: "dev", Count: 3, First: noon.Add(-2 * time.Hour), Last: noon.Add(-time.Hour - time.Minute)},
		{Principal: role, Username: "dev", Count: 1, First: minute, Last: minute},
		{Principal: own, Username: "dev", Count: 1, First: minute, Last: minute},
	}, spans)
	found, err := s.Principals(t.Context(), authlog.PrincipalFilter{ARN: role.ARN, Limit: 9})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	got := found[0]
	if got.Grants != 4 || !got.FirstGrant.Equal(noon.Add(-2*time.Hour)) || !got.LastGrant.Equal(minute) || got.Denials != 1 ||
		got.LastDenial.Before(noon.Add(-time.Hour)) || !got.LastDenial.Before(noon) || len(got.Reasons) != 1 || len(got.Identities) != 2 {
		t.Errorf("principal %+v", got)
	}
	old, err := s.DenialSpans(t.Context(), alpha, noon.Add(-2*time.Hour), noon)
	if err != nil || len(old) != 1 || old[0].Count != 1 || old[0].ARN != role.ARN || old[0].Account != "111122223333" {
		t.Errorf("denials %+v %v", old, err)
	}
	save(t, s, authlog.Batch{Denials: []authlog.Denial{denial(alpha, noon, 1)}})
	changes, err := s.Changes(t.Context(), 0, 9)
	if err != nil || len(changes) != 2 || changes[0].Denial.ID != id || changes[0].Place >= changes[1].Place {
		t.Errorf("changes %+v %v", changes, err)
	}
}

// What is asked all the time reads an index, not the table.
func TestNoQuestionReadsAWholeTable(t *testing.T) {
	path := dbPath(t)
	open(t, path)
	db := raw(t, path)
	place := authlog.DiagnosisPlace{LastSeen: noon, ID: "x"}
	for name, c := range map[string]struct {
		query string
		args  []any
		want  string
	}{
		"clusters":            {store.ClustersQuery, []any{1, []byte{1}, 1, []byte{1}}, "denial_hour USING PRIMARY KEY (hour>?)"},
		"grants to restore":   {store.GrantSpansQuery, []any{1, 1, 1}, "grant_hour USING PRIMARY KEY (cluster=? AND hour>?)"},
		"hours to prune":      {store.PruneGrantHours, []any{1, 1}, "USING PRIMARY KEY (cluster=? AND hour<?)"},
		"open diagnoses":      diagnosesPlan(authlog.DiagnosisFilter{State: authlog.DiagnosisOpen, TopOnly: true, Codes: []string{"a", "b"}}, "diagnosis_state"),
		"all diagnoses":       diagnosesPlan(authlog.DiagnosisFilter{After: place}, "diagnosis_last"),
		"diagnoses of an ARN": diagnosesPlan(authlog.DiagnosisFilter{Subject: "arn"}, "diagnosis_subject"),
	} {
		plan := strings.Join(ask(t, db, "EXPLAIN QUERY PLAN "+c.query, c.args...), "\n")
		if !strings.Contains(plan, c.want) {
			t.Errorf("%s: %s, want %s", name, plan, c.want)
		}
	}
}

func diagnosesPlan(f authlog.DiagnosisFilter, index string) (c struct {
	query string
	args  []any
	want  string
},
) {
	f.Limit = 100
	c.query, c.args = store.DiagnosesQuery(f)
	c.want = index
	return c
}
