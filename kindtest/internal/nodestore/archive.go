package nodestore

import (
	"archive/tar"
	"encoding/json"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageNameAnnotation is the name under which containerd's importer registers
// an entry of index.json: github.com/containerd/containerd/v2/core/images.
const imageNameAnnotation = "io.containerd.image.name"

// writeArchive writes an OCI layout as a tar, with one entry in index.json for
// each name. blobs may be fewer than the image has: containerd takes the others
// from its store.
func writeArchive(w io.Writer, from layout.Path, root v1.Descriptor, names []string, blobs []v1.Descriptor) error {
	tw := tar.NewWriter(w)
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, name := range names {
		d := root
		d.Annotations = map[string]string{imageNameAnnotation: name}
		index.Manifests = append(index.Manifests, d)
	}
	content, err := json.Marshal(index)
	if err != nil {
		return err
	}
	if err := writeFile(tw, "oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := writeFile(tw, "index.json", content); err != nil {
		return err
	}
	for _, b := range blobs {
		if err := writeBlob(tw, from, b); err != nil {
			return err
		}
	}
	return tw.Close()
}

func writeFile(tw *tar.Writer, name string, content []byte) error {
	if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err := tw.Write(content)
	return err
}

func writeBlob(tw *tar.Writer, from layout.Path, b v1.Descriptor) error {
	r, err := from.Blob(b.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	name := "blobs/" + b.Digest.Algorithm + "/" + b.Digest.Hex
	if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: b.Size, Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.Copy(tw, r)
	return err
}
