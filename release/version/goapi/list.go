package goapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath, Name, Dir string
	Standard              bool
	GoFiles, CgoFiles     []string
	XTestGoFiles          []string
	ImportMap             map[string]string
	Module                *struct{ Path, Version, GoVersion string }
	Error                 *struct{ Err string }
}

const listedFields = "ImportPath,Name,Dir,Standard,GoFiles,CgoFiles,XTestGoFiles,ImportMap,Module,Error"

// listPackages asks the go command for the packages of a module and for all
// that they import. It uses the module cache alone, and changes nothing.
func listPackages(ctx context.Context, dir string, p Platform, tags []string) (map[string]*listed, error) {
	mod := "-mod=readonly"
	if _, err := os.Stat(filepath.Join(dir, "vendor", "modules.txt")); err == nil {
		mod = "-mod=vendor"
	}
	out, err := proc.Cmd{
		Args: []string{"go", "list", "-e", "-deps", mod, "-tags=" + strings.Join(tags, ","), "-json=" + listedFields, "./..."},
		Dir:  dir,
		Env: []string{
			"GOOS=" + p.OS, "GOARCH=" + p.Arch, "CGO_ENABLED=1", "GOFLAGS=", "GOWORK=off", "GO111MODULE=on",
			"GOPROXY=off", "GOTOOLCHAIN=local", "GOEXPERIMENT=", "PWD=" + dir,
		},
	}.Output(ctx)
	if err != nil {
		return nil, listFailure(err)
	}
	packages := map[string]*listed{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("read what go list says: %w", err)
		}
		packages[l.ImportPath] = &l
	}
}

// listFailure says what to do about a failure of go list.
func listFailure(err error) error {
	var failed *proc.Error
	if !errors.As(err, &failed) {
		return err
	}
	return fmt.Errorf("list the packages of the module%s: %w", advice(failed.Stderr+failed.Error()), err)
}

// advice knows what the go command's messages ask for.
func advice(message string) string {
	switch {
	case strings.Contains(message, "GOTOOLCHAIN=local"):
		return " (its go.mod asks for a newer Go: install that one)"
	case strings.Contains(message, "GOPROXY=off"), strings.Contains(message, "missing go.sum entry"), strings.Contains(message, "missing from module"):
		return " (the module cache lacks a dependency: run `go mod download` there first)"
	case strings.Contains(message, "updates to go.mod needed"), strings.Contains(message, "no required module provides"), strings.Contains(message, "cannot find module providing"):
		return " (its go.mod is not tidy: that release cannot be built as it is)"
	case strings.Contains(message, "replacement directory"), strings.Contains(message, "outside"):
		return " (a replace directive leads out of the folder: extract the whole repository)"
	case strings.Contains(message, "not installed"):
		return " (install Go, or put it into PATH)"
	}
	return ""
}
