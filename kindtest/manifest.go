package kindtest

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// ManifestError tells what is wrong with one document of a manifest file.
type ManifestError struct {
	Source   string // as given to Apply
	Document int    // counted from 1
	Line     int    // in Source, counted from 1: of the mistake, else where the document begins
	Object   string // kind/name, if known
	Err      error
}

func (e *ManifestError) Error() string {
	object := ""
	if e.Object != "" {
		object = " (" + e.Object + ")"
	}
	return fmt.Sprintf("%s:%d: document %d%s: %v", e.Source, e.Line, e.Document, object, e.Err)
}

func (e *ManifestError) Unwrap() error { return e.Err }

// document is one object of a manifest file.
type document struct {
	number, line int
	object       *unstructured.Unstructured
}

func (d *document) name() string {
	return strings.ToLower(d.object.GetKind()) + "/" + d.object.GetName()
}

func (d *document) fail(source string, err error) error {
	return &ManifestError{Source: source, Document: d.number, Line: d.line, Object: d.name(), Err: err}
}

// splitManifests returns the objects in a stream of YAML or JSON documents;
// Lists are taken apart. Documents with nothing but comments count, so that
// numbers agree with what an editor shows, and give no object.
func splitManifests(source string, data []byte) ([]document, error) {
	var out []document
	for i, part := range splitDocuments(data) {
		objects, err := part.decode()
		if err != nil {
			return nil, &ManifestError{Source: source, Document: i + 1, Line: part.line + errorLine(err), Err: err}
		}
		for _, o := range objects {
			d := document{number: i + 1, line: part.line, object: o}
			if o.GetKind() == "" || o.GetAPIVersion() == "" || o.GetName() == "" {
				return nil, d.fail(source, fmt.Errorf("an object needs apiVersion, kind and metadata.name; it has %q, %q and %q", o.GetAPIVersion(), o.GetKind(), o.GetName()))
			}
			out = append(out, d)
		}
	}
	return out, nil
}

type rawDocument struct {
	line int // of its first line with content, counted from 1
	text []byte
}

// splitDocuments splits at lines that begin with "---" (YAML 1.2.2, section
// 9.1.2). Leading empty lines and comments are kept out of line.
func splitDocuments(data []byte) []rawDocument {
	var out []rawDocument
	current := rawDocument{line: 1}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if isSeparator(line) {
			if n > 1 || len(current.text) > 0 {
				out = append(out, current)
			}
			current = rawDocument{line: n + 1}
			continue
		}
		if len(bytes.TrimSpace(current.text)) == 0 && isBlank(line) {
			current.line, current.text = n+1, nil
			continue
		}
		current.text = append(current.text, line...)
	}
	return append(out, current)
}

func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || bytes.ContainsRune([]byte(" \t\r\n"), rune(rest[0])))
}

func isBlank(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#'
}

func (d rawDocument) decode() ([]*unstructured.Unstructured, error) {
	if len(bytes.TrimSpace(d.text)) == 0 {
		return nil, nil
	}
	js, err := yaml.YAMLToJSONStrict(d.text)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	// Unlike encoding/json it keeps integers apart from other numbers.
	if err := json.Unmarshal(js, &fields); err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, nil
	}
	object := &unstructured.Unstructured{Object: fields}
	if !object.IsList() {
		return []*unstructured.Unstructured{object}, nil
	}
	var out []*unstructured.Unstructured
	err = object.EachListItem(func(o runtime.Object) error {
		out = append(out, o.(*unstructured.Unstructured))
		return nil
	})
	return out, err
}

// errorLine finds the line within the document that a YAML error names,
// counted from 0.
func errorLine(err error) int {
	m := regexp.MustCompile(`line (\d+)`).FindStringSubmatch(err.Error())
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return max(0, n-1)
}
