package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

func TestTarget(t *testing.T) {
	for args, want := range map[string][2]string{
		"--root /r --log /l --log-format json create --bundle /b --pid-file p id": {"/b/config.json", "process"},
		"--root=/r run -b /b id": {"/b/config.json", "process"},
		"create id":              {"config.json", "process"},
		"restore --bundle=/x id": {"/x/config.json", "process"},
		"--systemd-cgroup exec --process /p --detach id": {"/p", ""},
		"exec -p=/p id":                    {"/p", ""},
		"exec id sh":                       {"", ""},
		"--root run delete --force create": {"", ""},
		"--log exec state id":              {"", ""},
		"":                                 {"", ""},
		"--version":                        {"", ""},
		"--root /r kill --all 4f6 9":       {"", ""},
	} {
		path, key := target(strings.Fields(args))
		if path != want[0] || key != want[1] {
			t.Errorf("%s: %q, %q, want %q", args, path, key, want)
		}
	}
}

func TestBoundingSet(t *testing.T) {
	got, err := boundingSet("Name:\tx\nCapBnd:\t000001fffeffffff\nSeccomp:\t0\n")
	if err != nil {
		t.Fatal(err)
	}
	l := limits{bounding: got}
	if l.has(capSysResource) || !l.hasNamed("CAP_SYS_ADMIN") || !l.hasNamed("CAP_CHECKPOINT_RESTORE") || l.hasNamed("CAP_NEWER") {
		t.Errorf("wrong set %x", got)
	}
	if _, err := boundingSet("Name: x\n"); err == nil {
		t.Error("no error without CapBnd")
	}
}

func TestOwnLimits(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("TestOwnLimits: needs Linux's /proc")
	}
	l, err := ownLimits()
	if err != nil {
		t.Fatal(err)
	}
	if l.hard["RLIMIT_NOFILE"] == 0 {
		t.Error("no hard limit for open files")
	}
}

func TestRealRuntime(t *testing.T) {
	only := func(p string) func(string) bool { return func(q string) bool { return q == p } }
	for _, c := range []struct{ given, there, want string }{
		{"/opt/runc", "/usr/bin/runc", "/opt/runc"},
		{"", "/usr/bin/runc", "/usr/bin/runc"},
		{"", "", "/usr/sbin/runc"},
	} {
		if got := realRuntime(c.given, only(c.there)); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if !exists(os.Args[0]) {
		t.Error("the test's own file does not exist")
	}
}
