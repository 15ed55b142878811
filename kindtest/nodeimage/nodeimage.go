// Package nodeimage builds an image for kind's nodes from source, for machines
// that can pull no image.
//
// Everything comes from Go modules, pinned by checksum, and from packages of
// the Debian or Ubuntu that it runs on. The image is small since the node has
// no systemd: program knode is PID 1, and Kubernetes is one binary that the
// control plane's images, unpacked in containerd's store in the node, share
// with kubelet, kubeadm and kubectl. It makes one-node clusters.
//
// The image's name carries a hash of all that it is made from, so that an
// engine that has Ref has this very image, and a change of a version or of a
// source is another image.
package nodeimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// repository is the image's name. The domain does not exist: nobody can push
// to it or pull from it by mistake.
const repository = "pipeline.local/kindnode"

// freeSpace is what the work folder's file system must have left, in bytes. The
// Go caches need about 7 GB more on a machine that has never built Kubernetes.
const freeSpace = 3 << 30

// Options says where and how to build.
type Options struct {
	// Work is a folder that is kept between builds; the default is "node" in
	// $PIPELINE_CACHE or in the user's cache folder's "pipeline".
	Work string
	// Engine is the client that takes the image: "docker" (default) or "podman".
	Engine string
	// Arch is the node's architecture as Go names it. It must be this
	// machine's, the default: the node's own containerd runs during the build.
	Arch string
	// Progress, if set, is called when a step begins (done is false) and when
	// it has succeeded.
	Progress func(step string, done bool, took time.Duration)
	// Log, if set, receives the output of the commands.
	Log io.Writer
}

// Ref returns the image's name: Kubernetes' version and a hash of everything
// that the image of this machine's architecture is made from.
func Ref() string { return refFor(runtime.GOARCH) }

func refFor(arch string) string {
	return repository + ":" + Kubernetes + "-" + recipeHash(arch)[:12]
}

// recipeHash covers every embedded source, version, build setting and package.
func recipeHash(arch string) string {
	files, err := source(".")
	if err != nil {
		panic(err) // reading embedded files fails only in a broken binary
	}
	words := append([]string{arch, Kubernetes, Containerd, CNIPlugins, Etcd, CoreDNS, Pause, etcdTag}, nodePackages()...)
	words = append(words, proxyPackages()...)
	for _, b := range binaries() {
		words = append(append(words, b.name), b.args("")...)
	}
	return digestOf(files, words...)
}

// Present reports whether the engine has the image. An engine that does not
// answer is an error.
func Present(ctx context.Context, engine string) (bool, error) {
	return present(ctx, engine, Ref())
}

func present(ctx context.Context, engine, ref string) (bool, error) {
	out, err := proc.Cmd{Args: []string{engine, "image", "ls", "--quiet", "--filter", "reference=" + ref}}.Output(ctx)
	return strings.TrimSpace(string(out)) != "", err
}

// Build makes the image and puts it into the engine, unless it is there. Steps
// that an earlier build finished are not done again, also after a failure or a
// cancellation. A second Build with the same work folder waits for the first. A
// *HostError tells that this machine lacks something.
func Build(ctx context.Context, o Options) (ref string, err error) {
	o, err = o.complete()
	if err != nil {
		return "", err
	}
	ref = refFor(o.Arch)
	if there, err := present(ctx, o.Engine, ref); err != nil || there {
		return ref, err
	}
	if err := o.check(); err != nil {
		return ref, err
	}
	unlock, err := lockFolder(ctx, filepath.Join(o.Work, "lock"), o.Log)
	if err != nil {
		return ref, err
	}
	defer unlock()
	// Somebody else may have built it while this process waited.
	if there, err := present(ctx, o.Engine, ref); err != nil || there {
		return ref, err
	}
	return ref, diskFull(newBuild(o, ref).run(ctx), o.Work)
}

func (o Options) complete() (Options, error) {
	if o.Work == "" {
		cache := os.Getenv("PIPELINE_CACHE")
		if cache == "" {
			user, err := os.UserCacheDir()
			if err != nil {
				return o, fmt.Errorf("no cache folder, set PIPELINE_CACHE: %w", err)
			}
			cache = filepath.Join(user, "pipeline")
		}
		o.Work = filepath.Join(cache, "node")
	}
	work, err := filepath.Abs(o.Work)
	if err != nil {
		return o, err
	}
	o.Work = work
	if o.Engine == "" {
		o.Engine = "docker"
	}
	if o.Arch == "" {
		o.Arch = runtime.GOARCH
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Progress == nil {
		o.Progress = func(string, bool, time.Duration) {}
	}
	return o, nil
}

// check finds out in a moment what would fail after ten minutes, and makes the
// work folder.
func (o Options) check() error {
	if runtime.GOOS != "linux" {
		return &HostError{What: "this is not Linux", Do: "build in a Linux machine, or use kindest/node with --node-image"}
	}
	if o.Arch != runtime.GOARCH {
		return &HostError{What: "the node's containerd runs during the build, and " + o.Arch + " is not this machine's architecture", Do: "build on " + o.Arch}
	}
	if _, err := triplet(o.Arch); err != nil {
		return err
	}
	for _, need := range []func() error{needGo, needDebian, needRoot} {
		if err := need(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(o.Work, 0o755); err != nil {
		return err
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(o.Work, &fs); err != nil {
		return fmt.Errorf("%s: %w", o.Work, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < freeSpace {
		return &HostError{
			What: fmt.Sprintf("%s has %d MB left and the build takes %d", o.Work, free>>20, freeSpace>>20),
			Do:   "free some space, or set PIPELINE_CACHE to another disk",
		}
	}
	return nil
}

// diskFull makes a clear error of one that says that a disk is full.
func diskFull(err error, work string) error {
	var failed *proc.Error
	full := errors.Is(err, syscall.ENOSPC) ||
		errors.As(err, &failed) && strings.Contains(failed.Stderr, "no space left on device")
	if !full {
		return err
	}
	return &HostError{
		What: "a disk is full",
		Do:   "free some space below " + work + ", the Go caches (go env GOCACHE GOMODCACHE) or the engine's data, and run it again",
		Err:  err,
	}
}
