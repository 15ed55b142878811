package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/stages/module/instance"
	"gitlab.com/selfcontained/pipeline/stages/module/sandbox"
)

// freePort returns a port that nothing listens on: without a network namespace
// it is the host's.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// get asks until there is an answer.
func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		transport := &http.Transport{DisableKeepAlives: true}
		resp, err := transport.RoundTrip(req)
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			return string(body), err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return "", err
		}
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, mode sandbox.Mode) {
		before := mounts(t)
		s := newSandbox(t, mode, "")
		port := freePort(t)
		var b bytes.Buffer
		i, err := s.Start(t.Context(), instance.Spec{
			Argv: []string{"/stock", "-port", fmt.Sprint(port)}, Env: []string{"VERSION=7"}, Port: port, Output: &b,
		})
		if err != nil {
			t.Fatal(err)
		}
		body, err := get(t.Context(), "http://"+i.Addr()+"/hello")
		if err != nil || body != "hello from 7" {
			t.Errorf("answer %q, %v", body, err)
		}
		if err := i.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-i.Done()
		if got := i.Exit(); !got.OK() || !strings.Contains(b.String(), "bye") {
			t.Errorf("exit: %v; output %s", got, b.String())
		}
		if diff := cmp.Diff(before, mounts(t)); diff != "" {
			t.Errorf("the mount table of the host has changed: %s", diff)
		}
	})
}

// mounts returns the mount table of this process, without what an engine and
// the tests of other packages, which run beside, mount for themselves.
func mounts(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), t.TempDir()) {
		t.Errorf("a mount of the sandbox is visible outside:\n%s", data)
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if !strings.Contains(line, " - overlay ") && !strings.Contains(line, " - nsfs ") && !strings.Contains(line, "/containers/") &&
			!strings.Contains(line, " "+os.TempDir()+"/") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestInside(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, mode sandbox.Mode) {
		want := map[string]string{
			"id": "65532 65532 0 true\n",
			"status": "CapInh: 0000000000000000\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n" +
				"CapBnd: 0000000000000000\nCapAmb: 0000000000000000\nNoNewPrivs: 1\n",
			"write":      "/stock.new false true\n/etc/new false true\n/tmp/new true false\n/data/new true false\n/dev/null true false\n",
			"env":        "/data module x /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
			"interfaces": "lo true\n",
		}
		if mode == sandbox.Chroot { // shares all but the file system
			want = map[string]string{
				"id":    want["id"],
				"write": strings.ReplaceAll(want["write"], "false true", "false false"),
			}
		}
		s := newSandbox(t, mode, "x")
		for what, text := range want {
			if diff := cmp.Diff(text, output(t, s, "/stock", "-show", what)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		if mode == sandbox.Chroot {
			return
		}
		if got := strings.Fields(output(t, s, "/stock", "-show", "processes")); len(got) != 2 || got[0] != "1" {
			t.Errorf("processes inside: %v, want the init and the program", got)
		}
		if got := output(t, s, "/stock", "-show", "mounts"); strings.Count(got, "\n") > 14 {
			t.Errorf("mounts of the host are left:\n%s", got)
		}
	})
}

// TestOrphan starts a program that leaves a child behind: nothing of it may
// survive.
func TestOrphan(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, mode sandbox.Mode) {
		if mode == sandbox.Chroot {
			t.Skip("the program of the test needs /proc")
		}
		s := newSandbox(t, mode, "")
		if got := output(t, s, "/stock", "-show", "orphan"); got != "orphan\n" {
			t.Errorf("output %q", got)
		}
	})
}

func TestNotStarted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, mode sandbox.Mode) {
		s := newSandbox(t, mode, "")
		for _, argv := range [][]string{{"/nothing"}, {"nothing"}, {"/etc/passwd"}, {"/data"}} {
			_, err := s.Start(t.Context(), instance.Spec{Argv: argv, Output: io.Discard})
			var notStarted *instance.NotStartedError
			if !errors.As(err, &notStarted) || !strings.Contains(err.Error(), argv[0]) {
				t.Errorf("%v: %v, want a NotStartedError", argv, err)
			}
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, mode sandbox.Mode) {
		s := newSandbox(t, mode, "never-ready")
		ctx, cancel := context.WithCancel(t.Context())
		i, err := s.Start(ctx, instance.Spec{Argv: []string{"/stock"}, Output: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		<-i.Done()
		if exit := i.Exit(); exit.OK() {
			t.Errorf("exit: %v", exit)
		}
	})
}

func TestSignalDeath(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, mode sandbox.Mode) {
		s := newSandbox(t, mode, "never-ready")
		i, err := s.Start(t.Context(), instance.Spec{Argv: []string{"/stock"}, Output: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-i.Done()
		if exit := i.Exit(); exit.Signal != syscall.SIGKILL || exit.Err != nil {
			t.Errorf("exit: %v, want SIGKILL", exit)
		}
	})
}

// TestHostFiles makes sure that preparing a root file system does not follow
// links of the image out of it.
func TestHostFiles(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	for _, name := range []string{"etc", "proc", "tmp", "data"} {
		root := t.TempDir()
		if err := os.Symlink(outside, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
		_, err := sandbox.New(sandbox.User, sandbox.Image{Root: root, Writable: []string{"/data"}})
		if err == nil {
			t.Errorf("/%s is a link out of the image, and was taken", name)
		}
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("outside: %v", entries)
	}
}

func BenchmarkStart(b *testing.B) {
	root := b.TempDir()
	s, err := sandbox.New(modes()[0], sandbox.Image{Root: root})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		i, err := s.Start(b.Context(), instance.Spec{Output: io.Discard})
		if err != nil {
			b.Fatal(err)
		}
		<-i.Done()
	}
}
