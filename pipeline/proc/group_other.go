//go:build !linux

package proc

import (
	"os/exec"
	"syscall"
)

func setGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// endGroup does nothing: without Linux's waitid, only a cancelled command's
// group is ended.
func endGroup(int) {}

// giveWay does nothing: elsewhere a priority belongs to the whole process.
func giveWay() bool { return false }
