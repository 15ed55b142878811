package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// The most characters that GitLab takes (app/models/concerns/issuable.rb).
const (
	maxTitle       = 255
	maxDescription = 1 << 20
)

// MergeRequest is one that is open from a branch that a program writes to.
type MergeRequest struct {
	Source, Target string // branches of the project
	Title          string // made one line
	// Description is Markdown. Lines that GitLab would take as commands
	// ("/merge") are made plain text.
	Description string
	// Labels are added; those that people gave it stay.
	Labels []string
}

// MergeRequestResult tells where it is and what was done.
type MergeRequestResult struct {
	Number  int64 // "!12"
	URL     string
	Outcome Outcome
}

// EnsureMergeRequest keeps one open merge request from a branch: it is opened
// once and later given another title, description and target. Those from forks
// that have a branch of the same name are left alone, and so are merged and
// closed ones. Both branches have to be there.
func (c *Client) EnsureMergeRequest(ctx context.Context, m MergeRequest) (MergeRequestResult, error) {
	m, err := m.clean()
	if err != nil {
		return MergeRequestResult{}, err
	}
	op := fmt.Sprintf("open a merge request from %s into %s", m.Source, m.Target)
	for n := range attempts {
		var result MergeRequestResult
		result, err = c.tryMergeRequest(ctx, m)
		if err = c.failed(op, err); err == nil {
			return result, nil
		}
		// Another one was quicker, or the answer got lost: look again.
		if !open(err) && status(err) != http.StatusConflict {
			return MergeRequestResult{}, hinted(err, settingToken)
		}
		if stop := c.wait(ctx, n); stop != nil {
			return MergeRequestResult{}, stop
		}
	}
	return MergeRequestResult{}, err
}

// clean is the merge request as GitLab would store it.
func (m MergeRequest) clean() (MergeRequest, error) {
	m.Title = strings.Join(strings.Fields(m.Title), " ")
	if utf8.RuneCountInString(m.Title) > maxTitle {
		m.Title = string([]rune(m.Title)[:maxTitle-1]) + "…"
	}
	m.Description = normal(inert(m.Description))
	switch {
	case m.Source == "" || m.Target == "" || m.Title == "":
		return m, errors.New("merge request: it needs a source branch, a target branch and a title")
	case m.Source == m.Target:
		return m, fmt.Errorf("merge request: %s cannot be merged into itself", m.Source)
	case utf8.RuneCountInString(m.Description) > maxDescription:
		return m, fmt.Errorf("merge request: the description is longer than the %d characters that GitLab takes", maxDescription)
	}
	return m, nil
}

func (c *Client) tryMergeRequest(ctx context.Context, m MergeRequest) (MergeRequestResult, error) {
	there, err := c.openFrom(ctx, m)
	if err != nil {
		return MergeRequestResult{}, err
	}
	if there == nil {
		labels := api.LabelOptions(m.Labels)
		options := &api.CreateMergeRequestOptions{Title: &m.Title, Description: &m.Description, SourceBranch: &m.Source, TargetBranch: &m.Target}
		if len(labels) > 0 {
			options.Labels = &labels
		}
		made, _, err := c.api.MergeRequests.CreateMergeRequest(c.project, options, api.WithContext(ctx))
		if err != nil {
			return MergeRequestResult{}, err
		}
		return MergeRequestResult{made.IID, made.WebURL, Created}, nil
	}
	change, changed := m.change(there)
	if !changed {
		return MergeRequestResult{there.IID, there.WebURL, Found}, nil
	}
	_, _, err = c.api.MergeRequests.UpdateMergeRequest(c.project, there.IID, change, api.WithContext(ctx))
	return MergeRequestResult{there.IID, there.WebURL, Updated}, err
}

// openFrom returns the open merge request from the source branch; of several
// the one into the target, else the oldest.
func (c *Client) openFrom(ctx context.Context, m MergeRequest) (*api.BasicMergeRequest, error) {
	opened := "opened"
	options := &api.ListProjectMergeRequestsOptions{State: &opened, SourceBranch: &m.Source}
	options.PerPage = 100
	all, err := api.ScanAndCollect(func(p api.PaginationOptionFunc) ([]*api.BasicMergeRequest, *api.Response, error) {
		return c.api.MergeRequests.ListProjectMergeRequests(c.project, options, p, api.WithContext(ctx))
	})
	var best *api.BasicMergeRequest
	for _, r := range all {
		if r.SourceProjectID != r.ProjectID || r.SourceBranch != m.Source {
			continue
		}
		fits := r.TargetBranch == m.Target
		if best == nil || fits && best.TargetBranch != m.Target || fits == (best.TargetBranch == m.Target) && r.IID < best.IID {
			best = r
		}
	}
	return best, err
}

// change is what is to be changed of a merge request that is there.
func (m MergeRequest) change(there *api.BasicMergeRequest) (*api.UpdateMergeRequestOptions, bool) {
	options, changed := &api.UpdateMergeRequestOptions{}, false
	if there.Title != m.Title {
		options.Title, changed = &m.Title, true
	}
	if normal(there.Description) != m.Description {
		options.Description, changed = &m.Description, true
	}
	if there.TargetBranch != m.Target {
		options.TargetBranch, changed = &m.Target, true
	}
	missing := slices.DeleteFunc(slices.Clone(m.Labels), func(l string) bool { return slices.Contains(there.Labels, l) })
	if labels := api.LabelOptions(missing); len(labels) > 0 {
		options.AddLabels, changed = &labels, true
	}
	return options, changed
}

// inert is a Markdown text in which no line is a quick action: outside of fenced
// code a slash at the beginning is escaped, and code that is not ended is
// (CommonMark 0.31, section 4.5), since older servers do not take it for code.
func inert(body string) string {
	lines := strings.Split(strings.ReplaceAll(body, "\r", "\n"), "\n")
	fence := ""
	for i, line := range lines {
		trimmed := strings.TrimLeft(line, " \t")
		switch run := fenceOf(line); {
		case fence != "":
			if strings.HasPrefix(run, fence) && strings.TrimSpace(trimmed[len(run):]) == "" {
				fence = ""
			}
		case run != "" && !(run[0] == '`' && strings.Contains(trimmed[len(run):], "`")):
			fence = run
		case strings.HasPrefix(trimmed, "/"):
			lines[i] = strings.Replace(line, "/", `\/`, 1)
		}
	}
	if fence != "" {
		lines = append(lines, fence)
	}
	return strings.Join(lines, "\n")
}

// fenceOf returns the run of backticks or tildes that a line begins with, if it
// can begin or end code.
func fenceOf(line string) string {
	trimmed := strings.TrimLeft(line, " ")
	if len(line)-len(trimmed) > 3 {
		return ""
	}
	for _, mark := range []string{"`", "~"} {
		if run := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, mark))]; len(run) >= 3 {
			return run
		}
	}
	return ""
}
