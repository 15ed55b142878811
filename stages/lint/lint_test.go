package lint

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool/gotooltest"
)

const module = `
-- go.mod --
module example.com/svc

go 1.24
-- a.go --
package svc

import "fmt"

func A() { fmt.Printf("%d\n", "x") }

func unused() {}
-- module_test.go --
//go:build module

package svc

import "testing"

func helper() string { return "module" }

func TestModule(t *testing.T) {
	if helper() == "" {
	}
}
-- integration_test.go --
//go:build integration

package svc

import "testing"

func helper() string { return "integration" }

func TestIntegration(t *testing.T) { t.Log(helper()) }
`

func TestVetPasses(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), module)
	job, _ := gotooltest.NewJob(t, "lint", dir)
	found := &issues{dir: dir}
	list, err := passes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 {
		t.Fatalf("passes %v", list)
	}
	for _, p := range list {
		if err := vet(t.Context(), job, p, found); err != nil {
			t.Fatal(err)
		}
	}
	want := []pipeline.Issue{{
		Path: "a.go", Line: 5, Column: 24, Check: "vet/printf", Severity: "major",
		Message: `fmt.Printf format %d has arg "x" of wrong type string`,
	}}
	if diff := cmp.Diff(want, found.sorted()); diff != "" {
		t.Error(diff)
	}
}

func TestDoesNotCompile(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), "-- go.mod --\nmodule m\n\ngo 1.24\n-- a.go --\npackage m\n\nfunc A() { nope() }\n")
	job, _ := gotooltest.NewJob(t, "lint", dir)
	err := vet(t.Context(), job, pass{packages: []string{"./..."}}, &issues{dir: dir})
	var f *pipeline.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v is no Failure", err)
	}
	gotooltest.Contains(t, f.Cause, "a.go:3:12: undefined: nope")
}

func TestParseStaticcheck(t *testing.T) {
	t.Parallel()
	const out = `{"code":"ST1005","severity":"warning","location":{"file":"/svc/b.go","line":3,"column":2},"message":"style"}
{"code":"SA4006","severity":"error","location":{"file":"/svc/a.go","line":9,"column":1},"message":"never used"}
{"code":"SA4006","severity":"error","location":{"file":"/svc/a.go","line":9,"column":1},"message":"never used"}
{"code":"SA1019","severity":"ignored","location":{"file":"/svc/a.go","line":1,"column":1},"message":"deprecated"}
`
	found := &issues{dir: "/svc"}
	if n, err := parseStaticcheck(strings.NewReader(out), found); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	want := []pipeline.Issue{
		{Path: "a.go", Line: 9, Column: 1, Check: "SA4006", Severity: "major", Message: "never used"},
		{Path: "b.go", Line: 3, Column: 2, Check: "ST1005", Severity: "minor", Message: "style"},
	}
	if diff := cmp.Diff(want, found.sorted()); diff != "" {
		t.Error(diff)
	}
	var f *pipeline.Failure
	if err := judge(found.list); !errors.As(err, &f) {
		t.Fatalf("error %v is no Failure", err)
	}
	if f.Summary != "2 issues: 1 major, 1 minor" || f.Cause != "a.go:9: never used (SA4006)" {
		t.Errorf("%s\n%s", f.Summary, f.Cause)
	}
	if err := judge(found.list[1:]); err != nil {
		t.Errorf("style alone fails: %v", err)
	}
}

// Without a network and without a cached staticcheck the code is not to blame.
func TestOffline(t *testing.T) {
	gotooltest.NeedGo(t)
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	dir := gotooltest.Write(t, t.TempDir(), module)
	job, _ := gotooltest.NewJob(t, "lint", dir)
	err := New(Options{Sources: source.Open(dir), CacheDir: t.TempDir()}).Run(t.Context(), job)
	var n *pipeline.NotTested
	if !errors.As(err, &n) {
		t.Fatalf("error %v is no NotTested", err)
	}
	gotooltest.Contains(t, n.Error(), "staticcheck "+StaticcheckVersion, "go get -tool")
}

// The whole stage. Its first run in a machine's life builds staticcheck; the
// second one of the test must find it.
func TestStage(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	if testing.Short() {
		t.Skip("builds staticcheck")
	}
	dir, cache := gotooltest.Write(t, t.TempDir(), module), t.TempDir()
	service := config.Service{Stages: map[string]config.Stage{"lint": {Checks: []string{"all", "-ST1000", "-ST1020"}}}}
	run := func() (*pipeline.Job, string, error) {
		job, log := gotooltest.NewJob(t, "lint", dir)
		err := New(Options{Service: service, Sources: source.Open(dir), CacheDir: cache}).Run(t.Context(), job)
		return job, log.String(), err
	}
	_, log, err := run()
	var n *pipeline.NotTested
	if errors.As(err, &n) && n.Transient && os.Getenv("CI") != "true" {
		t.Skip("staticcheck cannot be downloaded: ", err)
	}
	var f *pipeline.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v is no Failure\n%s", err, log)
	}
	gotooltest.Contains(t, log, "go install")
	gotooltest.Contains(t, f.Cause, "a.go:5: ", "(vet/printf)", "a.go:7: func unused is unused (U1000)", "module_test.go:10: empty branch (SA9003)")
	gotooltest.Write(t, dir, "-- a.go --\npackage svc\n\nvar X_y = 1\n-- module_test.go --\npackage svc\n")
	job, log, err := run()
	if err != nil {
		t.Fatalf("style alone fails: %v\n%s", err, log)
	}
	if strings.Contains(log, "go install") || job.Findings.Summary != "1 issue: 1 minor" {
		t.Errorf("%q\n%s", job.Findings.Summary, log)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"m":{"printf":[{"posn":"/m/a.go:1:2","message":"x"}]}}`))
	f.Add([]byte(`{"m":{"printf":{"error":"x"}}}`))
	f.Add([]byte(`{"code":"SA1","location":{"file":"/m/a.go","line":-3}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		found := &issues{dir: "/m"}
		_ = parseVet(string(data), found)
		_, _ = parseStaticcheck(bytes.NewReader(data), found)
		for _, i := range found.sorted() {
			if i.Line < 1 || i.Path == "" {
				t.Errorf("issue %+v", i)
			}
		}
	})
}
