package gitlab_test

import (
	"strings"
	"sync"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

const onNotes = "POST /projects/:id/merge_requests/:noteable_id/notes"

// Two jobs that look at the same time both see no note: one note stays.
func TestOneNoteOfTwoJobs(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	iid := f.opened(t)
	other := f.as(t, gitlab.KindAccess, f.AccessToken("maria", "api"))
	f.Fault(gitlabtest.Fault{On: onNotes, Race: func() {
		if _, err := other.EnsureNote(t.Context(), iid, "report", "of the other job"); err != nil {
			t.Error(err)
		}
	}})
	if outcome, err := f.c.EnsureNote(t.Context(), iid, "report", "of this job"); err != nil || outcome != gitlab.Created {
		t.Errorf("%s, %v", outcome, err)
	}
	dump := f.dump(t)
	if strings.Count(dump, "pipeline:note") != 1 || !strings.Contains(dump, "of this job") || f.writes()["DELETE /projects/:id/merge_requests/:noteable_id/notes/:note_id"] != 1 {
		t.Errorf("%v\n%s", f.writes(), dump)
	}
}

func TestOneNoteOfManyJobs(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	iid := f.opened(t)
	var jobs sync.WaitGroup
	for range 8 {
		jobs.Go(func() {
			if _, err := f.c.EnsureNote(t.Context(), iid, "report", "the same"); err != nil {
				t.Error(err)
			}
		})
	}
	jobs.Wait()
	if n := strings.Count(f.dump(t), "pipeline:note"); n != 1 {
		t.Errorf("%d notes", n)
	}
}

// A note that somebody else wrote with the mark in it is not removed.
func TestANoteOfSomebodyElseStays(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	iid := f.opened(t)
	if _, err := f.c.EnsureNote(t.Context(), iid, "report", "first"); err != nil {
		t.Fatal(err)
	}
	f.p.Note(iid, "anna", "<!-- pipeline:note report -->\nquoted")
	if outcome, err := f.c.EnsureNote(t.Context(), iid, "report", "second"); err != nil || outcome != gitlab.Updated {
		t.Errorf("%s, %v", outcome, err)
	}
	if dump := f.dump(t); !strings.Contains(dump, "quoted") || !strings.Contains(dump, "second") {
		t.Error(dump)
	}
}

// After an answer that leaves open whether the note was written it is not written
// twice.
func TestNoteAfterABrokenAnswer(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	iid := f.opened(t)
	f.Fault(gitlabtest.Fault{On: onNotes, Status: 502, After: true})
	if _, err := f.c.EnsureNote(t.Context(), iid, "report", "text"); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(f.dump(t), "pipeline:note"); n != 1 {
		t.Errorf("%d notes", n)
	}
}

func TestNoteTakesAnAccessToken(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	iid := f.opened(t)
	_, err := f.as(t, gitlab.KindJob, f.p.JobToken("maria")).EnsureNote(t.Context(), iid, "report", "text")
	if err == nil || !strings.Contains(err.Error(), "PIPELINE_GITLAB_TOKEN") {
		t.Errorf("got %v", err)
	}
}

// A fence inside of a longer one does not end it.
func TestNoCommandBehindCodeInANote(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	iid := f.opened(t)
	if _, err := f.c.EnsureNote(t.Context(), iid, "report", "````\n```\n/in code\n````\n/merge"); err != nil {
		t.Fatal(err)
	}
	if dump := f.dump(t); !strings.Contains(dump, `/in code`) || strings.Contains(dump, `\\/in code`) || !strings.Contains(dump, `\\/merge`) {
		t.Error(dump)
	}
}
