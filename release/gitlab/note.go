package gitlab

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// EnsureNote keeps one note of a name in a merge request: it is written once
// and later replaced. The name is in a first line that Markdown does not show.
// Lines that GitLab would take as commands ("/merge") are made inert. Of
// several notes of the name, as two jobs make them in one moment, the oldest
// stays; the others are removed where the same user wrote them.
func (c *Client) EnsureNote(ctx context.Context, request int64, name, body string) (Outcome, error) {
	marker := "<!-- pipeline:note " + name + " -->"
	body = marker + "\n" + inert(body)
	op := fmt.Sprintf("write the note %q of merge request !%d", name, request)
	created := false
	var err error
	for n := range attempts {
		var outcome Outcome
		outcome, err = c.tryNote(ctx, request, marker, body)
		switch {
		case err == nil && outcome == Created && !created:
			created = true // only a look tells whether somebody else did so, too
			continue
		case err == nil && created:
			return Created, nil
		case err == nil || !open(c.failed(op, err)):
			return outcome, hinted(c.failed(op, err), settingToken)
		}
		if stop := c.wait(ctx, n); stop != nil {
			return "", stop
		}
	}
	return "", c.failed(op, err)
}

// tryNote looks and does once.
func (c *Client) tryNote(ctx context.Context, request int64, marker, body string) (Outcome, error) {
	notes, err := c.notes(ctx, request, marker)
	if err != nil {
		return "", err
	}
	if len(notes) == 0 {
		_, _, err = c.api.Notes.CreateMergeRequestNote(c.project, request, &api.CreateMergeRequestNoteOptions{Body: &body}, api.WithContext(ctx))
		return Created, err
	}
	first := notes[0]
	for _, other := range notes[1:] {
		if other.Author.ID != first.Author.ID {
			continue
		}
		_, err := c.api.Notes.DeleteMergeRequestNote(c.project, request, other.ID, api.WithContext(ctx))
		if s := status(c.failed("remove a second note", err)); err != nil && s != http.StatusNotFound && s != http.StatusForbidden {
			return "", err
		}
	}
	if normal(first.Body) == normal(body) {
		return Found, nil
	}
	_, _, err = c.api.Notes.UpdateMergeRequestNote(c.project, request, first.ID, &api.UpdateMergeRequestNoteOptions{Body: &body}, api.WithContext(ctx))
	return Updated, err
}

// notes lists those that begin with the marker, the oldest first.
func (c *Client) notes(ctx context.Context, request int64, marker string) ([]*api.Note, error) {
	options := &api.ListMergeRequestNotesOptions{}
	options.PerPage = 100
	notes, err := api.ScanAndCollect(func(p api.PaginationOptionFunc) ([]*api.Note, *api.Response, error) {
		return c.api.Notes.ListMergeRequestNotes(c.project, request, options, p, api.WithContext(ctx))
	})
	notes = slices.DeleteFunc(notes, func(n *api.Note) bool { return n.System || !strings.HasPrefix(n.Body, marker) })
	slices.SortFunc(notes, func(a, b *api.Note) int { return cmp.Compare(a.ID, b.ID) })
	return notes, err
}
