package nodeimage

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

// sources holds what the image is made from. The programs are packages of this
// module; embedding drops folders that have a go.mod of their own, which is why
// the module files below recipe are called go.mod.tmpl. The files of this
// package that decide what lies where are here for the hash in Ref.
//
//go:embed knode/*.go runcshim/*.go pause/*.go recipe files
//go:embed build.go images.go pack.go packages.go preload.go rootfs.go tree.go
var sources embed.FS

// source returns the files below folder by their path in it: tests left out,
// and without the suffix .tmpl.
func source(folder string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(sources, folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, "_test.go") {
			return err
		}
		raw, err := sources.ReadFile(p)
		rel := strings.TrimPrefix(p, folder+"/")
		files[strings.TrimSuffix(rel, ".tmpl")] = raw
		return err
	})
	return files, err
}

// programSource returns the sources of a program of this module as a module of
// its own. The programs use the standard library alone.
func programSource(name string) (map[string][]byte, error) {
	files, err := source(name)
	if err == nil {
		files["go.mod"] = []byte("module pipeline.local/" + path.Base(name) + "\n\ngo 1.26.0\n")
	}
	return files, err
}
