package loopback

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// maxManifest is the size in bytes of the largest manifest.
const maxManifest = 4 << 20

// failure is an error as the specification wants it (OCI distribution
// specification 1.1, "Error Codes").
type failure struct {
	status        int
	code, message string
}

func (f *failure) Error() string { return f.message }

func unknown(code, format string, args ...any) error {
	return &failure{http.StatusNotFound, code, fmt.Sprintf(format, args...)}
}

func invalid(code, format string, args ...any) error {
	return &failure{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// ServeHTTP answers requests of the OCI distribution specification 1.1.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	err := r.route(w, req)
	if err == nil {
		return
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{http.StatusInternalServerError, "UNKNOWN", err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"errors": []map[string]string{{"code": f.code, "message": f.message}},
	})
}

func (r *Registry) route(w http.ResponseWriter, req *http.Request) error {
	if !isLoopback(req.Host) {
		return &failure{http.StatusForbidden, "DENIED", "this registry is for its own machine only"}
	}
	if req.URL.Path == "/v2/_catalog" {
		return r.catalog(w, req)
	}
	path, isV2 := strings.CutPrefix(req.URL.Path, "/v2/")
	elems := strings.Split(path, "/")
	if !isV2 || len(elems) < 3 {
		r.blobs.ServeHTTP(w, req)
		return nil
	}
	kind, last := elems[len(elems)-2], elems[len(elems)-1]
	repo := strings.Join(elems[:len(elems)-2], "/")
	handle := map[string]func(http.ResponseWriter, *http.Request, string, string) error{
		"manifests": r.manifest, "tags": r.listTags, "referrers": r.listReferrers,
	}[kind]
	if handle == nil {
		r.blobs.ServeHTTP(w, req)
		return nil
	}
	if !r.repository.MatchString(repo) || len(url.PathEscape(repo)) > 255 {
		return invalid("NAME_INVALID", "%q is no name of a repository", repo)
	}
	return handle(w, req, repo, last)
}

func (r *Registry) manifest(w http.ResponseWriter, req *http.Request, repo, ref string) error {
	digest, err := v1.NewHash(ref)
	isDigest := err == nil
	if !isDigest && !r.tag.MatchString(ref) {
		return invalid("MANIFEST_INVALID", "%q is neither tag nor digest", ref)
	}
	switch req.Method {
	case http.MethodPut:
		return r.putManifest(w, req, repo, ref, isDigest)
	case http.MethodGet, http.MethodHead:
		if !isDigest {
			if digest, err = r.resolve(repo, ref); err != nil {
				return err
			}
		}
		return r.getManifest(w, req, repo, digest)
	case http.MethodDelete:
		return r.deleteManifest(w, repo, ref, digest, isDigest)
	}
	return &failure{http.StatusMethodNotAllowed, "UNSUPPORTED", req.Method + " of a manifest"}
}

// resolve returns the digest that a tag names.
func (r *Registry) resolve(repo, tag string) (v1.Hash, error) {
	data, err := os.ReadFile(r.path(repo, "tags", tag))
	if errors.Is(err, fs.ErrNotExist) {
		return v1.Hash{}, unknown("MANIFEST_UNKNOWN", "%s:%s is not there", repo, tag)
	}
	if err != nil {
		return v1.Hash{}, err
	}
	return v1.NewHash(string(data))
}

// read returns a manifest, checked.
func (r *Registry) read(repo string, digest v1.Hash) (mediaType string, raw []byte, err error) {
	data, err := os.ReadFile(r.path(repo, "manifests", digest.Hex))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, unknown("MANIFEST_UNKNOWN", "%s@%s is not there", repo, digest)
	}
	if err != nil {
		return "", nil, err
	}
	head, raw, _ := bytes.Cut(data, []byte("\n"))
	if string(evidence.Sum(raw)) != digest.String() {
		return "", nil, fmt.Errorf("manifest %s@%s is damaged on the disk", repo, digest)
	}
	return string(head), raw, nil
}

func (r *Registry) getManifest(w http.ResponseWriter, req *http.Request, repo string, digest v1.Hash) error {
	mediaType, raw, err := r.read(repo, digest)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.Header().Set("Docker-Content-Digest", digest.String())
	if req.Method == http.MethodGet {
		_, err = w.Write(raw)
	}
	return err
}

// named is what a manifest refers to.
type named struct {
	MediaType    types.MediaType
	ArtifactType string
	Config       *v1.Descriptor
	Layers       []v1.Descriptor
	Manifests    []v1.Descriptor
	Subject      *v1.Descriptor
	Annotations  map[string]string
}

func (r *Registry) putManifest(w http.ResponseWriter, req *http.Request, repo, ref string, isDigest bool) error {
	raw, err := io.ReadAll(io.LimitReader(req.Body, maxManifest+1))
	if err != nil {
		return err
	}
	if len(raw) > maxManifest {
		return &failure{http.StatusRequestEntityTooLarge, "MANIFEST_INVALID", "more than 4 MiB"}
	}
	digest := string(evidence.Sum(raw))
	if isDigest && ref != digest {
		return invalid("DIGEST_INVALID", "the content is %s", digest)
	}
	mediaType := req.Header.Get("Content-Type")
	var m named
	if err := json.Unmarshal(raw, &m); err != nil || mediaType == "" || strings.ContainsAny(mediaType, "\r\n") {
		return invalid("MANIFEST_INVALID", "%q: %v", mediaType, err)
	}
	if err := r.complete(req, repo, &m); err != nil {
		return err
	}
	if err := r.store(repo, digest, mediaType, raw, &m); err != nil {
		return err
	}
	if !isDigest {
		if err := r.writeBytes(r.path(repo, "tags", ref), []byte(digest)); err != nil {
			return err
		}
	}
	if m.Subject != nil {
		w.Header().Set("OCI-Subject", m.Subject.Digest.String())
	}
	w.Header().Set("Location", "/v2/"+repo+"/manifests/"+digest)
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
	return nil
}

// complete checks that what the manifest is made of is there. The subject need
// not be.
func (r *Registry) complete(req *http.Request, repo string, m *named) error {
	blobsOf := slices.Clone(m.Layers)
	if m.Config != nil {
		blobsOf = append(blobsOf, *m.Config)
	}
	for _, desc := range blobsOf {
		if _, err := (&blobs{r}).Stat(req.Context(), repo, desc.Digest); err != nil && desc.MediaType.IsDistributable() {
			return unknown("MANIFEST_BLOB_UNKNOWN", "blob %s is not there", desc.Digest)
		}
	}
	for _, desc := range m.Manifests {
		if _, _, err := r.read(repo, desc.Digest); err != nil {
			return unknown("MANIFEST_BLOB_UNKNOWN", "manifest %s is not there", desc.Digest)
		}
	}
	return nil
}

// store writes the manifest last: a referrer without it is ignored.
func (r *Registry) store(repo, digest, mediaType string, raw []byte, m *named) error {
	hexes := evidence.Digest(digest).Hex()
	if m.Subject != nil {
		if err := r.writeBytes(r.path(repo, "referrers", m.Subject.Digest.Hex, hexes), nil); err != nil {
			return err
		}
	}
	return r.writeBytes(r.path(repo, "manifests", hexes), append([]byte(mediaType+"\n"), raw...))
}

// deleteManifest removes a tag, or a manifest with the tags that name it.
func (r *Registry) deleteManifest(w http.ResponseWriter, repo, ref string, digest v1.Hash, isDigest bool) error {
	file := r.path(repo, "tags", ref)
	if isDigest {
		file = r.path(repo, "manifests", digest.Hex)
	}
	err := os.Remove(file)
	if errors.Is(err, fs.ErrNotExist) {
		return unknown("MANIFEST_UNKNOWN", "%s %s is not there", repo, ref)
	}
	if err != nil {
		return err
	}
	if isDigest {
		tags, err := entries(r.path(repo, "tags"))
		if err != nil {
			return err
		}
		for _, tag := range tags {
			if named, err := r.resolve(repo, tag); err == nil && named == digest {
				if err := os.Remove(r.path(repo, "tags", tag)); err != nil {
					return err
				}
			}
		}
	}
	if err := syncFolder(filepath.Dir(file)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// entries returns the sorted names in a folder; none when it is not there.
func entries(dir string) ([]string, error) {
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	names := []string{}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names, nil
}

func artifactType(m *named) string {
	if m.ArtifactType == "" && m.Config != nil {
		return string(m.Config.MediaType)
	}
	return m.ArtifactType
}

// mediaTypeOf prefers what the client said when it sent the manifest.
func mediaTypeOf(stored string, m *named) types.MediaType {
	return cmp.Or(types.MediaType(stored), m.MediaType)
}
