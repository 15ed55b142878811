package build

import (
	"bytes"
	"context"
	"debug/macho"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
	"gitlab.com/selfcontained/pipeline/stages/gotool/gotooltest"
)

const program = `
-- go.mod --
module example.com/svc

go 1.24
-- cmd/svc/main.go --
package main

import "example.com/svc/internal/greet"

var version = "none"

func main() { println(greet.Hello(version)) }
-- internal/greet/greet.go --
package greet

func Hello(name string) string { return "hello " + name }
-- README.md --
# svc
`

func service(dir string) config.Service {
	return config.Service{
		Name: "svc", Main: "./cmd/svc", Dir: dir, Module: "example.com/svc",
		Platforms: []string{"linux/" + runtime.GOARCH},
	}
}

// build builds the service at dir.
func build(t *testing.T, dir string, change func(*Options)) (*pipeline.Job, error) {
	t.Helper()
	gotooltest.NeedGo(t)
	job, _ := gotooltest.NewJob(t, "build", dir)
	o := Options{Service: service(dir), Version: "1.2.3", Sources: source.Open(dir)}
	if change != nil {
		change(&o)
	}
	return job, New(o).Run(t.Context(), job)
}

func TestProgram(t *testing.T) {
	t.Parallel()
	dir := gotooltest.Write(t, t.TempDir(), program)
	job, err := build(t, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(job.Out, ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Binaries) != 1 || m.Binaries[0].Path != "linux_"+runtime.GOARCH+"/svc" || m.Binaries[0].Size == 0 {
		t.Fatalf("manifest %s", data)
	}
	sum, size, err := digest(filepath.Join(job.Out, m.Binaries[0].Path))
	if err != nil || sum != m.Binaries[0].SHA256 || size != m.Binaries[0].Size {
		t.Errorf("digest %s %d %v, manifest says %+v", sum, size, err, m.Binaries[0])
	}
	gotooltest.Contains(t, job.Findings.Summary, "linux/"+runtime.GOARCH, " MB")
	if runtime.GOOS == "linux" {
		out, err := exec.Command(filepath.Join(job.Out, m.Binaries[0].Path)).CombinedOutput()
		if err != nil || string(out) != "hello 1.2.3\n" {
			t.Errorf("program says %q, %v", out, err)
		}
	}
}

// A program may have its version elsewhere than in main, and be for a system
// that this machine is not.
func TestStampAndPlatforms(t *testing.T) {
	t.Parallel()
	dir := gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), program),
		"-- internal/greet/greet.go --\npackage greet\n\nvar version string\n\nfunc Hello(string) string { return \"hello \" + version }\n")
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	job, err := build(t, dir, func(o *Options) {
		o.Service.Platforms = []string{"linux/" + runtime.GOARCH, "darwin/" + other}
		o.Service.Stages = map[string]config.Stage{"build": {Stamp: "example.com/svc/internal/greet.version"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	gotooltest.Contains(t, job.Findings.Summary, "darwin/"+other)
	if mach, err := macho.Open(filepath.Join(job.Out, "darwin_"+other, "svc")); err != nil {
		t.Error(err)
	} else {
		mach.Close()
	}
	if runtime.GOOS == "linux" {
		out, err := exec.Command(filepath.Join(job.Out, "linux_"+runtime.GOARCH, "svc")).CombinedOutput()
		if err != nil || string(out) != "hello 1.2.3\n" {
			t.Errorf("program says %q, %v", out, err)
		}
	}
}

func TestLibrary(t *testing.T) {
	t.Parallel()
	dir := gotooltest.Write(t, t.TempDir(), program)
	if err := os.RemoveAll(filepath.Join(dir, "cmd")); err != nil {
		t.Fatal(err)
	}
	job, err := build(t, dir, func(o *Options) { o.Service.Main = "" })
	if err != nil || job.Findings.Summary != "library" {
		t.Fatalf("%v, summary %q", err, job.Findings.Summary)
	}
	data, _ := os.ReadFile(filepath.Join(job.Out, ModulesFile))
	if string(data) != "[]\n" {
		t.Errorf("modules %q", data)
	}
}

func TestRed(t *testing.T) {
	t.Parallel()
	const untidy = "-- go.mod --\nmodule example.com/svc\n\ngo 1.24\n\nrequire example.com/unused v0.0.0\n\n" +
		"replace example.com/unused => ./unused\n-- unused/go.mod --\nmodule example.com/unused\n-- unused/x.go --\npackage unused\n"
	const stale = "-- gen.go --\npackage svc\n\n//go:generate go run ./gen.d\n" +
		"-- gen.d/main.go --\npackage main\n\nimport \"os\"\n\nfunc main() { os.WriteFile(\"made.go\", []byte(\"package svc\\n\\nconst Made = 2\\n\"), 0o644) }\n" +
		"-- made.go --\npackage svc\n\nconst Made = 1\n"
	for _, test := range []struct {
		name, files    string
		summary, cause []string
		not            []string
	}{
		{
			name:    "syntax error",
			files:   "-- internal/greet/greet.go --\npackage greet\n\nfunc Hello( {\n",
			summary: []string{"syntax error at internal/greet/greet.go:3:13"},
			cause:   []string{"internal/greet/greet.go:3:13: syntax error"},
			not:     []string{"go vet", "tidy"},
		},
		{
			name:    "type error",
			files:   "-- internal/greet/greet.go --\npackage greet\n\nfunc Hello(name string) string { return 1 }\n",
			summary: []string{"go vet failed"}, cause: []string{"internal/greet/greet.go:3:"}, not: []string{"go build"},
		},
		{
			name:    "type error in a test of the module level",
			files:   "-- svc_test.go --\n//go:build module\n\npackage svc\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { t.Nope() }\n",
			summary: []string{"go vet failed"}, cause: []string{"svc_test.go:7:", "Nope"},
		},
		{
			name:    "vet",
			files:   "-- internal/greet/x.go --\npackage greet\n\nimport \"fmt\"\n\nfunc x() { fmt.Printf(\"%d\", \"x\") }\n",
			summary: []string{"go vet failed"}, cause: []string{"internal/greet/x.go:5:", "wrong type"},
		},
		{
			name: "untidy", files: untidy,
			summary: []string{"not tidy", "go mod tidy"}, cause: []string{"-require example.com/unused v0.0.0"},
		},
		{
			name: "stale", files: stale,
			summary: []string{"stale", "made.go"}, cause: []string{"-const Made = 1", "+const Made = 2"},
		},
		{
			name:    "broken generator",
			files:   "-- gen.go --\npackage svc\n\n//go:generate go run ./none\n",
			summary: []string{"go generate failed"}, cause: []string{"none"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := build(t, gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), program), test.files), nil)
			var f *pipeline.Failure
			if !errors.As(err, &f) {
				t.Fatalf("error %v is no Failure", err)
			}
			gotooltest.Contains(t, f.Summary, test.summary...)
			gotooltest.Contains(t, f.Cause, test.cause...)
			for _, word := range test.not {
				if strings.Contains(f.Summary+f.Cause, word) {
					t.Errorf("%q is named beside the cause:\n%s\n%s", word, f.Summary, f.Cause)
				}
			}
			if n := strings.Count(f.Cause, "\n") + 1; n > 24 {
				t.Errorf("cause has %d lines", n)
			}
		})
	}
}

// Several things that are wrong are shown together.
func TestRedTwice(t *testing.T) {
	t.Parallel()
	_, err := build(t, gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), program),
		"-- internal/greet/x.go --\npackage greet\n\nimport \"fmt\"\n\n//go:generate go run ./none\nfunc x() { fmt.Printf(\"%d\", \"x\") }\n"), nil)
	var f *pipeline.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v is no Failure", err)
	}
	gotooltest.Contains(t, f.Summary, "go vet failed", "go generate failed")
	gotooltest.Contains(t, f.Cause, "internal/greet/x.go:6", "none")
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	// The generator writes a file that git ignores.
	const files = `
-- gen.go --
package svc

//go:generate go run ./cmd/gen
-- cmd/gen/main.go --
package main

import "os"

func main() {
	os.WriteFile("made.go", []byte("package svc\n\nconst Made = 7\n"), 0o644)
	os.WriteFile("made.log", []byte("done\n"), 0o644)
}
-- made.go --
package svc

const Made = 7
-- .gitignore --
*.log
`
	dir := gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), program), files)
	if err := exec.Command("git", "-C", dir, "init", "-q").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is not in PATH")
		}
		t.Skip("git is not in PATH")
	}
	if _, err := build(t, dir, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "made.log")); err == nil {
		t.Error("the generator ran in the sources")
	}
	gotooltest.Write(t, dir, "-- made.go --\npackage svc\n\nconst Made = 8\n")
	job, err := build(t, dir, nil)
	var f *pipeline.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v is no Failure", err)
	}
	text, err := os.ReadFile(filepath.Join(job.Kept, "generate.diff"))
	if err != nil {
		t.Fatal(err)
	}
	gotooltest.Contains(t, string(text), "made.go", "-const Made = 8", "+const Made = 7")
	if strings.Contains(string(text), "made.log") {
		t.Error("an ignored file counts")
	}
	off := false
	if _, err := build(t, dir, func(o *Options) {
		o.Service.Stages = map[string]config.Stage{"build": {Generate: &off}}
	}); err != nil {
		t.Errorf("generate: false: %v", err)
	}
}

// A generator may use a module that go.mod replaces by a folder beside it.
func TestGenerateWithSibling(t *testing.T) {
	t.Parallel()
	root := gotooltest.Write(t, t.TempDir(), `
-- svc/go.mod --
module example.com/svc

go 1.24

require example.com/common v0.0.0

replace example.com/common => ../common
-- svc/gen.go --
package svc

//go:generate go run ./cmd/gen
-- svc/cmd/gen/main.go --
package main

import (
	"os"

	"example.com/common"
)

func main() { os.WriteFile("made.go", []byte("package svc\n\nconst Made = "+common.Number+"\n"), 0o644) }
-- svc/made.go --
package svc

const Made = 7
-- common/go.mod --
module example.com/common
-- common/common.go --
package common

const Number = "7"
`)
	library := func(o *Options) { o.Service.Main = "" }
	if _, err := build(t, filepath.Join(root, "svc"), library); err != nil {
		t.Fatal(err)
	}
	gotooltest.Write(t, root, "-- common/common.go --\npackage common\n\nconst Number = \"8\"\n")
	_, err := build(t, filepath.Join(root, "svc"), library)
	var f *pipeline.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v is no Failure", err)
	}
	gotooltest.Contains(t, f.Cause, "-const Made = 7", "+const Made = 8")
}

// moduleChecks runs the step "go mod" and returns what it has called.
func moduleChecks(t *testing.T, job *pipeline.Job) string {
	t.Helper()
	sources := sourcesOf(t, job.Dir)
	var log bytes.Buffer
	_ = modules{sources}.run(t.Context(), gotool.Go{Job: job, Log: &log}) // not tidy, at times
	var called []string
	for line := range strings.Lines(log.String()) {
		if command, ok := strings.CutPrefix(line, "$ go mod "); ok {
			called = append(called, strings.TrimSpace(command))
		}
	}
	return strings.Join(called, ", ")
}

func TestModulesAreCheckedWhenSomethingHasChanged(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), "-- go.mod --\nmodule example.com/svc\n\ngo 1.24\n-- x.go --\npackage svc\n\nimport \"fmt\"\n\nfunc X() { fmt.Println(1) }\n")
	job, _ := gotooltest.NewJob(t, "build", dir)
	for _, step := range []struct{ name, files, want string }{
		{"the first time", "", "verify, tidy -diff"},
		{"nothing changed", "", ""},
		{"a body", "-- x.go --\npackage svc\n\nimport \"fmt\"\n\nfunc X() { fmt.Println(2) }\n", ""},
		{"a text file", "-- README.md --\nx\n", ""},
		{"an import", "-- x.go --\npackage svc\n\nimport \"os\"\n\nfunc X() { println(os.Args[0]) }\n", "tidy -diff"},
		{"a constraint", "-- x.go --\n//go:build linux\n\npackage svc\n\nimport \"os\"\n\nfunc X() { println(os.Args[0]) }\n", "tidy -diff"},
		{"a file", "-- y_test.go --\npackage svc\n", "tidy -diff"},
		{"go.sum", "-- go.sum --\nexample.com/a v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "verify, tidy -diff"},
		{"it is still not tidy", "", "tidy -diff"},
	} {
		gotooltest.Write(t, dir, step.files)
		if got := moduleChecks(t, job); got != step.want {
			t.Errorf("%s: called %q, want %q", step.name, got, step.want)
		}
	}
	job.Fresh = true
	if got := moduleChecks(t, job); got != "verify, tidy -diff" {
		t.Errorf("with --force: called %q", got)
	}
}

// A cancelled build is cancelled, not red.
func TestCancelled(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), program)
	job, _ := gotooltest.NewJob(t, "build", dir)
	sources := source.Open(dir)
	if _, err := sources.Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := New(Options{Service: service(dir), Sources: sources}).Run(ctx, job)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestMissingGenerator(t *testing.T) {
	t.Parallel()
	_, err := build(t, gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), program),
		"-- gen.go --\npackage svc\n\n//go:generate no-such-generator -x\n"), nil)
	var n *pipeline.NotTested
	if !errors.As(err, &n) {
		t.Fatalf("error %v is no NotTested", err)
	}
	gotooltest.Contains(t, n.Error(), "no-such-generator", "go tool")
}

// The bytes depend neither on place nor on the user's settings.
func TestReproducible(t *testing.T) {
	gotooltest.NeedGo(t)
	if testing.Short() {
		t.Skip("compiles the runtime for an empty build cache")
	}
	first, second := gotooltest.Write(t, t.TempDir(), program), gotooltest.Write(t, filepath.Join(t.TempDir(), "else", "where"), program)
	a, err := build(t, first, nil)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOMODCACHE", strings.TrimSpace(string(cache)))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GOCACHE", t.TempDir()) // or the first result would be found
	t.Setenv("GOFLAGS", "-ldflags=-X=main.version=evil -tags=evil")
	t.Setenv("GOAMD64", "v3")
	t.Setenv("GOOS", "windows")
	t.Setenv("TZ", "Asia/Tokyo")
	withUmask(t, 0o077)
	b, err := build(t, second, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"build.json", "modules.json", "linux_" + runtime.GOARCH + "/svc"} {
		if diff := cmp.Diff(stat(t, a.Out, name), stat(t, b.Out, name)); diff != "" {
			t.Errorf("%s differs:\n%s", name, diff)
		}
	}
}

func stat(t *testing.T, dir, name string) []string {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	sum, _, err := digest(file)
	if err != nil {
		t.Fatal(err)
	}
	return []string{info.Mode().String(), sum}
}

func key(t *testing.T, s *Stage) evidence.Digest {
	t.Helper()
	var in evidence.Inputs
	if err := s.Key(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	return in.Key()
}

// Files of other modules are copied to where go.mod expects them.
func TestCopyTree(t *testing.T) {
	t.Parallel()
	root := gotooltest.Write(t, t.TempDir(), "-- shop/svc/go.mod --\nmodule svc\n-- common/a/a.go --\npackage a\n")
	if err := os.Symlink("go.mod", filepath.Join(root, "shop", "svc", "link")); err != nil {
		t.Fatal(err)
	}
	tree := &source.Tree{Dir: filepath.Join(root, "shop", "svc"), Files: []source.File{
		{Path: "../../common/a/a.go"}, {Path: "go.mod"}, {Path: "link"},
	}}
	dir, err := copyTree(tree, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tree.Files {
		want, err := read(tree.Dir, f.Path)
		if err != nil || want == nil {
			t.Fatal(err)
		}
		got, err := read(dir, f.Path)
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is %q, %v; want %q", f.Path, got, err, want)
		}
	}
	if base := filepath.Base(filepath.Dir(dir)); base != "shop" {
		t.Errorf("the service is below %s", base)
	}
}

// A document does not change the key, everything else does; neither needs go.
func TestKey(t *testing.T) {
	t.Setenv("PATH", "")
	dir := gotooltest.Write(t, t.TempDir(), program)
	o := Options{Service: service(dir), Version: "1.2.3", Sources: source.Open(dir)}
	before := key(t, New(o))
	gotooltest.Write(t, dir, "-- README.md --\n# changed\n")
	o.Sources = source.Open(dir)
	if key(t, New(o)) != before {
		t.Error("README.md changes the key")
	}
	o.Version = "1.2.4" // same snapshot of the sources
	if key(t, New(o)) == before {
		t.Error("the version does not change the key")
	}
	o.Version = "1.2.3"
	gotooltest.Write(t, dir, "-- internal/greet/greet.go --\npackage greet\n")
	o.Sources = source.Open(dir)
	if key(t, New(o)) == before {
		t.Error("a source does not change the key")
	}
	job, _ := gotooltest.NewJob(t, "build", dir)
	var n *pipeline.NotTested
	if err := New(o).Run(t.Context(), job); !errors.As(err, &n) || n.Remedy == "" {
		t.Errorf("without go: %v", err)
	}
}
