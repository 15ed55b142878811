package promote_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
	"gitlab.com/selfcontained/pipeline/release/registry"
	"gitlab.com/selfcontained/pipeline/release/registry/loopback"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// supplies are what all worlds begin with: bundles that were released with their
// evidence, in a registry, and locks of them.
type supplies struct {
	registry string // folder
	key      string // private key as PEM, trusted
	person   string // private key of an approver
	locks    []*scs.Lock
}

// newSupplies releases stock and cart, and locks three combinations of them:
// 0.1.0, 0.1.1 with another stock, and 0.1.2 with another cart.
func newSupplies(t testing.TB) *supplies {
	t.Helper()
	s := &supplies{registry: t.TempDir(), key: signtest.PEM(t), person: signtest.PEM(t)}
	host := serve(t, s.registry)
	lock := func(version string, members ...string) {
		c := scs.Combination{System: "shop", Suite: evidence.Sum([]byte("suite"))}
		for _, m := range members {
			c = c.With(s.released(t, host, m))
		}
		s.locks = append(s.locks, &scs.Lock{Version: version, Combination: c})
	}
	lock("0.1.0", "cart 0.2.0", "stock 0.1.0")
	lock("0.1.1", "cart 0.2.0", "stock 0.1.1")
	lock("0.1.2", "cart 0.2.1", "stock 0.1.0")
	return s
}

// serve starts a registry over a folder and returns its host.
func serve(t testing.TB, dir string) string {
	t.Helper()
	r, err := loopback.Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(func() { server.Close(); r.Close() })
	return strings.TrimPrefix(server.URL, "http://")
}

// released pushes the bundle of "stock 0.1.0" with the statements of its release.
func (s *supplies) released(t testing.TB, host, name string) scs.Member {
	t.Helper()
	service, version, _ := strings.Cut(name, " ")
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer([]byte(name), types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	l, err := layout.Write(t.TempDir(), empty.Index)
	if err == nil {
		err = l.AppendIndex(mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: image}))
	}
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := registry.OpenLayout(string(l))
	if err != nil {
		t.Fatal(err)
	}
	to := open(t, host+"/shop/"+service, nil)
	if err := registry.Push(t.Context(), to, bundle, bundle.Digest()); err != nil {
		t.Fatal(err)
	}
	raw, err := to.Manifest(t.Context(), string(bundle.Digest()))
	if err != nil {
		t.Fatal(err)
	}
	about := sign.Subject{Name: service, Digest: bundle.Digest()}
	terms := sign.Terms{Issued: now(), Sequence: 1}
	for _, p := range []sign.Predicate{
		sign.Release{Terms: terms, Version: version, Commit: "c", Tag: "v" + version},
		sign.Verdict{Terms: terms, Stage: service + "/unit", Status: "passed", Inputs: evidence.Sum(nil), Started: now(), Version: version, Commit: "c"},
	} {
		if _, err := attach.Put(t.Context(), to, s.sign(t, s.key, about, p)); err != nil {
			t.Fatal(err)
		}
	}
	return scs.Member{Service: service, Version: version, Bundle: bundle.Digest(), Size: int64(len(raw.Raw)), Source: "registry.example.com/shop/" + service}
}

func open(t testing.TB, ref string, journal repository.Journal) *repository.Repository {
	t.Helper()
	r, err := repository.Open(ref, repository.Options{Journal: journal, Jobs: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *supplies) sign(t testing.TB, key string, about sign.Subject, p sign.Predicate) []byte {
	t.Helper()
	signer, err := sign.ReadPrivate(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := signer.Sign(about, p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
