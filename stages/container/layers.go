package container

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"gitlab.com/selfcontained/pipeline/stages/container/archive"
	"gitlab.com/selfcontained/pipeline/stages/container/blob"
	"gitlab.com/selfcontained/pipeline/stages/container/secrets"
)

// The files of an image without a base: what a static program needs to have a
// user and to speak TLS.
const (
	passwd = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/data:/sbin/nologin\n"
	group  = "root:x:0:\nnonroot:x:65532:\n"
)

// scratchEntries are the paths of the layer that scratchLayer writes.
func scratchEntries() map[string]bool {
	return map[string]bool{
		"data": true, "etc": true, "etc/group": true, "etc/passwd": true, "etc/ssl": true,
		"etc/ssl/certs": true, "etc/ssl/certs/ca-certificates.crt": true, "tmp": true,
	}
}

// scratchLayer is the first layer of an image without a base.
func scratchLayer(store *blob.Store, owner archive.Owner) (blob.Layer, error) {
	return store.Layer(func(a *archive.Writer) error {
		steps := []func() error{
			func() error { return a.Dir("data", 0o755, owner) },
			func() error { return a.Dir("etc", 0o755, archive.Owner{}) },
			func() error { return addText(a, "etc/group", group) },
			func() error { return addText(a, "etc/passwd", passwd) },
			func() error { return a.Dir("etc/ssl", 0o755, archive.Owner{}) },
			func() error { return a.Dir("etc/ssl/certs", 0o755, archive.Owner{}) },
			func() error { return addText(a, "etc/ssl/certs/ca-certificates.crt", certificates()) },
			func() error { return a.Dir("tmp", 0o1777, archive.Owner{}) },
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// dataLayer holds the data folder alone, for images with a base.
func dataLayer(store *blob.Store, owner archive.Owner) (blob.Layer, error) {
	return store.Layer(func(a *archive.Writer) error { return a.Dir("data", 0o755, owner) })
}

func addText(a *archive.Writer, name, text string) error {
	return a.File(name, 0o644, int64(len(text)), bytes.NewReader([]byte(text)))
}

// certificates returns Mozilla's root certificates as PEM. They come with the
// Go module golang.org/x/crypto/x509roots/fallback and so with this program,
// not from the host. A root that is trusted only under a condition is left
// out: a PEM file cannot say so, and trusting it without would be too much.
func certificates() string {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return out.String()
}

// binaryLayer holds the program as /NAME. It returns the program's SHA-256 in
// hex and the secrets in it.
func binaryLayer(store *blob.Store, dir, name string, bin binary) (layer blob.Layer, sum string, found []secrets.Finding, err error) {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(bin.Path)))
	if err != nil {
		return layer, "", nil, fmt.Errorf("outputs of the build stage: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return layer, "", nil, fmt.Errorf("outputs of the build stage: %w", err)
	}
	h, scanner := sha256.New(), secrets.NewScanner("/"+name)
	layer, err = store.Layer(func(a *archive.Writer) error {
		return a.File(name, 0o755, info.Size(), io.TeeReader(f, io.MultiWriter(h, scanner)))
	})
	sum = hex.EncodeToString(h.Sum(nil))
	if err == nil && bin.SHA256 != "" && bin.SHA256 != sum {
		err = fmt.Errorf("outputs of the build stage: %s is not the file that build.json names (SHA-256 %s, expected %s)", bin.Path, sum, bin.SHA256)
	}
	return layer, sum, scanner.Findings(), err
}
