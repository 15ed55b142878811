package bench

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// Options says what to measure.
type Options struct {
	Service config.Service
	// Sources are those of the service.
	Sources *source.Folder
}

// Stage runs the benchmarks of one service. It is a pipeline.Stage, Keyer and
// Preflighter; its node is to be on demand.
type Stage struct {
	sources  *source.Folder
	settings config.Stage
}

// New returns the bench stage of a service.
func New(o Options) *Stage {
	return &Stage{sources: o.Sources, settings: o.Service.Stages["bench"]}
}

// Key adds all code and what testdata folders hold.
func (s *Stage) Key(ctx context.Context, in *evidence.Inputs) error {
	tree, err := s.sources.Scan(ctx)
	if err != nil {
		return err
	}
	code := tree.Code()
	code.AddTo(in)
	tree.Filter(func(p string) bool { return source.TestOnly(p) && !code.Has(p) }).AddTo(in)
	in.Value("setting bench", strings.Join(s.flags(0), " "))
	for k, v := range s.settings.Env {
		in.Digest("env "+k, evidence.Sum([]byte(v)))
	}
	in.Tool("go", gotool.Version())
	return nil
}

// Preflight looks for the go command.
func (s *Stage) Preflight(context.Context) error { return gotool.Require() }

// Run measures.
func (s *Stage) Run(ctx context.Context, job *pipeline.Job) error {
	packages, err := withBenchmarks(job.Dir)
	if err != nil {
		return err
	}
	if len(packages) == 0 {
		return &pipeline.NotApplicable{Why: "the module has no benchmarks"}
	}
	out, err := s.measure(ctx, job, packages)
	results := Parse(bytes.NewReader(out))
	job.Findings.Benchmarks = results
	if err != nil {
		return failure(err, string(out))
	}
	if len(results) == 0 {
		return &pipeline.NotTested{Why: "no benchmark was executed", Remedy: "see in the log why they were skipped"}
	}
	job.Findings.Summary = summary(results)
	return nil
}

func (s *Stage) measure(ctx context.Context, job *pipeline.Job, packages []string) ([]byte, error) {
	var env []string
	for k, v := range s.settings.Env {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	cmd := gotool.Go{Job: job, Env: env}.Command(append(s.flags(job.Node.Timeout), packages...)...)
	fmt.Fprintf(job.Log, "$ %s\n", proc.Quote(cmd.Args))
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(job.Log, &out)
	cmd.Stderr = cmd.Stdout
	err := cmd.Run(ctx)
	if blame := gotool.Blame(err, out.String()); blame != nil {
		err = blame
	}
	return out.Bytes(), err
}

// flags returns the words between "go" and the packages. The stage's own
// timeout is the bound; go test's default of ten minutes would come first.
func (s *Stage) flags(timeout time.Duration) []string {
	return []string{
		"test", "-run=^$", "-bench=.", "-benchmem",
		"-count=" + strconv.Itoa(max(s.settings.Count, 1)),
		"-benchtime=" + cmp.Or(s.settings.BenchTime, "1s"),
		"-timeout=" + timeout.String(),
	}
}

// withBenchmarks returns the packages that have benchmarks.
func withBenchmarks(dir string) ([]string, error) {
	files, err := gotool.TestFiles(dir, "")
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(f gotool.TestFile) bool { return len(f.Benchmarks) == 0 })
	return gotool.Packages(files), nil
}

// failure shows what went wrong without the results around it.
func failure(err error, out string) error {
	var lines []string
	for line := range strings.Lines(gotool.Complaints(out)) {
		if _, ok := parseLine(line); !ok && !isConfig(line) {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return gotool.Red(err, "benchmarks failed", strings.Join(lines, "\n"))
}

func summary(results []pipeline.Benchmark) string {
	names := map[string]bool{}
	for _, b := range results {
		names[b.Package+" "+b.Name] = true
	}
	if len(names) == 1 {
		return "1 benchmark"
	}
	return fmt.Sprintf("%d benchmarks", len(names))
}
