package resolve_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/bundle/bundletest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/registry/loopback"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// The synthetic registry: services with versions that have each a bundle with
// interfaces, a release statement and six verdicts. It is made of content that
// is put where the registries keep theirs, because pushing takes a minute.
const manyServices = 50

func manyStages() []string {
	return []string{"unit", "lint", "container", "module", "integration", "bench"}
}

// entry is a manifest in a repository.
type entry struct {
	repo     string
	manifest *repository.Manifest
	tags     []string
	subject  evidence.Digest
}

// synthetic is the content of a registry.
type synthetic struct {
	versions int       // of each service
	entries  [][]entry // by service; each after what it names
	blobs    []map[evidence.Digest][]byte
	current  []scs.Member // the oldest version
}

// makeSynthetic makes and signs the content, as many services at once as there
// are processors.
func makeSynthetic(t testing.TB, signer *sign.Signer, versions int) *synthetic {
	t.Helper()
	s := &synthetic{versions: versions, entries: make([][]entry, manyServices), blobs: make([]map[evidence.Digest][]byte, manyServices), current: make([]scs.Member, manyServices)}
	var group errgroup.Group
	for i := range manyServices {
		group.Go(func() error {
			s.blobs[i] = map[evidence.Digest][]byte{}
			for version := range versions {
				if err := s.add(i, fmt.Sprintf("1.%d.0", version), signer); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return s
}

func serviceName(i int) string { return fmt.Sprintf("service-%02d", i) }

func (s *synthetic) add(i int, version string, signer *sign.Signer) error {
	name := serviceName(i)
	api := func(title string) bundle.API {
		return bundle.API{Title: title, MediaType: "application/protobuf", Data: bytes.Repeat([]byte(name+version+title), 300)}
	}
	b := bundletest.New(bundletest.Spec{
		Name: name, Version: version, Provides: []bundle.API{api("own")}, Uses: []bundle.API{api("left"), api("right")},
	})
	for digest, data := range b.Blobs {
		s.blobs[i][digest] = data
	}
	for _, m := range b.Manifests {
		e := entry{repo: name, manifest: m}
		if m.Digest() == b.Digest {
			e.tags = []string{version}
		}
		s.entries[i] = append(s.entries[i], e)
	}
	if s.current[i].Version == "" {
		s.current[i] = scs.Member{Service: name, Version: version, Bundle: b.Digest, Size: 1}
	}
	return s.sign(i, b, version, signer)
}

// sign attaches the statements in both ways: with a subject, and by tags, as
// package attach does where the registry has no referrers API.
func (s *synthetic) sign(i int, b *bundletest.Bundle, version string, signer *sign.Signer) error {
	name := serviceName(i)
	terms := sign.Terms{Issued: now().Add(-time.Hour), Sequence: 1}
	predicates := []sign.Predicate{sign.Release{Terms: terms, Version: version, Commit: "c0ffee", Tag: "v" + version, Notes: "- " + version}}
	for _, stage := range manyStages() {
		predicates = append(predicates, sign.Verdict{
			Terms: terms, Stage: name + "/" + stage, Status: "passed", Inputs: b.Digest, Started: terms.Issued, Version: version, Commit: "c0ffee",
		})
	}
	s.blobs[i][evidence.Sum([]byte("{}"))] = []byte("{}")
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, p := range predicates {
		envelope, err := signer.Sign(sign.Subject{Name: name, Digest: b.Digest}, p)
		if err != nil {
			return err
		}
		const sigstore = "application/vnd.dev.sigstore.bundle.v0.3+json"
		blob := []byte(`{"mediaType":"` + sigstore + `","verificationMaterial":{"publicKey":{}},"dsseEnvelope":` + string(envelope) + `}`)
		s.blobs[i][evidence.Sum(blob)] = blob
		about := desc(types.OCIImageIndex, b.Manifests[len(b.Manifests)-1].Raw)
		raw, err := json.Marshal(v1.Manifest{
			SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: sigstore, Config: desc(types.OCIEmptyJSON, []byte("{}")),
			Layers: []v1.Descriptor{desc(sigstore, blob)}, Subject: &about,
		})
		if err != nil {
			return err
		}
		m := &repository.Manifest{MediaType: types.OCIManifestSchema1, Raw: raw}
		tag := "sha256-" + b.Digest.Hex() + "." + m.Digest().Hex()[:32]
		s.entries[i] = append(s.entries[i], entry{name, m, []string{tag}, b.Digest})
		d := desc(types.OCIManifestSchema1, raw)
		d.ArtifactType = sigstore
		index.Manifests = append(index.Manifests, d)
	}
	raw, err := json.Marshal(index)
	s.entries[i] = append(s.entries[i], entry{name, &repository.Manifest{MediaType: types.OCIImageIndex, Raw: raw}, []string{"sha256-" + b.Digest.Hex()}, ""})
	return err
}

func desc(mediaType types.MediaType, data []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(data)), Digest: v1.Hash{Algorithm: "sha256", Hex: evidence.Sum(data).Hex()}}
}

// inMemory serves the content by go-containerregistry's registry.
func (s *synthetic) inMemory(t testing.TB, referrers bool) string {
	t.Helper()
	blobs := registry.NewInMemoryBlobHandler()
	for _, list := range s.blobs {
		for digest, data := range list {
			hash := v1.Hash{Algorithm: "sha256", Hex: digest.Hex()}
			if err := blobs.(registry.BlobPutHandler).Put(t.Context(), "", hash, io.NopCloser(bytes.NewReader(data))); err != nil {
				t.Fatal(err)
			}
		}
	}
	handler := registry.New(registry.WithReferrersSupport(referrers), registry.WithBlobHandler(blobs), registry.Logger(log.New(io.Discard, "", 0)))
	put := func(e entry, ref string) {
		req := httptest.NewRequest(http.MethodPut, "/v2/"+e.repo+"/manifests/"+ref, bytes.NewReader(e.manifest.Raw))
		req.Header.Set("Content-Type", string(e.manifest.MediaType))
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, req); w.Code != http.StatusCreated {
			t.Fatal(ref, w.Code, w.Body)
		}
	}
	for _, list := range s.entries {
		for _, e := range list {
			put(e, string(e.manifest.Digest()))
			for _, tag := range e.tags {
				if strings.HasPrefix(tag, "1.") || !referrers {
					put(e, tag)
				}
			}
		}
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// onDisk serves the content by our own registry, from the files that it keeps.
func (s *synthetic) onDisk(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	var group errgroup.Group
	for i, list := range s.entries {
		group.Go(func() error {
			for digest, data := range s.blobs[i] {
				if err := write(filepath.Join(dir, "blobs", "sha256", digest.Hex()), data); err != nil {
					return err
				}
			}
			at := filepath.Join(dir, "repositories", url.PathEscape(list[0].repo))
			for _, e := range list {
				if err := e.write(at); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, err := loopback.Open(dir, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: r}}
	server.Start()
	t.Cleanup(func() {
		server.Close()
		r.Close()
	})
	return l.Addr().String()
}

func (e entry) write(at string) error {
	hexes := e.manifest.Digest().Hex()
	err := write(filepath.Join(at, "manifests", hexes), append([]byte(string(e.manifest.MediaType)+"\n"), e.manifest.Raw...))
	if e.subject != "" {
		err = errors.Join(err, write(filepath.Join(at, "referrers", e.subject.Hex(), hexes), nil))
	}
	for _, tag := range e.tags {
		if strings.HasPrefix(tag, "1.") {
			err = errors.Join(err, write(filepath.Join(at, "tags", tag), []byte(e.manifest.Digest())))
		}
	}
	return err
}

func write(name string, data []byte) error {
	if err := os.WriteFile(name, data, 0o644); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o644))
}
