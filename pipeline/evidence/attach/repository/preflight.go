package repository

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Preflight returns nil when we may push, and a MissingRight when not. It opens
// an upload and cancels it: a token alone does not tell what it is good for.
func (r *Repository) Preflight(ctx context.Context) error {
	c, err := r.client(ctx, transport.PushScope)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url("/blobs/uploads/"), nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err == nil {
		defer resp.Body.Close()
		err = transport.CheckError(resp, http.StatusAccepted, http.StatusCreated)
	}
	var answer *transport.Error
	switch {
	// GitLab says "not found" where a job token has no right.
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusMethodNotAllowed):
		return &MissingRight{Repository: r.String(), Right: "push", Status: answer.StatusCode, Err: err}
	case err != nil:
		return r.failed("ask for the right to push to", transport.PushScope, err)
	}
	r.cancel(ctx, c, resp)
	return nil
}

// cancel frees an upload. Registries free forgotten ones by themselves, so that
// a failure changes nothing.
func (r *Repository) cancel(ctx context.Context, c *http.Client, opened *http.Response) {
	at, err := opened.Location()
	if err != nil {
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, at.String(), nil)
	if err != nil {
		return
	}
	if resp, err := c.Do(req); err == nil {
		resp.Body.Close()
	}
}
