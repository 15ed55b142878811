package proc

import (
	"os/exec"
	"syscall"
)

// setGroup gives the command a process group of its own and has the kernel
// kill it should this process die.
func setGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
