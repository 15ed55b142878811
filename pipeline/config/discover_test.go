package config

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefaultsWithoutAFile(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"stock/go.mod":                  "module example.com/shop/My_Stock/v2\n",
		"stock/cmd/My_Stock/main.go":    "package main\n",
		"stock/deploy/k8s/app.yaml":     "",
		"stock/internal/store/store.go": "package store\n",
	})
	dir := filepath.Join(root, "stock")
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	want := &Service{
		APIVersion: "pipeline/v1", Kind: "Service", Name: "my-stock", Main: "./cmd/My_Stock",
		Platforms: []string{"linux/" + runtime.GOARCH}, Image: Image{User: "65532:65532"}, Manifests: "deploy/k8s",
		Stages: map[string]Stage{
			"build": {Generate: &yes, Stamp: "main.version"}, "unit": {}, "lint": {}, "container": {}, "integration": {},
			"module": {Stop: 10 * time.Second}, "bench": {Count: 1, BenchTime: "1s"},
		},
		Integration: Integration{Cluster: Cluster{Provider: "kind", Name: "pipeline"}, Ready: 2 * time.Minute},
		Release: Release{
			Branch: "main", TagPrefix: "my-stock/v",
			Require: []string{"build", "unit", "lint", "container", "module", "integration"},
		},
		Dir: dir, Module: "example.com/shop/My_Stock/v2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestMainPackage(t *testing.T) {
	t.Parallel()
	const program, lib = "package main\n", "package lib\n"
	tests := []struct {
		name  string
		files map[string]string
		want  string // "error: ..." for a part of the error
	}{
		{"root", map[string]string{"main.go": program, "cmd/stock/main.go": program}, "."},
		{"cmd/NAME", map[string]string{"cmd/stock/main.go": program, "cmd/other/main.go": program, "x.go": lib}, "./cmd/stock"},
		{"only one", map[string]string{"tools/gen/main.go": program, "x.go": lib}, "./tools/gen"},
		{"library", map[string]string{"x.go": lib, "x_test.go": program}, ""},
		{"several", map[string]string{"cmd/a/a.go": program, "cmd/b/b.go": program}, "error: several main packages: ./cmd/a, ./cmd/b; expected the key main in pipeline.yaml"},
		{"ignored", map[string]string{
			"gen.go": "//go:build ignore\n\n" + program, "x.go": lib, "testdata/x/main.go": program, "vendor/x/main.go": program,
			".hidden/main.go": program, "_old/main.go": program, "nested/go.mod": "module nested\n", "nested/main.go": program,
			"win/main_windows.go": program, "it/main.go": "//go:build integration\n\n" + program, "doc/doc.go": "package documentation\n",
		}, ""},
		{"broken file", map[string]string{"a.go": "pakage main\n", "b.go": program}, "."},
		{"key", map[string]string{"cmd/a/a.go": program, "cmd/b/b.go": program, "pipeline.yaml": "main: ./cmd/b/\n"}, "./cmd/b"},
		{"key is a library", map[string]string{"cmd/a/a.go": program, "x/x.go": lib, "pipeline.yaml": "main: x\n"}, `error: pipeline.yaml:1:7: "x" is no main package; expected one: ./cmd/a`},
		{"key outside", map[string]string{"pipeline.yaml": "main: ../x\n"}, `error: "../x" leaves the service's folder; expected a package below it such as ./cmd/stock`},
		{"no program on purpose", map[string]string{"cmd/a/a.go": program, "pipeline.yaml": "main: ''\n"}, ""},
		{"several with a file", map[string]string{"cmd/a/a.go": program, "cmd/b/b.go": program, "pipeline.yaml": "\nchart: ''\n"}, "error: pipeline.yaml:1:1: several main packages"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.files["go.mod"] = "// A service.\nmodule example.com/stock\n"
			s, err := Load(tree(t, test.files))
			if want, ok := strings.CutPrefix(test.want, "error: "); ok {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Main != test.want {
				t.Errorf("main %q, want %q", s.Main, test.want)
			}
		})
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	for module, want := range map[string]string{
		"stock": "stock", "example.com/shop/stock": "stock", "example.com/stock/v2": "stock", "gopkg.in/yaml.v3": "yaml",
		"example.com/My.Stock_X": "my-stock-x", "example.com/v1x": "v1x", "v2": "v2",
	} {
		if got := base(module); got != want {
			t.Errorf("base(%q) = %q, want %q", module, got, want)
		}
	}
}

func TestDeployDefaults(t *testing.T) {
	t.Parallel()
	all := map[string]string{"deploy/chart/Chart.yaml": "", "chart/Chart.yaml": "", "deploy/k8s/a.yaml": ""}
	for file, want := range map[string][2]string{
		"":                                   {"deploy/chart", ""},
		"chart: chart\n":                     {"chart", ""},
		"chart: ''\n":                        {"", "deploy/k8s"},
		"manifests: deploy/k8s\n":            {"", "deploy/k8s"},
		"chart: ''\nmanifests: ''\n":         {"", ""},
		"chart: ''\nmanifests: deploy/k8s\n": {"", "deploy/k8s"},
	} {
		s, err := Parse("pipeline.yaml", []byte(file), tree(t, all))
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{s.Chart, s.Manifests}; got != want {
			t.Errorf("%q: chart and manifests %q, want %q", file, got, want)
		}
		if s.Uninstalled != (want == [2]string{}) {
			t.Errorf("%q: installed nowhere: %v", file, s.Uninstalled)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, ": no pipeline.yaml and no go.mod found; write a pipeline.yaml or run in the folder of a Go module"},
		{"wrong extension", map[string]string{"pipeline.yml": "", "go.mod": "module x\n"}, "pipeline.yml:1:1: the file is not read by this name; expected pipeline.yaml"},
		{"bad go.mod", map[string]string{"go.mod": "module x\n\nfoo (\n"}, "go.mod:4:1: "},
		{"no module", map[string]string{"go.mod": "go 1.26\n"}, "go.mod:1:1: no module directive"},
		{"no name", map[string]string{"go.mod": "// x\nmodule example.com/-\n"}, `go.mod:2:1: no name of a service can be made from "example.com/-"; expected the key name in pipeline.yaml`},
		{"folder", map[string]string{"pipeline.yaml/x": ""}, "pipeline.yaml:1:1: it is no regular file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(tree(t, test.files))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	names := func(t *testing.T, dir string) string {
		t.Helper()
		services, err := Discover(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range services {
			names = append(names, s.Name)
		}
		return strings.Join(names, " ")
	}
	dir := tree(t, map[string]string{
		"web/pipeline.yaml": "name: front\n", "stock/go.mod": "module stock\n", "docs/a.md": "", "scs.yaml": "kind: System\n",
		".git/go.mod": "module git\n", "docs/deep/go.mod": "module deep\n",
	})
	if got := names(t, dir); got != "stock front" {
		t.Errorf("children: %q", got)
	}
	own := tree(t, map[string]string{"go.mod": "module own\n", "stock/go.mod": "module stock\n"})
	if got := names(t, own); got != "own" {
		t.Errorf("own: %q", got)
	}
	_, err := Discover(filepath.Join(dir, "docs", "deep", ".."))
	if err != nil {
		t.Errorf("docs: %v", err)
	}
	var none *NoService
	if _, err := Discover(tree(t, map[string]string{"a/b/go.mod": "module b\n"})); !errors.As(err, &none) || !none.Below {
		t.Errorf("none: %v", err)
	}
}

func TestDiscoverReportsEverything(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{
		"a/pipeline.yaml": "nme: x\n", "b/pipeline.yaml": "main: 1\n", "c/pipeline.yaml": "name: same\n", "d/pipeline.yaml": "name: same\n",
	})
	_, err := Discover(dir)
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{`unknown key "nme"`, "expected text", `the service has the name "same", like the one in`} {
		if !strings.Contains(problems[i].Message, want) {
			t.Errorf("problem %d is %v, want %s", i, problems[i], want)
		}
	}
}
