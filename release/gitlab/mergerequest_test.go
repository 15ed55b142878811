package gitlab_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

const (
	onRequests = "POST /projects/:id/merge_requests"
	onRequest  = "PUT /projects/:id/merge_requests/:merge_request_iid"
)

// newUpdate is a forge with a branch "update" to be merged into main.
func newUpdate(t *testing.T) (*forge, gitlab.MergeRequest) {
	t.Helper()
	f := newForge(t)
	if _, err := f.p.Commit("update", "maria", "chore: lock", map[string]string{"scs.lock": "1"}); err != nil {
		t.Fatal(err)
	}
	return f, gitlab.MergeRequest{Source: "update", Target: "main", Title: "Update\nshop", Description: "| a |\n|---|\n", Labels: []string{"scs", "bot"}}
}

// requests are the merge requests as the double's dump has them.
func (f *forge) requests(t *testing.T) []map[string]any {
	t.Helper()
	var dump map[string]struct {
		Requests []map[string]any `json:"merge_requests"`
	}
	if err := json.Unmarshal([]byte(f.dump(t)), &dump); err != nil {
		t.Fatal(err)
	}
	return dump[f.p.Path].Requests
}

func TestMergeRequest(t *testing.T) {
	t.Parallel()
	f, m := newUpdate(t)
	for i, step := range []struct {
		change func()
		want   gitlab.Outcome
		number int64
	}{
		{func() {}, gitlab.Created, 1},
		{func() {}, gitlab.Found, 1},
		{func() { m.Description = "other" }, gitlab.Updated, 1},
		{func() { m.Title = "Another" }, gitlab.Updated, 1},
		{func() { m.Labels = []string{"bot"} }, gitlab.Found, 1},
		{func() { m.Labels = []string{"bot", "new"} }, gitlab.Updated, 1},
		{func() { f.MustCommit(f.p, "next", "feat: next"); m.Target = "next" }, gitlab.Updated, 1},
		{func() { f.p.Request("anna", "by hand", "update", "main") }, gitlab.Found, 1},
		{func() { m.Target = "main" }, gitlab.Updated, 2},
	} {
		step.change()
		got, err := f.c.EnsureMergeRequest(t.Context(), m)
		if err != nil || got.Outcome != step.want || got.Number != step.number || !strings.HasSuffix(got.URL, fmt.Sprintf("/-/merge_requests/%d", step.number)) {
			t.Errorf("step %d: %+v, %v; want %s of !%d", i, got, err, step.want, step.number)
		}
	}
	got := f.requests(t)[0]
	want := map[string]any{"title": "Another", "description": "other", "target": "next", "labels": []any{"bot", "new", "scs"}}
	for name, value := range want {
		if diff := cmp.Diff(value, got[name]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if writes := f.writes(); writes[onRequests] != 1 {
		t.Errorf("%v", writes)
	}
}

// One from a fork, a merged one and a closed one are none of ours.
func TestMergeRequestOfOthers(t *testing.T) {
	t.Parallel()
	f, m := newUpdate(t)
	f.p.Fork("stranger", "look at me", "update", "main")
	merged := f.p.Request("anna", "merged", "update", "main")
	if _, err := f.p.Merge(merged, "anna"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []gitlab.Outcome{gitlab.Created, gitlab.Found} {
		if got, err := f.c.EnsureMergeRequest(t.Context(), m); err != nil || got.Outcome != want || got.Number != 3 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for _, r := range f.requests(t)[:2] {
		if r["title"] != "look at me" && r["title"] != "merged" {
			t.Errorf("changed: %v", r)
		}
	}
}

// An answer that is lost, and another one who is quicker, leave one merge request.
func TestMergeRequestOnce(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]gitlabtest.Fault{
		"lost after it":   {On: onRequests, Status: 502, After: true},
		"lost before it":  {On: onRequests, Status: 502},
		"cut after it":    {On: onRequests, Cut: true, After: true},
		"another quicker": {On: onRequests},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, m := newUpdate(t)
			if name == "another quicker" {
				fault.Race = func() { f.p.Request("anna", "mine", "update", "main") }
			}
			f.Fault(fault)
			if got, err := f.c.EnsureMergeRequest(t.Context(), m); err != nil || got.Number != 1 {
				t.Errorf("%+v, %v", got, err)
			}
			if all := f.requests(t); len(all) != 1 || all[0]["title"] != "Update shop" {
				t.Errorf("%v", all)
			}
		})
	}
}

func TestMergeRequestsAtOnce(t *testing.T) {
	t.Parallel()
	f, m := newUpdate(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := f.c.EnsureMergeRequest(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if all := f.requests(t); len(all) != 1 {
		t.Errorf("%d merge requests", len(all))
	}
}

func TestMergeRequestThatCannotBe(t *testing.T) {
	t.Parallel()
	f, m := newUpdate(t)
	for name, change := range map[string]func(*gitlab.MergeRequest){
		"no source": func(m *gitlab.MergeRequest) { m.Source = "" },
		"no title":  func(m *gitlab.MergeRequest) { m.Title = " \n" },
		"itself":    func(m *gitlab.MergeRequest) { m.Source = "main" },
		"too long":  func(m *gitlab.MergeRequest) { m.Description = strings.Repeat("x", 1<<20+1) },
	} {
		r := m
		change(&r)
		if _, err := f.c.EnsureMergeRequest(t.Context(), r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(f.Journal()) > 0 {
		t.Errorf("GitLab was asked: %v", f.Journal())
	}
	m.Source = "none"
	if _, err := f.c.EnsureMergeRequest(t.Context(), m); err == nil || !strings.Contains(err.Error(), "branch does not exist") {
		t.Errorf("%v", err)
	}
	job := f.as(t, gitlab.KindJob, f.p.JobToken("maria"))
	m.Source = "update"
	if _, err := job.EnsureMergeRequest(t.Context(), m); err == nil || !strings.Contains(err.Error(), "PIPELINE_GITLAB_TOKEN") {
		t.Errorf("with a job token: %v", err)
	}
}

// FuzzDescription looks for lines that GitLab would take as commands.
func FuzzDescription(f *testing.F) {
	for _, seed := range []string{
		"/merge", "text\n/merge\n", "  /merge", "\t/merge", "```\n/merge", "```\n/merge\n```\n/approve", "    ```\n/merge", "~~~\n```\n/merge\n~~~\n/merge",
		"```a`b\n/merge\n", "````\n```\n/merge\n````\n/merge", "a\r/merge", "> /merge", "- /merge", "```\n/x\n``` no\n/merge",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got := gitlab.Inert(body)
		source := []byte(got)
		code := map[int]bool{}
		err := ast.Walk(goldmark.DefaultParser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			if n.Kind() == ast.KindFencedCodeBlock && entering {
				for i := range n.Lines().Len() {
					code[n.Lines().At(i).Start] = true
				}
			}
			return ast.WalkContinue, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for line := range strings.SplitAfterSeq(got, "\n") {
			if strings.HasPrefix(strings.TrimLeft(line, " \t"), "/") && !code[at] && !code[at+len(line)-len(strings.TrimLeft(line, " "))] {
				t.Errorf("%q became %q, where %q is a command", body, got, line)
			}
			at += len(line)
		}
		if again := gitlab.Inert(got); again != got {
			t.Errorf("%q becomes %q the second time", got, again)
		}
	})
}
