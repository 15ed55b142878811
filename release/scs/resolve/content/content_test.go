package content_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/bundle/bundletest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/release/scs/resolve/content"
)

// log is a transport that tells what really goes to the registry.
type log struct {
	mu   sync.Mutex
	sent []string
}

func (l *log) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.sent = append(l.sent, req.Method+" "+req.URL.Path)
	l.mu.Unlock()
	return http.DefaultTransport.RoundTrip(req)
}

// take returns what was sent since the last time, without pings.
func (l *log) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := slices.DeleteFunc(l.sent, func(s string) bool { return strings.HasSuffix(s, "/v2/") })
	l.sent = nil
	return sent
}

func made() *bundletest.Bundle {
	return bundletest.New(bundletest.Spec{
		Name: "cart", Version: "1.0.0",
		Provides: []bundle.API{{Title: "cart.binpb", MediaType: "application/protobuf", Data: []byte("cart")}},
	})
}

func open(t *testing.T, host, dir string) (*repository.Repository, *log) {
	t.Helper()
	l := &log{}
	repo, err := repository.Open(host+"/shop/cart", repository.Options{Transport: content.Transport(dir, l)})
	if err != nil {
		t.Fatal(err)
	}
	return repo, l
}

func TestAsksOnce(t *testing.T) {
	t.Parallel()
	b, dir := made(), t.TempDir()
	repo, sent := open(t, registrytest.InProcess(t, true), dir)
	b.Push(t, repo, "1.0.0")
	read := func() []string {
		t.Helper()
		sent.take()
		got, err := bundle.Read(t.Context(), repo, b.Digest)
		if err != nil || string(got.Provides[0].Data) != "cart" {
			t.Fatal(got, err)
		}
		return sent.take()
	}
	if n := len(read()); n != 3 {
		t.Errorf("%d requests; expected index, manifest and blob", n)
	}
	if again := read(); len(again) != 0 {
		t.Errorf("asked again: %v", again)
	}
	damage(t, dir)
	if n := len(read()); n != 3 {
		t.Errorf("%d requests; nothing of the damaged folder may count", n)
	}
	if again := read(); len(again) != 0 {
		t.Errorf("asked again: %v", again)
	}
}

// damage changes a byte of each file.
func damage(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		data[0] ^= 1
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Tags, lists of tags and of referrers may change: they are asked for each time.
func TestAsksAnew(t *testing.T) {
	t.Parallel()
	b := made()
	repo, sent := open(t, registrytest.InProcess(t, true), t.TempDir())
	b.Push(t, repo, "1.0.0")
	for range 2 {
		sent.take()
		_, err1 := repo.Head(t.Context(), "1.0.0")
		_, err2 := repo.Manifest(t.Context(), "1.0.0")
		_, err3 := repo.Tags(t.Context())
		_, err4 := repo.Referrers(t.Context(), b.Digest, 10)
		there, err5 := repo.Head(t.Context(), string(b.Digest))
		if got := sent.take(); len(got) != 5 || there != b.Digest {
			t.Errorf("%v; expected five requests (%v %v %v %v %v)", got, err1, err2, err3, err4, err5)
		}
	}
}

// What a registry sends under a wrong digest, or with a type that the manifest
// does not say, is not kept.
func TestKeepsOnlyWhatIsRight(t *testing.T) {
	t.Parallel()
	manifest := `{"mediaType":"application/vnd.oci.image.index.v1+json"}`
	for name, c := range map[string]struct {
		path, body, mediaType string
		status, want          int // requests for two reads
	}{
		"blob":                 {"/blobs/" + string(evidence.Sum([]byte("x"))), "x", "text/plain", 200, 1},
		"another blob":         {"/blobs/" + string(evidence.Sum([]byte("x"))), "y", "text/plain", 200, 2},
		"manifest":             {"/manifests/" + string(evidence.Sum([]byte(manifest))), manifest, "application/vnd.oci.image.index.v1+json", 200, 1},
		"another type":         {"/manifests/" + string(evidence.Sum([]byte(manifest))), manifest, "text/html", 200, 2},
		"an error":             {"/blobs/" + string(evidence.Sum([]byte("x"))), "x", "text/plain", 404, 2},
		"a tag like a digest":  {"/manifests/sha256-" + evidence.Sum([]byte("x")).Hex(), "x", "text/plain", 200, 2},
		"a path in the digest": {"/blobs/sha256:../../../../etc/passwd", "x", "text/plain", 200, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				w.Header().Set("Content-Type", c.mediaType)
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer s.Close()
			client := &http.Client{Transport: content.Transport(t.TempDir(), nil)}
			for range 2 {
				if got := get(t, client, s.URL+"/v2/a/b"+c.path); got != c.body {
					t.Errorf("read %q; expected %q", got, c.body)
				}
			}
			if requests != c.want {
				t.Errorf("%d requests; expected %d", requests, c.want)
			}
		})
	}
}

// A registry that keeps its blobs elsewhere sends the client there.
func TestFollowsRedirects(t *testing.T) {
	t.Parallel()
	b := made()
	host := registrytest.InProcess(t, true)
	direct, _ := open(t, host, t.TempDir())
	b.Push(t, direct)
	digest := evidence.Sum([]byte("cart"))
	stored := 0
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stored++
		fmt.Fprint(w, "cart")
	}))
	defer storage.Close()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/blobs/") {
			http.Redirect(w, req, storage.URL+"/bucket/17", http.StatusTemporaryRedirect)
		}
	}))
	defer front.Close()
	repo, _ := open(t, strings.TrimPrefix(front.URL, "http://"), t.TempDir())
	for range 2 {
		data, err := repo.Blob(t.Context(), v1.Descriptor{Size: 4, Digest: v1.Hash{Algorithm: "sha256", Hex: digest.Hex()}}, 100)
		if err != nil || string(data) != "cart" {
			t.Fatalf("%q, %v", data, err)
		}
	}
	if stored != 1 {
		t.Errorf("the storage was asked %d times; expected once", stored)
	}
}

// Layers pass by, whole, with or without a length.
func TestLetsLargePass(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", content.MaxSize+10)
	dir := t.TempDir()
	for _, chunked := range []bool{false, true} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !chunked {
				w.Header().Set("Content-Length", fmt.Sprint(len(large)))
			}
			fmt.Fprint(w, large)
		}))
		client := &http.Client{Transport: content.Transport(dir, nil)}
		if got := get(t, client, s.URL+"/v2/a/blobs/"+string(evidence.Sum([]byte(large)))); got != large {
			t.Errorf("read %d bytes; expected %d", len(got), len(large))
		}
		s.Close()
	}
	if kept, err := filepath.Glob(filepath.Join(dir, "*", "*")); err != nil || len(kept) > 0 {
		t.Errorf("kept %v (%v)", kept, err)
	}
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
