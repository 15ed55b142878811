package nodeimage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// BuildShim builds the OCI runtime that goes before runc (package runcshim) for
// this machine's architecture and puts it at path, replacing what is there in
// one step. A container engine on a host that lacks capabilities needs it.
func BuildShim(ctx context.Context, path, arch string, log io.Writer) error {
	if err := needGo(); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "runc-shim-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	c := compiler{work: work, arch: arch, log: log}
	built, err := c.build(ctx, shimBinary())
	if err != nil {
		return err
	}
	return copyFile(built, path, 0o755)
}

func needGo() error {
	if _, err := exec.LookPath("go"); err != nil {
		return &HostError{What: "no Go toolchain in PATH", Do: "install Go 1.26 or newer (https://go.dev/dl)", Err: err}
	}
	return nil
}

// compiler builds binaries into its work folder, each once: a finished binary
// carries the hash of everything that went into it in its name.
type compiler struct {
	work string // bin/ and src/ are made in it
	arch string // GOARCH
	log  io.Writer
}

// build returns the path of the binary, building it if it is not there.
func (c compiler) build(ctx context.Context, b binary) (string, error) {
	files, err := b.files()
	if err != nil {
		return "", err
	}
	key := digestOf(files, append(b.args(""), c.arch)...)[:12]
	out := filepath.Join(c.work, "bin", b.name+"-"+key)
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	src := filepath.Join(c.work, "src", b.name+"-"+key)
	if err := writeFiles(src, files); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	partial := out + ".partial"
	cmd := proc.Cmd{
		Args: append([]string{"go"}, b.args(partial)...), Dir: src,
		Env:    []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + c.arch, "GOFLAGS=", "GOWORK=off"},
		Stdout: c.log, Stderr: c.log,
	}
	if err := cmd.Run(ctx); err != nil {
		return "", fmt.Errorf("build %s: %w", b.name, err)
	}
	return out, os.Rename(partial, out)
}

// digestOf returns the hex SHA-256 of files and words, in an order of their own.
func digestOf(files map[string][]byte, words ...string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "file %q %d\n", name, len(files[name]))
		h.Write(files[name])
	}
	for _, w := range words {
		fmt.Fprintf(h, "word %q\n", w)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func writeFiles(folder string, files map[string][]byte) error {
	for name, raw := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// copyFile copies through a temporary name, so that path is whole or absent.
func copyFile(from, path string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }()
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(out.Name(), mode)
	}
	if err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}
