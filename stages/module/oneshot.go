package module

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/module/instance"
)

// started is a running container and what it has written.
type started struct {
	instance.Instance
	out  *output
	file *os.File
	argv []string
}

// start starts the entrypoint; its output goes to the log and to a file of its
// own among what is kept.
func (c *checks) start(ctx context.Context, name string, argv []string, port int) (*started, error) {
	file, err := os.Create(filepath.Join(c.job.Kept, name+".log"))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.job.Log, "$ %s\n", proc.Quote(argv))
	out := &output{w: io.MultiWriter(c.job.Log, file)}
	i, err := c.machine.Start(ctx, instance.Spec{Argv: argv, Env: c.env(), Port: port, Output: out})
	if err != nil {
		file.Close()
		return nil, c.startError(ctx, err)
	}
	return &started{Instance: i, out: out, file: file, argv: argv}, nil
}

// startError tells a broken image from a broken runtime.
func (c *checks) startError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ok := err.(*instance.NotStartedError); ok {
		return err
	}
	return &pipeline.NotTested{Why: "the runtime could not start the container", Err: err}
}

// stop kills what still runs and closes the file.
func (s *started) stop() {
	s.Kill()
	s.file.Close()
}

// wait waits for the end of the process for at most limit. An error says that
// it did not end.
func (s *started) wait(ctx context.Context, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-s.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return &pipeline.Failure{
			Summary: fmt.Sprintf("%s did not end within %v", proc.Quote(s.argv), limit),
			Cause:   cause(fmt.Sprintf("%s was still running after %v", proc.Quote(s.argv), limit), s.out.String()),
		}
	}
}

// failed describes an exit that was not wanted.
func (s *started) failed(what string) *pipeline.Failure {
	return &pipeline.Failure{
		Summary: fmt.Sprintf("%s: %v", what, s.Exit()),
		Cause:   cause(fmt.Sprintf("%s: %v", proc.Quote(s.argv), s.Exit()), s.out.String()),
	}
}

// help is what the program's --help names.
type help struct{ version, dryRun, dryRunShort bool }

func (c *checks) checkHelp(ctx context.Context) error {
	s, err := c.start(ctx, "help", c.argv([]string{"--help"}), 0)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.wait(ctx, c.limits.Help); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return &skipError{"the program does not end after --help: it is taken for a server without flags"}
	}
	text, exit := s.out.String(), s.Exit()
	// The flag package of Go ended with 2 for a long time.
	if panicked(text) || !exit.OK() && (exit.Code != 2 || exit.Err != nil) {
		return s.failed("the program does not start")
	}
	c.help = parseHelp(text)
	return nil
}

// parseHelp looks for flags as flag, pflag and most others print them.
func parseHelp(text string) help {
	has := func(expr string) bool { return regexp.MustCompile(expr).MatchString(text) }
	return help{
		version:     has(`(?m)(^|[\s,\[|])--?version($|[^\w-])`),
		dryRun:      has(`(?m)(^|[\s,\[|])--?dry-run($|[^\w-])`),
		dryRunShort: has(`(?mi)^\s*-n\b.*\bdry`),
	}
}

func (c *checks) checkVersion(ctx context.Context) error {
	if !c.help.version {
		return &skipError{"--help of the program names no --version"}
	}
	s, err := c.start(ctx, "version", c.argv([]string{"--version"}), 0)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.wait(ctx, c.limits.Help); err != nil {
		return err
	}
	if !s.Exit().OK() {
		return s.failed("--version")
	}
	want := c.stage.o.Version
	if want == "" {
		want = c.image.bundle.Version
	}
	if text := s.out.String(); !hasVersion(text, want) {
		return &pipeline.Failure{
			Summary: "--version does not say " + want,
			Cause:   fmt.Sprintf("expected: %s\nprinted:  %s", want, excerpt(strings.Split(strings.TrimSpace(text), "\n"))),
		}
	}
	return nil
}

// hasVersion reports whether text has the version as a word of its own; a "v"
// before it does no harm.
func hasVersion(text, version string) bool {
	word := `[0-9A-Za-z.+-]`
	expr := regexp.MustCompile(`(^|[^0-9A-Za-z.+-])v?` + regexp.QuoteMeta(version) + `(` + word + `*)`)
	for _, m := range expr.FindAllStringSubmatch(text, -1) {
		if strings.Trim(m[2], ".") == "" { // a full stop ends a sentence
			return true
		}
	}
	return false
}

func (c *checks) checkDryRun(ctx context.Context) error {
	args, err := c.dryRunArgs()
	if err != nil {
		return err
	}
	port, _ := c.port()
	s, err := c.start(ctx, "dry-run", c.argv(args), port)
	if err != nil {
		return err
	}
	defer s.stop()
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	listens := make(chan bool, 1)
	go func() { listens <- port != 0 && s.Addr() != "" && c.answersOnce(watch, s) }()
	if err := s.wait(ctx, c.limits.DryRun); err != nil {
		return err
	}
	cancel()
	if <-listens {
		return &pipeline.Failure{
			Summary: "the dry run listens",
			Cause:   cause(fmt.Sprintf("%s: port %d answers, so it serves instead of ending", proc.Quote(s.argv), port), s.out.String()),
		}
	}
	if !s.Exit().OK() {
		return s.failed("dry run")
	}
	return nil
}

// answersOnce watches the port while the dry run lasts, and stops a program
// that serves.
func (c *checks) answersOnce(ctx context.Context, s *started) bool {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if answers(ctx, s.Instance, certain) == nil {
			s.Kill()
			return true
		}
		select {
		case <-tick.C:
		case <-s.Done():
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// dryRunArgs returns the arguments of the dry run. The flag comes first,
// unless the first argument is a subcommand.
func (c *checks) dryRunArgs() ([]string, error) {
	if len(c.stage.o.Settings.DryRun) > 0 {
		return c.stage.o.Settings.DryRun, nil
	}
	flag := "--dry-run"
	if !c.help.dryRun {
		if flag = "-n"; !c.help.dryRunShort {
			return nil, &skipError{"--help of the program names no --dry-run, and stages.module.dryRun is not set"}
		}
	}
	args := c.argv(nil)[len(c.argv([]string{})):]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return append(args, flag), nil
	}
	return append([]string{flag}, args...), nil
}

// dialer is an instance that can connect to the port inside without anything in
// between that accepts in the program's place.
type dialer interface {
	Dial(ctx context.Context) (net.Conn, error)
}

// answers connects to the program. Where something stands before it (docker's
// proxy) that accepts in any case and then closes, the connection has to stay
// for a while.
func answers(ctx context.Context, inst instance.Instance, stays time.Duration) error {
	if d, ok := inst.(dialer); ok {
		conn, err := d.Dial(ctx)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	return answersAt(ctx, inst.Addr(), stays)
}

func answersAt(ctx context.Context, addr string, stays time.Duration) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(stays)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		return nil
	}
	return err
}

// How long a connection must stay to count as taken by the program: to be ready
// it may be wrong for once, but nobody must be blamed wrongly for listening.
const (
	likely  = 100 * time.Millisecond
	certain = 2 * time.Second
)
