package attach

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
)

// lying stands between the client and a registry, and replaces answers.
type lying struct {
	next http.RoundTripper
	lie  func(path string, body []byte) []byte
}

func (l lying) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	if err != nil || req.Method != http.MethodGet || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	body = l.lie(req.URL.Path, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return resp, nil
}

// A registry that changes a byte, makes content endless, or lists what is not
// there, is found out; what is right beside it is still read.
func TestHostileRegistry(t *testing.T) {
	t.Parallel()
	ref := registrytest.InProcess(t, true) + "/stock"
	key, about := signtest.Signer(t), aBundle(t, ref)
	r := open(t, ref, repository.Options{})
	good, err := Put(t.Context(), r, verdict(t, key, about, "unit"))
	if err != nil {
		t.Fatal(err)
	}
	bad, err := Put(t.Context(), r, verdict(t, key, about, "lint"))
	if err != nil {
		t.Fatal(err)
	}
	badManifest, err := r.Manifest(t.Context(), string(bad))
	if err != nil {
		t.Fatal(err)
	}
	var m v1.Manifest
	if err := json.Unmarshal(badManifest.Raw, &m); err != nil {
		t.Fatal(err)
	}
	blob := m.Layers[0].Digest.String()
	for name, c := range map[string]struct {
		path string
		lie  func([]byte) []byte
	}{
		"a byte of the manifest": {string(bad), flip},
		"another word": {string(bad), func(b []byte) []byte {
			return bytes.Replace(b, []byte("dsse-envelope"), []byte("dsse_envelope"), 1)
		}},
		"an endless manifest":  {string(bad), func(b []byte) []byte { return append(b, make([]byte, repository.MaxManifest)...) }},
		"a byte of the bundle": {blob, flip},
		"an endless bundle":    {blob, func(b []byte) []byte { return append(b, make([]byte, 8<<20)...) }},
		"a cut bundle":         {blob, func(b []byte) []byte { return b[:len(b)/2] }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lying{http.DefaultTransport, func(path string, body []byte) []byte {
				if strings.HasSuffix(path, "/"+c.path) {
					return c.lie(bytes.Clone(body))
				}
				return body
			}}
			all, err := List(t.Context(), open(t, ref, repository.Options{Transport: l}), about)
			if err != nil || len(all) != 2 {
				t.Fatalf("%d attached, %v", len(all), err)
			}
			for _, a := range all {
				if (a.Err != nil) != (a.Manifest == bad) || (a.Envelope != nil) != (a.Manifest == good) {
					t.Errorf("%s: %v", a.Manifest, a.Err)
				}
			}
		})
	}
}

func flip(b []byte) []byte {
	b[len(b)/2] ^= 1
	return b
}

func TestTooManyReferrers(t *testing.T) {
	t.Parallel()
	about := evidence.Sum([]byte("bundle"))
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for i := range MaxReferrers + 1 {
		index.Manifests = append(index.Manifests, descriptor(types.OCIManifestSchema1, fmt.Append(nil, i)))
	}
	raw, err := json.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/referrers/") {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			_, _ = w.Write(raw)
		}
	}))
	defer s.Close()
	_, err = List(t.Context(), open(t, strings.TrimPrefix(s.URL, "http://")+"/stock", repository.Options{}), about)
	if err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("List: %v", err)
	}
}

// Pages are followed on the same host only.
func TestPagesOfReferrers(t *testing.T) {
	t.Parallel()
	about := evidence.Sum([]byte("bundle"))
	page := func(i int) []byte {
		raw, err := json.Marshal(v1.IndexManifest{
			SchemaVersion: 2, MediaType: types.OCIImageIndex,
			Manifests: []v1.Descriptor{descriptor(types.OCIManifestSchema1, fmt.Append(nil, i))},
		})
		if err != nil {
			t.Error(err)
		}
		return raw
	}
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer foreign.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !strings.Contains(req.URL.Path, "/referrers/") {
			return
		}
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		if req.URL.RawQuery == "" {
			w.Header().Set("Link", `<`+req.URL.Path+`?page=2>; rel="next"`)
			_, _ = w.Write(page(1))
			return
		}
		u, _ := url.Parse(foreign.URL)
		w.Header().Set("Link", `<http://`+u.Host+`/v2/>; rel="next"`)
		_, _ = w.Write(page(2))
	}))
	defer s.Close()
	r := open(t, strings.TrimPrefix(s.URL, "http://")+"/stock", repository.Options{})
	all, err := r.Referrers(t.Context(), about, 10)
	if err != nil || len(all) != 2 {
		t.Errorf("%d referrers, %v", len(all), err)
	}
}
