package container

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"gitlab.com/selfcontained/pipeline/stages/container/secrets"
)

// Secrets looks for secrets in the OCI image layout at dir: in the files of
// every layer of every manifest (a chart is a layer too), in layers that are no
// archive, and in the environment of the images. The findings are sorted.
func Secrets(dir string) ([]secrets.Finding, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("image layout %s: %w", dir, err)
	}
	s := &layoutScan{path: layout.Path(dir), done: map[v1.Hash]bool{}}
	if err := s.index(index); err != nil {
		return nil, fmt.Errorf("image layout %s: %w", dir, err)
	}
	return sortedFindings(s.found), nil
}

type layoutScan struct {
	path  layout.Path
	done  map[v1.Hash]bool
	found []secrets.Finding
}

func (s *layoutScan) index(index v1.ImageIndex) error {
	m, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, desc := range m.Manifests {
		switch {
		case desc.MediaType.IsIndex():
			inner, err := index.ImageIndex(desc.Digest)
			if err != nil {
				return err
			}
			err = s.index(inner)
			if err != nil {
				return err
			}
		case desc.MediaType.IsImage():
			if err := s.manifest(desc.Digest); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *layoutScan) manifest(digest v1.Hash) error {
	raw, err := s.path.Bytes(digest)
	if err != nil {
		return err
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	if m.Config.MediaType.IsConfig() {
		if err := s.environment(m.Config.Digest); err != nil {
			return err
		}
	}
	for _, l := range m.Layers {
		if s.done[l.Digest] {
			continue
		}
		s.done[l.Digest] = true
		if err := s.layer(l); err != nil {
			return err
		}
	}
	return nil
}

func (s *layoutScan) environment(digest v1.Hash) error {
	raw, err := s.path.Bytes(digest)
	if err != nil {
		return err
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	for _, entry := range config.Config.Env {
		name, value, _ := strings.Cut(entry, "=")
		s.found = append(s.found, secrets.Text("variable "+name, value)...)
	}
	return nil
}

func (s *layoutScan) layer(l v1.Descriptor) error {
	r, err := s.path.Blob(l.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	var found []secrets.Finding
	if strings.Contains(string(l.MediaType), "tar") {
		found, err = scanArchive(r, func(string) {})
	} else {
		found, err = secrets.Scan(l.Annotations[titleAnnotation], r)
	}
	s.found = append(s.found, found...)
	return err
}

// scanArchive looks for secrets in the files of a tar stream, compressed by
// gzip or zstd or not at all, and calls seen with every path in it, without
// slashes at the ends.
func scanArchive(r io.Reader, seen func(name string)) ([]secrets.Finding, error) {
	plain, err := uncompressed(r)
	if err != nil {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	defer plain.Close()
	var found []secrets.Finding
	for t := tar.NewReader(plain); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read layer: %w", err)
		}
		name := strings.Trim(path.Clean("/"+h.Name), "/")
		seen(name)
		if h.Typeflag != tar.TypeReg {
			continue
		}
		in, err := secrets.Scan("/"+name, t)
		if err != nil {
			return nil, err
		}
		found = append(found, in...)
	}
}

func uncompressed(r io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(r, 256<<10)
	magic, _ := buffered.Peek(4)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(buffered)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(buffered)
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(buffered), nil
}
