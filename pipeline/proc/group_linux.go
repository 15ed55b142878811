package proc

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// setGroup gives the command a process group of its own and has the kernel
// kill it should this process die.
func setGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// endGroup waits until the command itself has ended, without reaping it, and
// then kills what it left in its group: also before its output is closed, which
// such a process may hold open.
func endGroup(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
}

// backgroundNice is the niceness of background commands: they get about a
// tenth of a processor that others want.
const backgroundNice = 10

// giveWay lowers the priority of the calling thread, which what it starts
// inherits. The thread cannot be raised again without a privilege: it must not
// run anything else, and ends with its goroutine when that stays locked to it.
func giveWay() bool {
	return unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), backgroundNice) == nil
}
