package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const fullSystem = `apiVersion: pipeline/v1
kind: System
name: shop
registry: registry.example.com/shop/system
branch: trunk
services:
  - {name: stock, source: registry.example.com/shop/stock, range: ">=0.1.0 <1.0.0"}
  - {name: cart, source: "127.0.0.1:5000/shop/cart"}
external: [google.pubsub.v1.Publisher]
require: [unit, module]
suite: tests
values: all.yaml
ready: 1m
timeout: 5m
valid: 24h
environments:
  - name: staging
  - {name: production, after: staging, approve: 2, approvers: [keys/a.pub, keys/b.pub], values: prod.yaml, namespace: shop, context: prod}
cluster: {provider: existing, context: test}
search: {parallel: 4, votes: 5}
trust: [keys/ci.pub]
revoked: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]
`

func systemTree(t *testing.T, file string) string {
	return tree(t, map[string]string{
		"scs.yaml": file, "tests/a_test.go": "package a\n", "all.yaml": "stock: {replicas: 2}\ncart:\n", "prod.yaml": "",
		"keys/a.pub": "a", "keys/b.pub": "b", "keys/ci.pub": "ci",
	})
}

func TestLoadSystem(t *testing.T) {
	t.Parallel()
	dir := systemTree(t, fullSystem)
	got, err := LoadSystem(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &System{
		APIVersion: APIVersion, Kind: "System", Name: "shop", Registry: "registry.example.com/shop/system", Branch: "trunk",
		Services: []SystemService{
			{"stock", "registry.example.com/shop/stock", ">=0.1.0 <1.0.0"}, {Name: "cart", Source: "127.0.0.1:5000/shop/cart"},
		},
		External: []string{"google.pubsub.v1.Publisher"}, Require: []string{"unit", "module"},
		Suite: "tests", Values: "all.yaml", Ready: time.Minute, Timeout: 5 * time.Minute, Valid: 24 * time.Hour,
		Environments: []Environment{
			{Name: "staging", Namespace: "shop-staging", Approvers: []string{"keys/ci.pub"}},
			{"production", "staging", 2, []string{"keys/a.pub", "keys/b.pub"}, "prod.yaml", "shop", "prod"},
		},
		Cluster: Cluster{Provider: "existing", Context: "test"}, Search: Search{4, 5},
		Trust: []string{"keys/ci.pub"}, Revoked: []string{strings.Repeat("a", 64)},
		Dir: dir, File: filepath.Join(dir, SystemName),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	values, err := ParseValues("all.yaml", read(t, filepath.Join(dir, "all.yaml")), []string{"stock", "cart"})
	if diff := cmp.Diff(map[string]map[string]any{"stock": {"replicas": 2}, "cart": nil}, values); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestSystemDefaults(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"scs.yaml": "services: [{name: a, source: r.example.com/a}]\n", "values.yaml": "", "acceptance/a_test.go": ""})
	got, err := LoadSystem(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &System{
		APIVersion: APIVersion, Kind: "System", Branch: "main",
		Services: []SystemService{{Name: "a", Source: "r.example.com/a"}}, Require: []string{"unit", "container", "module", "integration"},
		Suite: "acceptance", Values: "values.yaml", Ready: 2 * time.Minute, Timeout: 10 * time.Minute, Valid: 2160 * time.Hour,
		Cluster: Cluster{Provider: "kind"}, Search: Search{2, 3},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(System{}, "Name", "Dir", "File")); diff != "" {
		t.Error(diff)
	}
	if got.Name != base(filepath.Base(dir)) {
		t.Errorf("the name is %q in %s", got.Name, dir)
	}
}

func TestBadSystems(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"kind: Service\n":                        "scs.yaml:1:7: kind Service in the file of a system; expected kind: System here, and a service in pipeline.yaml",
		"name: x\n":                              "scs.yaml:1:1: no services; expected at least one with name and source",
		"services: [{name: a}]\n":                `scs.yaml:1:12: source is missing; expected one`,
		"services: [{name: a, source: stock}]\n": `scs.yaml:1:30: "stock"; expected a registry and repository such as registry.example.com/shop/stock`,
		"services:\n- {name: a, source: r.io/a, range: newest}\n":                          `scs.yaml:2:36: "newest": improper constraint: "newest"; expected versions such as ">=1.2.0 <2.0.0" or "^1.2"`,
		"services:\n- {name: a, source: r.io/a}\n- {name: a, source: r.io/b}\n":            `scs.yaml:3:10: "a" is there a second time; expected each once`,
		"services:\n- {name: a, source: r.io/a}\nenvironments:\n- {name: b, after: c}\n":   `scs.yaml:4:20: "c" is no environment that stands above this one; expected none for the first`,
		"services:\n- {name: a, source: r.io/a}\nenvironments:\n- {name: b, approve: 2}\n": `scs.yaml:4:22: 2 people, but 1 keys; expected a key for each of them in approvers`,
		"services:\n- {name: a, source: r.io/a}\nsiute: tests\n":                           `scs.yaml:3:1: unknown key "siute" (did you mean "suite"?)`,
		"services:\n- {name: a, source: r.io/a}\nrevoked: [me]\n":                          `scs.yaml:3:11: "me"; expected 64 hex digits, of a statement with sha256: in front`,
	} {
		text := file
		if !strings.Contains(text, "suite:") && !strings.Contains(text, "kind:") {
			text += "suite: tests\ntrust: [keys/ci.pub]\n"
		}
		_, err := LoadSystem(systemTree(t, text))
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n%v\nwant\n%s", file, err, want)
		}
	}
}

func TestNoSystem(t *testing.T) {
	t.Parallel()
	var none *NoSystem
	if _, err := LoadSystem(t.TempDir()); !errors.As(err, &none) {
		t.Errorf("%v; want a *NoSystem", err)
	}
}

func TestBadValues(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"stokc: {a: 1}\n": `v.yaml:1:8: values for "stokc", which is no service of the system; expected stock`,
		"stock: 3\n":      `v.yaml:1:8: the number "3"; expected a mapping with values of the chart`,
		"[1]\n":           `v.yaml:1:1: a list; expected a mapping of services to their values`,
		"a: [\n":          "v.yaml:",
	} {
		_, err := ParseValues("v.yaml", []byte(file), []string{"stock"})
		var problems Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %s", file, err, want)
		}
	}
}
