// Package dist packs the programs of a build for people who download them.
//
// There is one tar.gz for each platform, named NAME-VERSION-OS-ARCH.tar.gz as
// is usual for programs, with the program under its plain name beside the
// documents (licence, what it is), all at the top: unpacking it leaves
// ./NAME. Nothing is built: each program is the one that build.json names, by
// its digest. The bytes of an archive depend on its content alone (order,
// modes, no times, no owners), so that packing again, anywhere, gives what a
// signed statement names.
package dist

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/stages/build"
	"gitlab.com/selfcontained/pipeline/stages/container/archive"
)

// Document is a file that lies beside the program in every archive.
type Document struct {
	Name    string // without folders
	Content []byte
}

// Options say what is packed and where.
type Options struct {
	// Dir has the outputs of the build stage, Into takes the archives and is
	// there already.
	Dir, Into string
	// Name is what the program is called in the archive.
	Name string
	// Version is that of the release, and of the build.
	Version string
	// Documents are written in their order.
	Documents []Document
}

// Archive is one finished archive.
type Archive struct {
	Name     string // of the file in Options.Into
	Platform string // "darwin/arm64"
	SHA256   string // of the file, in hex digits
}

// Name is what the archive for a platform is called.
func Name(name, version, platform string) string {
	system, machine, _ := strings.Cut(platform, "/")
	return fmt.Sprintf("%s-%s-%s-%s.tar.gz", name, version, system, strings.ReplaceAll(machine, "/", ""))
}

// Pack writes an archive for each program of a build, in their order.
func Pack(ctx context.Context, o Options) ([]Archive, error) {
	m, err := build.ReadManifest(o.Dir)
	if err != nil {
		return nil, err
	}
	switch {
	case len(m.Binaries) == 0:
		return nil, fmt.Errorf("outputs of the build stage: %s names no binaries", build.ManifestFile)
	case m.Version != "" && m.Version != o.Version:
		return nil, fmt.Errorf("outputs of the build stage: the programs have version %s, and %s is to be released; run the build stage again", m.Version, o.Version)
	}
	archives := make([]Archive, len(m.Binaries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, b := range m.Binaries {
		g.Go(func() (err error) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			archives[i], err = o.pack(b)
			return err
		})
	}
	return archives, g.Wait()
}

// pack writes the archive of one program.
func (o Options) pack(b build.Binary) (a Archive, err error) {
	a = Archive{Name: Name(o.Name, o.Version, b.Platform), Platform: b.Platform}
	file, err := os.Create(filepath.Join(o.Into, a.Name))
	if err != nil {
		return a, fmt.Errorf("pack %s: %w", a.Name, err)
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			err = errors.Join(fmt.Errorf("pack %s: %w", a.Name, err), os.Remove(file.Name()))
		}
	}()
	h := sha256.New()
	w, err := archive.New(io.MultiWriter(h, file))
	if err != nil {
		return a, err
	}
	if err := o.fill(w, b); err != nil {
		return a, err
	}
	_, err = w.Close()
	a.SHA256 = hex.EncodeToString(h.Sum(nil))
	return a, err
}

func (o Options) fill(w *archive.Writer, b build.Binary) error {
	for _, d := range o.Documents {
		if err := w.File(d.Name, 0o644, int64(len(d.Content)), strings.NewReader(string(d.Content))); err != nil {
			return err
		}
	}
	program, err := os.Open(filepath.Join(o.Dir, filepath.FromSlash(b.Path)))
	if err != nil {
		return err
	}
	defer program.Close()
	info, err := program.Stat()
	if err != nil {
		return err
	}
	h := sha256.New()
	if err := w.File(o.Name, 0o755, info.Size(), io.TeeReader(program, h)); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); b.SHA256 != "" && b.SHA256 != sum {
		return fmt.Errorf("%s is not the file that %s names (SHA-256 %s, expected %s)", b.Path, build.ManifestFile, sum, b.SHA256)
	}
	return nil
}
