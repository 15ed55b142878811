package release_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
	"gitlab.com/selfcontained/pipeline/release/registry/loopback"
)

// TestRightsAreMissing takes away each right that a release needs. It is named
// before anything has changed.
func TestRightsAreMissing(t *testing.T) {
	t.Parallel()
	bundle, key := newBundle(t), signtest.PEM(t)
	for name, c := range map[string]struct {
		take  func(t *testing.T, w *world)
		names string // what the message has to name
	}{
		"nothing": {func(*testing.T, *world) {}, ""},
		"push to the registry": {func(t *testing.T, w *world) {
			w.Registry = readOnly(t) + "/shop/stock"
		}, "push"},
		"role": {func(_ *testing.T, w *world) {
			w.Token = w.project.AccessToken(gitlabtest.Reporter, "api")
		}, "Developer"},
		"scope": {func(_ *testing.T, w *world) {
			w.Token = w.project.AccessToken(gitlabtest.Maintainer, "read_api")
		}, "scope api"},
		"protected tag": {func(_ *testing.T, w *world) {
			w.project.Protect(gitlabtest.ProtectedTag{Pattern: "v*", Levels: []gitlabtest.Role{gitlabtest.Maintainer}})
			w.Token = w.project.AccessToken(gitlabtest.Developer, "api")
		}, "tag v1.2.0"},
		"token": {func(_ *testing.T, w *world) { w.double.Revoke(w.Token) }, "token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, bundle, key, false)
			c.take(t, w)
			before := w.state(t)
			r := &releaser{world: w, effect: func(string, bool) {}}
			p, err := r.plan()
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.CheckRights(t.Context(), true)
			var missing *release.MissingRightsError
			switch {
			case c.names == "" && err != nil:
				t.Errorf("nothing is missing: %v", err)
			case c.names != "" && (!errors.As(err, &missing) || !strings.Contains(err.Error(), c.names)):
				t.Errorf("%v; want a missing right that names %q", err, c.names)
			}
			if w.state(t) != before {
				t.Error("something was changed")
			}
		})
	}
}

// readOnly is a registry that lets nobody push.
func readOnly(t *testing.T) (host string) {
	t.Helper()
	r, err := loopback.Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			http.Error(w, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`, http.StatusForbidden)
			return
		}
		r.ServeHTTP(w, req)
	}))
	t.Cleanup(func() { server.Close(); r.Close() })
	return strings.TrimPrefix(server.URL, "http://")
}
