package doctor

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRegistry speaks with servers that ask for a login, and that are none.
func TestRegistry(t *testing.T) {
	status := http.StatusUnauthorized
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s with %v", r.URL, r.Header)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("REGISTRY_AUTH_FILE", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	login := func(text string) {
		writeFile(t, filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), text)
	}
	if l := registryLine(t.Context(), host); l.State != Warning || l.Remedy != "`docker login "+host+"`" {
		t.Errorf("%+v", l)
	}
	login(`{"auths":{"http://` + host + `/v1/":{"auth":"aHVudGVyMg=="}}}`)
	if l := registryLine(t.Context(), host); l.State != OK || !strings.Contains(l.Found, "answers, login in ") || strings.Contains(l.Found, "aHV") {
		t.Errorf("%+v", l)
	}
	login(`{"credHelpers":{"` + host + `":"none-such"}}`)
	if l := registryLine(t.Context(), host); l.State != Warning || !strings.Contains(l.Found, "docker-credential-none-such, which is not in PATH") {
		t.Errorf("%+v", l)
	}
	login(`{`)
	if l := registryLine(t.Context(), host); l.State != Warning || !strings.Contains(l.Found, "is not the JSON of docker") {
		t.Errorf("%+v", l)
	}
	login(`{}`)
	status = http.StatusOK
	if l := registryLine(t.Context(), host); l.State != OK || !strings.Contains(l.Found, "no login for it") {
		t.Errorf("%+v", l)
	}
	status = http.StatusNotFound
	if l := registryLine(t.Context(), host); l.State != Warning || !strings.Contains(l.Consequence, "no container registry") {
		t.Errorf("%+v", l)
	}
	server.Close()
	if l := registryLine(t.Context(), host); l.State != Warning || !strings.Contains(l.Found, "does not answer") {
		t.Errorf("%+v", l)
	}
}

// TestRegistryThatHangs does not wait longer than its context.
func TestRegistryThatHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errors.New("no answer within 20ms"))
	defer cancel()
	if l := registryLine(ctx, strings.TrimPrefix(server.URL, "http://")); !strings.HasSuffix(l.Found, "does not answer: no answer within 20ms") {
		t.Errorf("%+v", l)
	}
}

func TestForge(t *testing.T) {
	for _, name := range []string{"CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_COMMIT_SHA", "CI_DEFAULT_BRANCH", "CI_REGISTRY_IMAGE"} {
		t.Setenv(name, "value-of-"+name)
	}
	for _, c := range []struct {
		ci, own, job, forge string
		states              []State
		says                string
	}{
		{"", "", "", "", []State{NotNeeded}, "not gitlab"},
		{"true", "", "t0p", "none", []State{NotNeeded}, ""},
		{"", "", "", "gitlab", []State{Warning}, "neither"},
		{"", "s3cret", "", "gitlab", []State{OK}, "PIPELINE_GITLAB_TOKEN is there"},
		{"true", "", "t0p", "", []State{Warning, OK}, "comments in merge requests"},
		{"true", "s3cret", "t0p", "gitlab", []State{OK, OK}, "CI_JOB_TOKEN is there"},
	} {
		t.Setenv("GITLAB_CI", c.ci)
		t.Setenv("PIPELINE_GITLAB_TOKEN", c.own)
		t.Setenv("CI_JOB_TOKEN", c.job)
		p := newTestPatient(t, "stock")
		p.Services[0].Release.Forge = c.forge
		var states []State
		text := ""
		for _, l := range p.forge(t.Context()) {
			states, text = append(states, l.State), text+l.Found+l.Consequence+l.Remedy
		}
		if !cmp.Equal(states, c.states) || !strings.Contains(text, c.says) || strings.Contains(text, "s3cret") || strings.Contains(text, "t0p") || strings.Contains(text, "value-of") {
			t.Errorf("%+v: %v %s", c, states, text)
		}
	}
	t.Setenv("CI_REGISTRY_IMAGE", "")
	if l := jobLine(); l.State != Warning || !strings.Contains(l.Found, "without CI_REGISTRY_IMAGE") {
		t.Errorf("%+v", l)
	}
}
