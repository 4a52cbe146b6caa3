package deploy_test

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// enter runs a program of the image as an engine would with --read-only: in its
// own file system, mounted read-only but for the volume, with a /dev/null, as
// its user.
const enter = `
root=$1 volume=$2 user=$3; shift 3
mkdir -p "$root/dev" && touch "$root/dev/null"
mount --bind "$root" "$root"
mount --bind /dev/null "$root/dev/null"
mount --bind "$root$volume" "$root$volume"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" --groups= "$root" "$@"`

// command is the program of the image, in a mount namespace of its own.
func (img *image) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	sh := []string{"--mount", "--propagation=private", "sh", "-ec", enter, "sh", img.root, img.volumes[0], fmt.Sprintf("%d:%d", img.uid, img.gid)}
	cmd := exec.CommandContext(t.Context(), "unshare", slices.Concat(sh, img.entrypoint, args)...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, img.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// needRoot skips where a mount namespace cannot be had: without root, or in a
// container that may not make one.
func needRoot(t *testing.T) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "chroot", "/", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace and chroot can be had here, root is needed: %s", out)
	}
}

func TestTheImageRunsReadOnlyAsItsUser(t *testing.T) {
	needRoot(t)
	img := assemble(t)
	if img.uid < 10000 || img.gid < 10000 {
		t.Errorf("the image runs as %d:%d, which a machine may have given to somebody", img.uid, img.gid)
	}
	// An engine makes what it mounts on before it mounts.
	before := append(tree(t, img.root), "dev", "dev/null")
	slices.Sort(before)

	version := output(t, img.command(t, "--version"))
	if !strings.HasPrefix(version, "analyzer, version ") {
		t.Errorf("--version says %q", version)
	}

	t.Run("demo", func(t *testing.T) {
		address := freeAddress(t)
		proc := start(t, img.command(t, "demo", "--web.listen-address="+address))
		answers(t, proc, "http://"+address+"/-/ready")
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", proc.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d", img.uid), "CapEff:\t0000000000000000"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("the process lacks %q:\n%s", want, status)
			}
		}
	})
	t.Run("its own command", func(t *testing.T) {
		address := freeAddress(t)
		args := slices.Clone(img.cmd)
		for i := range args {
			args[i] = strings.Replace(args[i], "=:8484", "="+address, 1)
		}
		cmd := img.command(t, args...)
		cmd.Env = append(cmd.Env, "AWS_REGION=eu-central-1", "AWS_EC2_METADATA_DISABLED=true")
		answers(t, start(t, cmd), "http://"+address+"/-/healthy")
	})

	var fresh []string
	for _, path := range tree(t, img.root) {
		if !slices.Contains(before, path) && !strings.HasPrefix("/"+path, img.volumes[0]+"/") {
			fresh = append(fresh, path)
		}
	}
	if fresh != nil {
		t.Errorf("written outside %s: %v", img.volumes[0], fresh)
	}
	if _, err := os.Stat(filepath.Join(img.root, img.volumes[0], "analyzer.db")); err != nil {
		t.Errorf("serve did not keep its findings in the volume: %v", err)
	}
}

func TestTheBinaryNeedsNoLibrary(t *testing.T) {
	out, _ := exec.CommandContext(t.Context(), "ldd", analyzer()).CombinedOutput() // fails for a static binary
	if !strings.Contains(string(out), "not a dynamic executable") {
		t.Errorf("on scratch there are no libraries, but ldd says %s", out)
	}
}

// tree lists what is in a directory, sorted.
func tree(t *testing.T, root string) []string {
	t.Helper()
	var paths []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// start runs a server until the end of the test.
func start(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	said := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Wait() // its context has ended, so it was told to go
		if t.Failed() {
			t.Log(said)
		}
	})
	return cmd
}

// answers waits, for at most a minute, until the address answers 200.
func answers(t *testing.T, proc *exec.Cmd, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req) //nolint:forbidigo // nothing to set
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			_ = proc.Process.Kill()
			t.Fatalf("%s does not answer 200 within a minute: %v", url, err)
		case <-tick.C:
		}
	}
}
