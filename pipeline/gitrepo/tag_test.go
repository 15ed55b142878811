package gitrepo

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tool skips a test without a program, except in CI.
func tool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
}

func TestTagAt(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	first, second := r.must(t, "rev-parse", "HEAD~1"), r.must(t, "rev-parse", "HEAD")
	r.must(t, "tag", "1.0.0")
	r.must(t, "tag", "-a", "-m", "of a tag\n\nwith a body\n", "nested", "v0.1.0")
	r.must(t, "tag", "tree", "HEAD^{tree}")
	r.must(t, "tag", "dir/v1")
	for name, want := range map[string]Tag{
		"v0.1.0":   {Name: "v0.1.0", Commit: first, Annotated: true, Message: "release"},
		"a/v0.1.0": {Name: "a/v0.1.0", Commit: first},
		"1.0.0":    {Name: "1.0.0", Commit: second},
		"nested":   {Name: "nested", Commit: first, Annotated: true, Message: "of a tag\n\nwith a body"},
	} {
		want.Object = r.must(t, "rev-parse", "refs/tags/"+name)
		got, err := r.TagAt(t.Context(), name)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	for _, name := range []string{"v1.0.0", "v0.1", "v0.1.*", "dir", "main", "heads/main", ""} {
		if got, err := r.TagAt(t.Context(), name); !errors.Is(err, ErrNoTag) {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	if _, err := r.TagAt(t.Context(), "tree"); err == nil || errors.Is(err, ErrNoTag) {
		t.Errorf("a tag of a tree: %v", err)
	}
	at, err := r.TagsAt(t.Context(), first)
	if diff := cmp.Diff([]string{"a/v0.1.0", "v0.1.0"}, at); diff != "" || err != nil {
		t.Errorf("tags at the first commit: %v (-want +got):\n%s", err, diff)
	}
}

func TestCreateTag(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	first, second := r.must(t, "rev-parse", "HEAD~1"), r.must(t, "rev-parse", "HEAD")
	const message = "Stock 0.2.0\n\n# not a comment\n  äöü"
	for range 2 {
		if err := r.CreateTag(t.Context(), "v0.2.0", second, message, false); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.TagAt(t.Context(), "v0.2.0")
	if err != nil || got.Commit != second || !got.Annotated || got.Signed || got.Message != message {
		t.Errorf("%+v, %v", got, err)
	}
	if who := r.must(t, "for-each-ref", "--format=%(taggername) %(taggeremail)", "refs/tags/v0.2.0"); who != "pipeline <pipeline@localhost>" {
		t.Errorf("made by %s", who)
	}
	if err := r.CreateTag(t.Context(), "light", "HEAD", "", false); err != nil {
		t.Fatal(err)
	}
	if got, err := r.TagAt(t.Context(), "light"); err != nil || got.Annotated || got.Commit != second {
		t.Errorf("%+v, %v", got, err)
	}
	var exists *TagExistsError
	if err := r.CreateTag(t.Context(), "v0.2.0", first, "x", false); !errors.As(err, &exists) || exists.Commit != second || exists.Wanted != first {
		t.Errorf("on another commit: %v", err)
	}
	for _, bad := range [][2]string{{"a..b", "HEAD"}, {"-d", "HEAD"}, {"v3", "none"}, {"v3", "--all"}} {
		if err := r.CreateTag(t.Context(), bad[0], bad[1], "x", false); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}

// TestCreateTagKnowsWhoMakesIt prefers the repository's configuration.
func TestCreateTagKnowsWhoMakesIt(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.Identity = Identity{Name: "Release", Email: "release@example.com"}
	who := func(tag string) string {
		t.Helper()
		if err := r.CreateTag(t.Context(), tag, "HEAD", "x", false); err != nil {
			t.Fatal(err)
		}
		return r.must(t, "for-each-ref", "--format=%(taggername) %(taggeremail)", "refs/tags/"+tag)
	}
	if got := who("one"); got != "Release <release@example.com>" {
		t.Error(got)
	}
	r.must(t, "config", "user.name", "B")
	r.must(t, "config", "user.email", "b@example.com")
	if got := who("two"); got != "B <b@example.com>" {
		t.Error(got)
	}
}

func TestSignedTag(t *testing.T) {
	t.Parallel()
	tool(t, "ssh-keygen")
	r := newRepo(t)
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.must(t, "config", "gpg.format", "ssh")
	r.must(t, "config", "user.signingKey", key)
	if err := r.CreateTag(t.Context(), "v1.0.0", "HEAD", "One", true); err != nil {
		t.Fatal(err)
	}
	got, err := r.TagAt(t.Context(), "v1.0.0")
	if err != nil || !got.Signed || got.Message != "One" {
		t.Errorf("%+v, %v", got, err)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "signers", "a@example.com "+string(public))
	r.must(t, "-c", "gpg.ssh.allowedSignersFile="+filepath.Join(r.Root, "signers"), "verify-tag", "v1.0.0")
	r.must(t, "config", "user.signingKey", key+"-gone")
	if err := r.CreateTag(t.Context(), "v1.0.1", "HEAD", "x", true); err == nil || !strings.Contains(err.Error(), "create the tag v1.0.1") {
		t.Errorf("without a key: %v", err)
	}
	if got, err := r.TagAt(t.Context(), "v1.0.1"); !errors.Is(err, ErrNoTag) {
		t.Errorf("an unsigned tag was left: %+v, %v", got, err)
	}
}

func TestPushTag(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	server := r.bare(t)
	a, b := server.clone(t), server.clone(t)
	head, first := a.must(t, "rev-parse", "HEAD"), a.must(t, "rev-parse", "HEAD~1")
	create := func(r *Repo, name, commit, message string) {
		t.Helper()
		if err := r.CreateTag(t.Context(), name, commit, message, false); err != nil {
			t.Fatal(err)
		}
	}
	create(a, "v0.2.0", head, "by a")
	create(a, "v-other", head, "not asked for")
	for range 2 {
		if err := a.PushTag(t.Context(), "origin", "v0.2.0"); err != nil {
			t.Fatal(err)
		}
	}
	tags, err := b.RemoteTags(t.Context(), "origin", "v")
	object := a.must(t, "rev-parse", "refs/tags/v0.2.0")
	want := []RemoteTag{{"v0.1.0", a.must(t, "rev-parse", "refs/tags/v0.1.0"), first}, {"v0.2.0", object, head}}
	if diff := cmp.Diff(want, tags); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	// The same commit under another tag object is what was wanted; it stays.
	create(b, "v0.2.0", head, "by b")
	if err := b.PushTag(t.Context(), "origin", "v0.2.0"); err != nil {
		t.Error(err)
	}
	if got := server.must(t, "rev-parse", "refs/tags/v0.2.0"); got != object {
		t.Error("the tag was moved")
	}
	b.must(t, "tag", "-d", "v0.2.0")
	create(b, "v0.2.0", first, "elsewhere")
	var exists *TagExistsError
	if err := b.PushTag(t.Context(), "origin", "v0.2.0"); !errors.As(err, &exists) || exists.Commit != head || exists.Remote != "origin" {
		t.Errorf("%v", err)
	}
	if err := b.PushTag(t.Context(), "origin", "none"); !errors.Is(err, ErrNoTag) {
		t.Errorf("%v", err)
	}
}

// TestPushTagFromShallow pushes what a shallow clone has, as CI does.
func TestPushTagFromShallow(t *testing.T) {
	t.Parallel()
	server := newRepo(t).bare(t)
	r := server.clone(t, "--depth=1", "--no-tags")
	r.must(t, "checkout", "-q", "--detach")
	if err := r.CreateTag(t.Context(), "v9.0.0", "HEAD", "x", false); err != nil {
		t.Fatal(err)
	}
	if err := r.PushTag(t.Context(), "origin", "v9.0.0"); err != nil {
		t.Error(err)
	}
}
