// Package moduletest makes small images for the tests of the module stage.
//
// One static program is compiled once per test process; the image's
// environment variable VARIANT chooses how it misbehaves. The images are laid
// out as the container stage does: an OCI image layout "oci" with one bundle
// in it, and a bundle.json beside it.
package moduletest

import (
	"archive/tar"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

//go:embed program.go.txt
var program []byte

// Version is the version that the images are said to have.
const Version = "0.1.0-dev.h1234abcd"

// Port is the port that the images expose.
const Port = 8080

// Programs are the compiled programs, by name.
type Programs struct {
	Static  string // path of a static program
	Dynamic string // one that needs an interpreter
}

// Compile builds the programs in dir.
func Compile(dir string) (Programs, error) {
	if err := os.WriteFile(filepath.Join(dir, "main.go"), program, 0o644); err != nil {
		return Programs{}, err
	}
	p := Programs{Static: filepath.Join(dir, "static"), Dynamic: filepath.Join(dir, "dynamic")}
	if err := compile(dir, p.Static); err != nil {
		return p, err
	}
	// A position-independent program of Go names an interpreter.
	return p, compile(dir, p.Dynamic, "-buildmode=pie")
}

func compile(dir, out string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", out}, flags...)
	cmd := exec.Command("go", append(args, filepath.Join(dir, "main.go"))...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off", "GO111MODULE=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the test's program: %w: %s", err, text)
	}
	return nil
}

// File is an entry of a layer. Its type is that of the header.
type File struct {
	tar.Header
	Body string
}

// Layer returns a layer with the files.
func Layer(t testing.TB, files ...File) v1.Layer {
	t.Helper()
	data := Archive(t, files...)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// Archive returns a tar archive with the files.
func Archive(t testing.TB, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if f.Typeflag == 0 {
			f.Typeflag = tar.TypeReg
		}
		f.Size = int64(len(f.Body))
		if err := w.WriteHeader(&f.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.Body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Image returns an image with the program as /stock, for this machine's
// processor. The last function may change the config.
func Image(t testing.TB, program, variant string, change func(*v1.Config)) v1.Image {
	t.Helper()
	body, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	layer := Layer(t,
		File{Header: tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}},
		File{Header: tar.Header{Name: "data/", Typeflag: tar.TypeDir, Mode: 0o755, Uid: 65532, Gid: 65532}},
		File{Header: tar.Header{Name: "etc/passwd", Mode: 0o644}, Body: "root:x:0:0::/:\nnonroot:x:65532:65532::/data:\n"},
		File{Header: tar.Header{Name: "stock", Mode: 0o755}, Body: string(body)},
	)
	img, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1), layer)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{
		Entrypoint: []string{"/stock"}, User: "65532:65532",
		Env:          []string{"VARIANT=" + variant, "VERSION=" + Version},
		ExposedPorts: map[string]struct{}{fmt.Sprintf("%d/tcp", Port): {}},
	}
	if change != nil {
		change(&file.Config)
	}
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	return img
}

// Bundle writes what the container stage hands over into a new folder and
// returns it.
func Bundle(t testing.TB, img v1.Image) string {
	t.Helper()
	dir := t.TempDir()
	extra := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	extra, err := mutate.AppendLayers(extra, static.NewLayer([]byte("{}"), "application/vnd.cyclonedx+json"))
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: extra, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}, ArtifactType: "application/vnd.cyclonedx+json",
		}},
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH},
		}},
	)
	path, err := layout.Write(filepath.Join(dir, "oci"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendIndex(index); err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]string{"digest": digest.String(), "version": Version, "name": "stock", "ref": "registry.example/stock"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bundle.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
