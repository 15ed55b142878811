package rootfs_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"gitlab.com/selfcontained/pipeline/stages/module/moduletest"
	"gitlab.com/selfcontained/pipeline/stages/module/rootfs"
)

func file(name, body string) moduletest.File {
	return moduletest.File{Header: tar.Header{Name: name, Mode: 0o644}, Body: body}
}

func folder(name string) moduletest.File {
	return moduletest.File{Header: tar.Header{Name: name, Mode: 0o755, Typeflag: tar.TypeDir}}
}

func symlink(name, target string) moduletest.File {
	return moduletest.File{Header: tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeSymlink}}
}

func hardlink(name, target string) moduletest.File {
	return moduletest.File{Header: tar.Header{Name: name, Linkname: target, Typeflag: tar.TypeLink}}
}

func image(t testing.TB, layers ...[]moduletest.File) v1.Image {
	t.Helper()
	img := v1.Image(empty.Image)
	for _, files := range layers {
		next, err := mutate.AppendLayers(img, moduletest.Layer(t, files...))
		if err != nil {
			t.Fatal(err)
		}
		img = next
	}
	return img
}

// listing describes a folder: "name -> target", "name=content", "name/".
func listing(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			all = append(all, rel+" -> "+target)
			return err
		case d.IsDir():
			all = append(all, rel+"/")
			return nil
		}
		data, err := os.ReadFile(name)
		all = append(all, rel+"="+string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	type files = []moduletest.File
	for _, tt := range []struct {
		name   string
		layers []files
		want   []string
		err    string
	}{
		{name: "files", layers: []files{{folder("etc/"), file("etc/a", "1"), file("./etc/b", "2"), file("/etc/c", "3")}}, want: []string{"etc/", "etc/a=1", "etc/b=2", "etc/c=3"}},
		{name: "missing folders", layers: []files{{file("a/b/c", "1")}}, want: []string{"a/", "a/b/", "a/b/c=1"}},
		{name: "later layer wins", layers: []files{{file("a", "1")}, {file("a", "2")}}, want: []string{"a=2"}},
		{name: "file becomes folder", layers: []files{{file("a", "1")}, {folder("a"), file("a/b", "2")}}, want: []string{"a/", "a/b=2"}},
		{name: "folder becomes file", layers: []files{{file("a/b", "1")}, {file("a", "2")}}, want: []string{"a=2"}},
		{name: "whiteout", layers: []files{{file("a/b", "1"), file("a/c", "2")}, {file("a/.wh.b", "")}}, want: []string{"a/", "a/c=2"}},
		{name: "whiteout of a folder", layers: []files{{file("a/b/c", "1")}, {file("a/.wh.b", "")}}, want: []string{"a/"}},
		{name: "whiteout of its own layer", layers: []files{{file("a", "1")}, {file("a", "2"), file(".wh.a", "")}}, want: []string{"a=2"}},
		{name: "opaque", layers: []files{{file("a/b", "1"), file("a/d/e", "1")}, {file("a/c", "2"), file("a/.wh..wh..opq", "")}}, want: []string{"a/", "a/c=2"}},
		{name: "opaque before its content", layers: []files{{file("a/b", "1")}, {file("a/.wh..wh..opq", ""), file("a/b", "2")}}, want: []string{"a/", "a/b=2"}},
		{name: "hard link", layers: []files{{file("a", "1"), hardlink("b", "a"), hardlink("c", "/a")}}, want: []string{"a=1", "b=1", "c=1"}},
		{name: "relative link to a folder", layers: []files{{folder("usr/lib"), symlink("lib", "usr/lib")}, {file("lib/x", "1")}}, want: []string{"lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/x=1"}},
		{name: "absolute link to a folder", layers: []files{{folder("usr/lib"), symlink("lib", "/usr/lib")}, {file("lib/x", "1")}}, want: []string{"lib -> /usr/lib", "usr/", "usr/lib/", "usr/lib/x=1"}},
		{name: "link above the root", layers: []files{{symlink("up", "../../../.."), file("up/x", "1")}}, want: []string{"up -> ../../../..", "x=1"}},
		{name: "link to the host", layers: []files{{symlink("etc", "/tmp"), file("etc/x", "1")}}, want: []string{"etc -> /tmp", "tmp/", "tmp/x=1"}},
		{name: "a link is replaced, not followed", layers: []files{{symlink("a", "/etc/passwd"), file("a", "1")}}, want: []string{"a=1"}},
		{name: "dots", layers: []files{{file("../a", "1")}}, err: `".." is refused`},
		{name: "dots inside", layers: []files{{file("a/../../b", "1")}}, err: `".." is refused`},
		{name: "hard link out", layers: []files{{hardlink("a", "../../etc/passwd")}}, err: `".." is refused`},
		{name: "hard link to the host", layers: []files{{hardlink("a", "/etc/passwd")}}, err: "no such file"},
		{name: "hard link over a link out", layers: []files{{symlink("l", "/etc"), hardlink("a", "l/passwd")}}, err: "no such file"},
		{name: "links in a circle", layers: []files{{symlink("a", "b"), symlink("b", "a"), file("a/x", "1")}}, err: "too many symbolic links"},
		{name: "file as folder", layers: []files{{file("a", "1"), file("a/b", "2")}}, err: "a"},
		{name: "whiteout of everything", layers: []files{{file("a", "1")}, {file(".wh...", "")}}, err: "whiteout"},
		{
			name: "devices", layers: []files{{
				moduletest.File{Header: tar.Header{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}},
				moduletest.File{Header: tar.Header{Name: "disk", Typeflag: tar.TypeBlock, Devmajor: 8}},
				moduletest.File{Header: tar.Header{Name: "pipe", Typeflag: tar.TypeFifo}},
				file("a", "1"),
			}},
			want: []string{"a=1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, err := rootfs.Unpack(t.Context(), image(t, tt.layers...), dir, rootfs.User{}, rootfs.Limits{})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, listing(t, dir)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnpackModes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := func(name string, kind byte, mode int64) moduletest.File {
		return moduletest.File{Header: tar.Header{Name: name, Typeflag: kind, Mode: mode, Uid: 7, Gid: 8}}
	}
	img := image(t, []moduletest.File{
		entry("closed", tar.TypeDir, 0o500), entry("closed/private", tar.TypeReg, 0o600), entry("tmp", tar.TypeDir, 0o1777),
		entry("run", tar.TypeReg, 0o755),
	})
	if _, err := rootfs.Unpack(t.Context(), img, dir, rootfs.User{UID: 7, GID: 8}, rootfs.Limits{}); err != nil {
		t.Fatal(err)
	}
	closed := fs.ModeDir | 0o500
	if os.Geteuid() != 0 {
		closed = fs.ModeDir | 0o700 // or it could not be removed
	}
	for name, want := range map[string]fs.FileMode{
		"closed": closed, "closed/private": 0o600, "tmp": fs.ModeDir | fs.ModeSticky | 0o777, "run": 0o755,
	} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v (%v), want %v", name, info.Mode(), err, want)
		}
	}
}

func TestUnpackLimits(t *testing.T) {
	t.Parallel()
	img := image(t, []moduletest.File{file("zeros", strings.Repeat("\x00", 1<<20)), file("b", "")})
	for _, limits := range []rootfs.Limits{{Bytes: 1 << 19}, {Files: 1}} {
		_, err := rootfs.Unpack(t.Context(), img, t.TempDir(), rootfs.User{}, limits)
		if !errors.Is(err, rootfs.ErrLimit) {
			t.Errorf("limits %+v: %v", limits, err)
		}
	}
}

func TestUnpackDigest(t *testing.T) {
	t.Parallel()
	img := image(t, []moduletest.File{file("a", "1")})
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.RootFS.DiffIDs[0].Hex = strings.Repeat("0", 64)
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	if _, err := rootfs.Unpack(t.Context(), img, t.TempDir(), rootfs.User{}, rootfs.Limits{}); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("a layer with another digest was taken: %v", err)
	}
}

// FuzzUnpack unpacks hostile archives: whatever they say, the folder beside
// stays as it is.
func FuzzUnpack(f *testing.F) {
	f.Add(moduletest.Archive(f, file("a/b", "1"), symlink("l", ".."), file("l/l/canary", "2")))
	f.Add(moduletest.Archive(f, symlink("l", "../outside"), file("l/canary", "2"), file("l/.wh.canary", "")))
	f.Add(moduletest.Archive(f, symlink("a/l", "/"), hardlink("x", "a/l/../outside/canary"), file("x", "2")))
	f.Add(moduletest.Archive(f, folder("d"), file("d/.wh..wh..opq", ""), file("../outside/.wh.canary", "")))
	f.Fuzz(func(t *testing.T, archive []byte) {
		top := t.TempDir()
		outside, inside := filepath.Join(top, "outside"), filepath.Join(top, "inside")
		for _, dir := range []string{outside, inside} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(outside, "canary"), []byte("alive"), 0o644); err != nil {
			t.Fatal(err)
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil })
		if err != nil {
			return
		}
		img, err := mutate.AppendLayers(empty.Image, layer)
		if err != nil {
			return
		}
		_, _ = rootfs.Unpack(t.Context(), img, inside, rootfs.User{}, rootfs.Limits{Bytes: 1 << 20, Files: 1000})
		entries, err := os.ReadDir(top)
		if err != nil || len(entries) != 2 {
			t.Fatalf("beside the folder: %v, %v", entries, err)
		}
		if diff := cmp.Diff([]string{"canary=alive"}, listing(t, outside)); diff != "" {
			t.Fatalf("outside of the folder: %s", diff)
		}
	})
}

func TestUserOf(t *testing.T) {
	t.Parallel()
	img := image(t,
		[]moduletest.File{file("etc/passwd", "root:x:0:0::/:\napp:x:1000:1001::/:\n"), file("etc/group", "web:x:33:\n")})
	for spec, want := range map[string]string{
		"": "{0 0}", "7": "{7 0}", "7:8": "{7 8}", "app": "{1000 1001}", "1000": "{1000 1001}", "app:web": "{1000 33}", "app:5": "{1000 5}",
		"nobody": "error", "app:none": "error", "99999999999": "error",
	} {
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.Config.User = spec
		changed, err := mutate.ConfigFile(img, config)
		if err != nil {
			t.Fatal(err)
		}
		user, err := rootfs.UserOf(changed)
		got := fmt.Sprint(user)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("user %q: %s (%v), want %s", spec, got, err, want)
		}
	}
}

func TestCheckEntrypoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"script": "#!/bin/sh\n", "ok": "#!/script x\n", "text": "hello", "short": "x", "elf": "\x7fELF and nothing more",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for argv0, want := range map[string]string{
		"/script": "needs the interpreter /bin/sh, which the image lacks", "/ok": "", "./ok": "", "ok": "",
		"/text": "neither an ELF program nor a script", "/short": "neither", "/elf": "/elf", "/plain": "not executable",
		"/none": "no such file in the image", "none": "no such program in the image's PATH", "/": "folder",
	} {
		err := rootfs.CheckEntrypoint(dir, argv0, []string{"PATH=/bin:/"}, "/", "amd64")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", argv0, err, want)
		}
	}
}
