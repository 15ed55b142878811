package nodeimage

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// build is one run of the recipe.
type build struct {
	o    Options
	ref  string
	bin  map[string]string // binary -> its file
	debs debian
}

func newBuild(o Options, ref string) *build {
	return &build{o: o, ref: ref, bin: map[string]string{}}
}

// run does the steps in their order. What is not kept for the next build lies
// in one scratch folder, which goes in any case.
func (b *build) run(ctx context.Context) error {
	if err := b.removeScratch(); err != nil {
		return err
	}
	scratch := filepath.Join(b.o.Work, "scratch")
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return err
	}
	defer func() { _ = b.removeScratch() }()
	if err := b.compile(ctx); err != nil {
		return err
	}
	if err := b.step("Debian packages", func() error { return b.packages(ctx) }); err != nil {
		return err
	}
	var store preloader
	if err := b.step("images of the control plane", func() (err error) {
		store, err = b.preload(ctx, scratch)
		return err
	}); err != nil {
		return err
	}
	if err := b.step("import into "+b.o.Engine, func() error { return b.deliver(ctx, scratch, store) }); err != nil {
		return err
	}
	return b.prune()
}

// prune removes the binaries of recipes that are no longer this one.
func (b *build) prune() error {
	used := map[string]bool{}
	for _, file := range b.bin {
		used[filepath.Base(file)] = true
	}
	for _, folder := range []string{"bin", "src"} {
		entries, err := os.ReadDir(filepath.Join(b.o.Work, folder))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if used[e.Name()] {
				continue
			}
			if err := os.RemoveAll(filepath.Join(b.o.Work, folder, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeScratch removes what this build, or one that was killed, left.
func (b *build) removeScratch() error { return os.RemoveAll(filepath.Join(b.o.Work, "scratch")) }

func (b *build) step(name string, do func() error) error {
	b.o.Progress(name, false, 0)
	start := time.Now()
	if err := do(); err != nil {
		return fmt.Errorf("node image, %s: %w", name, err)
	}
	b.o.Progress(name, true, time.Since(start))
	return nil
}

// compile builds one binary at a time: each build uses every core itself.
func (b *build) compile(ctx context.Context) error {
	c := compiler{work: b.o.Work, arch: b.o.Arch, log: b.o.Log}
	for _, x := range binaries() {
		if err := b.step("build "+x.name, func() (err error) {
			b.bin[x.name], err = c.build(ctx, x)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (b *build) packages(ctx context.Context) error {
	osRelease, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return err
	}
	b.debs = debian{folder: filepath.Join(b.o.Work, "debs", release(string(osRelease))+"-"+b.o.Arch), log: b.o.Log}
	return b.debs.fetch(ctx, nodePackages())
}

// preload packs the images and unpacks them into the store of the node.
func (b *build) preload(ctx context.Context, scratch string) (preloader, error) {
	p := preloader{folder: scratch, store: filepath.Join(scratch, "store"), bin: b.bin, log: b.o.Log}
	net, err := b.debs.userland(ctx, b.o.Arch, proxyPackages())
	if err != nil {
		return p, err
	}
	archive := filepath.Join(scratch, "images.tar")
	if err := packImages(archive, scratch, b.o.Arch, layerTrees(b.bin, net)); err != nil {
		return p, err
	}
	return p, p.load(ctx, archive)
}

// deliver puts the node together and streams it into the engine.
func (b *build) deliver(ctx context.Context, scratch string, p preloader) error {
	t, err := b.debs.userland(ctx, b.o.Arch, nodePackages())
	if err != nil {
		return err
	}
	files, err := source("files")
	if err != nil {
		return err
	}
	furnish(t, b.bin, files)
	if err := addApplets(ctx, t, scratch); err != nil {
		return err
	}
	hyperkube, err := p.findHyperkube()
	if err != nil {
		return err
	}
	t.link("usr/bin/hyperkube", hyperkube)
	if err := t.folder("var/lib/containerd", p.store); err != nil {
		return err
	}
	return importImage(ctx, b.o.Engine, b.ref, t)
}

// importImage gives the tree to the engine as an image of one layer.
func importImage(ctx context.Context, engine, ref string, t tree) error {
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := t.write(w)
		_ = w.CloseWithError(err)
		packed <- err
	}()
	err := proc.Cmd{Args: []string{
		engine, "import",
		"--change", `ENTRYPOINT ["/usr/local/bin/entrypoint"]`,
		"--change", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=docker",
		"--message", "kind node from source", "-", ref,
	}, Stdin: r}.Run(ctx)
	_ = r.CloseWithError(io.ErrClosedPipe) // an engine that gave up reads no more
	if perr := <-packed; perr != nil && err == nil {
		return perr
	}
	return err
}
