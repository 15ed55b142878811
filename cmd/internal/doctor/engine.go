package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// engineTime bounds the question to an engine: less than a check has,
// since others build on the answer.
const engineTime = 1400 * time.Millisecond

// engines asks each container engine once for all checks.
type engines struct {
	docker, podman func(context.Context) engine
}

func newEngines() *engines {
	return &engines{docker: askOnce("docker"), podman: askOnce("podman")}
}

// askOnce returns a function that asks the engine at its first call. It does not
// end before the answer is there.
func askOnce(name string) func(context.Context) engine {
	var once sync.Once
	var answer engine
	return func(ctx context.Context) engine {
		once.Do(func() { answer = askEngine(ctx, name) })
		return answer
	}
}

// named returns what is known of an engine.
func (e *engines) named(ctx context.Context, name string) engine {
	if name == "docker" {
		return e.docker(ctx)
	}
	return e.podman(ctx)
}

// first returns the engine that kind would take: docker before podman.
func (e *engines) first(ctx context.Context) (found engine, ok bool) {
	for _, name := range []string{"docker", "podman"} {
		if found := e.named(ctx, name); found.err == nil {
			return found, true
		}
	}
	return engine{}, false
}

// silence is the error of kind's provider for engines that do not answer in
// time, or with something that docker's command takes for an answer.
func (e *engines) silence(ctx context.Context) error {
	var tried []error
	for _, name := range []string{"docker", "podman"} {
		if found := e.named(ctx, name); found.installed {
			tried = append(tried, fmt.Errorf("%s: %w", name, found.err))
		}
	}
	return &kindtest.EnvironmentError{
		What: "no container engine answers", Err: errors.Join(tried...), Remedy: "start docker or podman, or set DOCKER_HOST",
	}
}

// engine is what a container engine says about itself.
type engine struct {
	name      string
	installed bool
	hangs     bool  // it took the question and did not answer
	err       error // why it does not answer

	version, driver, cgroup, root string
	rootless                      bool
	memory                        uint64 // bytes; of the virtual machine where there is one
}

// dockerInfo is the part of `docker info` that is looked at, as the API's
// SystemInfo names it.
type dockerInfo struct {
	ServerVersion, Driver, CgroupVersion, DockerRootDir string
	MemTotal                                            uint64
	SecurityOptions, ServerErrors                       []string
}

// podmanInfo is the same of `podman info`.
type podmanInfo struct {
	Host *struct {
		CgroupVersion string
		MemTotal      uint64
		Security      struct{ Rootless bool }
	}
	Store   struct{ GraphDriverName, GraphRoot string }
	Version struct{ Version string }
}

// askEngine asks for the facts, which only an engine that works can tell.
func askEngine(ctx context.Context, name string) engine {
	e := engine{name: name}
	if _, err := exec.LookPath(name); err != nil {
		e.err = errors.New("not installed")
		return e
	}
	e.installed = true
	ctx, cancel := context.WithTimeout(ctx, engineTime)
	defer cancel()
	out, err := ask(ctx, "", nil, name, "info", "--format", "{{json .}}")
	e.read([]byte(out))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.hangs, e.err = true, fmt.Errorf("no answer within %v", engineTime)
	case err != nil && e.err == nil:
		e.err = engineFailure(err)
	}
	return e
}

// engineFailure is the end of what the command wrote, which says it all.
func engineFailure(err error) error {
	var failed *proc.Error
	if !errors.As(err, &failed) {
		return err
	}
	text := strings.TrimSpace(failed.Stderr)
	if at := strings.LastIndexByte(text, '\n'); at >= 0 {
		text = text[at+1:]
	}
	if text == "" {
		return err
	}
	return errors.New(text)
}

// read fills in the facts. A command docker may be podman in truth, and the old
// docker says what is wrong in its output alone.
func (e *engine) read(out []byte) {
	var p podmanInfo
	if json.Unmarshal(out, &p) == nil && p.Host != nil {
		e.version, e.driver, e.root = p.Version.Version, p.Store.GraphDriverName, p.Store.GraphRoot
		e.cgroup, e.memory, e.rootless = strings.TrimPrefix(p.Host.CgroupVersion, "v"), p.Host.MemTotal, p.Host.Security.Rootless
		return
	}
	var d dockerInfo
	if json.Unmarshal(out, &d) != nil {
		return
	}
	if len(d.ServerErrors) > 0 {
		e.err = errors.New(d.ServerErrors[0])
	}
	e.version, e.driver, e.cgroup, e.root, e.memory = d.ServerVersion, d.Driver, d.CgroupVersion, d.DockerRootDir, d.MemTotal
	for _, option := range d.SecurityOptions {
		e.rootless = e.rootless || option == "name=rootless"
	}
}

// engineLines says whether an engine answers.
func (d *patient) engineLines(name string) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		e := d.engines.named(ctx, name)
		switch {
		case e.err == nil:
			return []Finding{e.fitness()}
		case !e.installed:
			return []Finding{{State: NotNeeded, Found: "not installed"}}
		}
		return []Finding{d.silentEngine(ctx, e)}
	}
}

// silentEngine is the line for one that does not answer. What that means for
// the stages stands with the cluster and the runtime.
func (d *patient) silentEngine(ctx context.Context, e engine) Finding {
	l := Finding{State: Warning, Found: "does not answer: " + oneText(e.err), Remedy: e.remedy()}
	other, ok := d.engines.first(ctx)
	if !ok {
		l.Consequence = "no engine for a kind cluster and for the runtime " + e.name
		return l
	}
	l.Consequence = other.name + " is used instead"
	if e.hangs {
		l.Consequence += ", each time after some seconds of waiting"
	}
	if e.name == "podman" {
		l.State, l.Consequence, l.Remedy = NotNeeded, "", ""
	}
	return l
}

// remedy says how to make the engine answer.
func (e engine) remedy() string {
	host := os.Getenv("DOCKER_HOST")
	switch {
	case e.name == "podman":
		return "see what `podman info` says"
	case strings.Contains(e.err.Error(), "permission denied"):
		return fmt.Sprintf("`sudo usermod -aG %s \"$USER\"` and log in again (the members of this group can become root), or use rootless docker", socketGroup(host))
	case host != "":
		return "unset DOCKER_HOST, or start the engine at " + host
	case runtime.GOOS == "darwin":
		return "start Docker Desktop: `open -a Docker`"
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return "start it: `sudo dockerd`"
	}
	return "start it: `sudo systemctl start docker`"
}

// socketGroup returns the group that may talk to docker.
func socketGroup(host string) string {
	path := "/var/run/docker.sock"
	if u, err := url.Parse(host); err == nil && u.Scheme == "unix" {
		path = u.Path
	}
	info, err := os.Stat(path)
	if err != nil {
		return "docker"
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Gid == 0 {
		return "docker"
	}
	group, err := user.LookupGroupId(strconv.Itoa(int(stat.Gid)))
	if err != nil {
		return "docker"
	}
	return group.Name
}

// leastEngineMemory is what a kind node with a few services needs, in bytes.
const leastEngineMemory = 2 << 30

// fitness says what an engine is like that answers, and what is slow or untried.
func (e engine) fitness() Finding {
	l := Finding{State: OK, Found: fmt.Sprintf("%s, %s, cgroup v%s, data in %s", e.version, e.driver, e.cgroup, e.root)}
	if e.rootless {
		l.Found += ", rootless"
	}
	var so, do []string
	worry := func(consequence, remedy string) {
		l.State, so, do = Warning, append(so, consequence), append(do, remedy)
	}
	switch {
	case e.rootless && e.cgroup == "1":
		worry("kind needs cgroup v2 for a rootless engine", "boot with systemd.unified_cgroup_hierarchy=1, or run the engine as root")
	case e.rootless:
		worry("kind needs the cgroup controllers to be delegated, and `pipeline cluster node-image` has not been tried rootless", "see https://kind.sigs.k8s.io/docs/user/rootless/")
	}
	switch e.driver {
	case "vfs":
		worry("each image layer is a full copy: slow, and large on disk", "set the storage driver overlay2 (docker) or overlay (podman)")
	case "btrfs", "zfs":
		worry("the node image of `pipeline cluster node-image` has not been tried on "+e.driver, "put the engine's data on ext4 or xfs if the cluster does not start")
	}
	if e.memory > 0 && e.memory < leastEngineMemory {
		worry("a kind node with a few services needs "+bytesText(leastEngineMemory)+", the engine has "+bytesText(e.memory), "give the engine's virtual machine more memory")
	}
	l.Consequence, l.Remedy = strings.Join(so, "; "), strings.Join(do, "; ")
	return l
}
