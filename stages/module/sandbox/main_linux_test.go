package sandbox_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gitlab.com/selfcontained/pipeline/stages/module/instance"
	"gitlab.com/selfcontained/pipeline/stages/module/moduletest"
	"gitlab.com/selfcontained/pipeline/stages/module/rootfs"
	"gitlab.com/selfcontained/pipeline/stages/module/sandbox"
)

// programs are compiled once for all tests.
var programs moduletest.Programs

const (
	// programVariable hands the program to the tests that run as another user.
	programVariable = "SANDBOX_TEST_PROGRAM"
	// holdVariable makes the test binary start a sandbox and wait to be killed.
	holdVariable = "SANDBOX_TEST_HOLD"
)

func TestMain(m *testing.M) {
	if sandbox.IsInit(os.Args) {
		os.Exit(sandbox.Main())
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if root := os.Getenv(holdVariable); root != "" {
		return hold(root)
	}
	if program := os.Getenv(programVariable); program != "" {
		programs.Static = program
		return m.Run()
	}
	dir, err := publicDir()
	if err == nil {
		defer os.RemoveAll(dir)
		programs, err = moduletest.Compile(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// publicDir is a folder that every user can reach.
func publicDir() (string, error) {
	dir, err := os.MkdirTemp("/tmp", "sandbox-test-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// modes returns those modes that the user can have.
func modes() []sandbox.Mode {
	if os.Geteuid() == 0 {
		return []sandbox.Mode{sandbox.User, sandbox.Namespaces, sandbox.Chroot}
	}
	return []sandbox.Mode{sandbox.User}
}

// each runs a test in every mode that this machine allows.
func each(t *testing.T, test func(t *testing.T, mode sandbox.Mode)) {
	t.Helper()
	if _, err := sandbox.Choose(t.Context(), t.TempDir()); err != nil {
		unavailable(t, "a sandbox: "+err.Error())
	}
	for _, mode := range modes() {
		t.Run(string(mode), func(t *testing.T) { test(t, mode) })
	}
}

// unavailable skips a test, but fails in CI.
func unavailable(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("needed: " + what)
	}
	t.Skip("needs " + what)
}

func newSandbox(t *testing.T, mode sandbox.Mode, variant string) *sandbox.Sandbox {
	t.Helper()
	img := moduletest.Image(t, programs.Static, variant, nil)
	user, err := rootfs.UserOf(img)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := rootfs.Unpack(t.Context(), img, dir, user, rootfs.Limits{}); err != nil {
		t.Fatal(err)
	}
	s, err := open(mode, dir, variant)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(mode sandbox.Mode, dir, variant string) (*sandbox.Sandbox, error) {
	return sandbox.New(mode, sandbox.Image{
		Root: dir, User: rootfs.User{UID: 65532, GID: 65532}, Writable: []string{"/data"}, WorkDir: "/data",
		Env: []string{"VARIANT=" + variant, "PIPELINE_RUN=" + os.Getenv("PIPELINE_RUN")},
	})
}

// output runs the program to its end.
func output(t *testing.T, s *sandbox.Sandbox, argv ...string) string {
	t.Helper()
	var b bytes.Buffer
	i, err := s.Start(t.Context(), instance.Spec{Argv: argv, Output: &b})
	if err != nil {
		t.Fatal(err)
	}
	<-i.Done()
	if exit := i.Exit(); !exit.OK() {
		t.Fatalf("%v: %v\n%s", argv, exit, b.String())
	}
	// The init of a sandbox is this test binary, which with -cover says at its end
	// that nobody collects its counts.
	return strings.ReplaceAll(b.String(), "warning: GOCOVERDIR not set, no coverage data emitted\n", "")
}

// TestUnprivileged runs the tests of this package as nobody.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the other tests are unprivileged already")
	}
	dir, err := publicDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	tmp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(tmp, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tmp, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copyProgram(t, "/proc/self/exe", filepath.Join(dir, "tests")), "-test.v", "-test.run=^Test")
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), programVariable+"="+programs.Static, "TMPDIR="+tmp, "HOME="+tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestServe")) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func copyProgram(t *testing.T, from, to string) string {
	t.Helper()
	// A process that another test starts now would hold the file open for writing,
	// and "text file busy" keep it from being executed (go.dev/issue/22315).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return to
}
