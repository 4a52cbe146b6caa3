package awsauth_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

const lessons = "../../../testdata/awsauth"

// A lesson is a file whose opening comments say what is true of it:
//
//	# want: SEVERITY CODE "TEXT" [N]   a finding that points at the N-th TEXT of the file
//	# mapped: ARN [as USERNAME]        who gets in
//	# denied: ARN [near CODE]          who does not, and why not
//	# refused                          the API server does not take the file
//
// What is not wanted must not be found.
type lesson struct {
	src     string
	want    []string
	mapped  map[string]string
	denied  map[string]string
	refused bool
}

var directive = regexp.MustCompile(`^# (want|mapped|denied|refused):? ?(.*)$`)

func readLesson(t *testing.T, file string) lesson {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	l := lesson{src: string(src), mapped: map[string]string{}, denied: map[string]string{}}
	body := strings.LastIndex("\n"+l.src, "\n# ")
	body += strings.IndexByte(l.src[body:], '\n') + 1
	for line := range strings.Lines(l.src[:body]) {
		m := directive.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		switch m[1] {
		case "want":
			l.want = append(l.want, place(t, l.src, body, m[2]))
		case "mapped":
			arn, username, _ := strings.Cut(m[2], " as ")
			l.mapped[arn] = username
		case "denied":
			arn, code, _ := strings.Cut(m[2], " near ")
			l.denied[arn] = code
		case "refused":
			l.refused = true
		}
	}
	return l
}

var wanted = regexp.MustCompile(`^(\w+) (\w+) ("(?:[^"\\]|\\.)*") ?(\d*)$`)

// place turns a wanted finding into "severity code line:column".
func place(t *testing.T, src string, body int, want string) string {
	t.Helper()
	m := wanted.FindStringSubmatch(want)
	if m == nil {
		t.Fatalf("cannot read %q", want)
	}
	text, err := strconv.Unquote(m[3])
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(m[4])
	at := body
	if text == "" {
		at, n = 0, 0
	}
	for ; n > 0 || at == body; n-- {
		i := strings.Index(src[at:], text)
		if i < 0 {
			t.Fatalf("%q is not in the file", text)
		}
		at += i
		if n <= 1 {
			break
		}
		at += len(text)
	}
	line := strings.Count(src[:at], "\n")
	start := strings.LastIndexByte(src[:at], '\n') + 1
	return fmt.Sprintf("%s %s %d:%d", m[1], m[2], line+1, utf8.RuneCountInString(src[start:at])+1)
}

func TestLessons(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(lessons, "*.yaml"))
	if err != nil || len(files) < 200 {
		t.Fatalf("%d lessons, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if strings.HasPrefix(name, "gen_") {
			continue
		}
		t.Run(name, func(t *testing.T) { checkLesson(t, readLesson(t, file)) })
	}
}

func checkLesson(t *testing.T, l lesson) {
	t.Helper()
	var asked []string
	for arn := range l.denied {
		asked = append(asked, arn)
	}
	for arn := range l.mapped {
		asked = append(asked, arn)
	}
	slices.Sort(asked)
	r := awsauth.Lint([]byte(l.src), awsauth.Options{Granted: asked})
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %d:%d", f.Severity, f.Code, f.Line, f.Column))
		if f.Message == "" || f.Effect == "" {
			t.Errorf("%s says too little: %+v", f.Code, f)
		}
	}
	slices.Sort(got)
	slices.Sort(l.want)
	if d := cmp.Diff(l.want, got); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if r.Refused != l.refused {
		t.Errorf("refused: %v", r.Refused)
	}
	for arn, username := range l.mapped {
		m, ok := r.Mappings.Map(arn)
		if !ok || username != "" && m.Username != username {
			t.Errorf("%s: mapped %v as %q, want %q", arn, ok, m.Username, username)
		}
	}
	if !l.refused {
		checkDenied(t, r, l.denied)
	}
}

func checkDenied(t *testing.T, r *awsauth.Report, denied map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, l := range r.LockedOut {
		got[l.Principal] = ""
		if l.Nearest != nil {
			got[l.Principal] = l.Nearest.Code
		}
	}
	for arn, code := range denied {
		if near, ok := got[arn]; !ok || code != "" && near != code {
			t.Errorf("%s: denied %v near %q, want %q", arn, ok, near, code)
		}
	}
	if len(got) != len(denied) {
		t.Errorf("denied: %v, want %v", got, denied)
	}
}
