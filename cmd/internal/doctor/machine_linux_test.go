package doctor

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestInotify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		nodes              int
		watches, instances uint64
		remedy             string
	}{
		{0, 8192, 128, ""},
		{1, 8192, 128, ""},
		{3, 524288, 512, ""},
		{2, 1048576, 128, "max_user_watches=1048576 fs.inotify.max_user_instances=512"},
		{2, 8192, 1024, "max_user_watches=524288 fs.inotify.max_user_instances=1024"},
	} {
		l := inotifyLine(c.nodes, c.watches, c.instances)
		if (l.State == Warning) != (c.remedy != "") || !strings.Contains(l.Remedy, c.remedy) {
			t.Errorf("%+v: %+v", c, l)
		}
	}
}

func TestMachineMemory(t *testing.T) {
	t.Parallel()
	total, available := machineMemory()
	if total == 0 || available > total {
		t.Errorf("%d bytes, %d available", total, available)
	}
	if noExec("/proc/self/no-such-file") {
		t.Error("a path that is not there counts as noexec")
	}
}

// TestNoExec compares with what the kernel tells of each mount (fields 5 and 6
// of proc_pid_mountinfo(5)). Who may mounts one that is noexec for that, which
// only a thread of the test sees.
func TestNoExec(t *testing.T) {
	t.Parallel()
	own := t.TempDir()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its mounts
		mounted := mountNoExec(t, own)
		data, err := os.ReadFile("/proc/thread-self/mountinfo")
		if err != nil {
			t.Error(err)
		}
		last := map[string]bool{} // a later mount hides an earlier one
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			last[f[4]] = slices.Contains(strings.Split(f[5], ","), "noexec")
		}
		if len(last) == 0 || mounted && !last[own] {
			t.Errorf("the mounts are %v", last)
		}
		for point, want := range last {
			var fs unix.Statfs_t
			if unix.Statfs(point, &fs) != nil {
				continue // not for us, or hidden
			}
			if got := noExec(point); got != want {
				t.Errorf("%s counts as noexec: %v, want %v", point, got, want)
			}
		}
	}()
	<-done
}

// mountNoExec reports whether it was allowed to.
func mountNoExec(t *testing.T, dir string) bool {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); errors.Is(err, unix.EPERM) {
		t.Log("no mount of our own: ", err)
		return false
	}
	err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOEXEC, ""))
	if err != nil {
		t.Errorf("mount a noexec folder: %v", err)
	}
	return err == nil
}
