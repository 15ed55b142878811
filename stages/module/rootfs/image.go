// Package rootfs turns an image of an OCI layout into a folder.
//
// The layers of an image come from outside and are not to be trusted: a name
// may point out of the folder, directly, through a symbolic link or through a
// hard link, and a small archive may unpack to terabytes. Every operation goes
// through an [os.Root], which the operating system keeps inside the folder;
// links are resolved here as a process would that has the folder as its root;
// sizes are bounded; what an unprivileged user cannot make (device nodes,
// owners) is left out. The bytes are those of the image: config and layers are
// compared with the digests that the manifest and the config state.
package rootfs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// Find returns the image for a platform ("linux/amd64") from the index with
// the given digest, which is the single entry of the OCI image layout in dir.
// Manifest and config are compared with their digests; the layers are when
// they are unpacked. A layout or index without them is an error that names
// what is there.
func Find(dir, digest, platform string) (v1.Image, error) {
	path, err := layout.FromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("read OCI layout %s: %w", dir, err)
	}
	top, err := path.ImageIndex()
	if err != nil {
		return nil, fmt.Errorf("read OCI layout %s: %w", dir, err)
	}
	want, err := v1.NewHash(digest)
	if err != nil {
		return nil, fmt.Errorf("digest of the bundle: %w", err)
	}
	bundle, err := top.ImageIndex(want)
	if err != nil {
		return nil, fmt.Errorf("bundle %s in OCI layout %s: %w", digest, dir, err)
	}
	raw, err := bundle.RawManifest()
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", digest, err)
	}
	if err := verify(raw, want, "bundle"); err != nil {
		return nil, err
	}
	return pick(bundle, platform)
}

// pick chooses the first manifest for the platform, as engines do.
func pick(bundle v1.ImageIndex, platform string) (v1.Image, error) {
	want, err := v1.ParsePlatform(platform)
	if err != nil {
		return nil, fmt.Errorf("platform %q: %w", platform, err)
	}
	manifest, err := bundle.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read the bundle's index: %w", err)
	}
	var have []string
	for _, desc := range manifest.Manifests {
		if desc.Platform == nil || desc.Platform.OS == "unknown" {
			continue
		}
		if !desc.Platform.Satisfies(*want) {
			have = append(have, desc.Platform.String())
			continue
		}
		img, err := bundle.Image(desc.Digest)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", desc.Digest, err)
		}
		return img, verifyImage(img, desc.Digest)
	}
	return nil, &NoPlatformError{Want: platform, Have: have}
}

// NoPlatformError says that a bundle has no image for a platform.
type NoPlatformError struct {
	Want string
	Have []string
}

func (e *NoPlatformError) Error() string {
	return fmt.Sprintf("the bundle has no image for %s, only for %v", e.Want, e.Have)
}

func verifyImage(img v1.Image, digest v1.Hash) error {
	raw, err := img.RawManifest()
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	if err := verify(raw, digest, "manifest"); err != nil {
		return err
	}
	manifest, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("read manifest %s: %w", digest, err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return fmt.Errorf("read config %s: %w", manifest.Config.Digest, err)
	}
	return verify(config, manifest.Config.Digest, "config")
}

func verify(data []byte, want v1.Hash, what string) error {
	got, _, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s of the image: digest is %s, expected %s", what, got, want)
	}
	return nil
}

// Bundle is what the container stage says of the bundle it made.
type Bundle struct {
	Digest  string `json:"digest"`  // of the index, "sha256:..."
	Version string `json:"version"` // stamped into the program
	Name    string `json:"name"`
	Ref     string `json:"ref"` // how it is called in a registry; may be empty
}

// ReadBundle reads the file bundle.json in dir, beside the layout "oci".
func ReadBundle(dir string) (Bundle, error) {
	name := filepath.Join(dir, "bundle.json")
	data, err := os.ReadFile(name)
	if err != nil {
		return Bundle{}, fmt.Errorf("read the bundle: %w", err)
	}
	var b Bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return Bundle{}, fmt.Errorf("%s: %w", name, err)
	}
	if b.Digest == "" {
		return Bundle{}, fmt.Errorf("%s: no digest", name)
	}
	return b, nil
}

// Argv returns the entrypoint and the arguments that the image starts when
// nothing else is asked for. An image with a command alone has the first word
// of it as its entrypoint. Both are empty when the image starts nothing.
func Argv(config v1.Config) (entrypoint, args []string) {
	if len(config.Entrypoint) > 0 {
		return slices.Clone(config.Entrypoint), slices.Clone(config.Cmd)
	}
	n := min(1, len(config.Cmd))
	return slices.Clone(config.Cmd[:n]), slices.Clone(config.Cmd[n:])
}

// missing reports whether a path is not there, a link without target included.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
