package diagnose_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/eks-authlog/eks-authlog/internal/authlog"
	"github.com/eks-authlog/eks-authlog/internal/diagnose"
	"github.com/eks-authlog/eks-authlog/internal/parse"
	"github.com/eks-authlog/eks-authlog/internal/rules"
)

const incidentsDir = "../../testdata/incidents"

// An incident is a file of testdata/incidents: what is known of the cluster,
// and what its log had.
type incident struct {
	name    string
	archive *txtar.Archive
	cluster authlog.Cluster
	facts   authlog.ClusterFacts
	through time.Time
	ask     string
	lines   []authlog.Line
}

func incidents(t *testing.T) []*incident {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(incidentsDir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no incidents: %v", err)
	}
	var all []*incident
	for _, file := range files {
		all = append(all, readIncident(t, file))
	}
	return all
}

func readIncident(t *testing.T, file string) *incident {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := &incident{
		name: strings.TrimSuffix(filepath.Base(file), ".txtar"), archive: a,
		cluster: authlog.Cluster{Name: "prod", Account: "111122223333", Region: "eu-central-1"},
	}
	for key, value := range settings(in.section("settings")) {
		in.set(t, key, value)
	}
	if in.through.IsZero() {
		t.Fatalf("%s: settings: through is missing", in.name)
	}
	in.lines = in.readLines(t, in.section("lines"))
	in.readConfiguration(t)
	return in
}

// readConfiguration reads what the cluster's own configuration says: of
// principals, and what is wrong with aws-auth.
func (in *incident) readConfiguration(t *testing.T) {
	t.Helper()
	for name, into := range map[string]any{"configuration": &in.facts.Principals, "broken": &in.facts.Broken} {
		if text := in.section(name); text != "" {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				t.Fatalf("%s: %s: %v", in.name, name, err)
			}
		}
	}
}

func settings(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			all[key] = value
		}
	}
	return all
}

func (in *incident) section(name string) string {
	for _, f := range in.archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func (in *incident) setSection(name, text string) {
	for i, f := range in.archive.Files {
		if f.Name == name {
			in.archive.Files[i].Data = []byte(text)
			return
		}
	}
	in.archive.Files = append(in.archive.Files, txtar.File{Name: name, Data: []byte(text)})
}

func (in *incident) set(t *testing.T, key, value string) {
	t.Helper()
	switch key {
	case "cluster":
		in.cluster.Name = value
	case "account":
		in.cluster.Account = strings.TrimPrefix(value, "unknown")
	case "region":
		in.cluster.Region = value
	case "mode":
		in.facts.Mode = authlog.AuthMode(value)
	case "status":
		in.facts.Status = value
	case "logging":
		in.facts.Logging = authlog.Answer(value)
	case "optin":
		in.facts.OptIn = authlog.Answer(value)
	case "role":
		in.facts.RoleARN = value
	case "trusted":
		in.facts.Trusted = strings.Fields(value)
	case "creator":
		in.facts.Creator.ARN = value
	case "creator_source":
		in.facts.Creator.Source = value
	case "missing":
		in.facts.Missing = strings.Fields(value)
	case "creator_exists":
		in.facts.Creator.Exists = authlog.Answer(value)
	case "ask":
		in.ask = value
	case "through":
		at, err := time.Parse(time.RFC3339, value)
		if err != nil {
			t.Fatalf("%s: %v", in.name, err)
		}
		in.through = at
	default:
		t.Fatalf("%s: settings: what is %q?", in.name, key)
	}
}

// readLines reads "STREAM LINE" or "CLUSTER:STREAM LINE", one each, and
//
//	repeat N every DURATION
//	STREAM LINE
//	end
//
// which stands for the lines N times, with time= and what stands between two
// tildes later by the duration each time, and {n} counting from 100.
func (in *incident) readLines(t *testing.T, text string) []authlog.Line {
	t.Helper()
	var lines []authlog.Line
	var block []string
	n, every, inBlock := 0, time.Duration(0), false
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		line := s.Text()
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "repeat "):
			var step string
			if _, err := fmt.Sscanf(line, "repeat %d every %s", &n, &step); err != nil {
				t.Fatalf("%s: %q: %v", in.name, line, err)
			}
			every, inBlock = mustDuration(t, step), true
		case line == "end":
			for i := range n {
				for _, b := range block {
					lines = append(lines, in.line(t, later(t, b, time.Duration(i)*every, i)))
				}
			}
			block, inBlock = nil, false
		case inBlock:
			block = append(block, line)
		default:
			lines = append(lines, in.line(t, line))
		}
	}
	for i := range lines {
		lines[i].Time = lines[i].Time.Add(time.Duration(i%900) * time.Millisecond)
	}
	return lines
}

func mustDuration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var (
	ownTime = regexp.MustCompile(`time="[^"]*"`)
	tilded  = regexp.MustCompile(`~[^~]*~`)
)

func later(t *testing.T, line string, by time.Duration, n int) string {
	t.Helper()
	line = ownTime.ReplaceAllStringFunc(line, func(s string) string {
		at, err := time.Parse(`time="2006-01-02T15:04:05Z"`, s)
		if err != nil {
			t.Fatal(err)
		}
		return at.Add(by).Format(`time="2006-01-02T15:04:05Z"`)
	})
	line = tilded.ReplaceAllStringFunc(line, func(s string) string {
		for _, form := range []string{"2006-01-02 15:04:05 -0700 MST", "20060102T150405Z"} {
			if at, err := time.Parse(form, strings.Trim(s, "~")); err == nil {
				return at.Add(by).UTC().Format(form)
			}
		}
		t.Fatalf("%q is no time", s)
		return ""
	})
	return strings.ReplaceAll(line, "{n}", strconv.Itoa(100+n))
}

func (in *incident) line(t *testing.T, text string) authlog.Line {
	t.Helper()
	stream, raw, ok := strings.Cut(text, " ")
	if !ok {
		t.Fatalf("%s: %q has no stream", in.name, text)
	}
	l := authlog.Line{Cluster: in.cluster, Stream: "authenticator-" + stream, Text: raw}
	if other, s, ok := strings.Cut(stream, ":"); ok {
		l.Cluster.Name, l.Stream = other, "authenticator-"+s
	}
	ev := parse.Line(l)
	if ev.Kind == authlog.KindUnreadable {
		t.Fatalf("%s: not readable: %s", in.name, raw)
	}
	l.Time = ev.Logged
	return l
}

// A finding is a denial, a grant or a marker.
type finding struct {
	at     time.Time
	denial *authlog.Denial
	grant  *authlog.Grant
	marker *authlog.Marker
}

// find does what the pipeline does with a page of lines.
func find(lines []authlog.Line) []finding {
	events := make([]authlog.Event, len(lines))
	for i := range lines {
		events[i] = parse.Line(lines[i])
	}
	var join rules.Joiner
	who := join.Page(events)
	seen := map[authlog.Key]int{}
	var all []finding
	for i := range events {
		ev := &events[i]
		n := seen[authlog.KeyOf(&ev.Line, 0)]
		seen[authlog.KeyOf(&ev.Line, 0)]++
		id := authlog.NewID(ev.At(), authlog.KeyOf(&ev.Line, n))
		switch ev.Kind {
		case authlog.KindDenied:
			d := rules.Denial(ev, who[i])
			d.ID = id
			all = append(all, finding{at: ev.At(), denial: &d})
		case authlog.KindGranted:
			g := rules.Grant(ev, who[i])
			g.ID = id
			all = append(all, finding{at: ev.At(), grant: &g})
		case authlog.KindMarker:
			m := rules.Marker(ev)
			m.ID = id
			all = append(all, finding{at: ev.At(), marker: &m})
		default: // leads to nothing by itself
		}
	}
	return all
}

func page(in *incident, through time.Time, findings []finding) diagnose.Page {
	p := diagnose.Page{Clusters: []authlog.Cluster{in.cluster}, Through: through}
	for _, f := range findings {
		switch {
		case f.denial != nil:
			p.Denials = append(p.Denials, *f.denial)
		case f.grant != nil:
			p.Grants = append(p.Grants, *f.grant)
		default:
			p.Markers = append(p.Markers, *f.marker)
		}
	}
	return p
}

func machine(in *incident) *diagnose.Machine {
	m := diagnose.New(diagnose.Default())
	m.Know(in.cluster, in.facts)
	return m
}

// replay observes the pages, and the end of the time read, and returns the
// machine with all that it published, by id.
func replay(in *incident, pages []diagnose.Page) (*diagnose.Machine, map[string]authlog.Diagnosis) {
	m := machine(in)
	published := map[string]authlog.Diagnosis{}
	for _, p := range append(pages, page(in, in.through, nil)) {
		change := m.Observe(p)
		for _, d := range change.Diagnoses {
			published[d.ID] = d
		}
		change.Commit()
	}
	return m, published
}

// inOrder makes a page of each minute.
func inOrder(in *incident, findings []finding) []diagnose.Page {
	var pages []diagnose.Page
	for len(findings) > 0 {
		end := findings[0].at.Truncate(time.Minute).Add(time.Minute)
		n := 1
		for n < len(findings) && findings[n].at.Before(end) {
			n++
		}
		if end.After(in.through) {
			end = in.through
		}
		pages = append(pages, page(in, end, findings[:n]))
		findings = findings[n:]
	}
	return pages
}

func writeFile(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
