package build

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// ManifestFile and ModulesFile are the names of the lists below job.Out.
const (
	ManifestFile = "build.json"
	ModulesFile  = "modules.json"
)

// Manifest is the content of build.json: what was built. It names no version
// of Go and no time, so that it changes only when a program does.
type Manifest struct {
	Name      string   `json:"name"`
	Version   string   `json:"version"`
	Module    string   `json:"module"`
	Platforms []string `json:"platforms"` // those that were built; empty for a library
	Binaries  []Binary `json:"binaries"`  // in the order of Platforms
}

// Binary is one program.
type Binary struct {
	Platform string `json:"platform"` // "linux/amd64"
	Path     string `json:"path"`     // below job.Out, with slashes
	SHA256   string `json:"sha256"`   // 64 hex digits
	Size     int64  `json:"size"`     // bytes
}

// Module is one element of modules.json: a module that is linked into a
// program of any platform. The list is sorted by path.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	// Sum is the h1: hash of go.sum, empty for a module in a local folder.
	Sum string `json:"sum,omitempty"`
}

// programs builds the main package for each platform, one after the other:
// the go command itself uses all processors.
func (s *Stage) programs(ctx context.Context, g gotool.Go) ([]Binary, error) {
	if s.o.Service.Main == "" {
		return nil, nil
	}
	var built []Binary
	for _, platform := range s.o.Service.Platforms {
		b, err := s.program(ctx, g, platform)
		if err != nil {
			return nil, err
		}
		built = append(built, b)
	}
	return built, nil
}

func (s *Stage) program(ctx context.Context, g gotool.Go, platform string) (Binary, error) {
	rel := path.Join(strings.ReplaceAll(platform, "/", "_"), s.o.Service.Name)
	out := filepath.Join(g.Job.Out, filepath.FromSlash(rel))
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return Binary{}, err
	}
	g.Env = gotool.BuildEnv(platform)
	_, stderr, err := g.Run(ctx, "build", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w -X "+s.stamp()+"="+s.o.Version, "-o", out, s.o.Service.Main)
	if err := gotool.Red(err, "go build for "+platform+" failed", gotool.Complaints(stderr)); err != nil {
		return Binary{}, err
	}
	if err := os.Chmod(out, 0o755); err != nil { // whatever the umask
		return Binary{}, err
	}
	sum, size, err := digest(out)
	return Binary{Platform: platform, Path: rel, SHA256: sum, Size: size}, err
}

func digest(name string) (sum string, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// write writes build.json and modules.json.
func (s *Stage) write(out string, built []Binary) error {
	m := Manifest{
		Name: s.o.Service.Name, Version: s.o.Version, Module: s.o.Service.Module,
		Platforms: []string{}, Binaries: append([]Binary{}, built...),
	}
	if m.Module == "" {
		m.Module = gotool.Module(s.o.Sources.Dir)
	}
	for _, b := range built {
		m.Platforms = append(m.Platforms, b.Platform)
	}
	linked, err := linkedModules(out, built)
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(out, ManifestFile), m); err != nil {
		return err
	}
	return writeJSON(filepath.Join(out, ModulesFile), linked)
}

// linkedModules reads the list that the linker leaves in every program.
func linkedModules(out string, built []Binary) ([]Module, error) {
	list := []Module{}
	for _, b := range built {
		info, err := buildinfo.ReadFile(filepath.Join(out, filepath.FromSlash(b.Path)))
		if err != nil {
			return nil, fmt.Errorf("read the modules of %s: %w", b.Path, err)
		}
		for _, dep := range info.Deps {
			m := Module{Path: dep.Path, Version: dep.Version, Sum: dep.Sum}
			if r := dep.Replace; r != nil && r.Version != "" {
				m = Module{Path: r.Path, Version: r.Version, Sum: r.Sum}
			}
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b Module) int {
		return strings.Compare(a.Path+" "+a.Version, b.Path+" "+b.Version)
	})
	return slices.Compact(list), nil
}

func writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Chmod(name, 0o644) // whatever the umask
}
