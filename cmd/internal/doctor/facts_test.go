package doctor

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGoJudgement(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	s := goSettings{GOVERSION: "go1.26.3", GOPROXY: "https://proxy.example.com", GOMODCACHE: cache}
	for _, c := range []struct {
		language, toolchain, setting, proxy string
		want                                State
		says                                string
	}{
		{"go1.26", "", "", "", OK, "go1.26.3; go.mod asks for go1.26"},
		{"go1.26.3", "go1.26.1", "", "", OK, ""},
		{"go1.26.4", "", "", "", Warning, "fetches that toolchain"},
		{"go1.26", "go1.27.0", "auto", "", Warning, "go1.27.0"},
		{"go1.26", "go1.27.0", "local", "", OK, ""}, // the line toolchain is a wish
		{"go1.26", "default", "", "", OK, ""},
		{"go1.27", "", "local", "", Problem, "GOTOOLCHAIN=local keeps it from being fetched"},
		{"go1.27", "", "", "off", Problem, "GOPROXY=off keeps"},
	} {
		s.toolchain, s.GOPROXY = c.setting, c.proxy
		l := s.judge(c.language, c.toolchain)
		if text := l.Found + l.Consequence; l.State != c.want || !strings.Contains(text, c.says) || l.State == Problem && l.Remedy == "" {
			t.Errorf("%+v: %+v", c, l)
		}
	}
}

func TestGoSettings(t *testing.T) {
	t.Parallel()
	if got := (goSettings{GOFLAGS: "-buildvcs=false -mod=mod", GOEXPERIMENT: "x"}).flags(); got != "GOFLAGS=-mod=mod GOEXPERIMENT=x" {
		t.Error(got)
	}
	if got := (goSettings{GOFLAGS: "-buildvcs=false"}).flags(); got != "" {
		t.Error(got)
	}
	file := filepath.Join(t.TempDir(), "env")
	writeFile(t, file, "GOPROXY=off\nGOTOOLCHAIN=local\n")
	if got := setting(file, "GOTOOLCHAIN"); got != "local" {
		t.Error(got)
	}
	mod := filepath.Join(t.TempDir(), "go.mod")
	writeFile(t, mod, "module x\n\ngo 1.25.1\n\ntoolchain go1.26.2\n")
	if l, tc, err := goDirectives(mod); l != "go1.25.1" || tc != "go1.26.2" || err != nil {
		t.Error(l, tc, err)
	}
	if l := moduleProxy(goSettings{GOPROXY: "off"}); l.State != Warning || l.Remedy == "" {
		t.Errorf("%+v", l)
	}
}

// TestReadEngine has what docker 20.10 and 28 and podman 4.3 print, shortened.
func TestReadEngine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		out  string
		want engine
	}{
		{
			`{"Driver":"overlay2","CgroupVersion":"2","DockerRootDir":"/var/lib/docker","MemTotal":25276502016,"ServerVersion":"28.2.2","SecurityOptions":["name=seccomp,profile=builtin","name=rootless"],"ServerErrors":null}`,
			engine{version: "28.2.2", driver: "overlay2", cgroup: "2", root: "/var/lib/docker", memory: 25276502016, rootless: true},
		},
		{
			`{"host":{"cgroupVersion":"v1","memTotal":4,"security":{"rootless":true}},"store":{"graphDriverName":"overlay","graphRoot":"/c"},"version":{"Version":"4.3.1"}}`,
			engine{version: "4.3.1", driver: "overlay", cgroup: "1", root: "/c", memory: 4, rootless: true},
		},
		{`{"ServerErrors":["Cannot connect to the Docker daemon"]}`, engine{err: errors.New("Cannot connect to the Docker daemon")}},
		{"", engine{}},
		{"no JSON", engine{}},
	} {
		var got engine
		got.read([]byte(c.out))
		same := cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(engine{}), same); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.out, d)
		}
	}
}

func TestEngineFitness(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		e    engine
		says string
	}{
		{engine{driver: "overlay2", cgroup: "2"}, ""},
		{engine{driver: "vfs", cgroup: "2"}, "full copy"},
		{engine{driver: "btrfs", cgroup: "2"}, "not been tried on btrfs"},
		{engine{driver: "overlay", cgroup: "1", rootless: true}, "needs cgroup v2"},
		{engine{driver: "overlay", cgroup: "2", rootless: true}, "delegated"},
		{engine{driver: "overlay", memory: 1 << 30}, "the engine has 1.0 GiB"},
	} {
		l := c.e.fitness()
		if (l.State == Warning) != (c.says != "") || !strings.Contains(l.Consequence, c.says) || (l.Remedy == "") != (c.says == "") {
			t.Errorf("%+v: %+v", c.e, l)
		}
	}
}

// TestEngineRemedy is about engines that do not answer.
func TestEngineRemedy(t *testing.T) {
	t.Setenv("DOCKER_HOST", "")
	refused := engine{name: "docker", err: errors.New("permission denied while trying to connect to the Docker daemon socket")}
	if got := refused.remedy(); !strings.Contains(got, "`sudo usermod -aG ") {
		t.Error(got)
	}
	gone := engine{name: "docker", err: errors.New("Cannot connect")}
	if got := gone.remedy(); !strings.HasPrefix(got, "start ") {
		t.Error(got)
	}
	t.Setenv("DOCKER_HOST", "tcp://docker:2375")
	if got := gone.remedy(); got != "unset DOCKER_HOST, or start the engine at tcp://docker:2375" {
		t.Error(got)
	}
}

func TestProxies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env    map[string]string
		remedy string
	}{
		{nil, ""},
		{map[string]string{"HTTPS_PROXY": "http://p:1"}, "`export NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1`"},
		{map[string]string{"http_proxy": "http://p:1", "no_proxy": "localhost,.example.com"}, "`export NO_PROXY=localhost,.example.com,127.0.0.1 no_proxy=localhost,.example.com,127.0.0.1`"},
		{map[string]string{"ALL_PROXY": "socks5://p:1", "NO_PROXY": "localhost, 127.0.0.0/8"}, ""},
		{map[string]string{"ALL_PROXY": "socks5://p:1", "NO_PROXY": "*"}, ""},
		{map[string]string{"HTTP_PROXY": "http://p:1", "NO_PROXY": "localhost,127.0.0.1", "DOCKER_HOST": "tcp://docker:2375"}, "`export NO_PROXY=localhost,127.0.0.1,docker no_proxy=localhost,127.0.0.1,docker`"},
		{map[string]string{"HTTP_PROXY": "http://p:1", "NO_PROXY": "localhost,127.0.0.1", "DOCKER_HOST": "unix:///run/docker.sock"}, ""},
	} {
		if l := proxyLine(func(name string) string { return c.env[name] }); l.Remedy != c.remedy || (l.State == Warning) != (c.remedy != "") {
			t.Errorf("%v: %+v", c.env, l)
		}
	}
}

func TestWithoutLogin(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"HTTP_PROXY=http://jane:pa$$/w@proxy:3128":         "HTTP_PROXY=http://jane:pa$$/w@proxy:3128", // no URL: a "/" must be escaped
		"http://jane:p@ss@proxy:3128":                      "http://proxy:3128",
		"https://a:b@one.example.com,https://c@two,direct": "https://one.example.com,https://two,direct",
		"tcp://docker:2375 and jane@example.com":           "tcp://docker:2375 and jane@example.com",
	} {
		if got := withoutLogin(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]string{
		2 * time.Second: "agrees with that of the cluster", -90 * time.Second: "1m30s behind that of the cluster", time.Hour: "1h0m0s ahead of that of the cluster",
	} {
		if l := clockLine(ahead); l.Found != want || (l.Remedy == "") != (l.State == OK) {
			t.Errorf("%v: %+v", ahead, l)
		}
	}
}

func TestAmounts(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{0: "0 MiB", 900 << 20: "900 MiB", 3 << 29: "1.5 GiB", 252 << 30: "252 GiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{time.Minute: "60 seconds", 40 * time.Minute: "40 minutes", 5 * time.Hour: "5 hours", 72 * time.Hour: "3 days"} {
		if got := ageText(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

func TestDisks(t *testing.T) {
	t.Parallel()
	p := newTestPatient(t, "stock")
	for free, want := range map[uint64]State{20 << 30: OK, 3 << 30: Warning, 1 << 20: Problem} {
		if l := p.diskLine(fileSystem{free: free, paths: []string{"cache"}}); l.State != want || (l.Remedy == "") != (want == OK) {
			t.Errorf("%d: %+v", free, l)
		}
	}
	p.Cache = filepath.Join(p.Dir, "not", "there")
	if lines := p.disks(t.Context()); len(lines) == 0 || !strings.Contains(lines[0].Found, "free for cache") {
		t.Errorf("%+v", lines)
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	p := newTestPatient(t, "stock")
	p.Cache = filepath.Join(p.Dir, "stock", "go.mod") // a file where a folder should be
	l := p.folders(t.Context())[0]
	if l.State != Problem || !strings.Contains(l.Found, "it is no folder") || !strings.Contains(l.Remedy, "PIPELINE_CACHE") {
		t.Errorf("%+v", l)
	}
	p.CacheErr = errors.New("no home; set PIPELINE_CACHE")
	if l := p.folders(t.Context())[0]; l.State != Problem {
		t.Errorf("%+v", l)
	}
}
