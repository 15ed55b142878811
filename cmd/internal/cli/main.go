// Package cli is the command line: one file per command. stdout carries
// results only; progress and errors go to stderr.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/cmd/internal/templates"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// streams are what a command reads and writes. What passes through them is
// masked.
type streams struct {
	in       io.Reader
	out, err io.Writer
	masker   *proc.Masker
	// size is that of the terminal that err is, nil when it is none or no live
	// view is wanted there.
	size func() (width, height int)
}

// Main runs the program and returns its exit code. args includes the name of
// the program.
func Main(args []string, in io.Reader, out, stderr io.Writer) int {
	if code, done := innerProcess(args); done {
		return code
	}
	log.SetOutput(io.Discard) // Helm writes there what it thinks of values
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	// A reader of stdout that has gone away (`| head`) must not kill a run in
	// the middle: caught, the signal becomes an error of the write.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		<-ctx.Done()
		stop() // a second Ctrl-C ends the program at once
	}()
	masker := proc.NewMasker(secretsOf(os.Environ())...)
	stdout := &resultWriter{w: out}
	s := &streams{in: in, out: masker.Writer(stdout), err: masker.Writer(stderr), masker: masker, size: terminalSize(stderr)}
	err := execute(ctx, s, args[1:])
	closeWriter(s.out)
	shown := err
	if stages := (*stagesError)(nil); errors.As(err, &stages) {
		shown = nil // by the run
	}
	shown, err = cmp.Or(shown, stdout.err), cmp.Or(err, stdout.err)
	if shown != nil {
		fmt.Fprintf(s.err, "pipeline: %v\n", shown)
	}
	closeWriter(s.err)
	if ctx.Err() != nil && err != nil {
		return exitCancelled
	}
	return exitCode(err)
}

// endings are the signals that end a run in order: Ctrl-C, the end of a CI job,
// and a terminal that is gone, unless nohup says that this does not matter.
func endings() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// resultWriter is stdout. It keeps the first failure to write, which makes the
// program fail: whoever reads the results must not take a part for the whole. A
// reader that has gone away (`| head`) has what it wanted.
type resultWriter struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (r *resultWriter) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	if err != nil && r.err == nil && !errors.Is(err, syscall.EPIPE) {
		r.err = fmt.Errorf("write the results to stdout: %w", err)
	}
	return n, err
}

func closeWriter(w io.Writer) { _ = w.(io.Closer).Close() }

// execute parses the arguments and runs the command they name.
func execute(ctx context.Context, s *streams, args []string) error {
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	return root.ExecuteContext(ctx)
}

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "pipeline",
		Short: "Build, test and release containerised microservices, the same on a laptop and in GitLab",
		Long: `pipeline runs the stages of a containerised microservice: build, unit, lint,
container, module and integration, the last one in a namespace of a real
Kubernetes. What has a verdict for exactly these inputs is not run again.

Exit codes: 0 done; 1 a stage failed; 2 wrong usage or configuration;
3 environment, or something is not tested; 4 a gate refused;
5 nothing to release, with --exit-code; 130 cancelled.`,
		Version:       ownVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return cmd.Help()
		},
		Args: usageArgs(cobra.NoArgs),
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if err := templates.Check(os.Getenv(templates.Variable), ownVersion()); err != nil {
				return &usageError{err}
			}
			return nil
		},
	}
	root.Flags().Bool("version", false, "print the version") // cobra's own takes -v
	root.SetVersionTemplate("pipeline {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.AddCommand(newRun(s), newInit(s), newPlan(s), newExplain(s), newReport(s), newRelease(s), newSystem(s), newVerify(s), newAttest(s), newKeys(s), newRegistry(s), newCache(s), newCluster(s), newDoctor(s), newSchema(s), newVersion(s), newCompletion(s))
	addCompletions(root)
	return root
}

// usageArgs makes a refusal of positional arguments a usage error.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
		}
		return nil
	}
}

// group makes a command out of others: alone it prints its help, and what is
// none of them is a usage error.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.Args = usageArgs(cobra.NoArgs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.AddCommand(commands...)
	return cmd
}

// secretsOf returns the values of the environment variables that hold a secret
// by their name: tokens, passwords, keys, as GitLab and its users name them.
func secretsOf(environ []string) []string {
	var secrets []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		name = strings.ToUpper(name)
		for _, word := range []string{"TOKEN", "PASSWORD", "PASSWD", "SECRET", "PRIVATE_KEY", "SIGNING_KEY"} {
			// A path to a secret is no secret, and masking it would make
			// messages about it useless.
			if strings.Contains(name, word) && !strings.HasPrefix(value, "/") {
				secrets = append(secrets, value)
			}
		}
	}
	return secrets
}
