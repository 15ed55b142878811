package gitlab

import (
	"context"
	"fmt"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// EnsureNote keeps one note of a name in a merge request: it is written once
// and later replaced. The name is in a first line that Markdown does not show.
// Lines that GitLab would take as commands ("/merge") are made plain text.
func (c *Client) EnsureNote(ctx context.Context, request int64, name, body string) (Outcome, error) {
	marker := "<!-- pipeline:note " + name + " -->"
	body = marker + "\n" + plain(body)
	op := fmt.Sprintf("write the note %q of merge request !%d", name, request)
	var err error
	for n := range attempts {
		var outcome Outcome
		if outcome, err = c.tryNote(ctx, request, marker, body); err == nil || !open(c.failed(op, err)) {
			return outcome, hinted(c.failed(op, err), settingToken)
		}
		if stop := c.wait(ctx, n); stop != nil {
			return "", stop
		}
	}
	return "", c.failed(op, err)
}

func (c *Client) tryNote(ctx context.Context, request int64, marker, body string) (Outcome, error) {
	options := &api.ListMergeRequestNotesOptions{}
	options.PerPage = 100
	notes, err := api.ScanAndCollect(func(p api.PaginationOptionFunc) ([]*api.Note, *api.Response, error) {
		return c.api.Notes.ListMergeRequestNotes(c.project, request, options, p, api.WithContext(ctx))
	})
	if err != nil {
		return "", err
	}
	for _, note := range notes {
		switch {
		case note.System || !strings.HasPrefix(note.Body, marker):
		case normal(note.Body) == normal(body):
			return Found, nil
		default:
			_, _, err := c.api.Notes.UpdateMergeRequestNote(c.project, request, note.ID, &api.UpdateMergeRequestNoteOptions{Body: &body}, api.WithContext(ctx))
			return Updated, err
		}
	}
	_, _, err = c.api.Notes.CreateMergeRequestNote(c.project, request, &api.CreateMergeRequestNoteOptions{Body: &body}, api.WithContext(ctx))
	return Created, err
}

// plain escapes quick actions. In a fenced block GitLab takes none, and the
// escape would be seen there.
func plain(body string) string {
	lines := strings.Split(body, "\n")
	fence := ""
	for i, line := range lines {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
		case strings.HasPrefix(trimmed, "```"), strings.HasPrefix(trimmed, "~~~"):
			fence = trimmed[:3]
		case strings.HasPrefix(trimmed, "/"):
			lines[i] = strings.Replace(line, "/", `\/`, 1)
		}
	}
	return strings.Join(lines, "\n")
}
