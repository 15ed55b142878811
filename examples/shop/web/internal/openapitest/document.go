// Package openapitest holds answers against the description of the HTTP API,
// api/web.openapi.yaml. Tests send their requests through a Transport, so each
// answer that any test sees is checked: status, content type, required headers
// and body (OpenAPI 3.1 schemas are JSON Schema 2020-12).
package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// path is that of the description, seen from the packages whose tests use it.
const path = "../../api/web.openapi.yaml"

// problem is where the schema of error answers is in the description.
const problem = "#/components/schemas/Problem"

// Document is the description. It is safe for concurrent use.
type Document struct {
	operations map[string]operation // by method and path, "GET /healthz"
	shared     map[string]answer    // by reference, "#/components/responses/Cart"

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	seen     map[string]bool // answers, "GET /healthz 200"
}

// document has the parts of an OpenAPI document that are looked at.
type document struct {
	Paths      map[string]map[string]yaml.Node
	Components struct{ Responses map[string]answer }
}

type operation struct {
	Responses map[string]answer
}

type answer struct {
	Ref     string `yaml:"$ref"`
	Headers map[string]struct{ Required bool }
	Content map[string]struct {
		Schema struct {
			Ref string `yaml:"$ref"`
		}
	}
}

// Load reads the description.
func Load(t testing.TB) *Document {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse(data)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

func parse(data []byte) (*Document, error) {
	var raw document
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	d := &Document{operations: map[string]operation{}, shared: map[string]answer{}, seen: map[string]bool{}}
	for name, a := range raw.Components.Responses {
		d.shared["#/components/responses/"+name] = a
	}
	for path, item := range raw.Paths {
		if err := d.add(path, item); err != nil {
			return nil, err
		}
	}
	var err error
	d.compiler, err = newCompiler(data)
	return d, err
}

// add takes over the operations of a path, which stand beside its parameters.
func (d *Document) add(path string, item map[string]yaml.Node) error {
	for key, node := range item {
		method := strings.ToUpper(key)
		if !slices.Contains([]string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete}, method) {
			continue
		}
		var o operation
		if err := node.Decode(&o); err != nil {
			return err
		}
		d.operations[method+" "+path] = o
	}
	return nil
}

// newCompiler returns one that finds the document's schemas under its path.
func newCompiler(data []byte) (*jsonschema.Compiler, error) {
	var tree any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	if tree, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	return c, c.AddResource(path, tree)
}

// Operations are all operations, "GET /api/carts/{cart}" for instance, sorted.
func (d *Document) Operations() []string {
	return slices.Sorted(maps.Keys(d.operations))
}

// Unseen are the answers of the description that came through no Transport yet,
// "GET /healthz 503" for instance, sorted.
func (d *Document) Unseen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var unseen []string
	for name, o := range d.operations {
		for status := range o.Responses {
			if answer := name + " " + status; !d.seen[answer] {
				unseen = append(unseen, answer)
			}
		}
	}
	slices.Sort(unseen)
	return unseen
}

func (d *Document) remember(answer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[answer] = true
}

// validate checks a body against the schema at ref.
func (d *Document) validate(ref string, body []byte) error {
	schema, err := d.schema(ref)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	return schema.Validate(value)
}

func (d *Document) schema(ref string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compiler.Compile(path + ref)
}
