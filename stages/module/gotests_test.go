package module_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/module"
	"gitlab.com/selfcontained/pipeline/stages/module/moduletest"
)

const (
	goodTest = `//go:build module

package stock

import (
	"io"
	"net/http"
	"os"
	"testing"
)

func TestHello(t *testing.T) {
	resp, err := http.Get("http://" + os.Getenv("PIPELINE_ADDR") + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if string(body) != "hello from ` + moduletest.Version + `" {
		t.Errorf("got %q", body)
	}
	if os.Getenv("PIPELINE_IMAGE") == "" || os.Getenv("PIPELINE_DATA") == "" {
		t.Error("PIPELINE_IMAGE and PIPELINE_DATA are not set")
	}
}
`
	unitTest = `package stock

import "testing"

func TestUnit(t *testing.T) { t.Error("this is not a module test") }
`
	badTest = `//go:build module

package stock

import "testing"

func TestBad(t *testing.T) { t.Error("expected more") }
`
)

// TestGoTests runs the module tests of a service against its image; the unit
// tests beside them are not run.
func TestGoTests(t *testing.T) {
	t.Parallel()
	names := runtimes(t)
	if len(names) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no runtime works here")
		}
		t.Skip("needs a runtime")
	}
	for _, tt := range []struct {
		name, test, states, summary string
	}{
		{"good", goodTest, "ppppppp", ""},
		{"bad", badTest, "pppppfp", "TestBad"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := service(t, map[string]string{
				"go.mod": "module example.com/stock\n\ngo 1.24\n", "unit_test.go": unitTest, "module_test.go": tt.test,
			})
			var log bytes.Buffer
			j := job(t, dir, moduletest.Bundle(t, moduletest.Image(t, programs.Static, "", nil)), &log)
			stage := module.New(module.Options{Dir: dir, Settings: config.Stage{Runtime: names[0]}, Sources: source.Open(dir)})
			err := stage.Run(t.Context(), j)
			if err := stage.Clean(t.Context(), j); err != nil {
				t.Error(err)
			}
			if got := states(j.Findings); got != tt.states {
				t.Errorf("checks %s, want %s\n%s", got, tt.states, log.String())
			}
			var failure *pipeline.Failure
			switch {
			case tt.summary == "" && err != nil:
				t.Fatal(err)
			case tt.summary != "" && (!errors.As(err, &failure) || !strings.Contains(failure.Cause, tt.summary)):
				t.Fatalf("Run: %v, want a failure of %s", err, tt.summary)
			}
			if strings.Contains(log.String(), "TestUnit") {
				t.Error("the unit test was run")
			}
			if !strings.Contains(j.Findings.Summary, "1 module test ("+names[0]+")") {
				t.Errorf("summary %q", j.Findings.Summary)
			}
		})
	}
}

func TestNotTested(t *testing.T) {
	t.Parallel()
	dir := service(t, map[string]string{"go.mod": "module example.com/stock\n"})
	bundle := moduletest.Bundle(t, moduletest.Image(t, programs.Static, "", nil))
	for name, tt := range map[string]struct {
		container string
		set       config.Stage
		want      string
	}{
		"no image":   {"", config.Stage{}, "there is no image"},
		"no runtime": {bundle, config.Stage{Runtime: "rocket"}, `"rocket" is no runtime`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			err := module.New(module.Options{Dir: dir, Settings: tt.set, Sources: source.Open(dir)}).Run(t.Context(), job(t, dir, tt.container, &log))
			var notTested *pipeline.NotTested
			if !errors.As(err, &notTested) || !strings.Contains(err.Error(), tt.want) || notTested.Remedy == "" {
				t.Errorf("Run: %v, want %q and a remedy", err, tt.want)
			}
		})
	}
}

// TestKey: only what the tests are built from is part of the key, and only
// when there are tests.
func TestKey(t *testing.T) {
	t.Parallel()
	base := map[string]string{"go.mod": "module example.com/stock\n", "main.go": "package main\n", "store/store_test.go": "package store\n"}
	with := map[string]string{"test/module_test.go": goodTest, "test/testdata/x": "1"}
	key := func(set config.Stage, more ...map[string]string) evidence.Digest {
		files := map[string]string{}
		for _, m := range append([]map[string]string{base}, more...) {
			for name, text := range m {
				files[name] = text
			}
		}
		dir := service(t, files)
		var in evidence.Inputs
		if err := module.New(module.Options{Dir: dir, Settings: set, Sources: source.Open(dir)}).Key(t.Context(), &in); err != nil {
			t.Fatal(err)
		}
		if _, ok := in.Tools()["runtime"]; !ok {
			t.Error("the runtime is no input")
		}
		return in.Key()
	}
	edit := func(name string) map[string]string { return map[string]string{name: "package changed\n"} }
	for _, tt := range []struct {
		name string
		a, b evidence.Digest
		same bool
	}{
		{"nothing changed", key(config.Stage{}, with), key(config.Stage{}, with), true},
		{"without tests no source counts", key(config.Stage{}), key(config.Stage{}, edit("main.go")), true},
		{"with tests it does", key(config.Stage{}, with), key(config.Stage{}, with, edit("main.go")), false},
		{"data of the tests", key(config.Stage{}, with), key(config.Stage{}, with, edit("test/testdata/x")), false},
		{"a unit test", key(config.Stage{}, with), key(config.Stage{}, with, edit("store/store_test.go")), true},
		{"documentation", key(config.Stage{}, with), key(config.Stage{}, with, edit("README.md")), true},
		{"settings", key(config.Stage{}), key(config.Stage{Port: 1}), false},
		{"runtime", key(config.Stage{}), key(config.Stage{Runtime: "docker"}), false},
	} {
		if (tt.a == tt.b) != tt.same {
			t.Errorf("%s: same key: %v", tt.name, tt.a == tt.b)
		}
	}
}
