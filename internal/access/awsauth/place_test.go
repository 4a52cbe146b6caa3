package awsauth_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eks-authlog/eks-authlog/internal/access/awsauth"
)

// placesOf gives each finding with its place, counted from the beginning of
// the file in characters.
func placesOf(src string) (places []string) {
	text, starts := []rune(src), []int{0}
	for i, r := range text {
		if r == '\n' || r == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			starts = append(starts, i+1)
		}
	}
	for _, f := range awsauth.Lint([]byte(src), awsauth.Options{}).Findings {
		places = append(places, fmt.Sprintf("%s at %d", f.Code, starts[f.Line-1]+f.Column-1))
	}
	return places
}

// YAML 1.1 knows breaks of lines that editors do not; where a finding stands
// is the same with them, whatever lines they make.
func TestPlacesDoNotDependOnTheBreaksOfLines(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(lessons, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "gen_") {
			continue
		}
		src := readLesson(t, file).src
		if strings.Contains(src, "\n---") || strings.Contains(src, "\r") { // kubectl cuts at \n alone
			continue
		}
		want := placesOf(src)
		sections := max(0, strings.Index(src, "\ndata:"))
		for _, brk := range []string{"\r", "\u0085", "\u2028", "\u2029"} {
			for _, end := range []int{sections, len(src)} {
				if d := cmp.Diff(want, placesOf(strings.ReplaceAll(src[:end], "\n", brk)+src[end:])); d != "" {
					t.Errorf("%s with %q up to byte %d (-want +got)\n%s", name, brk, end, d)
				}
			}
		}
	}
}
