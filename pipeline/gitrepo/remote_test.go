package gitrepo

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// secret is in addresses, and never in an error.
const secret = "glpat-secret"

// TestRemoteErrors asks remotes that are not there, refuse, or do not answer.
func TestRemoteErrors(t *testing.T) {
	t.Parallel()
	refuse := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "no", status)
		}))
		t.Cleanup(server.Close)
		return strings.Replace(server.URL, "://", "://ci:"+secret+"@", 1) + "/shop/stock.git"
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	r := newRepo(t)
	for _, c := range []struct {
		remote string
		want   Reason
	}{
		{"origin", NoRemote},
		{"file://" + t.TempDir() + "/none.git", NoRemote},
		{refuse(http.StatusUnauthorized), NoRight},
		{refuse(http.StatusForbidden), NoRight},
		{refuse(http.StatusNotFound), NoRemote},
		{refuse(http.StatusBadGateway), Unreachable},
		{"http://ci:" + secret + "@" + closed.Addr().String() + "/x.git", Unreachable},
	} {
		shown := withoutCredentials(c.remote)
		for action, err := range map[string]error{
			"push":   r.PushTag(t.Context(), c.remote, "v0.1.0"),
			"branch": r.PushBranch(t.Context(), c.remote, "env/x", "HEAD", ""),
			"tags":   func() error { _, err := r.RemoteTags(t.Context(), c.remote, ""); return err }(),
			"on":     r.OnBranch(t.Context(), c.remote, "main", "HEAD"),
			"deepen": r.Deepen(t.Context(), c.remote, "v7"),
		} {
			var e *RemoteError
			if !errors.As(err, &e) || e.Reason != c.want || !strings.Contains(e.Command, "git ") || !strings.Contains(e.Command, shown) {
				t.Errorf("%s, %s: %v; want %q", action, shown, err, c.want)
			}
			for err := err; err != nil; err = errors.Unwrap(err) {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s shows the credential: %v", action, err)
				}
			}
		}
	}
}

// TestRefusedByHook has a server that protects its tags, as GitLab does.
func TestRefusedByHook(t *testing.T) {
	t.Parallel()
	server := newRepo(t).bare(t)
	r := server.clone(t)
	server.write(t, "hooks/pre-receive", "#!/bin/sh\necho 'GitLab: You are not allowed to create this tag as it is protected.' >&2\nexit 1\n")
	if err := os.Chmod(filepath.Join(server.Root, "hooks/pre-receive"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.CreateTag(t.Context(), "v2.0.0", "HEAD", "x", false); err != nil {
		t.Fatal(err)
	}
	err := r.PushTag(t.Context(), "origin", "v2.0.0")
	var e *RemoteError
	if !errors.As(err, &e) || e.Reason != NoRight || !strings.Contains(e.Detail, "it is protected") || e.Command != "git push origin refs/tags/v2.0.0" {
		t.Errorf("%v", err)
	}
}

// TestNoQuestions must end at once where ssh would ask about an unknown host.
func TestNoQuestions(t *testing.T) {
	tool(t, "ssh")
	r := newRepo(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	t.Setenv("GIT_SSH_COMMAND", "")
	ssh, err := r.sshCommand(t.Context())
	if err != nil || !strings.HasPrefix(ssh, "ssh -o BatchMode=yes") {
		t.Errorf("%q, %v", ssh, err)
	}
	for command, want := range map[string]string{
		"ssh -i key":      "ssh -i key -o BatchMode=yes -o ConnectTimeout=30",
		"'/usr/bin/ssh'":  "'/usr/bin/ssh' -o BatchMode=yes -o ConnectTimeout=30",
		"plink -batch -i": "plink -batch -i",
	} {
		t.Setenv("GIT_SSH_COMMAND", command)
		if got, err := r.sshCommand(t.Context()); got != want || err != nil {
			t.Errorf("%q becomes %q, %v", command, got, err)
		}
	}
	t.Setenv("GIT_SSH_COMMAND", "")
	r.must(t, "config", "core.sshCommand", "ssh -F none")
	if got, err := r.sshCommand(t.Context()); !strings.HasPrefix(got, "ssh -F none -o BatchMode=yes") || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	r.must(t, "config", "--unset", "core.sshCommand")
	var e *RemoteError
	if _, err := r.RemoteTags(t.Context(), "ssh://git@"+listener.Addr().String()+"/x.git", ""); !errors.As(err, &e) || e.Reason != Unreachable {
		t.Errorf("%v", err)
	}
}

func TestCancelledRemote(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errors.New("never"))
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }))
	defer server.Close()
	_, err := newRepo(t).RemoteTags(ctx, server.URL+"/x.git", "")
	if e := (*RemoteError)(nil); !errors.Is(err, context.Canceled) || errors.As(err, &e) {
		t.Errorf("%v", err)
	}
}

func TestRemoteURL(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	for url, want := range map[string]string{
		"https://ci:" + secret + "@gitlab.example.com/a/b.git": "https://gitlab.example.com/a/b.git",
		"https://" + secret + "@gitlab.example.com/a/b.git":    "https://gitlab.example.com/a/b.git",
		"https://gitlab.example.com/a/b@c.git":                 "https://gitlab.example.com/a/b@c.git",
		"ssh://git@gitlab.example.com:22/a/b.git":              "ssh://git@gitlab.example.com:22/a/b.git",
		"ssh://git:" + secret + "@gitlab.example.com/a/b.git":  "ssh://gitlab.example.com/a/b.git",
		"git@gitlab.example.com:a/b.git":                       "git@gitlab.example.com:a/b.git",
	} {
		r.must(t, "config", "remote.origin.url", url)
		if got, err := r.RemoteURL(t.Context(), "origin"); got != want || err != nil {
			t.Errorf("%s: %s, %v", url, got, err)
		}
	}
	var e *RemoteError
	if _, err := r.RemoteURL(t.Context(), "upstream"); !errors.As(err, &e) || e.Reason != NoRemote || e.Command != "git remote add upstream URL" {
		t.Errorf("%v", err)
	}
}

func FuzzWithoutCredentials(f *testing.F) {
	f.Add("fatal: unable to access '", "/x.git/': 403")
	f.Add("https://a@b ssh", " and https://c:d@e")
	f.Fuzz(func(t *testing.T, before, after string) {
		if got := withoutCredentials(before + " https://user:" + secret + "@host/" + after); strings.Contains(got, secret) {
			t.Errorf("%q", got)
		}
	})
}
