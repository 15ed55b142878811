package gotool

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

const module = `
-- go.mod --
module example.com/svc

go 1.24

tool honnef.co/go/tools/cmd/staticcheck

require honnef.co/go/tools v0.8.2
-- main.go --
package main
-- cmd/x/main.go --
package main
-- cmd/x/main_windows.go --
package main
-- script.go --
//go:build ignore

package main
-- a/a.go --
package a
-- a/a_test.go --
package a

func TestMain(m *M) {}
func TestOne(t *T) {}
func Testify(t *T) {}
func BenchmarkOne(b *B) {}
func FuzzOne(f *F) {}
func ExampleOne() {}
func (x X) TestMethod(t *T) {}
-- a/module_test.go --
//go:build module

package a

func TestModule(t *T) {}
-- a/not_test.go --
//go:build !module

package a

func TestNot(t *T) {}
-- a/both_test.go --
//go:build module || integration

package a
-- test/broken_test.go --
//go:build module

package test

func TestBroken(t *T) {}

func oops( {
-- vendor/v/v_test.go --
package v
-- a/testdata/x_test.go --
package x
-- _old/x_test.go --
package x
-- other/go.mod --
module other
-- other/x_test.go --
package other
`

func write(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTestFiles(t *testing.T) {
	t.Parallel()
	dir := write(t, module)
	for tag, want := range map[string][]TestFile{
		"": {
			{Path: "a/a_test.go", Package: "./a", Tests: []string{"TestOne"}, Benchmarks: []string{"BenchmarkOne"}, Fuzzers: []string{"FuzzOne"}, Examples: []string{"ExampleOne"}},
			{Path: "a/not_test.go", Package: "./a", Tests: []string{"TestNot"}},
		},
		"module": {
			{Path: "a/both_test.go", Package: "./a"},
			{Path: "a/module_test.go", Package: "./a", Tests: []string{"TestModule"}},
			{Path: "test/broken_test.go", Package: "./test", Tests: []string{"TestBroken"}},
		},
		"integration": {{Path: "a/both_test.go", Package: "./a"}},
		"none":        nil,
	} {
		got, err := TestFiles(dir, tag)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tag %q:\n%s", tag, diff)
		}
	}
}

func TestFolders(t *testing.T) {
	t.Parallel()
	dir := write(t, module)
	mains, err := Mains(dir)
	if diff := cmp.Diff([]string{".", "./cmd/x"}, mains); diff != "" || err != nil {
		t.Errorf("mains: %v\n%s", err, diff)
	}
	tagged, err := Tagged(dir, "module")
	if diff := cmp.Diff([]string{"./a", "./test"}, tagged); diff != "" || err != nil {
		t.Errorf("tagged: %v\n%s", err, diff)
	}
	compiled, err := Compiled(dir, "", "integration")
	want := []string{"a/a.go", "a/a_test.go", "a/both_test.go", "a/not_test.go", "cmd/x/main.go", "main.go"}
	if diff := cmp.Diff(want, compiled); diff != "" || err != nil {
		t.Errorf("compiled: %v\n%s", err, diff)
	}
	if got := Packages([]TestFile{{Package: "./b"}, {Package: "./a"}, {Package: "./b"}}); !cmp.Equal(got, []string{"./a", "./b"}) {
		t.Errorf("packages %v", got)
	}
}

func TestModule(t *testing.T) {
	t.Parallel()
	dir := write(t, module)
	if m := Module(dir); m != "example.com/svc" {
		t.Errorf("module %q", m)
	}
	if !HasTool(dir, "honnef.co/go/tools/cmd/staticcheck") || HasTool(dir, "example.com/tool") || HasTool(t.TempDir(), "x") {
		t.Error("tools are not read")
	}
}

func TestVersion(t *testing.T) {
	root := write(t, "-- go/VERSION --\ngo1.99.1\ntime 2030\n-- go/bin/go --\n#!/bin/false\n-- wrapper/go --\n#!/bin/false\n-- bin/.keep --\n")
	for _, name := range []string{"go/bin/go", "wrapper/go"} {
		if err := os.Chmod(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../go/bin/go", filepath.Join(root, "bin", "go")); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{"go/bin": "go1.99.1", "bin": "go1.99.1", "wrapper": "", "none": ""} {
		t.Setenv("PATH", filepath.Join(root, dir))
		if got := Version(); got != want {
			t.Errorf("PATH=%s: version %q, want %q", dir, got, want)
		}
	}
	t.Setenv("PATH", "")
	var n *pipeline.NotTested
	if err := Require(); !errors.As(err, &n) || n.Remedy == "" {
		t.Errorf("without go: %v", err)
	}
}

func TestBlame(t *testing.T) {
	t.Parallel()
	failed := &proc.Error{ExitCode: 1, Err: &exec.ExitError{}}
	for stderr, transient := range map[string]bool{
		"go: example.com/x@v1.0.0: Get \"https://goproxy.example.org/x\": dial tcp: lookup goproxy.example.org: no such host\n": true,
		"main.go:3:8: x@v1: module lookup disabled by GOPROXY=off\n":                                                            true,
		"go: x@v1: reading https://goproxy.example.org/x: 502 Bad Gateway\n":                                                    true,
		"a_test.go:3: dial tcp 127.0.0.1:1: connect: connection refused\n":                                                      false,
		"go: x@v1: verifying module: checksum mismatch\n":                                                                       false,
		"go: x@v1: reading https://goproxy.example.org/x: 404 Not Found\n":                                                      false,
	} {
		var n *pipeline.NotTested
		err := Blame(failed, stderr)
		if got := errors.As(err, &n) && n.Transient; got != transient {
			t.Errorf("%q: %v", stderr, err)
		}
	}
	stopped := &proc.Error{ExitCode: -1, Err: context.Canceled}
	if err := Blame(stopped, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	var f *pipeline.Failure
	if err := Red(failed, "red", "# pkg\n"); !errors.As(err, &f) {
		t.Errorf("red: %v", err)
	}
}

func TestEnv(t *testing.T) {
	t.Parallel()
	env := BuildEnv("linux/arm/v6")
	for _, want := range []string{"GOOS=linux", "GOARCH=arm", "GOARM=6", "CGO_ENABLED=0"} {
		last := ""
		for _, e := range env {
			if key, _, _ := strings.Cut(want, "="); strings.HasPrefix(e, key+"=") {
				last = e
			}
		}
		if last != want {
			t.Errorf("%q, want %q", last, want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	if got, want := Excerpt("\na\nb\nc\nd\n", 3), "a\nb\n... and 2 more lines"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Clip(strings.Repeat("é", 500)); len(got) > width+4 || strings.Contains(got, "\uFFFD") {
		t.Errorf("clipped to %d bytes: %q", len(got), got[len(got)-8:])
	}
}
