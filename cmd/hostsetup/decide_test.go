package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecide(t *testing.T) {
	bare := facts{root: true, debian: true}
	with := func(change func(*facts)) facts {
		f := bare
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		f    facts
		want choice
	}{
		"an engine of the user's own goes first": {facts{docker: true, own: true, podman: true, raise: true}, useDocker},
		"ours before podman":                     {facts{own: true, podman: true, raise: true}, useOwn},
		"podman":                                 {facts{podman: true, raise: true}, usePodman},
		"podman that can start nothing":          {with(func(f *facts) { f.podman = true }), startOwn},
		"bare":                                   {bare, startOwn},
		"not root":                               {with(func(f *facts) { f.root = false }), 0},
		"not Debian":                             {with(func(f *facts) { f.debian = false }), 0},
		"nothing":                                {facts{}, 0},
	} {
		got, err := decide(c.f)
		if got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		var host *hostError
		if c.want == 0 && (!errors.As(err, &host) || !strings.Contains(err.Error(), "apt-get install")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMayRaise(t *testing.T) {
	for status, want := range map[string]bool{
		"CapBnd:\t000001ffffffffff\n": true, "CapEff:\t0\nCapBnd:\t000001fffeffffff\n": false, "": true, "CapBnd:\tx\n": true,
	} {
		if got := mayRaise(status); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
}

func TestPackages(t *testing.T) {
	has := func(programs string) func(string) bool {
		return func(p string) bool { return strings.Contains(" "+programs+" ", " "+p+" ") }
	}
	for _, c := range []struct {
		choice choice
		with   string
		has    string
		want   string
	}{
		{startOwn, "", "", "docker.io iptables ca-certificates"},
		{startOwn, "", "dockerd iptables", ""},
		{startOwn, "", "dockerd", "iptables ca-certificates"},
		{useDocker, "podman registry", "", "podman netavark aardvark-dns docker-registry"},
		{useDocker, "podman registry", "podman docker-registry", ""},
		{useDocker, "completion", "", "bash-completion"},
		{useDocker, "skopeo node rsync", "skopeo", "nodejs npm rsync"},
		{useOwn, "", "", ""},
	} {
		got := strings.Join(packages(c.choice, strings.Fields(c.with), has(c.has)), " ")
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if mayInstall(facts{}, nil) != nil || mayInstall(facts{root: true, debian: true}, []string{"x"}) != nil {
		t.Error("refused")
	}
	if err := mayInstall(facts{debian: true}, []string{"podman"}); err == nil || !strings.Contains(err.Error(), "podman") {
		t.Errorf("%v", err)
	}
}

func TestParse(t *testing.T) {
	for line, want := range map[string]call{
		"up":                                  {verb: "up"},
		"up --with podman":                    {verb: "up", with: []string{"podman"}},
		"exec -- make test":                   {verb: "exec", command: []string{"make", "test"}},
		"exec --with=podman,registry -- a -b": {verb: "exec", with: []string{"podman", "registry"}, command: []string{"a", "-b"}},
		"exec --with podman -- a -- --with x": {verb: "exec", with: []string{"podman"}, command: []string{"a", "--", "--with", "x"}},
		"down":                                {verb: "down"},
		"status":                              {verb: "status"},
	} {
		got, err := parse(strings.Fields(line))
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(call{})); err != nil || diff != "" {
			t.Errorf("%s: %v -want +got\n%s", line, err, diff)
		}
	}
	for _, line := range []string{"", "dance", "exec", "exec --", "exec --with k8s -- a", "down now", "up x", "up --with"} {
		if c, err := parse(strings.Fields(line)); err == nil {
			t.Errorf("%q: no error, %+v", line, c)
		}
	}
}

func TestRunWrongUsage(t *testing.T) {
	if code := run([]string{"dance"}); code != 2 {
		t.Errorf("exit code %d", code)
	}
}
