package nodestore

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func hash(n int) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%064x", n)} }

// store has an index (1) with images for amd64 (2) and arm64 (3), something
// that is no image (4) and something that names no platform (5).
func store(h v1.Hash) ([]byte, error) {
	switch h {
	case hash(1):
		return []byte(fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
			{"digest":"%s","platform":{"os":"linux","architecture":"amd64"}},
			{"digest":"%s","platform":{"os":"linux","architecture":"arm64","variant":"v8"}},
			{"digest":"%s","platform":{"os":"unknown","architecture":"unknown"}},
			{"digest":"%s"}]}`, hash(2), hash(3), hash(4), hash(5))), nil
	case hash(2), hash(3), hash(4), hash(5):
		n := int(h.Hex[63] - '0')
		return []byte(fmt.Sprintf(`{"config":{"digest":"%s"},"layers":[{"digest":"%s"}]}`, hash(10*n), hash(10*n+1))), nil
	}
	return nil, errors.New("no such blob")
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		root   int
		arch   string
		config int
		blobs  []int
	}{
		{1, "amd64", 20, []int{1, 2, 20, 21, 5, 50}},
		{1, "arm64", 30, []int{1, 3, 30, 31, 5, 50}},
		{2, "amd64", 20, []int{2, 20, 21}},
	} {
		p, err := newPlan(hash(c.root), v1.Platform{OS: "linux", Architecture: c.arch}, store)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []v1.Hash
		for _, n := range c.blobs {
			want = append(want, hash(n))
		}
		for _, b := range p.blobs {
			got = append(got, b.Digest)
		}
		if p.config != hash(c.config) || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: config %s, blobs %v", c, p.config, got)
		}
	}
	if _, err := newPlan(hash(1), v1.Platform{OS: "linux", Architecture: "s390x"}, store); err == nil || !strings.Contains(err.Error(), "linux/arm64/v8") {
		t.Errorf("a platform that is not there: %v", err)
	}
	if _, err := newPlan(hash(9), v1.Platform{}, store); err == nil {
		t.Error("a blob that is not there")
	}
}

func TestImageNames(t *testing.T) {
	for ref, want := range map[string]string{
		"web:1":                     "docker.io/library/web:1",
		"team/web:1":                "docker.io/team/web:1",
		"pipeline.local/web:1":      "pipeline.local/web:1",
		"localhost:5000/a/web:v1.2": "localhost:5000/a/web:v1.2",
		"web":                       "docker.io/library/web:latest",
	} {
		names, err := imageNames(ref, hash(1))
		if err != nil || names[0] != want || names[1] != want[:strings.LastIndex(want, ":")]+"@"+hash(1).String() {
			t.Errorf("%s: %v, %v", ref, names, err)
		}
	}
	for _, ref := range []string{"", "Web:1", "web@" + hash(1).String()} {
		if names, err := imageNames(ref, hash(1)); err == nil {
			t.Errorf("%q is accepted: %v", ref, names)
		}
	}
}

func TestParse(t *testing.T) {
	table := `REF                    TYPE                                    DIGEST                                                                  SIZE    PLATFORMS   LABELS
pipeline.local/web:1   application/vnd.oci.image.index.v1+json sha256:aa 1.0 MiB linux/amd64 io.cri-containerd.image=managed
pipeline.local/web:2   application/vnd.oci.image.index.v1+json sha256:bb 1.0 MiB linux/amd64 -
`
	got := parseImages([]byte(table))
	if len(got) != 2 || got["pipeline.local/web:1"] != (imageRecord{"sha256:aa", true}) || got["pipeline.local/web:2"] != (imageRecord{"sha256:bb", false}) {
		t.Errorf("%+v", got)
	}
	for dump, want := range map[string]string{
		"version = 3\n[plugins.'io.containerd.cri.v1.images']\n  snapshotter = 'native'\n[plugins.'io.containerd.transfer.v1.local']\n  snapshotter = 'x'\n": "native",
		"version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\n  snapshotter = \"fuse-overlayfs\"\n":                                              "fuse-overlayfs",
		"version = 9\n": "",
	} {
		if got := parseSnapshotter(dump); got != want {
			t.Errorf("snapshotter %q, want %q", got, want)
		}
	}
	if e, c, ok := parseProviderID("kind://podman/t/t-control-plane"); e != "podman" || c != "t-control-plane" || !ok {
		t.Errorf("%s %s %v", e, c, ok)
	}
	for _, id := range []string{"", "aws:///x/y", "kind://a/b", "kind:///b/c"} {
		if _, _, ok := parseProviderID(id); ok {
			t.Errorf("%q is accepted", id)
		}
	}
}

func TestArchive(t *testing.T) {
	path, p := imageOf(t)
	some := missing(append(p.blobs, p.blobs...), map[string]bool{p.blobs[3].Digest.String(): true})
	if len(some) != 3 {
		t.Fatalf("missing: %v", some)
	}
	var b bytes.Buffer
	if err := writeArchive(&b, path, p.root, []string{"a", "b"}, some); err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name], _ = io.ReadAll(r)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(files["index.json"], &index); err != nil || len(index.Manifests) != 2 || index.Manifests[1].Annotations[imageNameAnnotation] != "b" {
		t.Errorf("%s, %v", files["index.json"], err)
	}
	if len(files) != 2+3 || len(files["blobs/sha256/"+p.root.Digest.Hex]) == 0 {
		t.Errorf("%d files", len(files))
	}
}
