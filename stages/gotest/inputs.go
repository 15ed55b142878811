package gotest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// binaryKey identifies what the test binary of a package is made from: the
// files of the package and of all packages of the module that it imports, the
// versions of the others, the toolchain and the flags. ok is false where that
// is not all: with replaced modules in folders, a vendor folder, or a toolchain
// that cannot be told.
func binaryKey(dir, folder string, args []string) (key string, ok bool) {
	in := &evidence.Inputs{}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && name == "go.mod" {
			return "", false
		}
		in.Digest(name, evidence.Sum(data))
	}
	version := gotool.Version()
	if version == "" || replaced(dir) {
		return "", false
	}
	for _, arg := range slices.Concat(args, gotool.Env()) {
		in.Value("setting "+arg, "")
	}
	for _, f := range gotool.Closure(dir, filepath.ToSlash(filepath.Clean(folder))) {
		if addFolder(in, dir, filepath.FromSlash(f)) != nil {
			return "", false
		}
	}
	return version + " " + string(in.Key()), true
}

// replaced reports whether the module takes code from folders of others.
func replaced(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "vendor")); err == nil {
		return true
	}
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return true
	}
	mod, err := modfile.Parse("go.mod", data, nil)
	return err != nil || slices.ContainsFunc(mod.Replace, func(r *modfile.Replace) bool { return r.New.Version == "" })
}

// addFolder adds the files of a folder, and of those below if it embeds some.
func addFolder(in *evidence.Inputs, dir, folder string) error {
	root := filepath.Join(dir, folder)
	embeds := false
	for _, name := range goFiles(root) {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		embeds = embeds || bytes.Contains(data, []byte("//go:embed"))
	}
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && !embeds:
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		in.Digest("file "+filepath.ToSlash(name[len(dir):]), evidence.Sum(data))
		return nil
	})
}

func goFiles(folder string) []string {
	names, _ := filepath.Glob(filepath.Join(folder, "*.go"))
	return names
}
