package archive_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"

	"gitlab.com/selfcontained/pipeline/stages/container/archive"
)

// pack writes an archive with one file that r yields.
func pack(t *testing.T, size int, r io.Reader) (packed, diff []byte) {
	t.Helper()
	var out bytes.Buffer
	a, err := archive.New(&out)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Dir("tmp", 0o1777, archive.Owner{UID: 1, GID: 2}); err != nil {
		t.Fatal(err)
	}
	if err := a.File("tmp/"+strings.Repeat("long", 40), 0o644, int64(size), r); err != nil {
		t.Fatal(err)
	}
	if err := a.Link("tmp/link", "ü"); err != nil {
		t.Fatal(err)
	}
	if diff, err = a.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), diff
}

// TestBytesDoNotDependOnPieces: the size of the reads is up to the file system.
func TestBytesDoNotDependOnPieces(t *testing.T) {
	t.Parallel()
	content := []byte(strings.Repeat("some text that compresses, 0123456789 ", 9000))
	whole, diff := pack(t, len(content), bytes.NewReader(content))
	pieces, _ := pack(t, len(content), iotest.HalfReader(bytes.NewReader(content)))
	single, _ := pack(t, len(content), iotest.OneByteReader(bytes.NewReader(content)))
	if !bytes.Equal(whole, pieces) || !bytes.Equal(whole, single) {
		t.Error("the bytes depend on how the content is read")
	}
	z, err := gzip.NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.Copy(h, z); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(h.Sum(nil), diff) {
		t.Error("Close does not return the hash of the uncompressed stream")
	}
}

func TestFileOfAnotherSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{2, 4} {
		a, err := archive.New(io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.File("a", 0o644, size, strings.NewReader("abc")); err == nil {
			t.Errorf("3 bytes were written as %d", size)
		}
	}
}
