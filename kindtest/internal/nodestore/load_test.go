package nodestore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// dump is a program that prints the part of containerd's configuration that counts.
const dump = `cat <<'END'
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
END
`

// machine is a node that is a folder: an "engine" that runs scripts right here,
// with programs that the test writes in place of ctr and containerd.
func machine(t *testing.T, ctr string) (*node, string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range map[string]string{
		// engine exec -i CONTAINER COMMAND...
		"engine":     "while [ \"$1\" != node ]; do shift; done; shift\nPATH=" + dir + ":$PATH exec \"$@\"",
		"ctr":        "cd " + dir + "\n" + ctr,
		"containerd": dump,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &node{engine: filepath.Join(dir, "engine"), container: "node"}, dir
}

// imageOf returns a layout with an image, and what a node needs of it.
func imageOf(t *testing.T) (layout.Path, *plan) {
	t.Helper()
	image, err := random.Image(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	path, err := layout.Write(t.TempDir(), mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image}))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(digest, v1.Platform{OS: "linux", Architecture: "amd64"}, path.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return path, p
}

func TestLoadSendsWhatIsMissing(t *testing.T) {
	t.Parallel()
	from, p := imageOf(t)
	there := p.blobs[len(p.blobs)-1].Digest.String()
	n, dir := machine(t, `case "$*" in
*"images import --snapshotter=overlayfs -") cat >archive ;;
*"content ls -q") echo `+there+` ;;
*"images ls"*) [ ! -e archive ] || echo "a:1 type `+p.root.Digest.String()+` 1KiB linux/amd64 io.cri-containerd.image=managed" ;;
*) exit 1 ;;
esac`)
	sent, err := n.load(t.Context(), from, p, []string{"a:1"})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(filepath.Join(dir, "archive"))
	if err != nil || int64(len(archive)) != sent {
		t.Fatalf("%d bytes arrived of %d: %v", len(archive), sent, err)
	}
	for _, b := range p.blobs {
		if has := strings.Contains(string(archive), b.Digest.Hex+"\x00"); has == (b.Digest.String() == there) {
			t.Errorf("blob %s was sent: %v", b.Digest, has)
		}
	}
	if sent, err := n.load(t.Context(), from, p, []string{"a:1"}); err != nil || sent != 0 {
		t.Errorf("the second time %d bytes were sent, error %v", sent, err)
	}
}

// What is listed may be collected before it is imported.
func TestLoadSendsEverythingWhenSomethingHasGone(t *testing.T) {
	t.Parallel()
	from, p := imageOf(t)
	n, dir := machine(t, `case "$*" in
*"images import"*) cat >archive; [ -e tried ] || { touch tried; echo content not found >&2; exit 1; }; touch imported ;;
*"content ls -q") echo `+p.blobs[0].Digest.String()+` ;;
*"images ls"*) [ ! -e imported ] || echo "a:1 type `+p.root.Digest.String()+` 1KiB linux/amd64 io.cri-containerd.image=managed" ;;
esac`)
	if _, err := n.load(t.Context(), from, p, []string{"a:1"}); err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(filepath.Join(dir, "archive"))
	if err != nil || !strings.Contains(string(archive), p.blobs[0].Digest.Hex+"\x00") {
		t.Errorf("the archive of the second try lacks what was there at the first (error %v)", err)
	}
}

func TestLoadSaysWhyTheNodeCannot(t *testing.T) {
	t.Parallel()
	from, p := imageOf(t)
	for want, ctr := range map[string]string{
		"no such container":    "echo no such container >&2; exit 1",
		"ended by signal":      "kill -9 $PPID",
		"names no snapshotter": "printf '#!/bin/sh\\n' >containerd",
		"disk full":            `case "$*" in *import*) echo disk full >&2; exit 1;; esac`,
	} {
		n, _ := machine(t, ctr)
		if _, err := n.load(t.Context(), from, p, []string{"a:1"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
