package unit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// ProfileFile is the name of the coverage profile below job.Out.
const ProfileFile = "coverage.out"

// Options says what to test.
type Options struct {
	Service config.Service
	// Sources are those of the service.
	Sources *source.Folder
}

// Stage runs the unit tests of one service. It is a pipeline.Stage, Keyer and
// Preflighter.
type Stage struct {
	sources  *source.Folder
	settings config.Stage
}

// New returns the unit stage of a service.
func New(o Options) *Stage {
	return &Stage{sources: o.Sources, settings: o.Service.Stages["unit"]}
}

// Key adds all code, and everything below a testdata folder, documents there
// included. Tests may read any other file of the module too; a document
// elsewhere that no go:embed names is not seen, see source.Tree.Code.
func (s *Stage) Key(ctx context.Context, in *evidence.Inputs) error {
	tree, err := s.sources.Scan(ctx)
	if err != nil {
		return err
	}
	code := tree.Code()
	code.AddTo(in)
	tree.Filter(func(p string) bool { return source.TestOnly(p) && !code.Has(p) }).AddTo(in)
	in.Value("setting unit.coverage", fmt.Sprint(s.settings.Coverage))
	in.Value("setting unit.coverpkg", s.settings.CoverPkg)
	in.Value("setting unit.race", fmt.Sprint(s.settings.Race))
	for k, v := range s.settings.Env {
		in.Digest("env "+k, evidence.Sum([]byte(v))) // may be a secret
	}
	in.Tool("go", gotool.Version())
	return nil
}

// Preflight looks for the go command, and for a C compiler if the race
// detector is asked for.
func (s *Stage) Preflight(context.Context) error {
	if err := gotool.Require(); err != nil {
		return err
	}
	if s.settings.Race {
		return requireCompiler()
	}
	return nil
}

// Run runs the tests and judges their coverage.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	if err := s.Preflight(ctx); err != nil {
		return err
	}
	own, err := ownCode(job.Dir)
	if err != nil {
		return err
	}
	profile := filepath.Join(job.Out, ProfileFile)
	res, err := s.test(ctx, job, own, profile)
	if err != nil {
		return err
	}
	cov, err := readCoverage(profile, gotool.Module(job.Dir), own)
	if err != nil {
		return err
	}
	job.Findings.Coverage = cov
	job.Findings.Summary = res.Summary()
	if cov.Statements > 0 {
		job.Findings.Summary += fmt.Sprintf(", coverage %.1f %%", cov.Percent())
	}
	return judge(cov, s.settings.Coverage)
}

// test runs the tests and writes their profile; red ones are an error.
func (s *Stage) test(ctx context.Context, job *pipeline.Job, own func(string) bool, profile string) (*gotest.Result, error) {
	packages, err := s.packages(job.Dir, own)
	if err != nil {
		return nil, err
	}
	counted, err := newUntested(job, packages)
	if err != nil {
		return nil, err
	}
	args := s.args(job.Node.Timeout, profile)
	if remember, err := s.remembers(ctx); err != nil {
		return nil, err
	} else if !remember || job.Fresh {
		args = append(args, "-count=1")
	}
	res, err := gotest.Run(ctx, job, gotest.Options{Args: args, Env: s.environment(), Packages: counted.unknown(packages)})
	if err == nil {
		err = res.Err("unit")
	}
	if err != nil {
		return nil, err
	}
	return res, counted.complete(profile)
}

// args returns the flags of `go test`. The build stage has run go vet. Beyond
// ten minutes go test needs a timeout of its own; below, its stacks come too
// late to be of use.
func (s *Stage) args(timeout time.Duration, profile string) []string {
	args := []string{"-vet=off", "-covermode=atomic", "-coverprofile=" + profile}
	if s.settings.CoverPkg != "" {
		args = append(args, "-coverpkg="+s.settings.CoverPkg)
	}
	if s.settings.Race {
		args = append(args, "-race")
	}
	if timeout > 10*time.Minute {
		args = append(args, "-timeout="+timeout.String())
	}
	return args
}

// remembers reports whether Go may give the results of tests that nothing has
// changed for since they passed. It watches the files of the module that a test
// reads, and none elsewhere.
func (s *Stage) remembers(ctx context.Context) (bool, error) {
	tree, err := s.sources.Scan(ctx)
	if err != nil {
		return false, err
	}
	elsewhere := slices.ContainsFunc(tree.Files, func(f source.File) bool { return strings.HasPrefix(f.Path, "../") })
	return !elsewhere, nil
}

// environment returns the settings' environment, sorted, and cgo for the race
// detector.
func (s *Stage) environment() []string {
	var env []string
	for k, v := range s.settings.Env {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	if s.settings.Race {
		env = append(env, "CGO_ENABLED=1")
	}
	return env
}

// requireCompiler looks for what the go command would call: $CC, else clang on
// macOS and gcc elsewhere.
func requireCompiler() error {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "gcc"
		if runtime.GOOS == "darwin" {
			cc = "clang"
		}
	}
	if _, err := exec.LookPath(cc); err != nil {
		return &pipeline.NotTested{
			Why:    fmt.Sprintf("the race detector needs cgo, and there is no C compiler %q", cc),
			Remedy: "install a C compiler, or set stages.unit.race to false",
			Err:    err,
		}
	}
	return nil
}
