package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
	"gitlab.com/selfcontained/pipeline/stages/internal/installation"
)

// suite is the acceptance tests, once they are found to be there.
type suite interface {
	// run runs the tests with additions to the environment, adds them to the
	// job's findings and returns in a few words what was done.
	run(ctx context.Context, job *pipeline.Job, env []string) (string, error)
	// settle waits until nothing that belongs to the suite goes on any more.
	settle()
}

// openSuite looks for the tests, so that nobody waits for a system that nothing
// is done with, and begins to compile them.
func (s *Stage) openSuite(ctx context.Context, job *pipeline.Job) (suite, error) {
	if len(s.o.Command) > 0 {
		return commandSuite{s.o.Dir, s.o.Command}, nil
	}
	if err := gotool.Require(); err != nil {
		return nil, err
	}
	packages, err := testPackages(s.o.Dir)
	if err != nil {
		return nil, err
	}
	if len(packages) == 0 {
		return nil, &pipeline.NotTested{
			Why:    fmt.Sprintf("system %s has no acceptance tests at %s", s.o.System, s.o.Dir),
			Remedy: "write Go tests there that dial $PIPELINE_ADDR_<NAME>",
		}
	}
	g := &goSuite{dir: s.o.Dir, packages: packages, timeout: s.o.Timeout}
	g.wait = g.compileAside(ctx, job, s.o.Cache)
	return g, nil
}

// testPackages returns the folders with tests that have the tag or none.
func testPackages(dir string) ([]string, error) {
	var with []gotool.TestFile
	for _, tag := range []string{"", Tag} {
		files, err := gotool.TestFiles(dir, tag)
		if err != nil {
			return nil, fmt.Errorf("look for acceptance tests: %w", err)
		}
		with = append(with, slices.DeleteFunc(files, func(f gotool.TestFile) bool {
			return len(f.Tests)+len(f.Fuzzers)+len(f.Examples) == 0
		})...)
	}
	return gotool.Packages(with), nil
}

// test runs the suite with the addresses of all services.
func (d *deployment) test(ctx context.Context, s suite) error {
	env, stop, err := d.environment(ctx)
	if err != nil {
		return err
	}
	defer stop()
	d.job.Say("testing")
	limited, cancel := context.WithTimeout(ctx, d.stage.o.Timeout)
	defer cancel()
	summary, err := s.run(limited, d.job, env)
	if ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return late(err, d.stage.o.Timeout)
	}
	if err != nil {
		return err
	}
	d.job.Findings.Summary = fmt.Sprintf("%s in %s%s", summary, d.cluster.Name, installation.Times(d.job.Findings.Phases, "ready", "tests"))
	return nil
}

// late is the verdict on tests that took too long, with the tests that hung if
// they are known.
func late(err error, limit time.Duration) error {
	f := &pipeline.Failure{Summary: fmt.Sprintf("the acceptance tests were not done after %v", limit)}
	var tests *pipeline.Failure
	if errors.As(err, &tests) {
		f.Cause = tests.Cause
	}
	return f
}

// environment opens a local port for each service and returns what the tests
// are told. stop closes the ports.
func (d *deployment) environment(ctx context.Context) (env []string, stop func(), err error) {
	defer d.job.Phase("ports")()
	data, kubeconfig, err := d.folders()
	if err != nil {
		return nil, nil, err
	}
	forwards, err := d.lease.ForwardAll(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, without := range forwards.Without {
		fmt.Fprintf(d.job.Log, "no address: %s\n", without)
	}
	env = []string{
		"PIPELINE_SYSTEM=" + d.stage.o.System,
		"PIPELINE_COMBINATION=" + string(d.stage.o.ID),
		"PIPELINE_NAMESPACE=" + d.lease.Namespace,
		"PIPELINE_KUBECONFIG=" + kubeconfig,
		"PIPELINE_TLS_CA=" + d.ca,
		"PIPELINE_DATA=" + data,
	}
	for _, m := range d.members {
		env = append(env, "PIPELINE_VERSION_"+installation.EnvName(m.Name)+"="+m.Version)
	}
	for _, name := range forwards.Services() {
		env = append(env, "PIPELINE_ADDR_"+installation.EnvName(name)+"="+forwards.Addrs[name])
	}
	return env, func() { _ = forwards.Close() }, nil
}

// folders makes the scratch folder of the tests, and a copy of the kubeconfig
// that they may spoil.
func (d *deployment) folders() (data, kubeconfig string, err error) {
	data, kubeconfig = filepath.Join(d.job.Scratch, "data"), filepath.Join(d.job.Scratch, "kubeconfig")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return "", "", err
	}
	content, err := os.ReadFile(d.cluster.Kubeconfig)
	if err != nil {
		return "", "", err
	}
	return data, kubeconfig, os.WriteFile(kubeconfig, content, 0o600)
}

// goSuite is a module of Go tests.
type goSuite struct {
	dir      string
	packages []string
	timeout  time.Duration
	wait     func() *gotest.Binaries
}

func (g *goSuite) settle() { g.wait() }

// options of the go command, the same for compiling and running.
func (g *goSuite) options() gotest.Options {
	return gotest.Options{Dir: g.dir, Args: []string{"-tags=" + Tag}, Packages: g.packages}
}

func (g *goSuite) run(ctx context.Context, job *pipeline.Job, env []string) (string, error) {
	binaries := g.wait()
	done := job.Phase("tests")
	o := g.options()
	o.Env = env
	// A binary that ends by itself says which test hung. It is the last flag of
	// its name that counts.
	o.TestArgs = []string{fmt.Sprintf("-test.timeout=%v", g.timeout*9/10), "-test.count=1"}
	result, err := binaries.Run(ctx, job, o)
	done()
	if err != nil {
		return "", err
	}
	return result.Summary(), judge(result)
}

// judge returns the verdict on what was run. Tests that were not compiled say
// nothing about the system.
func judge(result *gotest.Result) error {
	err := result.Err(Tag)
	var failure *pipeline.Failure
	var notTested *pipeline.NotTested
	switch {
	case errors.As(err, &notTested):
		notTested.Remedy = "see in the suite why none was: every test may have been skipped"
	case errors.As(err, &failure) && result.Failed == 0 && slices.ContainsFunc(result.Packages, func(p gotest.Package) bool { return p.BuildFailed }):
		return &pipeline.NotTested{
			Why:    "the acceptance tests do not compile: " + strings.ReplaceAll(failure.Cause, "\n", "; "),
			Remedy: "mend them: go vet -tags " + Tag + " ./...",
		}
	case errors.As(err, &failure):
		failure.Summary += named(result.Tests)
	}
	return err
}

// mostNamed is how many failed tests a summary names.
const mostNamed = 3

// named lists the failed tests that have no failed test below them: ": TestA,
// TestB/empty and 3 more".
func named(tests []pipeline.Test) string {
	var names []string
	for _, t := range tests {
		below := func(c pipeline.Test) bool {
			return c.Status == pipeline.TestFailed && c.Package == t.Package && strings.HasPrefix(c.Name, t.Name+"/")
		}
		if t.Status == pipeline.TestFailed && !strings.HasPrefix(t.Name, "(") && !slices.ContainsFunc(tests, below) {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	text := ": " + strings.Join(names[:min(len(names), mostNamed)], ", ")
	if over := len(names) - mostNamed; over > 0 {
		text += fmt.Sprintf(" and %d more", over)
	}
	return text
}
