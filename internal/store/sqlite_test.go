package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/store"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		os.Exit(crash(path))
	}
	os.Exit(m.Run())
}

func TestSQLite(t *testing.T) {
	testStore(t, func(t *testing.T) func() tested {
		t.Helper()
		path := dbPath(t)
		return func() tested { return open(t, path) }
	})
}

func dbPath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "state", "authlog.db")
}

func open(t *testing.T, path string) *store.SQLite {
	t.Helper()
	s, err := store.Open(t.Context(), path, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// raw opens the file as any program could, for what no method shows.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// ask returns the rows of a query, each as its columns printed with a space
// between.
func ask(t *testing.T, db *sql.DB, query string, args ...any) (found []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row, into := make([]string, len(cols)), make([]any, len(cols))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprintf("%q", row))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSaveCountsGrantsByTheHour(t *testing.T) {
	path := dbPath(t)
	s := open(t, path)
	grant := func(at time.Duration, userID, username string, kind authlog.PrincipalKind) authlog.Grant {
		return authlog.Grant{
			Cluster: alpha, Time: noon.Add(at), Username: username, Groups: "[dev]",
			Principal: authlog.Principal{ARN: "arn:aws:iam::111122223333:role/a", Kind: kind, UserID: userID},
		}
	}
	save(t, s, authlog.Batch{Grants: []authlog.Grant{
		grant(20*time.Minute, "AROA1", "dev", "role"), grant(10*time.Minute, "AROA1", "dev", "role"),
		grant(0, "AROA2", "dev", "role"), grant(0, "AROA1", "ops", "role"), grant(0, "AROA1", "dev", "node"),
		grant(time.Hour, "AROA1", "dev", "role"),
	}})
	save(t, s, authlog.Batch{Grants: []authlog.Grant{grant(59*time.Minute, "AROA1", "dev", "role"), {Cluster: beta, Time: noon}}})

	got := ask(t, raw(t, path), `SELECT c.name, g.hour - ?1 / 3600, p.text, k.text, u.text, n.text, r.text, g.n,
			g.first / 1000 - ?1, g.last / 1000 - ?1
		FROM grant_hour g JOIN cluster c ON c.id = g.cluster JOIN word p ON p.id = g.principal JOIN word k ON k.id = g.kind
			JOIN word u ON u.id = g.user_id JOIN word n ON n.id = g.username JOIN word r ON r.id = g.groups
		ORDER BY c.name, g.hour, g.n DESC, u.text, n.text, k.text`, noon.Unix())
	same(t, "hourly grants", []string{
		`["alpha" "0" "arn:aws:iam::111122223333:role/a" "role" "AROA1" "dev" "[dev]" "3" "600" "3540"]`,
		`["alpha" "0" "arn:aws:iam::111122223333:role/a" "node" "AROA1" "dev" "[dev]" "1" "0" "0"]`,
		`["alpha" "0" "arn:aws:iam::111122223333:role/a" "role" "AROA1" "ops" "[dev]" "1" "0" "0"]`,
		`["alpha" "0" "arn:aws:iam::111122223333:role/a" "role" "AROA2" "dev" "[dev]" "1" "0" "0"]`,
		`["alpha" "1" "arn:aws:iam::111122223333:role/a" "role" "AROA1" "dev" "[dev]" "1" "3600" "3600"]`,
		`["beta" "0" "" "" "" "" "" "1" "0" "0"]`,
	}, got)
}

func TestSaveCountsDenialsByTheHour(t *testing.T) {
	path := dbPath(t)
	s := open(t, path)
	nobody := denial(alpha, noon, 3)
	nobody.Principal = nil
	b := authlog.Batch{Denials: []authlog.Denial{
		denial(alpha, noon, 1), denial(alpha, noon.Add(59*time.Minute), 2), nobody, denial(alpha, noon.Add(time.Hour), 1),
	}}
	save(t, s, b)
	b.Denials = append(b.Denials, denial(alpha, noon, 4))
	save(t, s, b)
	got := ask(t, raw(t, path), `SELECT h.hour - ?, r.text, ifnull(p.text, '-'), h.n FROM denial_hour h JOIN word r ON r.id = h.reason
		LEFT JOIN word p ON p.id = h.principal ORDER BY h.hour, h.n`, noon.Unix()/3600)
	same(t, "hourly denials", []string{
		`["0" "arn_not_mapped" "-" "1"]`,
		`["0" "arn_not_mapped" "arn:aws:iam::111122223333:role/deploy" "3"]`,
		`["1" "arn_not_mapped" "arn:aws:iam::111122223333:role/deploy" "1"]`,
	}, got)
}

func TestSaveKeepsMarkers(t *testing.T) {
	path := dbPath(t)
	s := open(t, path)
	m := authlog.Marker{
		ID: authlog.NewID(noon, keyOf(1)), Cluster: alpha, Stream: "authenticator-1", Time: noon,
		Code: "aws_auth_broken", Msg: "broken \xff", Raw: "raw \xff\x00",
	}
	save(t, s, authlog.Batch{Markers: []authlog.Marker{m}})
	got := ask(t, raw(t, path), `SELECT hex(m.id), c.name, k.text, s.text, m.msg, hex(m.raw) FROM marker m
		JOIN cluster c ON c.id = m.cluster JOIN word k ON k.id = m.code JOIN word s ON s.id = m.stream`)
	same(t, "markers", []string{
		fmt.Sprintf("%q", []string{fmt.Sprintf("%X", m.ID[:]), "alpha", "aws_auth_broken", "authenticator-1", "broken \uFFFD", fmt.Sprintf("%X", m.Raw)}),
	}, got)
}

func TestSaveKeepsTheNewestSamples(t *testing.T) {
	const kept = 1000
	path := dbPath(t)
	s := open(t, path)
	sample := func(c authlog.Cluster, code string, n int) authlog.Sample {
		at := noon.Add(time.Duration(n) * time.Millisecond)
		return authlog.Sample{ID: authlog.NewID(at, keyOf(c, code, n)), Cluster: c, Time: at, Code: code, Raw: strconv.Itoa(n)}
	}
	others := []authlog.Sample{sample(alpha, "unclassified", -1), sample(beta, "unreadable", -1)}
	save(t, s, authlog.Batch{Samples: others})
	// What comes late, in the second round, must push out older ones too.
	for round := range 2 {
		for first := 0; first < 1300; first += 100 {
			var b authlog.Batch
			for n := first + round; n < first+100; n += 2 {
				b.Samples = append(b.Samples, sample(alpha, "unreadable", n))
			}
			save(t, s, b)
		}
	}

	db := raw(t, path)
	got := ask(t, db, `SELECT count(*), min(CAST(CAST(raw AS TEXT) AS INTEGER)), max(CAST(CAST(raw AS TEXT) AS INTEGER))
		FROM sample s JOIN cluster c ON c.id = s.cluster JOIN word w ON w.id = s.code WHERE c.name = 'alpha' AND w.text = 'unreadable'`)
	same(t, "samples kept of 1300", []string{fmt.Sprintf("%q", []string{strconv.Itoa(kept), "300", "1299"})}, got)
	same(t, "samples of others", []string{`["2"]`}, ask(t, db, "SELECT count(*) FROM sample WHERE raw = CAST('-1' AS BLOB)"))
}

func TestPruneForgetsWordsNobodyUses(t *testing.T) {
	path := dbPath(t)
	s := open(t, path)
	save(t, s, authlog.Batch{
		Denials: []authlog.Denial{denial(alpha, noon, 1)},
		Grants:  []authlog.Grant{{Cluster: alpha, Time: noon, Username: "someone"}},
	})
	db := raw(t, path)
	if len(ask(t, db, "SELECT text FROM word WHERE text = 'someone'")) == 0 {
		t.Fatal("the username is not stored as a word")
	}
	if err := s.Prune(t.Context(), noon.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"denial", "denied", "denial_hour", "grant_hour"} {
		same(t, table, []string{`["0"]`}, ask(t, db, "SELECT count(*) FROM "+table))
	}
	if err := s.Prune(t.Context(), time.Now().Add(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	same(t, "words", []string{`["0"]`}, ask(t, db, "SELECT count(*) FROM word"))
}

func TestADenialNamesAClusterThatWasCommittedThisMoment(t *testing.T) {
	s := open(t, dbPath(t))
	if err := s.Save(t.Context(), authlog.Batch{Denials: []authlog.Denial{denial(alpha, noon, 1), denial(beta, noon, 2)}}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // known, and forgotten
		seen := map[authlog.Cluster]int{}
		for _, d := range denials(t, s, authlog.DenialFilter{Limit: 10}) {
			seen[d.Cluster]++
		}
		if seen[alpha] != 1 || seen[beta] != 1 || len(seen) != 2 {
			t.Errorf("denials by cluster: %v", seen)
		}
		s.ForgetClusters()
	}
}
