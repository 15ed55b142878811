package repository

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
)

func open(t testing.TB, ref string, o Options) *Repository {
	t.Helper()
	r, err := Open(ref, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// serve starts a registry that answers as it is told.
func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"", "stock", "team/stock", "registry.example.com/", "registry.example.com/Stock", "https://registry.example.com/stock", "registry.example.com/stock:1"} {
		if r, err := Open(ref, Options{}); err == nil {
			t.Errorf("%q opens as %s", ref, r)
		}
	}
	r := open(t, "registry.example.com:5000/team/stock", Options{})
	s, err := r.Sibling("charts/stock")
	if err != nil || s.String() != "registry.example.com:5000/team/stock/charts/stock" || s.Registry() != "registry.example.com:5000" {
		t.Errorf("sibling %v, %v", s, err)
	}
	if _, err := r.Head(t.Context(), "not a tag"); err == nil {
		t.Error("a tag with spaces")
	}
}

// onlyHTTP is a network in which every host speaks plain HTTP.
type onlyHTTP struct{ asked atomic.Int64 }

func (o *onlyHTTP) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		return nil, errors.New("connection refused")
	}
	o.asked.Add(1)
	return nil, errors.New("asked in the clear")
}

func TestPlainHTTPIsForLoopback(t *testing.T) {
	t.Parallel()
	for host, plain := range map[string]bool{
		"10.0.0.5:5000": false, "192.168.1.1": false, "registry.local": false, "registry.example.com": false,
		"127.0.0.1:5000": true, "localhost:5000": true, "[::1]:5000": true,
	} {
		network := &onlyHTTP{}
		_, err := open(t, host+"/stock", Options{Transport: network, Username: "u", Password: "p"}).Head(t.Context(), "1.0.0")
		if err == nil || (network.asked.Load() > 0) != plain {
			t.Errorf("%s: asked %d times, %v", host, network.asked.Load(), err)
		}
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		right  bool
	}{
		"granted": {http.StatusAccepted, true}, "who are you": {http.StatusUnauthorized, false},
		"not you": {http.StatusForbidden, false}, "as GitLab says it": {http.StatusNotFound, false},
		"read only": {http.StatusMethodNotAllowed, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cancelled atomic.Bool
			host := serve(t, func(w http.ResponseWriter, req *http.Request) {
				switch req.Method {
				case http.MethodPost:
					w.Header().Set("Location", "/v2/stock/blobs/uploads/1")
					w.WriteHeader(c.status)
				case http.MethodDelete:
					cancelled.Store(req.URL.Path == "/v2/stock/blobs/uploads/1")
				}
			})
			err := open(t, host+"/stock", Options{}).Preflight(t.Context())
			var missing *MissingRight
			if errors.As(err, &missing) == c.right || cancelled.Load() != c.right {
				t.Errorf("%v; cancelled: %v", err, cancelled.Load())
			}
			if missing != nil && (missing.Right != "push" || !strings.Contains(err.Error(), "docker login "+host) || !strings.Contains(err.Error(), "CI_REGISTRY_PASSWORD")) {
				t.Errorf("it says %v", err)
			}
		})
	}
	host := serve(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPost {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	var missing *MissingRight
	if err := open(t, host+"/stock", Options{}).Preflight(t.Context()); err == nil || errors.As(err, &missing) {
		t.Errorf("a broken registry: %v", err)
	}
}

// The credentials are those given, and otherwise those of `docker login`.
func TestCredentials(t *testing.T) {
	var user atomic.Value
	host := serve(t, func(w http.ResponseWriter, req *http.Request) {
		name, _, ok := req.BasicAuth()
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		user.Store(name)
		if req.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
		}
	})
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	config := `{"auths":{"` + host + `":{"auth":"ZG9ja2VyOnNlY3JldA=="}}}` // docker:secret
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{"docker": {}, "gitlab-ci-token": {Username: "gitlab-ci-token", Password: "t"}} {
		if err := open(t, host+"/stock", o).Preflight(t.Context()); err != nil || user.Load() != want {
			t.Errorf("%v, %v; expected %s", user.Load(), err, want)
		}
	}
}

// A passing failure is not the end; a lasting one is told after a few tries.
func TestPatience(t *testing.T) {
	t.Parallel()
	var puts atomic.Int64
	var body atomic.Value
	host := serve(t, func(w http.ResponseWriter, req *http.Request) {
		switch req.Method {
		case http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		case http.MethodPut:
			if puts.Add(1) < 3 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			data, _ := readAll(req.Body, 100)
			body.Store(string(data))
			w.WriteHeader(http.StatusCreated)
		}
	})
	m := &Manifest{MediaType: types.OCIImageIndex, Raw: []byte("{}")}
	if err := open(t, host+"/stock", Options{}).PutManifest(t.Context(), m); err != nil || puts.Load() != 3 || body.Load() != "{}" {
		t.Errorf("%v after %d requests, %q", err, puts.Load(), body.Load())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	broken := serve(t, func(w http.ResponseWriter, req *http.Request) {
		if strings.Contains(req.URL.Path, "/manifests/") {
			cancel(errStopped)
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	if _, err := open(t, broken+"/stock", Options{}).Manifest(ctx, "1"); !errors.Is(err, errStopped) {
		t.Errorf("cancelled while waiting: %v", err)
	}
}

var errStopped = errors.New("stopped")

func TestJournal(t *testing.T) {
	t.Parallel()
	var seen []string
	journal := func(e Effect, done bool) error {
		_, target, _ := strings.Cut(e.Target, "/")
		if done {
			target += " done"
		}
		seen = append(seen, e.Kind+" "+target)
		if e.Was != "" {
			return errStopped
		}
		return nil
	}
	r := open(t, registrytest.InProcess(t, true)+"/stock", Options{Journal: journal})
	one := &Manifest{MediaType: types.OCIImageIndex, Raw: []byte(`{"manifests":[]}`)}
	two := &Manifest{MediaType: types.OCIImageIndex, Raw: []byte(`{"manifests":[ ]}`)}
	blob := []byte("blob")
	for range 2 {
		if err := errors.Join(
			r.PutBlob(t.Context(), static.NewLayer(blob, types.OCILayer)),
			r.PutManifest(t.Context(), one), r.PutTag(t.Context(), "1", one),
		); err != nil {
			t.Fatal(err)
		}
	}
	// The journal refuses to move a tag; so it is not moved.
	if err := r.PutTag(t.Context(), "1", two); !errors.Is(err, errStopped) {
		t.Errorf("moved: %v", err)
	}
	if has, err := r.Head(t.Context(), "1"); has != one.Digest() || err != nil {
		t.Errorf("1 is %s, %v", has, err)
	}
	b, m := "blob stock@"+string(evidence.Sum(blob)), "manifest stock@"+string(one.Digest())
	want := []string{b, b + " done", m, m + " done", "tag stock:1", "tag stock:1 done", "tag stock:1"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func TestNothingThere(t *testing.T) {
	t.Parallel()
	for _, kind := range registrytest.All() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			r := open(t, kind.Start(t)+"/none", Options{})
			has, err := r.Head(t.Context(), "1")
			m, err2 := r.Manifest(t.Context(), "1")
			tags, err3 := r.Tags(t.Context())
			if has != "" || m != nil || tags != nil || errors.Join(err, err2, err3) != nil {
				t.Errorf("%s, %v, %v, %v %v %v", has, m, tags, err, err2, err3)
			}
		})
	}
}
