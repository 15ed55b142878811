package page_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"gitlab.com/selfcontained/shop/web/internal/page"
)

// serve returns a server of the page alone.
func serve(t *testing.T) *http.ServeMux {
	t.Helper()
	routes, err := page.Routes()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for pattern, handler := range routes {
		mux.Handle(pattern, handler)
	}
	return mux
}

func get(t *testing.T, mux *http.ServeMux, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

// contents are the files by their paths.
func contents(t *testing.T) map[string]string {
	t.Helper()
	mux, all := serve(t), map[string]string{}
	for _, path := range []string{"/", "/static/app.js", "/static/api.js", "/static/view.js", "/static/style.css", "/static/icon.svg"} {
		w := get(t, mux, path, nil)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d", path, w.Code)
		}
		all[path] = w.Body.String()
	}
	return all
}

func TestFiles(t *testing.T) {
	t.Parallel()
	mux := serve(t)
	for path, contentType := range map[string]string{
		"/":                 "text/html; charset=utf-8",
		"/static/app.js":    "text/javascript; charset=utf-8",
		"/static/style.css": "text/css; charset=utf-8",
		"/static/icon.svg":  "image/svg+xml",
	} {
		w := get(t, mux, path, nil)
		tag := w.Header().Get("ETag")
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType || w.Header().Get("Cache-Control") != "no-cache" || tag == "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if w := get(t, mux, path, http.Header{"If-None-Match": {tag}}); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("%s asked for again: %d, %d bytes", path, w.Code, w.Body.Len())
		}
	}
	for _, path := range []string{"/index.html", "/static/", "/static", "/static/nothing.js", "/page.go"} {
		if w := get(t, mux, path, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}

// TestReferencesResolve looks at everything that the page, its style and its
// scripts load: it must be there and be used, and come from nowhere else.
func TestReferencesResolve(t *testing.T) {
	t.Parallel()
	files := contents(t)
	used := map[string]bool{"/": true}
	for _, match := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(files["/"], -1) {
		used[match[1]] = true
	}
	for _, name := range []string{"/static/app.js", "/static/api.js", "/static/view.js"} {
		for _, match := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(files[name], -1) {
			used["/static/"+match[1]] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("used are %q, there are %q", got, want)
	}
	for name, text := range files {
		text = strings.ReplaceAll(text, `xmlns="http://www.w3.org/2000/svg"`, "")
		if regexp.MustCompile(`(https?:)?//[a-z]|url\(|@import`).MatchString(regexp.MustCompile(`(?m)^\s*//.*$|\s// .*$`).ReplaceAllString(text, "")) {
			t.Errorf("%s loads something from elsewhere", name)
		}
	}
}

// The content security policy would block what this finds, and with it the page.
func TestNothingIsInline(t *testing.T) {
	t.Parallel()
	for name, text := range contents(t) {
		for _, pattern := range []string{
			`<script(?:[^>]*[^"])?>[^<]`, `<style`, `\sstyle=`, `\son[a-z]+=`, `javascript:`,
			`innerHTML`, `outerHTML`, `insertAdjacentHTML`, `document\.write`, `\beval\(`, `new Function`, `setAttribute\("(style|on)`,
		} {
			if found := regexp.MustCompile(pattern).FindString(text); found != "" {
				t.Errorf("%s has %q", name, found)
			}
		}
	}
}

// TestElements: what the script looks up by id or class is in the page, ids are
// unique, and fields and buttons can be told apart without seeing them.
func TestElements(t *testing.T) {
	t.Parallel()
	files := contents(t)
	html, view := files["/"], files["/static/view.js"]
	for _, match := range regexp.MustCompile(`(?:element|stamp|note)\("([^"]+)"|"([a-z]+-template)"|"#([a-z-]+)"`).FindAllStringSubmatch(view, -1) {
		id := match[1] + match[2] + match[3]
		if n := strings.Count(html, `id="`+id+`"`); n != 1 {
			t.Errorf("the page has %d elements with the id %q", n, id)
		}
	}
	for _, match := range regexp.MustCompile(`"\.([a-z]+)"`).FindAllStringSubmatch(view, -1) {
		if !regexp.MustCompile(`class="([^"]* )?` + match[1] + `[ "]`).MatchString(html) {
			t.Errorf("the page has no element of the class %q", match[1])
		}
	}
	for _, want := range []string{`<html lang="en">`, `name="viewport"`, `role="alert"`, `role="status"`, `<main`, `<h1`, `<noscript>`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if n := strings.Count(html, "<button "); n != strings.Count(html, `<button type="button"`) {
		t.Error("a button would send a form")
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	if _, err := page.RoutesOf(fstest.MapFS{"x.bin": {}}); err == nil || !strings.Contains(err.Error(), "x.bin") {
		t.Errorf("error %v", err)
	}
	if _, err := page.RoutesOf(fstest.MapFS{"static": {}, "static/x.js": {}}); err == nil {
		t.Error("no error for a tree that cannot be read")
	}
}
