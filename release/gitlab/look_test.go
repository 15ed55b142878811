package gitlab_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
)

// What a look foretells is what then happens, and the look changes nothing.
func TestLook(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	r := f.release()
	for i, change := range []func(){
		func() {},
		func() {},
		func() { r.Notes, r.Links[0].URL = "other", "https://registry.example.com/app@sha256:3" },
		func() { f.p.EditNotes(r.Tag, "by hand") },
	} {
		change()
		before := f.dump(t)
		foretold, err := f.c.LookRelease(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, f.dump(t)); diff != "" {
			t.Errorf("step %d: the look changed something:\n%s", i, diff)
		}
		done, err := f.c.EnsureRelease(t.Context(), r)
		if i == 0 {
			done.URL = "" // nobody knows the page before it is there
		}
		if diff := cmp.Diff(foretold, done); err != nil || diff != "" {
			t.Errorf("step %d: %v\n(-foretold +done)\n%s", i, err, diff)
		}
	}
}

func TestLookAsset(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	for _, want := range []gitlab.Outcome{gitlab.Created, gitlab.Found} {
		foretold, err := f.c.LookAsset(t.Context(), asset("bytes"))
		if err != nil || foretold.Outcome != want {
			t.Errorf("%+v, %v", foretold, err)
		}
		done, err := f.c.EnsureAsset(t.Context(), asset("bytes"))
		if diff := cmp.Diff(foretold, done); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	_, err := f.c.LookAsset(t.Context(), asset("other"))
	var conflict *gitlab.AssetConflictError
	if !errors.As(err, &conflict) || f.writes()[onGeneric] != 1 {
		t.Errorf("%v, %v", err, f.writes())
	}
}

// Without a name GitLab shows the tag, which must not look like an edit.
func TestReleaseWithoutAName(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	r := f.release()
	r.Name = ""
	for _, want := range []gitlab.Outcome{gitlab.Created, gitlab.Found} {
		if got, err := f.c.EnsureRelease(t.Context(), r); err != nil || got.Text != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
}
