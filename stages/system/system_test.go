package system

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool/gotooltest"
)

// noCluster is a provider that has none.
type noCluster struct{ err error }

func (noCluster) Name() string                                        { return "none" }
func (n noCluster) Ensure(context.Context) (*kindtest.Cluster, error) { return nil, n.err }
func (n noCluster) Attach(context.Context) (*kindtest.Cluster, error) { return nil, n.err }
func (n noCluster) Check(context.Context) error                       { return n.err }
func (noCluster) Delete(context.Context) error                        { return nil }
func (noCluster) ExportLogs(context.Context, string) error            { return nil }

const module = "-- go.mod --\nmodule example.com/suite\n\ngo 1.24\n-- README.md --\nx\n" +
	"-- plain_test.go --\npackage suite\n\nimport \"testing\"\n\nfunc TestPlain(t *testing.T) {}\n" +
	"-- tagged/tagged_test.go --\n//go:build acceptance\n\npackage tagged\n\nimport \"testing\"\n\nfunc TestTagged(t *testing.T) {}\n"

func TestKeyIsTheCombinationAndNotTheCluster(t *testing.T) {
	t.Parallel()
	dir := gotooltest.Write(t, t.TempDir(), module)
	key := func(change func(*Options)) evidence.Digest {
		o := Options{System: "shop", ID: evidence.Sum([]byte("1")), Dir: dir, Suite: evidence.Sum([]byte("suite")), Members: []Member{{Name: "stock", Bundle: evidence.Sum([]byte("stock"))}}}
		change(&o)
		in := &evidence.Inputs{}
		if err := New(o).Key(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		return in.Key()
	}
	base := key(func(*Options) {})
	for name, c := range map[string]struct {
		change func(*Options)
		same   bool
	}{
		"another cluster":     {func(o *Options) { o.Provider = noCluster{} }, true},
		"patience":            {func(o *Options) { o.Ready, o.Timeout, o.WaitCleanup = time.Hour, time.Hour, true }, true},
		"where things lie":    {func(o *Options) { o.Cache, o.Members[0].Layout = "/x", "/y" }, true},
		"another combination": {func(o *Options) { o.ID = evidence.Sum([]byte("2")) }, false},
		"another command":     {func(o *Options) { o.Command = []string{"npm", "test"} }, false},
		"edited tests":        {func(o *Options) { o.Sources = source.Open(dir) }, false},
	} {
		if got := key(c.change) == base; got != c.same {
			t.Errorf("%s: the key is the same: %v, want %v", name, got, c.same)
		}
	}
}

func TestKeyShowsTheMinorVersionOfKubernetes(t *testing.T) {
	t.Parallel()
	in := &evidence.Inputs{}
	if err := New(Options{Kubernetes: "v1.36.3"}).Key(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if got := in.Tools()["kubernetes"]; got != "v1.36" {
		t.Errorf("kubernetes is %q", got)
	}
}

func TestSuiteDigestLeavesDocumentationOut(t *testing.T) {
	t.Parallel()
	digest := func(change string) evidence.Digest {
		dir := gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), module), change)
		d, err := SuiteDigest(t.Context(), source.Open(dir))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	base := digest("")
	for change, same := range map[string]bool{
		"-- README.md --\ny\n":                 true,
		"-- plain_test.go --\npackage suite\n": false,
		"-- testdata/prices.json --\n{}\n":     false,
		"-- go.sum --\n\n":                     false,
	} {
		if got := digest(change) == base; got != same {
			t.Errorf("after %q the digest is the same: %v, want %v", change, got, same)
		}
	}
}

func TestNodeLeavesTimeForAllParts(t *testing.T) {
	t.Parallel()
	n := Node(Options{System: "shop", Dir: "/shop/acceptance", Ready: time.Minute})
	if n.Name != "shop/suite" || n.Service != "shop" || n.Kind != Kind || n.Dir != "/shop/acceptance" || n.Timeout <= 11*time.Minute {
		t.Errorf("%+v", n)
	}
}

// TestWhatCannotBeTested is about everything that is told before somebody waits
// for a cluster.
func TestWhatCannotBeTested(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	members := []Member{{Name: "stock", Version: "0.1.0"}}
	for name, c := range map[string]struct {
		files string
		o     Options
		want  string
	}{
		"no services":     {module, Options{}, "has no services"},
		"no tests":        {"-- go.mod --\nmodule x\n-- x_test.go --\npackage x\n\nfunc helper() {}\n", Options{Members: members}, "has no acceptance tests at"},
		"tests of a kind": {"-- go.mod --\nmodule x\n-- x_test.go --\n//go:build integration\n\npackage x\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {}\n", Options{Members: members}, "has no acceptance tests at"},
		"other tests":     {module, Options{Members: members, Suite: evidence.Sum([]byte("other"))}, "the combination has " + evidence.Sum([]byte("other")).Short()},
		"no cluster":      {module, Options{Members: members, Command: []string{"true"}, Provider: noCluster{&kindtest.EnvironmentError{What: "no engine", Remedy: "start one"}}}, "no engine; start one"},
	} {
		c.o.System, c.o.Dir = "shop", gotooltest.Write(t, t.TempDir(), c.files)
		if c.o.Suite != "" {
			c.o.Sources = source.Open(c.o.Dir)
		}
		job, _ := gotooltest.NewJob(t, Kind, c.o.Dir)
		err := New(c.o).Run(t.Context(), job)
		var notTested *pipeline.NotTested
		if !errors.As(err, &notTested) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestPreflightSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	err := New(Options{Provider: noCluster{&kindtest.EnvironmentError{What: "no engine", Remedy: "start one"}}}).Preflight(t.Context())
	var notTested *pipeline.NotTested
	if !errors.As(err, &notTested) || notTested.Remedy != "start one" {
		t.Errorf("got %v", err)
	}
	if err := New(Options{Provider: noCluster{}}).Preflight(t.Context()); err != nil {
		t.Errorf("with a cluster: %v", err)
	}
}

// TestOnlyTheCombinationItselfMakesItRed: a search accuses somebody for each red
// answer.
func TestOnlyTheCombinationItselfMakesItRed(t *testing.T) {
	t.Parallel()
	cart := &Member{Name: "cart", Version: "0.2.0"}
	refused := &url.Error{Op: "Post", URL: "https://127.0.0.1:6443", Err: syscall.ECONNREFUSED}
	for name, c := range map[string]struct {
		err            error
		red, transient bool
		text           string
	}{
		"chart":        {&memberError{cart, &kindtest.ChartError{Chart: "cart", File: "templates/x.yaml", Line: 3, Msg: "no"}}, true, false, "cart 0.2.0: cart/templates/x.yaml:3: no"},
		"hook":         {&memberError{cart, errors.New("failed pre-install: job migrate failed")}, true, false, "cart 0.2.0 cannot be installed"},
		"tests":        {&pipeline.Failure{Summary: "1 of 3 tests failed"}, true, false, "1 of 3 tests failed"},
		"connection":   {&memberError{cart, fmt.Errorf("create: %w", refused)}, false, true, "connection refused"},
		"engine":       {&memberError{cart, &kindtest.EnvironmentError{What: "no engine"}}, false, false, "no engine"},
		"rights":       {&kindtest.PermissionError{Action: "create namespaces", Remedy: "ask"}, false, false, "not allowed to create namespaces"},
		"layout":       {errors.New("OCI layout /x: no such file"), false, false, "OCI layout /x"},
		"not compiled": {&pipeline.NotTested{Why: "the acceptance tests do not compile"}, false, false, "do not compile"},
	} {
		err := verdict(t.Context(), c.err)
		var failure *pipeline.Failure
		var notTested *pipeline.NotTested
		if errors.As(err, &failure) != c.red || errors.As(err, &notTested) == c.red || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %T %v", name, err, err)
		}
		if notTested != nil && notTested.Transient != c.transient {
			t.Errorf("%s: transient is %v", name, notTested.Transient)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := verdict(cancelled, cancelled.Err()); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancellation: %v", err)
	}
}

func TestTheFirstCauseCounts(t *testing.T) {
	t.Parallel()
	real := errors.New("real")
	consequence := fmt.Errorf("install: %w", context.Canceled)
	for name, c := range map[string]struct {
		errs []error
		want error
	}{
		"none":        {[]error{nil, nil}, nil},
		"consequence": {[]error{consequence, nil, real}, real},
		"cancelled":   {[]error{consequence}, context.Canceled},
	} {
		if got := firstCause(c.errs); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
