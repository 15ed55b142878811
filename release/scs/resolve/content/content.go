// Package content keeps on the disk what registries say under a digest, so that
// it is asked for once: manifests, statements, descriptors of interfaces.
//
// It is a transport: a repository that is opened with it reads as always. Only
// answers that name themselves by a digest are kept. What a tag names, which tags
// there are and who refers to a manifest is asked anew each time. A file is
// hashed whenever it is read, so that a torn, tampered or foreign one is as good
// as none; the folder may be deleted at any time and used by many processes.
// Because a digest names one content only, it does not matter which registry it
// came from; the type of a manifest is taken from its own bytes, not from what
// some registry said of it.
package content

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// MaxSize is the size in bytes of the largest answer that is kept: layers of
// images pass by.
const MaxSize = 8 << 20

// idleConnections is how many connections to one registry wait for the next
// request.
const idleConnections = 32

// Transport answers GET requests for manifests and blobs by digest from the
// folder dir, and sends all others to next; nil is a copy of
// http.DefaultTransport that keeps as many connections as parallel requests
// need. A folder that cannot be written to is as good as none.
func Transport(dir string, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
		if t, ok := next.(*http.Transport); ok {
			t = t.Clone()
			t.MaxIdleConnsPerHost = idleConnections
			next = t
		}
	}
	return &cache{dir, next}
}

type cache struct {
	dir  string
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c *cache) RoundTrip(req *http.Request) (*http.Response, error) {
	name := nameOf(req)
	if name == nil {
		return c.next.RoundTrip(req)
	}
	if answer := c.find(name, req); answer != nil {
		return answer, nil
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	return c.keep(name, resp)
}

// named is a content that has a digest.
type named struct {
	digest     evidence.Digest
	isManifest bool
}

// nameOf returns what a request asks for; nil when it has no digest. A registry
// may send the client to where it stores its blobs: then the first request of
// the chain knows the digest.
func nameOf(req *http.Request) *named {
	if req.Method != http.MethodGet || req.Header.Get("Range") != "" {
		return nil
	}
	for req.Response != nil && req.Response.Request != nil {
		req = req.Response.Request
	}
	rest, isV2 := strings.CutPrefix(req.URL.Path, "/v2/")
	for _, kind := range []string{"/manifests/", "/blobs/"} {
		at := strings.LastIndex(rest, kind)
		if !isV2 || at <= 0 {
			continue
		}
		digest := evidence.Digest(rest[at+len(kind):])
		if hexes := digest.Hex(); strings.HasPrefix(string(digest), "sha256:") && len(hexes) == 64 && strings.Trim(hexes, "0123456789abcdef") == "" {
			return &named{digest, kind == "/manifests/"}
		}
	}
	return nil
}

func (c *cache) file(n *named) string {
	hexes := n.digest.Hex()
	return filepath.Join(c.dir, hexes[:2], hexes)
}

// find returns the answer from the folder; nil when it is not there.
func (c *cache) find(n *named, req *http.Request) *http.Response {
	info, err := os.Stat(c.file(n))
	if err != nil || info.Size() > MaxSize {
		return nil
	}
	data, err := os.ReadFile(c.file(n))
	if err != nil || evidence.Sum(data) != n.digest {
		return nil
	}
	mediaType := "application/octet-stream"
	if n.isManifest {
		if mediaType = typeOf(data); mediaType == "" {
			return nil
		}
	}
	evidence.Used(c.file(n))
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {mediaType}, "Content-Length": {strconv.Itoa(len(data))}, "Docker-Content-Digest": {string(n.digest)},
		},
		Body: io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data)), Request: req,
	}
}

// typeOf returns the media type that a manifest says it has, or "".
func typeOf(manifest []byte) string {
	var m struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(manifest, &m) != nil {
		return ""
	}
	return m.MediaType
}

// keep stores the answer if it is what its digest says, and hands it on in any
// case.
func (c *cache) keep(n *named, resp *http.Response) (*http.Response, error) {
	if resp.ContentLength > MaxSize {
		return resp, nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxSize+1))
	if err != nil {
		resp.Body.Close()
		return nil, fmt.Errorf("read %s: %w", n.digest, err)
	}
	rest := resp.Body
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(data), rest), rest}
	if len(data) <= MaxSize && evidence.Sum(data) == n.digest && (!n.isManifest || typeOf(data) == resp.Header.Get("Content-Type")) {
		_ = write(c.file(n), data) // it is asked for again, then
	}
	return resp, nil
}

// write makes the file be there, whole: nothing is synced, because it is hashed
// when it is read.
func write(name string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		tmp, err = os.CreateTemp(filepath.Dir(name), ".tmp-*")
	}
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}
