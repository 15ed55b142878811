package module

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
	"gitlab.com/selfcontained/pipeline/stages/module/instance"
	"gitlab.com/selfcontained/pipeline/stages/module/rootfs"
)

// Limits bound the checks. Zero means the default.
type Limits struct {
	Help   time.Duration // for --help and --version; default 5s
	DryRun time.Duration // default 30s
	Ready  time.Duration // until the program is ready; default 20s
}

func (l Limits) orDefault() Limits {
	or := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	or(&l.Help, 5*time.Second)
	or(&l.DryRun, 30*time.Second)
	or(&l.Ready, 20*time.Second)
	return l
}

// defaultStop is the time that a program has to end after SIGTERM.
const defaultStop = 10 * time.Second

// settle is how long a program without a port must have been running before it
// is taken to have started.
const settle = 300 * time.Millisecond

// checks is the state of one run over the image.
type checks struct {
	stage   *Stage
	job     *pipeline.Job
	image   *image
	machine machine
	limits  Limits
	help    help
	red     []redCheck
	tests   int // executed Go tests
	// binaries waits for the compiled Go tests.
	binaries func() *gotest.Binaries
}

// redCheck is a check that failed.
type redCheck struct {
	name string
	*pipeline.Failure
}

// skipError says why a check does not apply.
type skipError struct{ why string }

func (e *skipError) Error() string { return e.why }

// all makes the checks in their order. An error is not about the image.
func (c *checks) all(ctx context.Context) error {
	if err := c.check("entrypoint --help", func() error { return c.checkHelp(ctx) }); err != nil || len(c.red) > 0 {
		return err // a program that does not start fails everything else, too
	}
	if err := c.check("version", func() error { return c.checkVersion(ctx) }); err != nil {
		return err
	}
	if err := c.check("dry run", func() error { return c.checkDryRun(ctx) }); err != nil {
		return err
	}
	return c.serve(ctx)
}

// check makes one check and records it. Failures are collected; other errors
// end the stage.
func (c *checks) check(name string, do func() error) error {
	c.job.Say(name)
	start := time.Now()
	err := do()
	test := pipeline.Test{Package: Kind, Name: name, Status: pipeline.TestPassed, Time: time.Since(start)}
	var failure *pipeline.Failure
	var skip *skipError
	var notStarted *instance.NotStartedError
	switch {
	case err == nil:
	case errors.As(err, &skip):
		test.Status, test.Output = pipeline.TestSkipped, skip.why
	case errors.As(err, &notStarted):
		failure = &pipeline.Failure{Summary: notStarted.Error(), Cause: notStarted.Error()}
		fallthrough
	case errors.As(err, &failure):
		test.Status, test.Output = pipeline.TestFailed, failure.Summary+"\n"+failure.Cause
		c.red = append(c.red, redCheck{name, failure})
	default:
		return err
	}
	fmt.Fprintf(c.job.Log, "--- %s: %s (%.2fs)\n", test.Status, name, test.Time.Seconds())
	if test.Output != "" {
		fmt.Fprintf(c.job.Log, "    %s\n", strings.ReplaceAll(strings.TrimSpace(test.Output), "\n", "\n    "))
	}
	c.job.Findings.Tests = append(c.job.Findings.Tests, test)
	return nil
}

// entrypoint checks what can be seen without running anything, and reports
// whether it makes sense to go on.
func (c *checks) entrypoint() bool {
	_ = c.check("entrypoint", func() error {
		entry, _ := rootfs.Argv(c.image.config)
		if len(entry) == 0 {
			return &pipeline.Failure{
				Summary: "the image has no entrypoint", Cause: "neither Entrypoint nor Cmd is set in the image's config",
			}
		}
		err := rootfs.CheckEntrypoint(c.image.root, entry[0], c.image.config.Env, c.image.config.WorkingDir, runtime.GOARCH)
		if err != nil {
			return &pipeline.Failure{Summary: "the entrypoint cannot be started", Cause: err.Error()}
		}
		return nil
	})
	return len(c.red) == 0
}

// argv returns the entrypoint with arguments; nil means those of the settings,
// and without these the image's own.
func (c *checks) argv(args []string) []string {
	entry, cmd := rootfs.Argv(c.image.config)
	switch {
	case args != nil:
		return append(entry, args...)
	case len(c.stage.o.Settings.Args) > 0:
		return append(entry, c.stage.o.Settings.Args...)
	}
	return append(entry, cmd...)
}

// env returns the settings' environment in a fixed order.
func (c *checks) env() []string {
	var all []string
	for k, v := range c.stage.o.Settings.Env {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	return all
}

// port returns the port to reach, or why there is none.
func (c *checks) port() (int, error) {
	if p := c.stage.o.Settings.Port; p != 0 {
		return p, nil
	}
	var ports []int
	for spec := range c.image.config.ExposedPorts {
		number, protocol, _ := strings.Cut(spec, "/")
		if n, err := strconv.Atoi(number); err == nil && (protocol == "" || protocol == "tcp") {
			ports = append(ports, n)
		}
	}
	switch len(ports) {
	case 1:
		return ports[0], nil
	case 0:
		return 0, &skipError{"the image exposes no port, and stages.module.port is not set"}
	}
	return 0, &skipError{fmt.Sprintf("the image exposes %d ports, and stages.module.port does not say which", len(ports))}
}

// verdict sums up.
func (c *checks) verdict() error {
	executed := 0
	for _, t := range c.job.Findings.Tests {
		if t.Package == Kind && t.Status != pipeline.TestSkipped {
			executed++
		}
	}
	c.job.Findings.Summary = fmt.Sprintf("%d checks", executed)
	if _, noPort := c.port(); noPort != nil {
		c.job.Findings.Summary += ", readiness not checked: " + noPort.Error()
	}
	if c.tests > 0 {
		c.job.Findings.Summary += fmt.Sprintf(", %d module test", c.tests)
		if c.tests > 1 {
			c.job.Findings.Summary += "s"
		}
	}
	if name := c.job.Findings.Facts["runtime"]; name != "" {
		c.job.Findings.Summary += " (" + name + ")"
	}
	if len(c.red) == 0 {
		return nil
	}
	return c.failure()
}

// failure joins the red checks, the first one's cause in full.
func (c *checks) failure() *pipeline.Failure {
	if len(c.red) == 1 {
		return &pipeline.Failure{Summary: c.red[0].name + ": " + c.red[0].Summary, Cause: c.red[0].Cause}
	}
	var names, lines []string
	for _, r := range c.red {
		names = append(names, r.name)
		lines = append(lines, r.name+": "+r.Summary)
		for line := range strings.Lines(r.Cause) {
			lines = append(lines, "  "+strings.TrimRight(line, "\n"))
		}
	}
	return &pipeline.Failure{
		Summary: fmt.Sprintf("%d checks failed: %s", len(names), strings.Join(names, ", ")),
		Cause:   excerpt(lines),
	}
}
