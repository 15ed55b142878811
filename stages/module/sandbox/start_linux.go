package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"gitlab.com/selfcontained/pipeline/stages/module/instance"
	"gitlab.com/selfcontained/pipeline/stages/module/rootfs"
)

// namespaceKinds returns the names below /proc/PID/ns of what a sandbox has for
// itself, beside the user namespace, and their clone flags.
func namespaceKinds() map[string]uintptr {
	return map[string]uintptr{
		"mnt": syscall.CLONE_NEWNS, "pid": syscall.CLONE_NEWPID, "net": syscall.CLONE_NEWNET,
		"ipc": syscall.CLONE_NEWIPC, "uts": syscall.CLONE_NEWUTS,
	}
}

// Possible reports whether a sandbox may work here, without starting a
// process: the kernel is asked for the namespaces, and the new process ends
// because there is nothing to execute. Choose gives the final answer.
func Possible() bool {
	if os.Geteuid() == 0 {
		return true // at the least, chroot
	}
	_, _, err := syscall.StartProcess("/proc/self/no-such-program", []string{"probe"}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{
			Cloneflags:  uintptr(cloneFlags(User)),
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		},
	})
	return errors.Is(err, syscall.ENOENT)
}

// Choose returns the most complete mode that works on this machine, found by
// setting up a sandbox without a program in an empty folder below scratch. The
// error says what stood against each mode.
func Choose(ctx context.Context, scratch string) (Mode, error) {
	modes := []Mode{User}
	if os.Geteuid() == 0 {
		modes = []Mode{User, Namespaces, Chroot}
	}
	var all []error
	for _, mode := range modes {
		err := try(ctx, mode, scratch)
		if err == nil {
			return mode, nil
		}
		if errors.Is(err, syscall.ENOSPC) { // what clone(2) says of a limit
			err = fmt.Errorf("switched off by the limits user.max_*_namespaces: %w", err)
		}
		all = append(all, fmt.Errorf("%s: %w", mode, err))
	}
	return "", errors.Join(all...)
}

// probeTime bounds the trial of one mode.
const probeTime = 10 * time.Second

func try(ctx context.Context, mode Mode, scratch string) error {
	root, err := os.MkdirTemp(scratch, "sandbox-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	s, err := New(mode, Image{Root: root, User: rootfs.User{UID: 65532, GID: 65532}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	p, err := s.start(ctx, instance.Spec{Output: io.Discard})
	if err != nil {
		return err
	}
	<-p.Done()
	return p.Exit().Err
}

// New prepares the image's root file system for the sandbox: mount points, the
// working directory and /etc/hosts.
func New(mode Mode, image Image) (*Sandbox, error) {
	abs, err := filepath.Abs(image.Root)
	if err != nil {
		return nil, err
	}
	image.Root = abs
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	defer root.Close()
	if image.WorkDir == "" {
		image.WorkDir = "/"
	}
	if image.Writable, err = prepare(root, image); err != nil {
		return nil, fmt.Errorf("sandbox: prepare the image's root file system: %w", err)
	}
	return &Sandbox{mode: mode, image: image}, nil
}

// prepare makes what is mounted over, and returns the writable folders that
// can be used: those without symbolic links, relative to the root.
func prepare(root *os.Root, image Image) ([]string, error) {
	var writable []string
	for _, dir := range slices.Concat([]string{"proc", "dev", "tmp", "etc"}, relative(image.Writable), relative([]string{image.WorkDir})) {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("/%s: %w", dir, err)
		}
	}
	for _, dir := range relative(image.Writable) {
		info, err := root.Lstat(dir)
		if err != nil || !info.IsDir() {
			return nil, fmt.Errorf("volume /%s is not a folder (%w)", dir, err)
		}
		writable = append(writable, dir)
	}
	f, err := root.OpenFile("etc/hosts", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return writable, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(f, hosts)
	return writable, errors.Join(err, f.Close())
}

// relative makes paths of the image relative to its root; the root itself is
// left out.
func relative(paths []string) []string {
	var all []string
	for _, p := range paths {
		if p = filepath.Join("/", p)[1:]; p != "" {
			all = append(all, p)
		}
	}
	return all
}

// Start starts a program. It is killed when ctx ends.
func (s *Sandbox) Start(ctx context.Context, spec instance.Spec) (instance.Instance, error) {
	p, err := s.start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (s *Sandbox) start(ctx context.Context, spec instance.Spec) (*process, error) {
	if err := s.checkPort(spec.Port); err != nil {
		return nil, err
	}
	ctl, file, err := controlPair()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &process{
		ctl: ctl, kill: cancel, done: make(chan struct{}), ready: make(chan error, 1),
		dials: map[int]chan connection{},
	}
	cmd := s.command(ctx, spec.Output, file)
	launched := make(chan error, 1)
	go p.supervise(cmd, launched)
	err = <-launched
	// Only the init may hold its end: that it is closed says that it is gone.
	file.Close()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	if err := ctl.send(s.config(spec), -1); err != nil {
		p.Kill()
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	if err := <-p.ready; err != nil {
		p.Kill()
		return nil, err
	}
	if spec.Port != 0 {
		if err := p.listen(ctx); err != nil {
			p.Kill()
			return nil, err
		}
	}
	return p, nil
}

// checkPort refuses a port that is taken where the program has no network
// namespace: its readiness would be that of something else.
func (s *Sandbox) checkPort(port int) error {
	if s.mode != Chroot || port == 0 {
		return nil
	}
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return fmt.Errorf("port %d is needed, because this machine allows no network namespace: %w", port, err)
	}
	return l.Close()
}

func (s *Sandbox) config(spec instance.Spec) config {
	return config{
		Mode: s.mode, Root: s.image.Root, User: s.image.User, Argv: spec.Argv,
		Env:     slices.Concat([]string{"PATH=" + rootfs.PathOf(s.image.Env), "HOSTNAME=" + hostname}, s.image.Env, spec.Env),
		WorkDir: s.image.WorkDir, Writable: s.image.Writable,
		SetUser: os.Geteuid() == 0, Parent: namespaces(), Port: spec.Port,
	}
}

func (s *Sandbox) command(ctx context.Context, output io.Writer, control *os.File) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{initName}
	cmd.Dir = "/"
	cmd.Env = []string{"PIPELINE_RUN=" + os.Getenv("PIPELINE_RUN")}
	cmd.ExtraFiles = []*os.File{control}
	cmd.Stdout, cmd.Stderr = output, output
	// In mode Chroot something may outlive the init and keep the pipe open.
	cmd.WaitDelay = time.Second
	attr := &syscall.SysProcAttr{Cloneflags: cloneFlags(s.mode), Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if s.mode == User {
		s.mapUsers(attr)
	}
	cmd.SysProcAttr = attr
	return cmd
}

func cloneFlags(mode Mode) uintptr {
	if mode == Chroot {
		return 0
	}
	var flags uintptr
	for _, flag := range namespaceKinds() {
		flags |= flag
	}
	if mode == User {
		flags |= syscall.CLONE_NEWUSER
	}
	return flags
}

// mapUsers keeps all ids for root, so that owners of files mean what they say.
// Another user can map only itself, and becomes the image's user; the init
// then needs its capabilities across the exec as ambient ones.
func (s *Sandbox) mapUsers(attr *syscall.SysProcAttr) {
	if os.Geteuid() == 0 {
		attr.UidMappings = identity("/proc/self/uid_map")
		attr.GidMappings = identity("/proc/self/gid_map")
		attr.GidMappingsEnableSetgroups = true
		return
	}
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: s.image.User.UID, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: s.image.User.GID, HostID: os.Getegid(), Size: 1}}
	attr.AmbientCaps = setUpCapabilities()
}

// identity maps every id that exists in this process's user namespace to
// itself. The format of the file is that of user_namespaces(7).
func identity(file string) []syscall.SysProcIDMap {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var all []syscall.SysProcIDMap
	for line := range strings.Lines(string(data)) {
		var inside, outside, count int
		if n, _ := fmt.Sscan(line, &inside, &outside, &count); n == 3 {
			all = append(all, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: count})
		}
	}
	return all
}

// supervise starts the init and waits for it, on one thread: the parent-death
// signal is bound to the thread that forks.
func (p *process) supervise(cmd *exec.Cmd, launched chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := cmd.Start()
	launched <- err
	if err != nil {
		p.ctl.conn.Close()
		return
	}
	received := make(chan struct{})
	go func() {
		defer close(received)
		p.receive()
	}()
	err = cmd.Wait()
	<-received
	p.ctl.conn.Close()
	p.ended(err, cmd.ProcessState)
}
