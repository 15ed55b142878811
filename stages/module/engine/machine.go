package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/module/instance"
)

// Options say which image is loaded and for whom.
type Options struct {
	Image     v1.Image
	Run, Node string
	// Volumes are paths in the image that the program may write to.
	Volumes []string
}

// Machine starts containers of one loaded image.
type Machine struct {
	engine Engine
	o      Options
	tag    string
}

// Load hands the image to the engine and checks that it has arrived unchanged.
func (e Engine) Load(ctx context.Context, o Options) (*Machine, error) {
	m := &Machine{engine: e, o: o, tag: repository + ":" + tagPrefix(o.Run, o.Node) + strings.ToLower(rand.Text()[:8])}
	tag, err := name.NewTag(m.tag)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(tarball.Write(tag, o.Image, w)) }()
	load := e.command("load")
	load.Stdin = r
	err = load.Run(ctx)
	r.Close()
	if err != nil {
		return nil, fmt.Errorf("load the image: %w", err)
	}
	return m, m.verify(ctx)
}

// loaded is what `image inspect` says, as far as it matters here.
type loaded struct {
	ID           string `json:"Id"`
	Architecture string
	RootFS       struct{ Layers []string }
}

// verify compares the engine's image with the bundle's. Its id is the digest
// of the config; an engine with containerd's image store has ids of another
// kind, and there the layers decide.
func (m *Machine) verify(ctx context.Context) error {
	out, err := m.engine.output(ctx, "image", "inspect", m.tag)
	if err != nil {
		return fmt.Errorf("look at the loaded image: %w", err)
	}
	var images []loaded
	if err := json.Unmarshal([]byte(out), &images); err != nil || len(images) != 1 {
		return fmt.Errorf("look at the loaded image: unexpected answer of %s: %w", m.engine, err)
	}
	got := images[0]
	want, err := m.o.Image.ConfigName()
	if err != nil {
		return err
	}
	if strings.TrimPrefix(got.ID, "sha256:") == want.Hex {
		return nil
	}
	file, err := m.o.Image.ConfigFile()
	if err != nil {
		return err
	}
	layers := make([]string, len(file.RootFS.DiffIDs))
	for i, id := range file.RootFS.DiffIDs {
		layers[i] = id.String()
	}
	if got.Architecture != file.Architecture || !slices.Equal(layers, got.RootFS.Layers) {
		return fmt.Errorf("the image that %s has loaded is not the bundle's: its id is %s, expected %s", m.engine, got.ID, want)
	}
	return nil
}

// Start starts a container, which is removed when it has ended.
func (m *Machine) Start(ctx context.Context, spec instance.Spec) (instance.Instance, error) {
	if len(spec.Argv) == 0 {
		return nil, &instance.NotStartedError{Err: errors.New("nothing to start")}
	}
	c := &container{
		engine: m.engine, ctx: ctx, port: spec.Port,
		name: "pipeline-module-" + strings.ToLower(rand.Text()[:16]), done: make(chan struct{}),
	}
	run := m.engine.command(m.arguments(c.name, spec)...)
	run.Stdout, run.Stderr = spec.Output, spec.Output
	// The command outlives ctx until the container is removed.
	life, abandon := context.WithCancel(context.WithoutCancel(ctx))
	c.abandon = abandon
	p, err := run.Start(life)
	if err != nil {
		abandon()
		return nil, err
	}
	stop := context.AfterFunc(ctx, c.remove)
	go func() {
		defer close(c.done)
		defer abandon()
		defer stop()
		c.ended(p.Wait())
	}()
	if err := c.await(ctx); err != nil {
		c.Kill()
		return nil, err
	}
	return c, nil
}

func (m *Machine) arguments(name string, spec instance.Spec) []string {
	args := []string{
		"run", "--rm", "--pull=never", "--sig-proxy=false", "--name", name,
		"--label", runLabel + "=" + m.o.Run, "--label", nodeLabel + "=" + m.o.Node,
		"--read-only", "--tmpfs", "/tmp:mode=1777", "--cap-drop=ALL", "--security-opt=no-new-privileges",
		"--hostname", "module",
	}
	if m.engine == Podman {
		args = append(args, limits()...)
	}
	for _, v := range m.o.Volumes {
		args = append(args, "--volume", v)
	}
	if spec.Port == 0 {
		args = append(args, "--network=none")
	} else {
		_, publish := hostOf(m.engine)
		args = append(args, "--publish", fmt.Sprintf("%s::%d", publish, spec.Port))
	}
	for _, e := range spec.Env {
		args = append(args, "--env", e)
	}
	args = append(args, "--entrypoint", spec.Argv[0], m.tag)
	return append(args, spec.Argv[1:]...)
}

// container is a started container. Its life is that of `run`, which carries
// output and exit code.
type container struct {
	engine Engine
	ctx    context.Context
	name   string
	port   int
	addr   string
	done   chan struct{}
	exit   instance.Exit // valid once done is closed
	once   sync.Once

	abandon context.CancelFunc // stops the command of a container that never came to be
}

// Addr returns the published address; empty when the container had ended
// before it was known.
func (c *container) Addr() string { return c.addr }

// Done is closed when the container has ended.
func (c *container) Done() <-chan struct{} { return c.done }

// Exit returns how the program ended. A signal shows as 128 and its number.
func (c *container) Exit() instance.Exit {
	select {
	case <-c.done:
		return c.exit
	default:
		return instance.Exit{Code: -1, Err: errors.New("still running")}
	}
}

// Signal sends a signal to the container's first process.
func (c *container) Signal(s syscall.Signal) error {
	return c.engine.command("kill", "--signal", strconv.Itoa(int(s)), c.name).Run(c.ctx)
}

// Kill removes the container and waits for its end.
func (c *container) Kill() {
	select {
	case <-c.done:
	default:
		c.remove()
		<-c.done
	}
}

// remove is used when the container's own context has ended, too.
func (c *container) remove() {
	c.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), cleanTime)
		defer cancel()
		_ = c.engine.command("rm", "--force", "--volumes", c.name).Run(ctx)
		c.abandon()
	})
}

// The exit codes of `run` itself; all others are the program's.
const (
	engineFailed  = 125
	notExecutable = 126
	notFound      = 127
)

func (c *container) ended(err error) {
	code := proc.ExitCode(err)
	c.exit = instance.Exit{Code: code}
	var failed *proc.Error
	if !errors.As(err, &failed) {
		return
	}
	switch {
	case code == engineFailed, code < 0:
		c.exit = instance.Exit{Code: -1, Err: err}
	case code != notExecutable && code != notFound:
	case execMessage.MatchString(failed.Stderr):
		c.exit = instance.Exit{Code: -1, Err: &instance.NotStartedError{Err: err}}
	case ownMessage.MatchString(failed.Stderr):
		c.exit = instance.Exit{Code: -1, Err: err}
	}
}

// The program may use the codes 126 and 127 itself: the engine's messages tell
// the difference, and whether the program or the runtime is at fault.
var (
	ownMessage  = regexp.MustCompile(`(?m)^(docker: Error|Error: ).*(OCI|runc|crun|container process)`)
	execMessage = regexp.MustCompile(`(?m)^(docker: Error|Error: ).*exec(:| |ve)+.*(no such file|permission denied|format error|not found)`)
)

// pollEvery is the pause between two questions to the engine.
const pollEvery = 50 * time.Millisecond

// await waits until the container runs and its address is known, or until it
// has ended.
func (c *container) await(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if running, err := c.look(ctx); running || err != nil {
			return err
		}
		select {
		case <-c.done:
			return c.exit.Err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// inspected is what `inspect` says, as far as it matters here.
type inspected struct {
	State           struct{ Running bool }
	NetworkSettings struct {
		Ports map[string][]struct{ HostIP, HostPort string }
	}
}

// look asks for the state. A container that is not there yet, or no more, is
// no error.
func (c *container) look(ctx context.Context) (running bool, err error) {
	out, err := c.engine.output(ctx, "container", "inspect", c.name)
	if err != nil {
		return false, nil
	}
	var all []inspected
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 {
		return false, fmt.Errorf("unexpected answer of %s about container %s: %w", c.engine, c.name, err)
	}
	if !all[0].State.Running {
		return false, nil
	}
	if c.port == 0 {
		return true, nil
	}
	bindings := all[0].NetworkSettings.Ports[fmt.Sprintf("%d/tcp", c.port)]
	if len(bindings) == 0 {
		return false, nil
	}
	host, _ := hostOf(c.engine)
	c.addr = net.JoinHostPort(host, bindings[0].HostPort)
	return true, nil
}
