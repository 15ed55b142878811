package loopback

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// listTags answers GET /v2/NAME/tags/list.
func (r *Registry) listTags(w http.ResponseWriter, req *http.Request, repo, last string) error {
	if last != "list" || req.Method != http.MethodGet {
		return unknown("UNSUPPORTED", "%s %s", req.Method, req.URL.Path)
	}
	if _, err := os.Stat(r.path(repo)); errors.Is(err, fs.ErrNotExist) {
		return unknown("NAME_UNKNOWN", "%s is not there", repo)
	}
	tags, err := entries(r.path(repo, "tags"))
	if err != nil {
		return err
	}
	page, next, err := pageOf(tags, req.URL.Query())
	if err != nil {
		return err
	}
	link(w, "/v2/"+repo+"/tags/list", next)
	return answer(w, "application/json", map[string]any{"name": repo, "tags": page})
}

// catalog answers GET /v2/_catalog, an extension that Docker's registry has.
func (r *Registry) catalog(w http.ResponseWriter, req *http.Request) error {
	escaped, err := entries(r.path(""))
	if err != nil {
		return err
	}
	names := []string{}
	for _, e := range escaped {
		if name, err := url.PathUnescape(e); err == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	page, next, err := pageOf(names, req.URL.Query())
	if err != nil {
		return err
	}
	link(w, "/v2/_catalog", next)
	return answer(w, "application/json", map[string]any{"repositories": page})
}

// pageOf returns the part of a sorted list that ?last= and ?n= ask for, and the
// query of the next one.
func pageOf(all []string, query url.Values) (page []string, next url.Values, err error) {
	if last := query.Get("last"); last != "" {
		at, there := slices.BinarySearch(all, last)
		if there {
			at++
		}
		all = all[at:]
	}
	if query.Get("n") == "" {
		return all, nil, nil
	}
	n, err := strconv.Atoi(query.Get("n"))
	if err != nil || n < 0 {
		return nil, nil, invalid("PAGINATION_NUMBER_INVALID", "n=%s", query.Get("n"))
	}
	if n >= len(all) {
		return all, nil, nil
	}
	if n > 0 {
		next = url.Values{"n": {strconv.Itoa(n)}, "last": {all[n-1]}}
	}
	return all[:n], next, nil
}

func link(w http.ResponseWriter, path string, query url.Values) {
	if query != nil {
		w.Header().Set("Link", "<"+path+"?"+query.Encode()+`>; rel="next"`)
	}
}

func answer(w http.ResponseWriter, contentType string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	_, err = w.Write(data)
	return err
}

// listReferrers answers GET /v2/NAME/referrers/DIGEST. An unknown subject has
// none.
func (r *Registry) listReferrers(w http.ResponseWriter, req *http.Request, repo, subject string) error {
	digest, err := v1.NewHash(subject)
	if err != nil || req.Method != http.MethodGet {
		return invalid("DIGEST_INVALID", "%q is no digest", subject)
	}
	hexes, err := entries(r.path(repo, "referrers", digest.Hex))
	if err != nil {
		return err
	}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	wanted := req.URL.Query().Get("artifactType")
	for _, h := range hexes {
		desc, err := r.describe(repo, v1.Hash{Algorithm: "sha256", Hex: h})
		if err != nil {
			return err
		}
		if desc != nil && (wanted == "" || desc.ArtifactType == wanted) {
			index.Manifests = append(index.Manifests, *desc)
		}
	}
	if wanted != "" {
		w.Header().Set("OCI-Filters-Applied", "artifactType")
	}
	return answer(w, string(types.OCIImageIndex), index)
}

// describe returns the descriptor of a referrer; nil when it was deleted or
// never arrived.
func (r *Registry) describe(repo string, digest v1.Hash) (*v1.Descriptor, error) {
	mediaType, raw, err := r.read(repo, digest)
	var f *failure
	if errors.As(err, &f) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m named
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	return &v1.Descriptor{
		MediaType: mediaTypeOf(mediaType, &m), Size: int64(len(raw)), Digest: digest,
		ArtifactType: artifactType(&m), Annotations: m.Annotations,
	}, nil
}
