package nodeimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// debian fetches packages of the distribution that this machine runs.
type debian struct {
	folder string // keeps NAME.deb
	log    io.Writer
}

func needDebian() error {
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return &HostError{
				What: tool + " is not here, and the node's userland comes from Debian packages",
				Do:   "build it on a Debian or Ubuntu (a container will do), or use kindest/node with --node-image",
				Err:  err,
			}
		}
	}
	return nil
}

// fetch downloads the packages that are not in the folder yet.
func (d debian) fetch(ctx context.Context, packages []string) error {
	if err := os.MkdirAll(d.folder, 0o755); err != nil {
		return err
	}
	var wanted []string
	for _, p := range packages {
		if _, err := os.Stat(d.path(p)); err != nil {
			wanted = append(wanted, p)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	err := d.download(ctx, wanted)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// A list that is missing or out of date names no package or an old one.
	if uerr := d.apt(ctx, "", "update", "-q"); uerr != nil {
		return errors.Join(err, uerr)
	}
	return d.download(ctx, wanted)
}

// download fetches into a folder of its own and moves each package to its place
// when all are there.
func (d debian) download(ctx context.Context, packages []string) error {
	tmp, err := os.MkdirTemp(d.folder, "partial-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	// The user that apt would drop its privileges to cannot write here.
	args := append([]string{"-q", "-o", "APT::Sandbox::User=root", "download"}, packages...)
	if err := d.apt(ctx, tmp, args...); err != nil {
		return err
	}
	for _, p := range packages {
		found, err := filepath.Glob(filepath.Join(tmp, p+"_*.deb"))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("apt-get download %s: %d files instead of one", p, len(found))
		}
		if err := os.Rename(found[0], d.path(p)); err != nil {
			return err
		}
	}
	return nil
}

func (d debian) apt(ctx context.Context, dir string, args ...string) error {
	return proc.Cmd{Args: append([]string{"apt-get"}, args...), Dir: dir, Stdout: d.log, Stderr: d.log}.Run(ctx)
}

func (d debian) path(pkg string) string { return filepath.Join(d.folder, pkg+".deb") }

// unpack adds the files of the packages to the tree.
func (d debian) unpack(ctx context.Context, t tree, packages []string) error {
	for _, p := range packages {
		raw, err := proc.Cmd{Args: []string{"dpkg-deb", "--fsys-tarfile", d.path(p)}}.Output(ctx)
		if err != nil {
			return err
		}
		if err := t.unpack(bytes.NewReader(raw)); err != nil {
			return fmt.Errorf("package %s: %w", p, err)
		}
	}
	return nil
}

// release returns the codename of the machine's distribution from the text of
// os-release(5): packages of one release do not go with those of another.
func release(osRelease string) string {
	values := map[string]string{}
	for line := range strings.Lines(osRelease) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[k] = strings.Trim(v, `"'`)
	}
	for _, k := range []string{"VERSION_CODENAME", "VERSION_ID", "ID"} {
		if values[k] != "" {
			return values[k]
		}
	}
	return "unknown"
}
