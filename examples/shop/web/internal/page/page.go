// Package page is the page of the shop: HTML, CSS and JavaScript as they are,
// without build step, framework or anything from another server. It is a client
// of the HTTP API like any other.
//
// Each file is a route of its own. Browsers keep the files and ask each time
// whether they are current; the entity tag is the hash of the content, so a
// rollout is seen at once and nothing is sent twice.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed index.html static
var files embed.FS

// index is the page itself; its route is the root.
const index = "index.html"

// contentTypes are written out, because those that Go knows depend on the
// machine.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// Routes are the handlers of all files by their patterns, as http.ServeMux
// understands them. It fails for a file whose type is not known.
func Routes() (map[string]http.Handler, error) { return routes(files) }

func routes(files fs.FS) (map[string]http.Handler, error) {
	all := map[string]http.Handler{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all[pattern(name)], err = load(files, name)
		return err
	})
	return all, err
}

func pattern(name string) string {
	if name == index {
		return "GET /{$}"
	}
	return "GET /" + name
}

// file is one file in memory.
type file struct {
	contentType string
	tag         string
	data        []byte
}

func load(files fs.FS, name string) (*file, error) {
	contentType, ok := contentTypes[path.Ext(name)]
	if !ok {
		return nil, fmt.Errorf("page: the type of %s is not known", name)
	}
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	sum := sha256.Sum256(data)
	return &file{contentType, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, data}, nil
}

// ServeHTTP sends the file, or says that the client has it already.
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("ETag", f.tag)
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.data))
}
