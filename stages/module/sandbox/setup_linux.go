package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const hostname = "module"

// setUp makes the process the init of its sandbox: afterwards "/" is the
// image's root file system.
func setUp(cfg config) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	if cfg.Mode == Chroot {
		return changeRoot(cfg.Root)
	}
	if err := verifyNamespaces(cfg); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bring the loopback device up: %w", err)
	}
	if err := mountAll(cfg); err != nil {
		return err
	}
	return pivot(cfg.Root)
}

// verifyNamespaces makes sure that nothing that follows can touch the host.
func verifyNamespaces(cfg config) error {
	own := namespaces()
	for kind := range namespaceKinds() {
		if cfg.Parent[kind] == "" || own[kind] == "" || own[kind] == cfg.Parent[kind] {
			return fmt.Errorf("the %s namespace is not a new one (%q, the parent's is %q)", kind, own[kind], cfg.Parent[kind])
		}
	}
	if cfg.Mode == User && (own["user"] == "" || own["user"] == cfg.Parent["user"]) {
		return fmt.Errorf("the user namespace is not a new one (%q)", own["user"])
	}
	return nil
}

// changeRoot is all that can be done without namespaces. Device nodes are made
// where that is allowed.
func changeRoot(root string) error {
	for _, d := range devices() {
		name := filepath.Join(root, "dev", d.name)
		if err := unix.Mknod(name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))); err == nil {
			_ = os.Chmod(name, 0o666)
		}
	}
	_ = os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky)
	if err := unix.Chroot(root); err != nil {
		return fmt.Errorf("change root to %s: %w", root, err)
	}
	return os.Chdir("/")
}

// mountAll builds the mount tree below the root. The root is bound to itself,
// because only a mount point can become "/".
func mountAll(cfg config) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := bind(cfg.Root, cfg.Root); err != nil {
		return err
	}
	for _, dir := range cfg.Writable {
		if err := bind(filepath.Join(cfg.Root, dir), filepath.Join(cfg.Root, dir)); err != nil {
			return err
		}
	}
	if err := mount("tmpfs", filepath.Join(cfg.Root, "tmp"), unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
		return err
	}
	if err := mountDevices(filepath.Join(cfg.Root, "dev")); err != nil {
		return err
	}
	if err := mount("proc", filepath.Join(cfg.Root, "proc"), unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		// A container whose own /proc is partly hidden may not mount another
		// one. Most programs do without.
		fmt.Fprintln(os.Stderr, "sandbox: no /proc:", err)
	} else {
		// As engines do: any user may bind to any port of its own namespace.
		_ = os.WriteFile(filepath.Join(cfg.Root, "proc/sys/net/ipv4/ip_unprivileged_port_start"), []byte("0"), 0)
	}
	return readOnly(cfg.Root)
}

func mount(fstype, target string, flags uintptr, data string) error {
	if err := unix.Mount(fstype, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mount %s: %w", fstype, err)
	}
	return nil
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", to, err)
	}
	return nil
}

// readOnly makes one mount read-only. The kernel refuses a remount that drops
// flags which a more privileged namespace has set: they are repeated.
func readOnly(target string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(target, &st); err != nil {
		return fmt.Errorf("look at %s: %w", target, err)
	}
	flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV)
	for st1, ms := range map[int64]uintptr{
		unix.ST_NOEXEC: unix.MS_NOEXEC, unix.ST_NOATIME: unix.MS_NOATIME,
		unix.ST_NODIRATIME: unix.MS_NODIRATIME, unix.ST_RELATIME: unix.MS_RELATIME,
	} {
		if int64(st.Flags)&st1 != 0 {
			flags |= ms
		}
	}
	if err := unix.Mount("", target, "", flags, ""); err != nil {
		return fmt.Errorf("make the root read-only: %w", err)
	}
	return nil
}

// device is a character device that every program may expect.
type device struct {
	name         string
	major, minor uint32
}

// devices returns those of the OCI runtime specification, config-linux.md,
// "Default Devices", without the terminals.
func devices() []device {
	return []device{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}
}

// mountDevices fills a fresh /dev with the host's devices: a user namespace
// cannot make its own.
func mountDevices(dev string) error {
	if err := mount("tmpfs", dev, unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	for _, d := range devices() {
		name := filepath.Join(dev, d.name)
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			return err
		}
		if err := bind("/dev/"+d.name, name); err != nil && d.name == "null" {
			return err
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	shm := filepath.Join(dev, "shm")
	if err := os.Mkdir(shm, 0o755); err != nil {
		return err
	}
	return mount("tmpfs", shm, unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
}

// pivot makes root "/" and lets go of the old one. Stacking both on "/" needs
// no folder for the old root (pivot_root(2), "pivot_root(., .)").
func pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	err := unix.PivotRoot(".", ".")
	if errors.Is(err, unix.EINVAL) {
		return moveRoot(root) // the host's root is an initramfs
	}
	if err != nil {
		return fmt.Errorf("change root to %s: %w", root, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the old root: %w", err)
	}
	return os.Chdir("/")
}

func moveRoot(root string) error {
	if err := unix.Mount(root, "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to the root: %w", root, err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change root to %s: %w", root, err)
	}
	return os.Chdir("/")
}

// loopbackUp sets IFF_UP of the device "lo" (netdevice(7)).
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifreq, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifreq.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifreq)
}
