package gitlabtest

import (
	"bytes"
	_ "embed" // what the OpenAPI document does not say
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"go.yaml.in/yaml/v3"
)

//go:embed testdata/exceptions.yaml
var exceptionTable string

// exceptions is testdata/exceptions.yaml.
type exceptions struct {
	Routes []struct {
		On       string   `yaml:"on"`
		Query    []string `yaml:"query"`
		Statuses []int    `yaml:"statuses"`
		Source   string   `yaml:"source"`
	} `yaml:"routes"`
	// Lists are fields with texts between commas that the document takes for
	// lists.
	Lists []struct {
		On     string   `yaml:"on"`
		Fields []string `yaml:"fields"`
		Source string   `yaml:"source"`
	} `yaml:"lists"`
	Everywhere []statusException `yaml:"everywhere"`
	Statuses   []statusException `yaml:"statuses"`
}

type statusException struct {
	On     string `yaml:"on"`
	Status int    `yaml:"status"`
	Source string `yaml:"source"`
}

// unchecked is the header with which a test sends a request that is wrong on
// purpose; its value is the reason.
const unchecked = "Gitlabtest-Unchecked"

// gate compares requests and statuses with GitLab's OpenAPI document.
type gate struct {
	doc    *openapi3.T
	except exceptions
}

// specs loads the document once for a process: it takes 0.2 s. The folder is
// the one that PIPELINE_GITLAB_SPECS names; "" is no gate. Nothing is read
// before the first call.
var specs = sync.OnceValues(func() (*gate, error) {
	dir := os.Getenv("PIPELINE_GITLAB_SPECS")
	if dir == "" {
		return nil, nil
	}
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(dir, "openapi", "gitlab-openapi-v3.subset.yaml"))
	if err != nil {
		return nil, fmt.Errorf("PIPELINE_GITLAB_SPECS: %w", err)
	}
	g := &gate{doc: doc}
	decoder := yaml.NewDecoder(strings.NewReader(exceptionTable))
	decoder.KnownFields(true)
	return g, decoder.Decode(&g.except)
})

// operation finds the operation of a request in the document. It matches the
// escaped path by segments; a segment without a variable wins.
func (g *gate) operation(r *http.Request) (*routers.Route, map[string]string) {
	var found *routers.Route
	var values map[string]string
	for path, item := range g.doc.Paths.Map() {
		op := item.GetOperation(r.Method)
		if op == nil {
			continue
		}
		pattern := strings.NewReplacer("/{", "/:", "}", "").Replace(path)
		got, ok := match(pattern, r.URL.EscapedPath())
		if ok && (found == nil || len(got) < len(values)) {
			found, values = &routers.Route{Spec: g.doc, Path: path, PathItem: item, Method: r.Method, Operation: op}, got
		}
	}
	return found, values
}

// request says what is wrong with a request, nil for nothing.
func (g *gate) request(on string, r *http.Request, body []byte) error {
	route, values := g.operation(r)
	if route == nil {
		for _, e := range g.except.Routes {
			if e.On == on {
				return unknownKeys("query parameter", r.URL.Query(), e.Query)
			}
		}
		return fmt.Errorf("%s %s: no operation of GitLab's OpenAPI and no exception", r.Method, r.URL.EscapedPath())
	}
	clone := r.Clone(r.Context())
	clone.Body = io.NopCloser(bytes.NewReader(g.asLists(on, body)))
	err := openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: clone, PathParams: values, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true},
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, route.Path, err)
	}
	if err := unknownKeys("query parameter", r.URL.Query(), queryOf(route)); err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, route.Path, err)
	}
	return g.fields(route, body)
}

// asLists is a body with the fields of exceptions.Lists as the document has them.
func (g *gate) asLists(on string, body []byte) []byte {
	for _, e := range g.except.Lists {
		var sent map[string]any
		if e.On != on || json.Unmarshal(body, &sent) != nil {
			continue
		}
		for _, field := range e.Fields {
			if text, ok := sent[field].(string); ok {
				sent[field] = strings.Split(text, ",")
			}
		}
		if changed, err := json.Marshal(sent); err == nil {
			body = changed
		}
	}
	return body
}

func queryOf(route *routers.Route) []string {
	var names []string
	for _, p := range append(slices.Clone(route.PathItem.Parameters), route.Operation.Parameters...) {
		if p.Value.In == "query" {
			names = append(names, p.Value.Name)
		}
	}
	return names
}

// fields refuses what a schema does not name, though the schemas are open: a
// misspelt field would be ignored by GitLab.
func (g *gate) fields(route *routers.Route, body []byte) error {
	var sent map[string]json.RawMessage
	if len(body) == 0 || json.Unmarshal(body, &sent) != nil {
		return nil
	}
	if route.Operation.RequestBody == nil {
		return fmt.Errorf("%s %s: takes no body", route.Method, route.Path)
	}
	media := route.Operation.RequestBody.Value.Content.Get("application/json")
	if media == nil {
		return nil
	}
	var known []string
	for name := range media.Schema.Value.Properties {
		known = append(known, name)
	}
	values := url.Values{}
	for name := range sent {
		values.Set(name, "")
	}
	return unknownKeys("field", values, known)
}

func unknownKeys(what string, sent url.Values, known []string) error {
	for name := range sent {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s %q is unknown; there are %s", what, name, strings.Join(known, ", "))
		}
	}
	return nil
}

// status says what is wrong with the status of an answer.
func (g *gate) status(on string, r *http.Request, status int) error {
	for _, e := range append(slices.Clone(g.except.Everywhere), g.except.Statuses...) {
		if (e.On == "" || e.On == on) && e.Status == status {
			return nil
		}
	}
	for _, e := range g.except.Routes {
		if e.On == on && slices.Contains(e.Statuses, status) {
			return nil
		}
	}
	if route, _ := g.operation(r); route != nil && route.Operation.Responses.Value(fmt.Sprint(status)) != nil {
		return nil
	}
	return fmt.Errorf("%s answers %d, which neither GitLab's OpenAPI nor testdata/exceptions.yaml has", on, status)
}
