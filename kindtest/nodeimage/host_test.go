package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

func octal(mode int64) string { return strconv.FormatInt(mode, 8) }

func TestLockWaitsAndIsCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFolder(t.Context(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	said := make(chan string, 1)
	go func() {
		<-said
		cancel()
	}()
	if _, err := lockFolder(ctx, path, sayTo{said}); !errors.Is(err, context.Canceled) {
		t.Errorf("second lock: %v", err)
	}
	unlock()
	again, err := lockFolder(t.Context(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

type sayTo struct{ c chan string }

func (s sayTo) Write(p []byte) (int, error) {
	s.c <- string(p)
	return len(p), nil
}

func TestPoll(t *testing.T) {
	calls := 0
	err := poll(t.Context(), time.Minute, "late", func() (bool, error) { calls++; return calls == 3, nil })
	if err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	never := func() (bool, error) { return false, nil }
	if err := poll(t.Context(), time.Millisecond, "too late", never); err == nil || !strings.Contains(err.Error(), "too late") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := poll(ctx, time.Minute, "late", never); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestDiskFull(t *testing.T) {
	var host *HostError
	for _, err := range []error{
		fmt.Errorf("write: %w", syscall.ENOSPC),
		fmt.Errorf("build: %w", &proc.Error{Args: []string{"go"}, Stderr: "x: no space left on device\n"}),
	} {
		if got := diskFull(err, "/w"); !errors.As(got, &host) || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
	if err := errors.New("other"); diskFull(err, "/w") != err || diskFull(nil, "/w") != nil {
		t.Error("another error was changed")
	}
}

func TestMissingToolsAreNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for what, need := range map[string]func() error{"Go toolchain": needGo, "apt-get": needDebian} {
		var host *HostError
		if err := need(); !errors.As(err, &host) || !strings.Contains(err.Error(), what) || host.Do == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Setenv("PIPELINE_CACHE", "/some/cache")
	o, err := Options{}.complete()
	if err != nil || o.Work != "/some/cache/node" || o.Engine != "docker" || o.Arch == "" {
		t.Errorf("%+v, %v", o, err)
	}
	var host *HostError
	if err := (Options{Arch: "s390x", Work: t.TempDir()}).check(); !errors.As(err, &host) {
		t.Errorf("foreign architecture: %v", err)
	}
}

func TestCompilerReusesWhatIsBuilt(t *testing.T) {
	b := binary{name: "x", program: "pause", pkg: "."}
	files, err := b.files()
	if err != nil {
		t.Fatal(err)
	}
	c := compiler{work: t.TempDir(), arch: "amd64"}
	out := filepath.Join(c.work, "bin", "x-"+digestOf(files, append(b.args(""), c.arch)...)[:12])
	if err := writeFiles(c.work, map[string][]byte{"bin/" + filepath.Base(out): nil}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // there is no go to build it with
	if got, err := c.build(t.Context(), b); err != nil || got != out {
		t.Errorf("%s, %v", got, err)
	}
	c.arch = "arm64"
	if _, err := c.build(t.Context(), b); err == nil {
		t.Error("took a binary of another architecture")
	}
}

func TestPreloaderConfig(t *testing.T) {
	p := preloader{folder: "/f", store: "/f/store"}
	for _, want := range []string{`root = "/f/store"`, `state = "/f/state"`, `address = "/f/containerd.sock"`} {
		if !strings.Contains(p.config(), want) {
			t.Errorf("no %s in\n%s", want, p.config())
		}
	}
}

func TestFindHyperkube(t *testing.T) {
	p := preloader{store: t.TempDir()}
	if _, err := p.findHyperkube(); err == nil {
		t.Error("found one in an empty store")
	}
	name := "io.containerd.snapshotter.v1.overlayfs/snapshots/4/fs/" + hyperkubePath
	if err := writeFiles(p.store, map[string][]byte{name: nil}); err != nil {
		t.Fatal(err)
	}
	if got, err := p.findHyperkube(); err != nil || got != "/var/lib/containerd/"+name {
		t.Errorf("%s, %v", got, err)
	}
}

func TestFurnish(t *testing.T) {
	tr := newTree()
	furnish(tr, map[string]string{}, map[string][]byte{"etc/containerd/config.toml": []byte("x")})
	for _, want := range []string{
		"kind/version", "etc/containerd/config.toml", "usr/local/bin/entrypoint", "usr/local/bin/systemctl",
		"usr/bin/kubeadm", "usr/local/sbin/runc-shim", "opt/cni/bin/ptp", "tmp",
	} {
		if !tr.has(want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestPrune(t *testing.T) {
	work := t.TempDir()
	if err := writeFiles(work, map[string][]byte{"bin/a-1": nil, "bin/a-2": nil, "src/a-1/go.mod": nil, "src/a-2/go.mod": nil}); err != nil {
		t.Fatal(err)
	}
	b := &build{o: Options{Work: work}, bin: map[string]string{"a": filepath.Join(work, "bin", "a-2")}}
	if err := b.prune(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"bin/a-1": false, "src/a-1": false, "bin/a-2": true, "src/a-2": true} {
		if _, err := os.Stat(filepath.Join(work, path)); (err == nil) != want {
			t.Errorf("%s is there: %v", path, !want)
		}
	}
}
