package config

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func TestSchemaGolden(t *testing.T) {
	golden(t, "testdata/schema.json", string(Schema()))
	golden(t, "testdata/system-schema.json", string(SystemSchema()))
}

// Every key has a rule with a description, and no rule is left over.
func TestRulesAreComplete(t *testing.T) {
	t.Parallel()
	left := rules()
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(typ.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[typ] || typ.PkgPath() != reflect.TypeFor[Service]().PkgPath() {
			return
		}
		seen[typ] = true
		for _, f := range reflect.VisibleFields(typ) {
			if f.Tag.Get("yaml") == "-" {
				continue
			}
			name := ruleName(typ, f)
			if doc := left[name].Doc; !strings.HasSuffix(doc, ".") {
				t.Errorf("%s: description %q", name, doc)
			}
			delete(left, name)
			visit(f.Type)
		}
	}
	visit(reflect.TypeFor[Service]())
	visit(reflect.TypeFor[System]())
	for name := range left {
		t.Errorf("rule %s has no key", name)
	}
}

// Every key of the types is in the schema, with its description.
func TestSchemaHasEveryKey(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for kind, data := range map[string][]byte{"Service.": Schema(), "System.": SystemSchema()} {
		var schema struct {
			Properties map[string]struct{ Description string }
			Defs       map[string]struct {
				Properties map[string]struct{ Description string }
			} `json:"$defs"`
		}
		if err := json.Unmarshal(data, &schema); err != nil {
			t.Fatal(err)
		}
		for key, p := range schema.Properties {
			found[kind+key] = p.Description != ""
		}
		for def, s := range schema.Defs {
			name, _, _ := strings.Cut(def, ".")
			for key, p := range s.Properties {
				found[name+"."+key] = p.Description != ""
			}
		}
	}
	for name := range rules() {
		if !found[name] {
			t.Errorf("%s is not described in the schema", name)
		}
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("pipeline.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("pipeline.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// instance reads YAML the way an editor does: dates are text.
func instance(t *testing.T, data []byte) any {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil {
		t.Fatal(err)
	}
	if len(n.Content) == 0 {
		return map[string]any{}
	}
	d := newDecoder("")
	v := d.plainValue(n.Content[0])
	if len(d.problems) > 0 {
		t.Fatal(d.problems)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsGoodFiles(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	files, _ := filepath.Glob("testdata/good/*.yaml")
	for _, file := range files {
		if err := schema.Validate(instance(t, read(t, file))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// The schema and the decoder agree about everything that one value tells.
func TestSchemaAndDecoderAgree(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	dir := shop(t)
	for data, good := range map[string]bool{
		"name: stock":                                                       true,
		"name: Stock":                                                       false,
		"nme: stock":                                                        false,
		"apiVersion: pipeline/v2":                                           false,
		"kind: Service":                                                     true,
		"platforms: [linux/riscv64]":                                        true,
		"platforms: [plan9/amd64]":                                          false,
		"platforms: [linux/amd64, darwin/arm64]":                            true,
		"platforms: [linux/amd64, darwin/arm/v7]":                           false,
		"stages: {build: {stamp: example.com/a/b.version}}":                 true,
		"stages: {build: {stamp: version}}":                                 false,
		"stages: {build: {stamp: main.a=b}}":                                false,
		"platforms: linux/amd64":                                            false,
		"image: {ports: [65535]}":                                           true,
		"image: {ports: [65536]}":                                           false,
		"image: {user: root}":                                               false,
		"image: {user: '10:10'}":                                            true,
		"image: {env: {A-B: c}}":                                            false,
		"image: {env: {A: 1}}":                                              false,
		"image: {files: {a: etc}}":                                          false,
		"stages: {unit: {coverage: 100}}":                                   true,
		"stages: {unit: {coverage: 100.5}}":                                 false,
		"stages: {lint: {coverage: 50}}":                                    false,
		"stages: {own: {coverage: 50, command: [x]}}":                       false,
		"stages: {own: {command: [x], timeout: 1h30m}}":                     true,
		"stages: {own: {timeout: 5m}}":                                      false,
		"stages: {own: }":                                                   false,
		"stages: {Own: {command: [x]}}":                                     false,
		"stages: {unit: }":                                                  true,
		"stages: {unit: {timeout: 5}}":                                      false,
		"stages: {unit: {timeout: 5 minutes}}":                              false,
		"stages: {unit: {waive: {reason: x}}}":                              false,
		"stages: {unit: {waive: {reason: x, until: soon}}}":                 false,
		"stages: {unit: {waive: {reason: x, until: 2026-13-01}}}":           false,
		"stages: {unit: {waive: {reason: x, until: 2026-12-01}}}":           true,
		"stages: {unit: {waive: {reason: x, until: 2026-12-01T10:00:00Z}}}": true,
		"stages: {unit: {race: yes please}}":                                false,
		"stages: {module: {ready: grpc, runtime: podman}}":                  true,
		"stages: {module: {ready: health}}":                                 false,
		"stages: {bench: {benchtime: 10x, count: 0}}":                       false,
		"stages: {bench: {benchtime: 10x}}":                                 true,
		"stages: {bench: {benchtime: 10}}":                                  false,
		"integration: {with: [{service: cart}]}":                            true,
		"integration: {with: [{}]}":                                         false,
		"integration: {with: [{service: cart, manifests: etc}]}":            false,
		"integration: {cluster: {provider: minikube}}":                      false,
		"release: {forge: github}":                                          false,
		"release: {tagPrefix: ''}":                                          true,
		"release: {tagPrefix: 'a b'}":                                       false,
	} {
		_, err := Parse("pipeline.yaml", []byte(data), dir)
		if (err == nil) != good {
			t.Errorf("decoder: %s: %v", data, err)
		}
		if err := schema.Validate(instance(t, []byte(data))); (err == nil) != good {
			t.Errorf("schema: %s: %v", data, err)
		}
	}
}
