package integration

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool/gotooltest"
)

func TestReplacementPutsTheTestedImageIntoManifests(t *testing.T) {
	t.Parallel()
	r := &replacement{name: "stock", ref: "pipeline.local/stock:1"}
	for in, want := range map[string]string{
		"  image: stock": "  image: pipeline.local/stock:1",
		"  - image: registry.example.com:5000/a/stock:2.0": "  - image: pipeline.local/stock:1",
		`  image: "stock@sha256:12"`:                       "  image: pipeline.local/stock:1",
		"  image: registry.example.com/a/restock:2.0":      "  image: registry.example.com/a/restock:2.0",
		"  image: stock-cache:1":                           "  image: stock-cache:1",
		"  imagePullPolicy: stock":                         "  imagePullPolicy: stock",
	} {
		if got := string(r.apply([]byte(in))); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// failing is a provider that has no cluster.
type failing struct{ err error }

func (failing) Name() string                                        { return "none" }
func (f failing) Ensure(context.Context) (*kindtest.Cluster, error) { return nil, f.err }
func (f failing) Attach(context.Context) (*kindtest.Cluster, error) { return nil, f.err }
func (f failing) Check(context.Context) error                       { return f.err }
func (failing) Delete(context.Context) error                        { return nil }
func (failing) ExportLogs(context.Context, string) error            { return nil }

func TestPreflightSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	err := New(Options{Provider: failing{&kindtest.EnvironmentError{What: "no engine", Remedy: "start one"}}}).Preflight(t.Context())
	var notTested *pipeline.NotTested
	if !errors.As(err, &notTested) {
		t.Errorf("got %v", err)
	}
	if err := New(Options{Provider: failing{}}).Preflight(t.Context()); err != nil {
		t.Errorf("with a cluster: %v", err)
	}
}

func TestWithoutChartNothingIsTested(t *testing.T) {
	t.Parallel()
	job, _ := gotooltest.NewJob(t, "integration", t.TempDir())
	err := New(Options{Service: config.Service{Name: "svc"}, Provider: failing{}}).Run(t.Context(), job)
	var notTested *pipeline.NotTested
	if !errors.As(err, &notTested) || !strings.Contains(notTested.Remedy, "Helm chart") {
		t.Errorf("got %v", err)
	}
}

func key(t *testing.T, dir string, o Options) evidence.Digest {
	t.Helper()
	o.Service.Dir, o.Sources = dir, source.Open(dir)
	in := &evidence.Inputs{}
	if err := New(o).Key(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return in.Key()
}

func TestKeyHasTestsValuesAndDataButNotTheCluster(t *testing.T) {
	t.Parallel()
	const module = "-- go.mod --\nmodule m\n-- README.md --\nx\n-- a/a_test.go --\npackage a\n" +
		"-- test/i_test.go --\n//go:build integration\n\npackage test\n\nimport \"testing\"\n\nfunc TestI(t *testing.T) {}\n-- test/testdata/x --\n1\n"
	dir := gotooltest.Write(t, t.TempDir(), module)
	base := key(t, dir, Options{})
	for change, same := range map[string]bool{
		"-- README.md --\ny\n":                      true,
		"-- a/a_test.go --\npackage a // changed\n": true,
		"-- test/testdata/x --\n2\n":                false,
		"-- test/helper_test.go --\npackage test\n": false,
		"-- a/a.go --\npackage a\n":                 false,
	} {
		other := gotooltest.Write(t, t.TempDir(), module)
		gotooltest.Write(t, other, change)
		if got := key(t, other, Options{}) == base; got != same {
			t.Errorf("after %q the key is the same: %v, want %v", change, got, same)
		}
	}
	values := Options{Service: config.Service{Integration: config.Integration{Values: map[string]any{"a": 1}}}}
	if key(t, dir, values) == base {
		t.Error("values are not part of the key")
	}
	if key(t, dir, Options{Provider: failing{}}) != base {
		t.Error("the cluster is part of the key")
	}
}
