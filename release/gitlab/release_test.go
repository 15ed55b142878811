package gitlab_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

func (f *forge) release() gitlab.Release {
	return gitlab.Release{
		Tag: "v1.0.0", Commit: f.commit, Name: "1.0.0", Notes: "### Added\n\n- all of it",
		Links: []gitlab.Link{
			{Name: "image", URL: "https://registry.example.com/app@sha256:1", Type: gitlab.LinkImage},
			{Name: "sbom", URL: "https://example.com/sbom.json", Path: "/sbom.json"},
		},
	}
}

func TestReleaseTwice(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	want := gitlab.ReleaseResult{
		URL: f.URL + "/group/sub/app/-/releases/v1.0.0", Tag: gitlab.Created, Release: gitlab.Created, Text: gitlab.Created,
		Links: map[string]gitlab.Outcome{"image": gitlab.Created, "sbom": gitlab.Created},
	}
	got, err := f.c.EnsureRelease(t.Context(), f.release())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("first: %v\n%s", err, diff)
	}
	before := f.dump(t)
	got, err = f.c.EnsureRelease(t.Context(), f.release())
	want.Tag, want.Release, want.Text = gitlab.Found, gitlab.Found, gitlab.Found
	want.Links = map[string]gitlab.Outcome{"image": gitlab.Found, "sbom": gitlab.Found}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("second: %v\n%s", err, diff)
	}
	if diff := cmp.Diff(before, f.dump(t)); diff != "" {
		t.Errorf("the second run changed something:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{onReleases: 1}, f.writes()); diff != "" {
		t.Errorf("writes:\n%s", diff)
	}
}

func TestReleaseWithAMessageMakesAnAnnotatedTag(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	r := f.release()
	r.Tag, r.Message = "svc/v1.0.0", "Release 1.0.0"
	if _, err := f.c.EnsureRelease(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	tag, err := f.c.Tag(t.Context(), r.Tag)
	want := &gitlab.Tag{Name: r.Tag, Commit: f.commit, Message: r.Message}
	if diff := cmp.Diff(want, tag); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if tag, err := f.c.Tag(t.Context(), "v9"); tag != nil || err != nil {
		t.Errorf("a tag that is not there: %+v, %v", tag, err)
	}
}

// GitLab itself would attach the release to the tag, wherever it is.
func TestTagOnAnotherCommitIsRefusedBeforeAnything(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	first := f.commit
	if err := f.p.CreateTag("v1.0.0", first, ""); err != nil {
		t.Fatal(err)
	}
	f.commit = f.MustCommit(f.p, "main", "fix: third")
	before := f.dump(t)
	_, err := f.c.EnsureRelease(t.Context(), f.release())
	var conflict *gitlab.TagConflictError
	if !errors.As(err, &conflict) || conflict.Got != first || conflict.Want != f.commit || conflict.Released {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(before, f.dump(t)); diff != "" || len(f.writes()) > 0 {
		t.Errorf("something was written: %v\n%s", f.writes(), diff)
	}
}

func TestTagOnTheCommitIsUsed(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	if err := f.p.CreateTag("v1.0.0", f.commit, "by hand"); err != nil {
		t.Fatal(err)
	}
	got, err := f.c.EnsureRelease(t.Context(), f.release())
	if err != nil || got.Tag != gitlab.Found || got.Release != gitlab.Created {
		t.Errorf("%+v, %v", got, err)
	}
}

// Another actor makes the tag elsewhere between our look and our request.
func TestTagRacedToAnotherCommit(t *testing.T) {
	t.Parallel()
	for name, role := range map[string]gitlabtest.Role{"taken back": gitlabtest.Maintainer, "cannot be taken back": gitlabtest.Developer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.p.Member("maria", role)
			other := f.MustCommit(f.p, "side", "chore: elsewhere")
			f.Fault(gitlabtest.Fault{On: onReleases, Race: func() { _ = f.p.CreateTag("v1.0.0", other, "") }})
			_, err := f.c.EnsureRelease(t.Context(), f.release())
			var conflict *gitlab.TagConflictError
			stays := role == gitlabtest.Developer
			if !errors.As(err, &conflict) || conflict.Got != other || conflict.Released != stays {
				t.Fatalf("got %v", err)
			}
			if has := strings.Contains(f.dump(t), `"tag": "v1.0.0"`); has != stays {
				t.Errorf("the release is there: %v, want %v", has, stays)
			}
		})
	}
}

// The same tag, made by somebody else between GitLab's own look and deed: 409.
func TestTagRacedInsideGitLab(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.Fault(gitlabtest.Fault{On: onReleases, Inside: func() { _ = f.p.CreateTag("v1.0.0", f.commit, "") }})
	got, err := f.c.EnsureRelease(t.Context(), f.release())
	if err != nil || got.Tag != gitlab.Found || got.Release != gitlab.Created {
		t.Errorf("%+v, %v", got, err)
	}
}

// Between our look and our request another job makes the same release: 409.
func TestReleaseRaced(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	other := f.as(t, gitlab.KindJob, f.p.JobToken("maria"))
	f.Fault(gitlabtest.Fault{On: onReleases, Race: func() {
		if _, err := other.EnsureRelease(t.Context(), f.release()); err != nil {
			t.Error(err)
		}
	}})
	got, err := f.c.EnsureRelease(t.Context(), f.release())
	if err != nil || got.Release != gitlab.Found || got.Tag != gitlab.Found {
		t.Errorf("%+v, %v", got, err)
	}
}

// GitLab looks for the right to make the tag before it looks for the release,
// so a lesser role gets 403 where nothing is to be done.
func TestRepeatedByALesserRole(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.p.Protect(gitlabtest.ProtectedTag{Pattern: "v*", Levels: []gitlabtest.Role{gitlabtest.Maintainer}})
	f.p.Member("dora", gitlabtest.Developer)
	dora := f.as(t, gitlab.KindAccess, f.AccessToken("dora", "api"))
	_, err := dora.EnsureRelease(t.Context(), f.release())
	var denied *gitlab.APIError
	if !errors.As(err, &denied) || denied.Status != 403 || !strings.Contains(denied.Hint, "Protected tags") {
		t.Fatalf("first by a Developer: %v", err)
	}
	f.Fault(gitlabtest.Fault{On: onReleases, Race: func() {
		if _, err := f.c.EnsureRelease(t.Context(), f.release()); err != nil {
			t.Error(err)
		}
	}})
	for range 2 { // raced to 403, then simply there
		got, err := dora.EnsureRelease(t.Context(), f.release())
		if err != nil || got.Release != gitlab.Found {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// GitLab makes the tag, then refuses the release, and the tag stays.
func TestTagLeftBehind(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	if err := f.p.CreateTag("v1.0.0", f.commit, ""); err != nil {
		t.Fatal(err)
	}
	r := f.release()
	r.Milestones = []string{"nine"}
	_, err := f.c.EnsureRelease(t.Context(), r)
	var refused *gitlab.APIError
	if !errors.As(err, &refused) || refused.Status != 400 || !strings.Contains(err.Error(), "nine") || !strings.Contains(refused.Hint, "run again") {
		t.Fatalf("unknown milestone: %v", err)
	}
	f.p.Milestone("nine")
	if got, err := f.c.EnsureRelease(t.Context(), r); err != nil || got.Tag != gitlab.Found {
		t.Errorf("after the cause is gone: %+v, %v", got, err)
	}
}

// Whatever breaks on the way, one release is the outcome, and it is told right.
func TestFaultsOnTheWay(t *testing.T) {
	t.Parallel()
	undisturbed := newForge(t)
	if _, err := undisturbed.c.EnsureRelease(t.Context(), undisturbed.release()); err != nil {
		t.Fatal(err)
	}
	want := undisturbed.dump(t)
	for name, fault := range map[string]gitlabtest.Fault{
		"502 before":           {On: onReleases, Status: 502},
		"502 after":            {On: onReleases, Status: 502, After: true},
		"connection before":    {On: onReleases, Cut: true},
		"connection after":     {On: onReleases, Cut: true, After: true},
		"429":                  {On: onReleases, Status: 429, RetryAfter: "0", Times: 2},
		"read 503":             {On: onRelease, Status: 503, Times: 2},
		"read cut":             {On: onTag, Cut: true},
		"403 for the release":  {On: onRelease, Status: 403},
		"everything is slowed": {On: "*", Status: 429, RetryAfter: "0", Times: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.Fault(fault)
			got, err := f.c.EnsureRelease(t.Context(), f.release())
			if err != nil || got.Release != gitlab.Created || got.Tag != gitlab.Created {
				t.Errorf("%+v, %v", got, err)
			}
			if diff := cmp.Diff(want, f.dump(t)); diff != "" {
				t.Errorf("outcome (-undisturbed +got):\n%s", diff)
			}
			if f.writes()[onReleases] != 1 {
				t.Errorf("writes: %v", f.writes())
			}
		})
	}
}

func TestFaultThatStays(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.Fault(gitlabtest.Fault{On: onReleases, Status: 502, Times: 100})
	_, err := f.c.EnsureRelease(t.Context(), f.release())
	var answer *gitlab.APIError
	if !errors.As(err, &answer) || answer.Status != 502 {
		t.Errorf("got %v", err)
	}
}

func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			c := f.as(t, gitlab.KindJob, f.p.JobToken("maria"))
			if _, err := c.EnsureRelease(t.Context(), f.release()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if diff := cmp.Diff(map[string]int{onReleases: 1}, f.writes()); diff != "" {
		t.Errorf("writes:\n%s", diff)
	}
}

func TestCancelledWhileItWaits(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.Fault(gitlabtest.Fault{On: onReleases, Status: 429, RetryAfter: "3600", Race: cancel})
	if _, err := f.c.EnsureRelease(ctx, f.release()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
