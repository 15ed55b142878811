package lint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// StaticcheckVersion is the release that checks modules which pin none.
const StaticcheckVersion = "v0.8.2"

const staticcheckPath = "honnef.co/go/tools/cmd/staticcheck"

// checker is a staticcheck that can be run.
type checker struct {
	args []string // the command
	env  []string
}

// staticcheck returns the module's own, or the built one of the cache.
func (s *Stage) staticcheck(ctx context.Context, job *pipeline.Job) (checker, error) {
	var flags []string
	if len(s.settings.Checks) > 0 {
		flags = []string{"-checks=" + strings.Join(s.settings.Checks, ",")}
	}
	var env []string
	if s.o.CacheDir != "" {
		env = []string{"STATICCHECK_CACHE=" + filepath.Join(s.o.CacheDir, "staticcheck-results")}
	}
	if gotool.HasTool(job.Dir, staticcheckPath) {
		return checker{append([]string{"go", "tool", "staticcheck", "-f=json"}, flags...), env}, nil
	}
	program, err := s.install(ctx, job)
	return checker{append([]string{program, "-f=json"}, flags...), env}, err
}

// run runs staticcheck. It ends with status 1 when it has found something, and
// also when it could not do its work.
func (c checker) run(ctx context.Context, job *pipeline.Job, p pass, found *issues) error {
	cmd := job.Command(append(c.args, p.args()...)...)
	cmd.Env = append(append(cmd.Env, gotool.Env()...), c.env...)
	fmt.Fprintf(job.Log, "$ %s\n", proc.Quote(cmd.Args))
	var out, stderr bytes.Buffer
	known := len(found.list)
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(job.Log, &stderr)
	err := cmd.Run(ctx)
	reported, perr := parseStaticcheck(&out, found)
	if perr != nil && err == nil {
		return perr
	}
	for _, i := range found.list[known:] {
		fmt.Fprintf(job.Log, "%s:%d:%d: %s (%s)\n", i.Path, i.Line, i.Column, i.Message, i.Check)
	}
	if err == nil || proc.ExitCode(err) == 1 && reported > 0 {
		return nil
	}
	if blame := gotool.Blame(err, stderr.String()); blame != nil {
		return blame
	}
	return gotool.Red(err, "staticcheck failed", stderr.String())
}

// parseStaticcheck reads the lines of `staticcheck -f json`
// (https://staticcheck.dev/docs/running-staticcheck/cli/formatters) and returns
// how many there are, those that were found before included.
func parseStaticcheck(r io.Reader, found *issues) (reported int, err error) {
	d := json.NewDecoder(r)
	for {
		var p struct {
			Code, Severity, Message string
			Location                struct {
				File         string
				Line, Column int
			}
		}
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return reported, nil
		}
		if err != nil {
			return reported, fmt.Errorf("read the output of staticcheck: %w", err)
		}
		reported++
		if p.Severity != "ignored" {
			found.add(p.Location.File, p.Location.Line, p.Location.Column, p.Code, severity(p.Code), p.Message)
		}
	}
}

// severity: what does not compile is critical, style and quick fixes are minor.
func severity(code string) string {
	switch {
	case code == "compile" || code == "config":
		return "critical"
	case strings.HasPrefix(code, "ST"), strings.HasPrefix(code, "QF"):
		return "minor"
	}
	return "major"
}

// install returns the built staticcheck, and builds it first if this version
// of it was not yet built with this version of Go.
func (s *Stage) install(ctx context.Context, job *pipeline.Job) (string, error) {
	if s.o.CacheDir == "" {
		return "", errors.New("lint: no cache folder for staticcheck was given")
	}
	// The module may ask for another Go than the one in PATH, and staticcheck
	// must not be older than the code that it reads.
	version, stderr, err := gotool.Go{Job: job, Quiet: true}.Run(ctx, "env", "GOVERSION", "GOHOSTOS", "GOHOSTARCH")
	if err != nil {
		return "", gotool.Red(err, "go env failed", stderr)
	}
	words := strings.Fields(version)
	dir := filepath.Join(s.o.CacheDir, "staticcheck-"+StaticcheckVersion+"-"+strings.Join(words, "-"))
	program := filepath.Join(dir, "staticcheck")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(program); err == nil { // another run was faster
		return program, nil
	}
	return program, build(ctx, job, dir, program, words)
}

// build downloads and builds staticcheck below dir. The program appears under
// its name when it is complete.
func build(ctx context.Context, job *pipeline.Job, dir, program string, words []string) error {
	job.Say("building staticcheck " + StaticcheckVersion + " (once)")
	fmt.Fprintf(job.Log, "staticcheck %s is not in the cache: it is downloaded and built, once for this version of Go\n", StaticcheckVersion)
	tmp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	g := gotool.Go{Job: job, Dir: tmp, Env: []string{"GOBIN=" + tmp}}
	if len(words) > 0 && words[0] != gotool.Version() && strings.HasPrefix(words[0], "go") {
		g.Env = append(g.Env, "GOTOOLCHAIN="+words[0])
	}
	_, stderr, err := g.Run(ctx, "install", staticcheckPath+"@"+StaticcheckVersion)
	if err != nil {
		return notInstalled(err, stderr)
	}
	return os.Rename(filepath.Join(tmp, "staticcheck"), program)
}

// notInstalled is never the fault of the code that is to be checked.
func notInstalled(err error, stderr string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var environment *pipeline.NotTested
	why := "staticcheck " + StaticcheckVersion + " could not be built"
	if !errors.As(err, &environment) && stderr != "" {
		why += ": " + gotool.Clip(strings.Split(strings.TrimSpace(stderr), "\n")[0])
	}
	return &pipeline.NotTested{
		Why:       why,
		Remedy:    "run once with a network, or pin it in the module: go get -tool " + staticcheckPath + "@" + StaticcheckVersion,
		Transient: environment != nil && environment.Transient, Err: err,
	}
}
