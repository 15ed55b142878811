package gitlab_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// merged opens a merge request of anna, has it approved and merges it.
func (f *forge) merged(t *testing.T, approvers ...string) (iid int64, commit string) {
	t.Helper()
	iid = f.opened(t)
	for _, who := range approvers {
		f.p.Approve(iid, who)
	}
	commit, err := f.p.Merge(iid, "maria")
	if err != nil {
		t.Fatal(err)
	}
	return iid, commit
}

func (f *forge) opened(t *testing.T) int64 {
	t.Helper()
	if _, err := f.p.Commit("topic", "carl", "feat: topic", map[string]string{"topic": "1"}); err != nil {
		t.Fatal(err)
	}
	return f.p.Request("anna", "a topic", "topic", "main")
}

func names(people []gitlab.Approver) string {
	var list []string
	for _, a := range people {
		list = append(list, a.User)
	}
	return strings.Join(list, " ")
}

func TestReview(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	_, commit := f.merged(t, "anna", "bert", "carl")
	review, err := f.c.Review(t.Context(), commit)
	if err != nil || len(review.Requests) != 1 {
		t.Fatalf("%+v, %v", review, err)
	}
	r := review.Requests[0]
	if r.State != "merged" || r.Author != "anna" || r.Rules || r.Target != "main" {
		t.Errorf("%+v", r)
	}
	if got := names(r.Independent(true)); got != "bert carl" {
		t.Errorf("without the author: %q", got)
	}
	if got := names(r.Independent(false)); got != "bert" {
		t.Errorf("without the committers: %q", got)
	}
	if r.Approvers[1].Freshness != gitlab.Fresh {
		t.Errorf("%+v", r.Approvers[1])
	}
}

// The commit of the branch itself, not the merge commit, is found as well.
func TestReviewOfACommitOfTheBranch(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.merged(t, "bert")
	head, err := f.p.Commit("topic", "carl", "later", nil)
	if err != nil {
		t.Fatal(err)
	}
	review, err := f.c.Review(t.Context(), head+"^")
	if err != nil || len(review.Requests) != 1 {
		t.Errorf("%+v, %v", review, err)
	}
}

func TestPushedWithoutReview(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	if review, err := f.c.Review(t.Context(), f.commit); err != nil || len(review.Requests) != 0 {
		t.Errorf("%+v, %v", review, err)
	}
}

// Approvals from before the last push do not count, with the time that GitLab
// gives or, where it resets them late, once they are gone.
func TestApprovedBeforeTheLastPush(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings func(*gitlabtest.Settings)
		slow     int
		want     gitlab.Freshness // of bert's approval, "" when it is gone
	}{
		"kept by the project": {func(s *gitlabtest.Settings) { s.KeepApprovals = true }, 0, gitlab.Stale},
		"reset at once":       {func(*gitlabtest.Settings) {}, 0, ""},
		"reset late":          {func(*gitlabtest.Settings) {}, 4, ""},
		"no times":            {func(s *gitlabtest.Settings) { s.KeepApprovals, s.NoApprovalTimes = true, true }, 0, gitlab.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.p.Set(test.settings)
			iid := f.opened(t)
			f.p.Approve(iid, "bert")
			f.p.SlowReset(iid, test.slow)
			head, err := f.p.Commit("topic", "carl", "fix: after the approval", map[string]string{"topic": "2"})
			if err != nil {
				t.Fatal(err)
			}
			review, err := f.c.Review(t.Context(), head)
			if err != nil || len(review.Requests) != 1 {
				t.Fatalf("%+v, %v", review, err)
			}
			var got gitlab.Freshness
			for _, a := range review.Requests[0].Approvers {
				got = a.Freshness
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestReviewThatDoesNotSettle(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	iid := f.opened(t)
	f.p.Checking(iid, 1<<30)
	c := f.with(t, func(c *gitlab.Config) { c.Settle = 30 * time.Millisecond })
	_, err := c.Review(t.Context(), f.head(t, "topic"))
	var busy *gitlab.NotSettledError
	if !errors.As(err, &busy) || busy.Status != "checking" || busy.Request != iid {
		t.Errorf("got %v", err)
	}
}

func (f *forge) head(t *testing.T, branch string) string {
	t.Helper()
	refs, err := f.p.Refs()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(refs, "\n") {
		if commit, ref, _ := strings.Cut(line, " "); ref == "refs/heads/"+branch {
			return commit
		}
	}
	t.Fatalf("no branch %s in %s", branch, refs)
	return ""
}

func TestReviewOnPremium(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.p.Set(func(s *gitlabtest.Settings) { s.Premium, s.ApprovalsRequired = true, 2 })
	iid := f.opened(t)
	f.p.Approve(iid, "bert")
	review, err := f.c.Review(t.Context(), f.head(t, "topic"))
	if err != nil {
		t.Fatal(err)
	}
	type rules struct {
		Rules          bool
		Required, Left int
	}
	r := review.Requests[0]
	if diff := cmp.Diff(rules{true, 2, 1}, rules{r.Rules, r.Required, r.Left}); diff != "" {
		t.Error(diff)
	}
}

func TestReviewTakesAnAccessToken(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	_, err := f.as(t, gitlab.KindJob, f.p.JobToken("maria")).Review(t.Context(), f.commit)
	if err == nil || !strings.Contains(err.Error(), "PIPELINE_GITLAB_TOKEN") || len(f.Journal()) > 0 {
		t.Errorf("got %v", err)
	}
}

func TestNote(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	iid := f.opened(t)
	for i, step := range []struct {
		body string
		want gitlab.Outcome
	}{{"one\n/merge\n```\n/keep\n```\n", gitlab.Created}, {"one\n/merge\n```\n/keep\n```\n", gitlab.Found}, {"two", gitlab.Updated}} {
		if got, err := f.c.EnsureNote(t.Context(), iid, "verdicts", step.body); err != nil || got != step.want {
			t.Errorf("step %d: %q, %v", i, got, err)
		}
		if i == 0 && !strings.Contains(f.dump(t), `one\n\\/merge\n`+"```"+`\n/keep\n`) {
			t.Errorf("quick action:\n%s", f.dump(t))
		}
	}
	f.Fault(gitlabtest.Fault{On: "POST /projects/:id/merge_requests/:noteable_id/notes", Status: 502, After: true})
	if _, err := f.c.EnsureNote(t.Context(), iid, "other", "three"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(f.dump(t), "pipeline:note"); n != 2 {
		t.Errorf("%d notes", n)
	}
}
