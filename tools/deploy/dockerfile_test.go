package deploy_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
)

// An image is what the last stage of the Dockerfile says, with its file system
// assembled in a directory.
type image struct {
	root       string
	uid, gid   int
	env        []string
	entrypoint []string
	cmd        []string
	volumes    []string
	labels     map[string]string
}

func parseDockerfile(t *testing.T) []instructions.Stage {
	t.Helper()
	ast, err := parser.Parse(bytes.NewReader([]byte(read(t, "deploy/Dockerfile"))))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(ast.AST, linter.New(&linter.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

// assemble follows the Dockerfile step by step, as an engine would, but for two
// things: the first stage works in a directory of this machine in the place of
// a golang image, with the Go and the CA certificates that are here; and no
// layers are made.
func assemble(t *testing.T) *image {
	t.Helper()
	stages := parseDockerfile(t)
	if len(stages) != 2 || stages[1].BaseName != "scratch" {
		t.Fatalf("the Dockerfile has %d stages, the last from %s: want a build and scratch", len(stages), stages[len(stages)-1].BaseName)
	}
	src := buildStage(t, &stages[0])
	img := &image{root: t.TempDir(), labels: map[string]string{}}
	for _, c := range stages[1].Commands {
		img.step(t, c, src)
	}
	return img
}

// buildStage runs the build's steps in a directory that stands for its WORKDIR,
// and returns that directory.
func buildStage(t *testing.T, stage *instructions.Stage) string {
	t.Helper()
	src := t.TempDir()
	for _, c := range stage.Commands {
		switch c := c.(type) {
		case *instructions.WorkdirCommand:
			if c.Path != "/src" {
				t.Fatalf("the build works in %s: this test knows /src", c.Path)
			}
		case *instructions.CopyCommand:
			copyContext(t, c, src)
		case *instructions.RunCommand:
			sh := exec.CommandContext(t.Context(), "sh", "-ec", strings.Join(c.CmdLine, " "))
			sh.Dir = src
			output(t, sh)
		default:
			t.Fatalf("the build has a step that this test does not know: %s", c.Name())
		}
	}
	return src
}

// copyContext copies the tracked files of the repository, which are the whole
// context of a clean checkout.
func copyContext(t *testing.T, c *instructions.CopyCommand, dst string) {
	t.Helper()
	for _, pattern := range c.SourcePaths {
		for _, file := range tracked(t, pattern) {
			copyFile(t, filepath.Join(repo, file), filepath.Join(dst, file))
		}
	}
}

func tracked(t *testing.T, pattern string) []string {
	t.Helper()
	git := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--", pattern)
	git.Dir = repo
	return strings.Split(strings.TrimRight(output(t, git), "\x00"), "\x00")
}

func (img *image) step(t *testing.T, c instructions.Command, src string) {
	t.Helper()
	switch c := c.(type) {
	case *instructions.CopyCommand:
		img.copy(t, c, src)
	case *instructions.EnvCommand:
		for _, e := range c.Env {
			img.env = append(img.env, e.Key+"="+e.Value)
		}
	case *instructions.LabelCommand:
		for _, l := range c.Labels {
			img.labels[l.Key] = l.Value
		}
	case *instructions.UserCommand:
		img.uid, img.gid = owner(t, c.User)
	case *instructions.VolumeCommand:
		img.volumes = append(img.volumes, c.Volumes...)
	case *instructions.EntrypointCommand:
		img.entrypoint = c.CmdLine
	case *instructions.CmdCommand:
		img.cmd = c.CmdLine
	case *instructions.ExposeCommand:
	default:
		t.Fatalf("the image has a step that this test does not know: %s", c.Name())
	}
}

func (img *image) copy(t *testing.T, c *instructions.CopyCommand, src string) {
	t.Helper()
	from, to := c.SourcePaths[0], filepath.Join(img.root, c.DestPath)
	if rest, ok := strings.CutPrefix(from, "/src/"); ok {
		from = filepath.Join(src, rest)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(from); err == nil && info.IsDir() {
		err = os.CopyFS(to, os.DirFS(from))
		if err == nil {
			err = os.MkdirAll(to, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	} else {
		copyFile(t, from, to)
	}
	if c.Chown == "" {
		return
	}
	uid, gid := owner(t, c.Chown)
	err := filepath.WalkDir(to, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// owner reads numbers alone: on scratch there is nobody to look a name up.
func owner(t *testing.T, s string) (uid, gid int) {
	t.Helper()
	u, g, _ := strings.Cut(s, ":")
	uid, err := strconv.Atoi(u)
	if err == nil {
		gid, err = strconv.Atoi(g)
	}
	if err != nil {
		t.Fatalf("user and group must be numbers, not %q", s)
	}
	return uid, gid
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, data, info.Mode().Perm())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheImagesContextLacksNoTrackedFile(t *testing.T) {
	matcher, err := patternmatcher.New(slices.DeleteFunc(strings.Split(read(t, ".dockerignore"), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#")
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tracked(t, ".") {
		if left, err := matcher.MatchesOrParentMatches(file); err != nil || left {
			t.Errorf("%s is left out of the image's context (%v): git would call the tree dirty", file, err)
		}
	}
}
