package doctor

import (
	"strings"
	"testing"
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
	if !noExec("/proc") && !noExec("/sys") {
		t.Skip("neither /proc nor /sys is mounted noexec here")
	}
}
