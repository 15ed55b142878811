package nodeimage

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// smallTrees are the layers of a node with every binary replaced by one file.
func smallTrees(t *testing.T) map[string]tree {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	bin := map[string]string{}
	for _, b := range binaries() {
		bin[b.name] = program
	}
	return layerTrees(bin, newTree())
}

func TestPackImages(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1.tar"), filepath.Join(dir, "2.tar")
	trees := smallTrees(t)
	for _, archive := range []string{first, second} {
		if err := packImages(archive, dir, "arm64", trees); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range components() {
		img, again := fromArchive(t, first, c.ref), fromArchive(t, second, c.ref)
		if err := validate.Image(img); err != nil {
			t.Errorf("%s: %v", c.ref, err)
		}
		if a, b := digest(t, img), digest(t, again); a != b {
			t.Errorf("%s: packed twice, %s and %s", c.ref, a, b)
		}
		if cf, err := img.ConfigFile(); err != nil || cf.Architecture != "arm64" || cf.Config.Entrypoint[0] != c.entrypoint {
			t.Errorf("%s: %+v, %v", c.ref, cf, err)
		}
	}
}

func fromArchive(t *testing.T, archive, ref string) v1.Image {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(archive, &tag)
	if err != nil {
		t.Fatalf("%s: %v", ref, err)
	}
	return img
}

func digest(t *testing.T, img v1.Image) v1.Hash {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTree(t *testing.T) {
	tr := newTree()
	tr.file("/bin/sh", 0o755, []byte("x"))
	tr.link("etc/alias", "/target")
	tr.dir("tmp", fs.ModeSticky|0o777)
	if !tr.has("usr/bin/sh") || !tr.has("bin/sh") || !tr.has("./usr/bin//sh") {
		t.Error("/bin/sh and /usr/bin/sh are not one file")
	}
	tr.file("usr/share/doc/a/copyright", 0o644, nil)
	tr.file("usr/share/doc2", 0o644, nil)
	tr.drop(func(name string) bool { return superfluous(name, "usr/lib/x") })
	if tr.has("usr/share/doc/a/copyright") || tr.has("usr/share/doc/a") || !tr.has("usr/share/doc2") {
		t.Errorf("after drop: %v", tr)
	}
	want := []string{
		"bin>usr/bin 777", "etc/ 755", "etc/alias>/target 777", "lib>usr/lib 777", "lib64>usr/lib64 777",
		"sbin>usr/sbin 777", "tmp/ 1777", "usr/ 755", "usr/bin/ 755", "usr/bin/sh 755", "usr/lib/ 755", "usr/lib64/ 755",
		"usr/sbin/ 755", "usr/share/ 755", "usr/share/doc2 644",
	}
	if diff := cmp.Diff(want, listing(t, tr)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestTreeUnpack(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "./lib/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "./lib/libx.so.1", Mode: 0o644, Size: 1},
		{Typeflag: tar.TypeLink, Name: "./usr/lib/hard", Linkname: "./lib/libx.so.1"},
		{Typeflag: tar.TypeSymlink, Name: "./lib/libx.so", Linkname: "libx.so.1"},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tr := newTree()
	if err := tr.unpack(&b); err != nil {
		t.Fatal(err)
	}
	if tr["lib"].link != "usr/lib" || string(tr["usr/lib/hard"].data) != "x" || tr["usr/lib/libx.so"].link != "libx.so.1" {
		t.Errorf("%v", tr)
	}
	odd := &tar.Header{Typeflag: tar.TypeLink, Name: "a", Linkname: "nowhere"}
	if err := tr.entry(odd, nil); err == nil {
		t.Error("no error for a hard link to nothing")
	}
	if err := tr.entry(&tar.Header{Typeflag: tar.TypeChar, Name: "dev/null"}, nil); err == nil {
		t.Error("no error for a device")
	}
}

func TestTreeFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/a/b", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/a/f", []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("f", dir+"/a/l"); err != nil {
		t.Fatal(err)
	}
	tr := tree{}
	if err := tr.folder("var/x", dir+"/a"); err != nil {
		t.Fatal(err)
	}
	want := []string{"var/ 755", "var/x/ 700", "var/x/b/ 700", "var/x/f 600", "var/x/l>f 777"}
	if diff := cmp.Diff(want, listing(t, tr)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// listing packs the tree and returns its entries; times and owners are checked.
func listing(t *testing.T, tr tree) []string {
	t.Helper()
	var b bytes.Buffer
	if err := tr.write(&b); err != nil {
		t.Fatal(err)
	}
	var out []string
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(epoch()) || h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s: time %v, owner %d:%d", h.Name, h.ModTime, h.Uid, h.Gid)
		}
		line := h.Name
		if h.Linkname != "" {
			line += ">" + h.Linkname
		}
		out = append(out, line+" "+octal(h.Mode))
	}
}
