package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// Less free space than these, in bytes, is a warning or a problem.
const (
	fewBytes    = 5 << 30
	tooFewBytes = 1 << 30
)

// bytesText is an amount as people say it: "4.7 GiB".
func bytesText(n uint64) string {
	switch {
	case n >= 100<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// fileSystem is a file system with the folders on it that matter.
type fileSystem struct {
	device uint64
	free   uint64 // bytes that this user may still write
	paths  []string
}

// disks looks at where the cache, temporary files and the engine's images are.
func (d *patient) disks(ctx context.Context) []Finding {
	var all []fileSystem
	add := func(what, path string) {
		at := nearest(path)
		device, free, err := space(at)
		if path == "" || err != nil {
			return
		}
		i := slices.IndexFunc(all, func(o fileSystem) bool { return o.device == device })
		if i < 0 {
			all = append(all, fileSystem{device: device, free: free})
			i = len(all) - 1
		}
		all[i].paths = append(all[i].paths, what)
	}
	add("cache", d.Cache)
	add("temporary files", os.TempDir())
	add("checkout", d.Root)
	if e, ok := d.engines.first(ctx); ok && isFolder(e.root) { // not so in a virtual machine
		add("images of "+e.name, e.root)
	}
	var lines []Finding
	for _, disk := range all {
		lines = append(lines, d.diskLine(disk))
	}
	return lines
}

func (d *patient) diskLine(disk fileSystem) Finding {
	l := Finding{State: OK, Found: fmt.Sprintf("%s free for %s", bytesText(disk.free), strings.Join(disk.paths, ", "))}
	l.Remedy = "free some space (`pipeline cache trim --unused 0`, `go clean -cache`, `docker system prune`), or set PIPELINE_CACHE and TMPDIR to folders on another disk"
	switch {
	case disk.free < tooFewBytes:
		return d.blocked(l, d.Nodes)
	case disk.free < fewBytes:
		l.State = Warning
		l.Consequence = "building, images and clusters may fill it; a first `pipeline cluster node-image` takes some 10 GiB"
	default:
		l.Remedy = ""
	}
	return l
}

// nearest returns the path itself or the nearest folder above that exists.
func nearest(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// space returns the device that a path is on, and how many bytes of it are
// free for this user.
func space(path string) (device, free uint64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		device = uint64(stat.Dev) //nolint:unconvert // its type differs between systems
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, 0, err
	}
	return device, fs.Bavail * uint64(fs.Bsize), nil //nolint:unconvert // likewise
}

// cacheSize adds up what the cache holds, as far as there is time.
func (d *patient) cacheSize(ctx context.Context) []Finding {
	if d.CacheErr != nil || !isFolder(d.Cache) {
		return nil // folders says so
	}
	var size uint64
	complete := true
	_ = filepath.WalkDir(d.Cache, func(_ string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			complete = false
			return fs.SkipAll
		}
		if err != nil {
			return nil //nolint:nilerr // somebody has just removed it
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += uint64(info.Size())
		}
		return nil
	})
	l := Finding{State: OK, Found: fmt.Sprintf("%s in %s", bytesText(size), d.Cache)}
	if !complete {
		l.Found = "more than " + l.Found
	}
	return []Finding{l}
}

// folders says whether what is to be written can be, and programs in TMPDIR be
// run, as `go test` does.
func (d *patient) folders(context.Context) []Finding {
	if d.CacheErr != nil {
		return []Finding{d.blocked(Finding{Found: oneText(d.CacheErr), Remedy: "set PIPELINE_CACHE to a folder that can be written"}, d.Nodes)}
	}
	var lines []Finding
	for _, f := range []struct{ path, remedy string }{
		{d.Cache, "set PIPELINE_CACHE to a folder that can be written, or `chown` this one"},
		{d.state(), "make the folder writable; perhaps another user, or root in a container, has made it"},
		{os.TempDir(), "set TMPDIR to a folder that can be written"},
	} {
		if f.path == "" {
			continue
		}
		if err := writable(f.path); err != nil {
			lines = append(lines, d.blocked(Finding{Found: fmt.Sprintf("%s cannot be written: %v", d.Shown(f.path), err), Remedy: f.remedy}, d.Nodes))
		}
	}
	if noExec(os.TempDir()) {
		lines = append(lines, d.blocked(Finding{
			Found:  os.TempDir() + " is mounted noexec: `go test` cannot run there what it builds",
			Remedy: "set TMPDIR to a folder from which programs can be run, for example `export TMPDIR=$HOME/tmp`",
		}, d.stagesOf(func(n *pipeline.Node) bool { return n.Kind == "unit" || n.Kind == "module" || n.Kind == "integration" })))
	}
	if len(lines) == 0 {
		lines = []Finding{{State: OK, Found: "cache, .pipeline and TMPDIR can be written"}}
	}
	return lines
}

// state is the folder .pipeline, "" where there is no service.
func (d *patient) state() string {
	if len(d.Services) == 0 {
		return ""
	}
	root := d.Root
	if root == "" {
		root = d.Dir
	}
	return pipeline.OpenCheckout(root).Dir()
}

// writable looks whether files can be made in a folder, or it can be made,
// without doing so: access(2) knows read-only file systems too.
func writable(path string) error {
	at := nearest(path)
	if !isFolder(at) {
		return errors.New("it is no folder")
	}
	return unix.Access(at, unix.W_OK|unix.X_OK)
}

// leastMemory is what the stages need beside a kind node with a few services.
const leastMemory = 4 << 30

func (d *patient) memory(context.Context) []Finding {
	total, available := machineMemory()
	cpus := plural(runtime.GOMAXPROCS(0), "processor")
	if total == 0 {
		return []Finding{{Name: "processors", State: OK, Found: cpus}}
	}
	l := Finding{State: OK, Found: bytesText(total) + ", " + cpus}
	if available > 0 {
		l.Found = fmt.Sprintf("%s, %s of it available, %s", bytesText(total), bytesText(available), cpus)
	}
	if total < leastMemory || available > 0 && available < leastMemory/4 {
		l.State = Warning
		l.Consequence = "compilers, containers or the cluster's node may be killed for want of memory"
		l.Remedy = "end other programs, add memory, or run fewer stages at once: `pipeline run --jobs 1`"
	}
	return []Finding{l}
}

// leastOpenFiles is what a parallel build with its tests may need.
const leastOpenFiles = 4096

func (d *patient) openFiles(context.Context) []Finding {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil
	}
	most := uint64(limit.Max) //nolint:unconvert // its type differs between systems
	if most >= leastOpenFiles {
		return []Finding{{State: OK, Found: fmt.Sprintf("at most %d in a process", min(most, 1<<40))}}
	}
	return []Finding{{
		State: Warning, Found: fmt.Sprintf("at most %d in a process", most),
		Consequence: "compilers and servers under test may fail with \"too many open files\"",
		Remedy:      fmt.Sprintf("raise the hard limit, for example `ulimit -Hn %d` as root before the session begins", 1<<16),
	}}
}
