package gitlab_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// A token must not be seen, whatever is printed and whatever the server says.
func TestTokenIsNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "glpat-very/secret+token"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"message":"headers %s and glpat-very%%2Fsecret%%2Btoken"}`, r.Header)
	}))
	defer server.Close()
	for _, kind := range []gitlab.Kind{gitlab.KindAccess, gitlab.KindJob, gitlab.KindOAuth} {
		config := gitlab.Config{Server: server.URL, Project: "a/b", Token: gitlab.NewToken(kind, secret+"\n"), Pause: time.Millisecond}
		c, err := gitlab.New(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Tag(t.Context(), "v1")
		if err == nil || !strings.Contains(err.Error(), "[MASKED]") {
			t.Errorf("the double of a hostile server is wrong: %v", err)
		}
		dead := config
		dead.Server = "http://127.0.0.1:1"
		unreachable, errNew := gitlab.New(dead)
		if errNew != nil {
			t.Fatal(errNew)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, dialErr := unreachable.Tag(ctx, "v1")
		text, _ := config.Token.MarshalText()
		shown := fmt.Sprintf("%v %+v %#v %s %q %v %+v %#v %v %+v %v %s", config.Token, config.Token, config.Token, config.Token, config.Token,
			config, config, config, c, err, dialErr, text)
		for wrapped := err; wrapped != nil; wrapped = errors.Unwrap(wrapped) {
			shown += fmt.Sprintf("%+v %#v", wrapped, wrapped)
		}
		for _, leak := range []string{"secret+token", "secret%2Btoken"} {
			if strings.Contains(shown, leak) {
				t.Errorf("%s: %s", kind, shown)
			}
		}
	}
}

// A redirected POST would become a GET and look like success.
func TestWritesAreNotRedirected(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			f.Server.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, f.URL+r.URL.EscapedPath(), http.StatusMovedPermanently)
	}))
	defer front.Close()
	c := f.with(t, func(c *gitlab.Config) { c.Server = front.URL })
	_, err := c.EnsureRelease(t.Context(), f.release())
	if err == nil || !strings.Contains(err.Error(), "another address") || len(f.writes()) > 0 {
		t.Errorf("%v, %v", err, f.writes())
	}
}

// A read may be redirected, to an object storage say; the token stays here.
func TestTokenStaysWithTheServer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		for _, header := range []string{"Private-Token", "Job-Token", "Authorization"} {
			if r.Header.Get(header) != "" {
				t.Errorf("%s was sent to another host", header)
			}
		}
		fmt.Fprint(w, `{"name":"v1","commit":{"id":"x"}}`)
	}))
	defer storage.Close()
	front := httptest.NewServer(http.RedirectHandler(strings.Replace(storage.URL, "127.0.0.1", "localhost", 1), http.StatusFound))
	defer front.Close()
	for _, kind := range []gitlab.Kind{gitlab.KindAccess, gitlab.KindJob, gitlab.KindOAuth} {
		c, err := gitlab.New(gitlab.Config{Server: front.URL, Project: "a/b", Token: gitlab.NewToken(kind, "secret")})
		if err != nil {
			t.Fatal(err)
		}
		if tag, err := c.Tag(t.Context(), "v1"); err != nil || tag.Commit != "x" {
			t.Errorf("%s: %+v, %v", kind, tag, err)
		}
	}
	if asked.Load() != 3 {
		t.Errorf("the storage was asked %d times", asked.Load())
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.Fault(gitlabtest.Fault{On: onTag, Status: 429, RetryAfter: "1"})
	start := time.Now()
	if _, err := f.c.Tag(t.Context(), "v1"); err != nil {
		t.Error(err)
	}
	if waited := time.Since(start); waited < time.Second {
		t.Errorf("waited %v", waited)
	}
}

// What the context does not allow to wait for is an error at once.
func TestRateLimitBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.Fault(gitlabtest.Fault{On: onTag, Status: 429, RetryAfter: "3600", Times: 10})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	_, err := f.c.Tag(ctx, "v1")
	var limited *gitlab.APIError
	if !errors.As(err, &limited) || limited.Status != 429 || !strings.Contains(err.Error(), "3600") || time.Since(start) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

func TestServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	c, err := gitlab.New(gitlab.Config{
		Server: silent.URL, Project: "a/b", Token: gitlab.NewToken(gitlab.KindAccess, "x"), Timeout: 10 * time.Millisecond, Pause: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Tag(t.Context(), "v1"); err == nil || !strings.Contains(err.Error(), "read tag v1") {
		t.Errorf("got %v", err)
	}
}

// client-go escapes dots ("v1%2E0%2E0") and slashes in one segment.
func TestEscapedPaths(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	if err := f.p.CreateTag("svc/v1.0.0", f.commit, ""); err != nil {
		t.Fatal(err)
	}
	if tag, err := f.c.Tag(t.Context(), "svc/v1.0.0"); err != nil || tag == nil {
		t.Fatalf("%v, %v", tag, err)
	}
	path := f.Journal()[0].Path
	if !strings.Contains(path, "/projects/group%2Fsub%2Fapp/") || !strings.HasSuffix(path, "/svc%2Fv1%2E0%2E0") {
		t.Errorf("asked %s", path)
	}
}

// Before 18.8 GitLab hid single tags from job tokens, with 404.
func TestTagWithAJobTokenOnAnOlderServer(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.p.Set(func(s *gitlabtest.Settings) { s.NoJobTokenTag = true })
	if err := f.p.CreateTag("v1.0.0", f.commit, ""); err != nil {
		t.Fatal(err)
	}
	c := f.as(t, gitlab.KindJob, f.p.JobToken("maria"))
	if tag, err := c.Tag(t.Context(), "v1.0.0"); err != nil || tag == nil || tag.Commit != f.commit {
		t.Errorf("%+v, %v", tag, err)
	}
	stranger := f.as(t, gitlab.KindAccess, f.AccessToken("nobody", "api"))
	if _, err := stranger.Tag(t.Context(), "v1.0.0"); err == nil || !strings.Contains(err.Error(), "Members") {
		t.Errorf("without a role: %v", err)
	}
}
