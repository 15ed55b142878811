package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gitlab.com/selfcontained/pipeline/stages/module/instance"
)

// controlFD is the init's end of the socket: the first of ExtraFiles.
const controlFD = 3

// Main is the init of a sandbox. It returns the exit code of the process: that
// of the program, or 125 when there was none.
func Main() int {
	// Capabilities and the parent-death signal belong to threads: the program
	// is started from the one that gave them up, and that one must live on.
	runtime.LockOSThread()
	unix.CloseOnExec(controlFD)
	ctl, err := newControl(os.NewFile(controlFD, "control"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	i := &initProcess{ctl: ctl}
	if _, err := ctl.receive(&i.cfg); err != nil {
		return 125
	}
	if err := i.run(); err != nil {
		var program *instance.NotStartedError
		i.send(event{Kind: failed, Error: err.Error(), Program: errors.As(err, &program)})
		return 125
	}
	return i.code
}

// initProcess is the first process of a sandbox.
type initProcess struct {
	ctl  *control
	cfg  config
	code int

	mu  sync.Mutex
	pid int // of the program; 0 once it is reaped
}

func (i *initProcess) run() error {
	if err := setUp(i.cfg); err != nil {
		return fmt.Errorf("set up the sandbox: %w", err)
	}
	if len(i.cfg.Argv) == 0 {
		i.send(event{Kind: started})
		i.send(event{Kind: exited})
		return nil
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	pid, err := i.exec()
	if err != nil {
		return &instance.NotStartedError{Err: fmt.Errorf("start %s: %w", i.cfg.Argv[0], err)}
	}
	i.pid = pid
	i.send(event{Kind: started})
	go func() {
		for s := range signals {
			i.forward(s.(syscall.Signal))
		}
	}()
	go i.serve()
	status, err := i.reap(pid)
	if err != nil {
		return err
	}
	return i.report(status)
}

func (i *initProcess) send(e event) { _ = i.ctl.send(e, -1) }

// exec starts the program as the image's user, without capabilities and
// without a way to new ones.
func (i *initProcess) exec() (int, error) {
	name, err := lookPath(i.cfg.Argv[0], i.cfg.Env)
	if err != nil {
		return 0, err
	}
	if err := dropCapabilities(); err != nil {
		return 0, err
	}
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if i.cfg.SetUser {
		attr.Credential = &syscall.Credential{Uid: uint32(i.cfg.User.UID), Gid: uint32(i.cfg.User.GID)}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	pid, _, err := syscall.StartProcess(name, i.cfg.Argv, &syscall.ProcAttr{
		Dir: i.cfg.WorkDir, Env: i.cfg.Env, Sys: attr,
		Files: []uintptr{null.Fd(), 1, 2},
	})
	return pid, err
}

// lookPath finds the program along PATH, as execvp(3) does.
func lookPath(argv0 string, env []string) (string, error) {
	if strings.Contains(argv0, "/") {
		return argv0, nil
	}
	path := ""
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			path = value
		}
	}
	for dir := range strings.SplitSeq(path, ":") {
		name := dir + "/" + argv0
		if info, err := os.Stat(name); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return name, nil
		}
	}
	return "", fmt.Errorf("no such program in PATH (%s)", path)
}

// reap waits for all children until the program ends: what it left behind has
// this process as its parent.
func (i *initProcess) reap(pid int) (syscall.WaitStatus, error) {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, fmt.Errorf("wait for the program: %w", err)
		case ended == pid:
			i.mu.Lock()
			i.pid = 0
			i.mu.Unlock()
			// Without a PID namespace nothing else ends what the program left.
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			return status, nil
		}
	}
}

func (i *initProcess) report(status syscall.WaitStatus) error {
	e := event{Kind: exited, Code: status.ExitStatus()}
	i.code = e.Code
	if status.Signaled() {
		e.Signal, e.Code = int(status.Signal()), 0
		i.code = 128 + e.Signal
	}
	i.send(e)
	return nil
}

// forward signals the program, if it is still there.
func (i *initProcess) forward(s syscall.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.pid != 0 {
		_ = syscall.Kill(i.pid, s)
	}
}

// serve does what the parent asks for, and ends with it.
func (i *initProcess) serve() {
	for {
		var r request
		if _, err := i.ctl.receive(&r); err != nil {
			i.abandon()
			return
		}
		if r.Signal != 0 {
			i.forward(syscall.Signal(r.Signal))
		}
		if r.Dial != 0 {
			go i.dial(r.Dial)
		}
	}
}

// abandon ends the program when nobody is there any more to ask for it.
func (i *initProcess) abandon() { i.forward(syscall.SIGKILL) }

// dialTime bounds a connection to a port of the same network namespace.
const dialTime = 5 * time.Second

func (i *initProcess) dial(id int) {
	e := event{Kind: dialed, Dial: id}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(i.cfg.Port)), dialTime)
	if err != nil {
		e.Error = err.Error()
		i.send(e)
		return
	}
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		e.Error = err.Error()
		i.send(e)
		return
	}
	defer file.Close()
	_ = i.ctl.send(e, int(file.Fd()))
}
