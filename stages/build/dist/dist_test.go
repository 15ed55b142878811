package dist_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/stages/build"
	"gitlab.com/selfcontained/pipeline/stages/build/dist"
)

// built makes the outputs of a build for these platforms.
func built(t *testing.T, platforms ...string) dist.Options {
	t.Helper()
	dir := t.TempDir()
	m := build.Manifest{Name: "stock", Version: "1.2.0"}
	for _, p := range platforms {
		content := []byte("program for " + p)
		sum := sha256.Sum256(content)
		b := build.Binary{Platform: p, Path: strings.ReplaceAll(p, "/", "_") + "/stock", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content))}
		name := filepath.Join(dir, b.Path)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content, 0o700); err != nil {
			t.Fatal(err)
		}
		m.Binaries = append(m.Binaries, b)
	}
	writeManifest(t, dir, m)
	return dist.Options{
		Dir: dir, Into: t.TempDir(), Name: "stock", Version: "1.2.0",
		Documents: []dist.Document{{"LICENSE", []byte("take it\n")}, {"README.md", []byte("# stock\n")}},
	}
}

func writeManifest(t *testing.T, dir string, m any) {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, build.ManifestFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// list is what is in an archive: mode, owner, time, name and content.
func list(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, fmt.Sprintf("%o %d:%d %d %s %q", h.Mode, h.Uid, h.Gid, h.ModTime.Unix(), h.Name, content))
	}
}

func TestPack(t *testing.T) {
	t.Parallel()
	o := built(t, "linux/amd64", "linux/arm/v7", "darwin/arm64")
	first, err := dist.Pack(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range first {
		names = append(names, a.Name+" "+a.Platform)
		data, err := os.ReadFile(filepath.Join(o.Into, a.Name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != a.SHA256 {
			t.Errorf("%s has another digest than %s", a.Name, a.SHA256)
		}
	}
	want := []string{
		"stock-1.2.0-linux-amd64.tar.gz linux/amd64", "stock-1.2.0-linux-armv7.tar.gz linux/arm/v7", "stock-1.2.0-darwin-arm64.tar.gz darwin/arm64",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("archives (-want +got):\n%s", diff)
	}
	want = []string{
		`644 0:0 0 LICENSE "take it\n"`, `644 0:0 0 README.md "# stock\n"`, `755 0:0 0 stock "program for darwin/arm64"`,
	}
	if diff := cmp.Diff(want, list(t, filepath.Join(o.Into, first[2].Name))); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	// Packed elsewhere and later the bytes are the same.
	if err := os.Chtimes(filepath.Join(o.Dir, "linux_amd64", "stock"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	o.Into = t.TempDir()
	again, err := dist.Pack(t.Context(), o)
	if diff := cmp.Diff(first, again); diff != "" || err != nil {
		t.Errorf("packed again: %v (-first +second)\n%s", err, diff)
	}
}

// What a command in the place of the build stage has to write is less.
func TestPackOfACommand(t *testing.T) {
	t.Parallel()
	o := built(t, "linux/amd64")
	writeManifest(t, o.Dir, map[string]any{"name": "stock", "binaries": []any{map[string]any{"platform": "linux/amd64"}}})
	if _, err := dist.Pack(t.Context(), o); err != nil {
		t.Error(err)
	}
}

func TestPackRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *testing.T, o *dist.Options)
		want   string
	}{
		"another program": {func(t *testing.T, o *dist.Options) {
			if err := os.WriteFile(filepath.Join(o.Dir, "linux_amd64", "stock"), []byte("Program for linux/amd64"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "linux_amd64/stock is not the file that build.json names"},
		"another version": {func(_ *testing.T, o *dist.Options) { o.Version = "1.3.0" }, "the programs have version 1.2.0, and 1.3.0 is to be released"},
		"no build":        {func(t *testing.T, o *dist.Options) { o.Dir = t.TempDir() }, "no such file"},
		"a library":       {func(t *testing.T, o *dist.Options) { writeManifest(t, o.Dir, build.Manifest{}) }, "names no binaries"},
		"a way out": {func(t *testing.T, o *dist.Options) {
			writeManifest(t, o.Dir, build.Manifest{Binaries: []build.Binary{{Platform: "linux/amd64", Path: "../x"}}})
		}, `path "../x" leaves the folder`},
		"no platform": {func(t *testing.T, o *dist.Options) {
			writeManifest(t, o.Dir, build.Manifest{Binaries: []build.Binary{{Platform: "linux", Path: "x"}}})
		}, `platform "linux"; expected OS/ARCH`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := built(t, "linux/amd64")
			c.change(t, &o)
			_, err := dist.Pack(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v; expected one with %q", err, c.want)
			}
			if left, _ := os.ReadDir(o.Into); len(left) > 0 {
				t.Errorf("%s was left", left[0].Name())
			}
		})
	}
}
