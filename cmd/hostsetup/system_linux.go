package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

// delBridge is SIOCBRDELBR of linux/sockios.h.
const delBridge = 0x89a1

// interfaceRequest is struct ifreq of netdevice(7) with ifr_flags.
type interfaceRequest struct {
	name  [syscall.IFNAMSIZ]byte
	flags uint16
	_     [22]byte
}

// removeBridge sets a bridge down and removes it, which the kernel refuses
// while it is up.
func removeBridge(name string) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(fd) }()
	var r interfaceRequest
	if len(name) >= len(r.name) {
		return fmt.Errorf("name too long")
	}
	copy(r.name[:], name)
	if err := ioctl(fd, syscall.SIOCSIFFLAGS, unsafe.Pointer(&r)); err != nil {
		return fmt.Errorf("set down: %w", err)
	}
	return ioctl(fd, delBridge, unsafe.Pointer(&r))
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// unmount detaches a mount point even while something uses it.
func unmount(path string) error { return syscall.Unmount(path, syscall.MNT_DETACH) }
