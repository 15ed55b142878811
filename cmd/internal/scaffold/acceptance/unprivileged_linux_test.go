package acceptance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// nobody is the user without any right whom the tests as root become.
const nobody = 65534

// TestUnprivileged builds and tests an image as a user without rights, where no
// container engine is installed; then where the kernel forbids namespaces to
// users, too: there nothing may be green.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	need(t, "git", "go")
	r := unprivileged(t, "../../cli/testdata/tiny")
	code, record, text := r.run(t, "module")
	module := record.Result("tiny/module")
	if code == 3 && os.Getenv("CI") != "true" {
		t.Skipf("this machine gives users no namespaces:\n%s", text)
	}
	if code != 0 || module == nil || module.Status != pipeline.Passed {
		t.Fatalf("exit code %d, %+v\n%s", code, module, text)
	}
	for _, stage := range []string{"build", "container"} {
		if got := record.Result("tiny/" + stage); got == nil || got.Status != pipeline.Passed {
			t.Errorf("%s: %+v", stage, got)
		}
	}
	log, err := os.ReadFile(module.Log)
	if err != nil || !strings.Contains(string(log), "runtime: sandbox (user namespaces)\n") {
		t.Errorf("the image did not run in user namespaces (%v):\n%s", err, log)
	}
	r.passed(t, "tiny", "module", "TestDouble")
	r.owned(t)

	r.withoutNamespaces()
	code, record, text = r.run(t, "module", "--force")
	module = record.Result("tiny/module")
	if code != 3 || module == nil || module.Status != pipeline.Untested {
		t.Fatalf("without namespaces: exit code %d, %+v\n%s", code, module, text)
	}
	for _, want := range []string{"no runtime works here: sandbox: user namespaces: ", "; docker: ", "; podman: ", "allow user namespaces"} {
		if !strings.Contains(module.Message, want) {
			t.Errorf("without namespaces %q is not said:\n%s", want, module.Message)
		}
	}
}

// unprivileged copies a service to where everybody can read it, and gives it to
// a user who has a home, the go command and git, and nothing else.
func unprivileged(t *testing.T, service string) *repository {
	t.Helper()
	top, err := os.MkdirTemp("/tmp", "unprivileged-") // the folders of t.TempDir are root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(top); err != nil {
			t.Error(err)
		}
	})
	r := &repository{dir: filepath.Join(top, "work")}
	home, bin := filepath.Join(top, "home"), filepath.Join(top, "bin")
	if err := errors.Join(os.CopyFS(r.dir, os.DirFS(service)), os.Mkdir(home, 0o755), os.Mkdir(bin, 0o755)); err != nil {
		t.Fatal(err)
	}
	r.commit(t, "feat: begin")
	copyFile(t, "/proc/self/exe", filepath.Join(bin, "pipeline"))
	for _, tool := range []string{"go", "git"} {
		from, err := exec.LookPath(tool)
		if err == nil {
			err = os.Symlink(from, filepath.Join(bin, tool))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.command = []string{filepath.Join(bin, "pipeline")}
	r.env = []string{"HOME=" + home, "PATH=" + bin, "TMPDIR=" + home, "GOPROXY=off", "GOTOOLCHAIN=local"}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	own := strings.TrimSpace(string(cache))
	if os.Geteuid() == 0 {
		r.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		give(t, top)
		own = layer(t, own, filepath.Join(top, "cache"))
	}
	r.env = append(r.env, "GOCACHE="+own)
	return r
}

// layer shows a build cache of the go command to nobody, who writes to a layer
// of his own above it: the standard library is not compiled again. Where
// overlays cannot be mounted, it is.
func layer(t *testing.T, lower, dir string) string {
	t.Helper()
	upper, work, merged := filepath.Join(dir, "upper"), filepath.Join(dir, "work"), filepath.Join(dir, "merged")
	err := errors.Join(os.MkdirAll(work, 0o755), os.MkdirAll(merged, 0o755))
	for i := range 256 { // the cache's own folders
		err = errors.Join(err, os.MkdirAll(filepath.Join(upper, fmt.Sprintf("%02x", i)), 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	give(t, dir)
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	if err := syscall.Mount("overlay", merged, "overlay", 0, options); err != nil {
		t.Logf("without the build cache: %v", err)
		return merged
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(merged, 0); err != nil {
			t.Error(err)
		}
	})
	return merged
}

// copyFile copies a program.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}

// give makes everything below a folder nobody's.
func give(t *testing.T, top string) {
	t.Helper()
	err := filepath.WalkDir(top, func(name string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(name, nobody, nobody))
	})
	if err == nil {
		err = os.Chmod(top, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// owned checks that nothing was done with more rights than the user has.
func (r *repository) owned(t *testing.T) {
	t.Helper()
	if r.as == nil {
		return
	}
	err := filepath.WalkDir(filepath.Join(r.dir, ".pipeline"), func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != nobody {
			err = fmt.Errorf("%s belongs to another user", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// resource is CAP_SYS_RESOURCE of capabilities(7).
const resource = 24

// withoutNamespaces lets the same user start the program in a user namespace
// that allows no further ones (namespaces(7), max_user_namespaces): what a
// hardened kernel does for the whole machine.
func (r *repository) withoutNamespaces() {
	as := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, AmbientCaps: []uintptr{resource}}
	uid, gid := os.Geteuid(), os.Getegid()
	if r.as != nil {
		as.Credential = r.as.Credential
		uid, gid, as.GidMappingsEnableSetgroups = nobody, nobody, true
	}
	as.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	as.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	r.as = as
	r.command = append([]string{"/bin/sh", "-c", `echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"`, "sh"}, r.command...)
}
