package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// ErrNoReferrers says that the registry has no referrers API.
var ErrNoReferrers = errors.New("registry without referrers API")

// maxPages bounds how many pages of referrers are read.
const maxPages = 64

// Referrers returns the descriptors of the manifests whose subject is digest,
// by the referrers API (OCI distribution specification 1.1, "Listing
// Referrers"), or ErrNoReferrers. More than limit are an error.
func (r *Repository) Referrers(ctx context.Context, digest evidence.Digest, limit int) ([]v1.Descriptor, error) {
	var all []v1.Descriptor
	next := r.url("/referrers/" + string(digest))
	for page := 0; next != ""; page++ {
		list, following, err := r.referrersPage(ctx, next)
		if err != nil {
			return nil, err
		}
		if all = append(all, list...); len(all) > limit || page == maxPages {
			return nil, fmt.Errorf("%s@%s has more than %d referrers, which is too many to look through", r, digest, limit)
		}
		next = following
	}
	return all, nil
}

func (r *Repository) referrersPage(ctx context.Context, at string) (list []v1.Descriptor, next string, err error) {
	resp, err := r.getURL(ctx, at, types.OCIImageIndex)
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable:
			return nil, "", ErrNoReferrers
		}
	}
	if err != nil {
		return nil, "", r.failed("list the referrers in", transport.PullScope, err)
	}
	defer resp.Body.Close()
	if contentType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";"); contentType != string(types.OCIImageIndex) {
		return nil, "", ErrNoReferrers // a page for people, or a proxy's
	}
	raw, err := readAll(resp.Body, MaxManifest)
	if err != nil {
		return nil, "", fmt.Errorf("list the referrers in %s: %w", r, err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, "", fmt.Errorf("list the referrers in %s: %w", r, err)
	}
	return index.Manifests, nextPage(resp), nil
}

// nextPage returns the address in `Link: </v2/...>; rel="next"`; one on another
// host is ignored, because our credentials would go there.
func nextPage(resp *http.Response) string {
	link := resp.Header.Get("Link")
	at, attributes, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if !ok || !strings.Contains(attributes, "next") {
		return ""
	}
	u, err := url.Parse(at)
	if err != nil {
		return ""
	}
	u = resp.Request.URL.ResolveReference(u)
	if u.Host != resp.Request.URL.Host || u.Scheme != resp.Request.URL.Scheme {
		return ""
	}
	return u.String()
}
