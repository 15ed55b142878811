package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

const (
	// socketTime bounds containerd's start, settleTime its garbage collection.
	socketTime = 30 * time.Second
	settleTime = 30 * time.Second
	// settled is what the manifests and configurations of all images stay
	// well below; a layer does not.
	settled = 1 << 20
)

// preloader unpacks images into a containerd store that the node will find as
// its own. It runs the node's containerd on this machine, in a private mount
// namespace, with nothing outside its folder. It needs root, for the files'
// owners and the mounts.
type preloader struct {
	folder string // scratch: configuration, state, socket
	store  string // becomes the node's /var/lib/containerd
	bin    map[string]string
	log    io.Writer
}

func needRoot() error {
	if os.Geteuid() != 0 {
		return &HostError{
			What: "unpacking the images into the node's store needs root, once for each version",
			Do:   "run the same command as root (sudo), or use kindest/node with --node-image",
		}
	}
	if _, err := exec.LookPath("unshare"); err != nil {
		return &HostError{What: "no unshare in PATH", Do: "install util-linux", Err: err}
	}
	return nil
}

func (p preloader) socket() string { return filepath.Join(p.folder, "containerd.sock") }

// config renders containerd's configuration. The plugins left out are those
// that only a node with pods needs, that probe the machine, or that make
// folders outside (/opt/containerd).
func (p preloader) config() string {
	disabled := []string{
		"io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
		"io.containerd.podsandbox.controller.v1.podsandbox", "io.containerd.internal.v1.opt",
		"io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs", "io.containerd.nri.v1.nri",
	}
	return fmt.Sprintf("version = 3\nroot = %q\nstate = %q\ndisabled_plugins = [\"%s\"]\n[grpc]\n  address = %q\n[ttrpc]\n  address = %q\n[debug]\n  level = \"warn\"\n",
		p.store, filepath.Join(p.folder, "state"), strings.Join(disabled, `", "`), p.socket(), p.socket()+".ttrpc")
}

// load imports the archive into the store.
func (p preloader) load(ctx context.Context, archive string) error {
	config := filepath.Join(p.folder, "config.toml")
	if err := os.WriteFile(config, []byte(p.config()), 0o600); err != nil {
		return err
	}
	containerd, err := proc.Cmd{
		Args:   []string{"unshare", "--mount", p.bin["containerd"], "--config", config},
		Stdout: p.log, Stderr: p.log,
	}.Start(ctx)
	if err != nil {
		return err
	}
	err = p.use(ctx, containerd, archive)
	_ = containerd.Signal(syscall.SIGTERM)
	if werr := containerd.Wait(); err == nil && proc.ExitCode(werr) != 0 && ctx.Err() == nil {
		err = werr
	}
	if err != nil {
		return fmt.Errorf("unpack the images with containerd: %w", err)
	}
	return os.RemoveAll(filepath.Join(p.store, "tmpmounts"))
}

func (p preloader) use(ctx context.Context, containerd *proc.Process, archive string) error {
	if err := p.awaitSocket(ctx, containerd); err != nil {
		return err
	}
	if _, err := p.ctr(ctx, "images", "import", "--local", "--discard-unpacked-layers", "--snapshotter", "overlayfs", archive); err != nil {
		return err
	}
	for _, c := range components() {
		// The CRI plugin lists, and the kubelet spares, what it manages itself.
		if _, err := p.ctr(ctx, "images", "label", c.ref, "io.cri-containerd.image=managed"); err != nil {
			return err
		}
	}
	if _, err := p.ctr(ctx, "content", "prune", "references"); err != nil {
		return err
	}
	return p.awaitCollection(ctx)
}

func (p preloader) ctr(ctx context.Context, args ...string) ([]byte, error) {
	args = append([]string{p.bin["ctr"], "--address", p.socket(), "--namespace", "k8s.io"}, args...)
	return proc.Cmd{Args: args, Stderr: p.log}.Output(ctx)
}

func (p preloader) awaitSocket(ctx context.Context, containerd *proc.Process) error {
	return poll(ctx, socketTime, "containerd does not answer", func() (bool, error) {
		select {
		case <-containerd.Done():
			return false, errors.Join(errors.New("containerd ended"), containerd.Wait())
		default:
		}
		c, err := net.Dial("unix", p.socket())
		if err == nil {
			err = c.Close()
		}
		return err == nil, nil
	})
}

// awaitCollection returns when containerd has removed the compressed layers:
// the node keeps only what was unpacked from them.
func (p preloader) awaitCollection(ctx context.Context) error {
	blobs := filepath.Join(p.store, "io.containerd.content.v1.content", "blobs")
	return poll(ctx, settleTime, "containerd keeps the layers' blobs", func() (bool, error) {
		size, err := sizeOf(blobs)
		return size < settled, err
	})
}

// poll asks every 20 ms until the answer is yes, an error, or too late.
func poll(ctx context.Context, limit time.Duration, late string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s within %v", late, limit))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// sizeOf sums up the files below a folder, of which some may vanish meanwhile.
func sizeOf(folder string) (int64, error) {
	var size int64
	err := filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size, err
}

// findHyperkube returns where in the store the Kubernetes binary was unpacked
// to. The node links to it, so that the largest file exists once.
func (p preloader) findHyperkube() (string, error) {
	found, err := filepath.Glob(filepath.Join(p.store, "io.containerd.snapshotter.v1.overlayfs", "snapshots", "*", "fs", hyperkubePath))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("containerd's store has %d copies of %s instead of one", len(found), hyperkubePath)
	}
	rel, err := filepath.Rel(p.store, found[0])
	return filepath.Join("/var/lib/containerd", rel), err
}
