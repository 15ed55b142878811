package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// Review is who looked at a commit before it came into its branch.
type Review struct {
	Commit string
	// Requests are the merge requests that brought the commit, oldest first;
	// none means that it was pushed.
	Requests []Request
}

// Request is one merge request with its approvals.
type Request struct {
	Number     int64
	URL, Title string
	State      string // opened, merged, closed, locked
	Source     string // branch
	Target     string // branch
	Author     string // user name
	Head       string // the commit that is approved
	LastPush   time.Time
	Committers []Committer
	Approvers  []Approver
	Required   int  // approvals that GitLab asks for, if it Rules
	Left       int  // of these, how many are missing
	Rules      bool // the server has approval rules (Premium); on Free it has none
}

// Committer is whom git names in a commit of a merge request.
type Committer struct{ Name, Email string }

// Approver is somebody who approved.
type Approver struct {
	ID        int64
	User      string    // user name
	Name      string    // as shown
	At        time.Time // zero where an older server does not tell
	Freshness Freshness
	Author    bool // wrote the merge request
	Committer bool // seems to have made a commit of it, see Review
}

// Freshness tells whether an approval is for what was merged.
type Freshness string

const (
	Fresh   Freshness = "fresh"           // given after the last push
	Stale   Freshness = "stale"           // given before it
	Unknown Freshness = "cannot be known" // the server gives no times
)

// Independent are the approvers other than the author, and with committers
// false other than those who made a commit. A stale approval does not count.
func (r Request) Independent(committers bool) []Approver {
	var people []Approver
	for _, a := range r.Approvers {
		if !a.Author && (committers || !a.Committer) && a.Freshness != Stale {
			people = append(people, a)
		}
	}
	return people
}

// Review reads the merge requests that brought a commit, and their approvals.
// It takes an access token with scope read_api: job tokens may not.
//
// For an open merge request it waits until GitLab has finished with the last
// push, which takes approvals away late, and gives a *NotSettledError after
// Config.Settle. GitLab does not tell the mail addresses of users: an approver
// counts as committer when git has the user's name, or the private commit
// address that GitLab gives. Others are seen on Premium by GitLab's own rule.
func (c *Client) Review(ctx context.Context, commit string) (Review, error) {
	review := Review{Commit: commit}
	if c.token.Kind() == KindJob {
		return review, &APIError{Op: "read the review of " + commit, Status: http.StatusNotFound, Message: "a job token may not read approvals", Hint: settingReadToken}
	}
	brought, _, err := c.api.Commits.ListMergeRequestsByCommit(c.project, commit, api.WithContext(ctx))
	if err != nil {
		return review, hinted(c.failed("find the merge requests of "+commit, err), settingReadToken)
	}
	for _, m := range brought {
		request, err := c.request(ctx, m.IID)
		if err != nil {
			return review, err
		}
		review.Requests = append(review.Requests, request)
	}
	return review, nil
}

// request reads one merge request once it has settled.
func (c *Client) request(ctx context.Context, number int64) (Request, error) {
	patience, cancel := context.WithTimeout(ctx, c.settle)
	defer cancel()
	for n := 0; ; n++ {
		r, state, err := c.look(ctx, number)
		if err != nil || state == "" {
			return r, err
		}
		if c.wait(patience, n) != nil {
			if ctx.Err() != nil {
				return r, context.Cause(ctx)
			}
			return r, &NotSettledError{Request: number, Status: state}
		}
	}
}

// look reads a merge request once; state is what GitLab is still at, "" when
// it has finished.
func (c *Client) look(ctx context.Context, number int64) (Request, string, error) {
	m, _, err := c.api.MergeRequests.GetMergeRequest(c.project, number, nil, api.WithContext(ctx))
	if err != nil {
		return Request{}, "", hinted(c.failed(fmt.Sprintf("read merge request !%d", number), err), settingReadToken)
	}
	r := Request{
		Number: m.IID, URL: m.WebURL, Title: m.Title, State: m.State, Source: m.SourceBranch, Target: m.TargetBranch, Head: m.SHA,
	}
	if m.Author != nil {
		r.Author = m.Author.Username
	}
	busy, err := c.lastPush(ctx, &r)
	if err != nil {
		return r, "", err
	}
	if m.State == "opened" && (busy || unsettled(m.DetailedMergeStatus)) {
		return r, orText(m.DetailedMergeStatus, "checking"), nil
	}
	if err := c.readCommitters(ctx, &r); err != nil {
		return r, "", err
	}
	return r, "", c.readApprovals(ctx, &r)
}

// unsettled are the states in which approvals may still go away.
// Source: doc/api/merge_requests.md, merge status.
func unsettled(status string) bool {
	switch status {
	case "unchecked", "checking", "preparing", "approvals_syncing":
		return true
	}
	return false
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// lastPush reads the time of the newest version. GitLab has not finished with
// it while its head is another one or it has no patch id.
func (c *Client) lastPush(ctx context.Context, r *Request) (busy bool, err error) {
	var versions []struct {
		Head    string    `json:"head_commit_sha"`
		PatchID string    `json:"patch_id_sha"`
		Created time.Time `json:"created_at"`
	}
	path := fmt.Sprintf("projects/%s/merge_requests/%d/versions", api.PathEscape(c.project), r.Number)
	if err := c.get(ctx, fmt.Sprintf("read the versions of merge request !%d", r.Number), path, &versions); err != nil {
		return false, err
	}
	if len(versions) == 0 {
		return true, nil
	}
	r.LastPush = versions[0].Created
	return versions[0].Head != r.Head || versions[0].PatchID == "", nil
}

func (c *Client) readCommitters(ctx context.Context, r *Request) error {
	options := &api.GetMergeRequestCommitsOptions{}
	options.PerPage = 100
	commits, err := api.ScanAndCollect(func(p api.PaginationOptionFunc) ([]*api.Commit, *api.Response, error) {
		return c.api.MergeRequests.GetMergeRequestCommits(c.project, r.Number, options, p, api.WithContext(ctx))
	})
	if err != nil {
		return c.failed(fmt.Sprintf("read the commits of merge request !%d", r.Number), err)
	}
	seen := map[Committer]bool{}
	for _, commit := range commits {
		for _, who := range []Committer{{commit.AuthorName, commit.AuthorEmail}, {commit.CommitterName, commit.CommitterEmail}} {
			if !seen[who] {
				seen[who] = true
				r.Committers = append(r.Committers, who)
			}
		}
	}
	return nil
}

// readApprovals reads them itself, because the client's type does not tell
// whether approvals_left is 0 or absent.
func (c *Client) readApprovals(ctx context.Context, r *Request) error {
	var a struct {
		Required *int `json:"approvals_required"`
		Left     *int `json:"approvals_left"`
		By       []struct {
			User api.BasicUser `json:"user"`
			At   time.Time     `json:"approved_at"`
		} `json:"approved_by"`
	}
	path := fmt.Sprintf("projects/%s/merge_requests/%d/approvals", api.PathEscape(c.project), r.Number)
	if err := c.get(ctx, fmt.Sprintf("read the approvals of merge request !%d", r.Number), path, &a); err != nil {
		return hinted(err, settingReadToken)
	}
	if a.Left != nil && a.Required != nil {
		r.Rules, r.Required, r.Left = true, *a.Required, *a.Left
	}
	for _, by := range a.By {
		who := Approver{ID: by.User.ID, User: by.User.Username, Name: by.User.Name, At: by.At, Author: by.User.Username == r.Author}
		who.Freshness = freshness(by.At, r.LastPush)
		for _, committer := range r.Committers {
			who.Committer = who.Committer || committer.is(by.User)
		}
		r.Approvers = append(r.Approvers, who)
	}
	return nil
}

func freshness(approved, pushed time.Time) Freshness {
	switch {
	case approved.IsZero() || pushed.IsZero():
		return Unknown
	case approved.Before(pushed):
		return Stale
	default:
		return Fresh
	}
}

// is compares by what both sides have: the shown name, the user name, and the
// private commit address ID-USERNAME@users.noreply.HOST.
func (w Committer) is(u api.BasicUser) bool {
	mailbox, host, _ := strings.Cut(w.Email, "@")
	private := strings.HasPrefix(host, "users.noreply.") && strings.EqualFold(mailbox, fmt.Sprintf("%d-%s", u.ID, u.Username))
	return private || strings.EqualFold(w.Name, u.Name) || strings.EqualFold(w.Name, u.Username)
}

// get reads JSON from a path that the client has no method for, or whose type
// does not tell what is absent.
func (c *Client) get(ctx context.Context, op, path string, into any) error {
	request, err := c.api.NewRequest(http.MethodGet, path, nil, []api.RequestOptionFunc{api.WithContext(ctx)})
	if err != nil {
		return c.failed(op, err)
	}
	_, err = c.api.Do(request, into)
	return c.failed(op, err)
}
