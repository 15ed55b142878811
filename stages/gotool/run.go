package gotool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// captured bounds the output that Run returns, in bytes.
const captured = 4 << 20

// Go runs the go command for one stage. The zero value of every field but Job
// is useful.
type Go struct {
	Job *pipeline.Job
	// Dir is the working directory; empty is the service's folder.
	Dir string
	// Env is added to the job's environment and to [Env].
	Env []string
	// Log receives the output as it comes; nil is the job's log.
	Log io.Writer
	// Quiet keeps stdout (not stderr) out of the log.
	Quiet bool
}

// Command returns the command `go ARGS...` in the fixed environment.
func (g Go) Command(args ...string) proc.Cmd {
	cmd := g.Job.Command(append([]string{"go"}, args...)...)
	cmd.Env = append(append(cmd.Env, Env()...), g.Env...)
	if g.Dir != "" {
		cmd.Dir = g.Dir
	}
	if g.Log != nil {
		cmd.Stdout, cmd.Stderr = g.Log, g.Log
	}
	return cmd
}

// Run runs `go ARGS...` and returns the first 4 MiB of its stdout and of its
// stderr. The error is a *pipeline.NotTested when the environment is to blame
// (no go, no network) or the context's, and otherwise the command's *proc.Error.
func (g Go) Run(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	cmd := g.Command(args...)
	log := cmd.Stdout
	fmt.Fprintf(log, "$ %s\n", proc.Quote(cmd.Args))
	out, errs := &head{limit: captured}, &head{limit: captured}
	cmd.Stdout, cmd.Stderr = out, io.MultiWriter(log, errs)
	err = cmd.Run(ctx)
	if !g.Quiet {
		_, _ = log.Write(out.buf.Bytes())
	}
	if blame := Blame(err, errs.buf.String()); blame != nil {
		err = blame
	}
	return out.buf.String(), errs.buf.String(), err
}

// head keeps the first bytes written to it.
type head struct {
	limit int
	buf   bytes.Buffer
}

func (h *head) Write(p []byte) (int, error) {
	h.buf.Write(p[:max(0, min(len(p), h.limit-h.buf.Len()))])
	return len(p), nil
}

// Blame returns what kept a go command that failed with err from doing its
// work when that is not the code: a *pipeline.NotTested for a missing go or a
// network failure (told by what the command wrote to stderr), err itself when
// it was cancelled. It returns nil when the code is to blame, or nobody.
func Blame(err error, stderr string) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case proc.NotFound(err):
		return noToolchain(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case !errors.As(err, &exit):
		return err
	}
	if line := networkLine(stderr); line != "" {
		return &pipeline.NotTested{
			Why:       "Go modules could not be fetched: " + line,
			Remedy:    "check the network and GOPROXY, or run `go mod download` where there is one",
			Transient: true, Err: err,
		}
	}
	if strings.Contains(stderr, "(running go ") && strings.Contains(stderr, "GOTOOLCHAIN=local") {
		return &pipeline.NotTested{
			Why:    "the module asks for a newer Go: " + firstLine(stderr),
			Remedy: "install that Go, or let GOTOOLCHAIN=auto fetch it", Err: err,
		}
	}
	return nil
}

// network matches what the go command says when it cannot reach a proxy, a
// checksum database or a repository. A test's own "connection refused" is not
// meant: those lines do not name a download.
var network = regexp.MustCompile(`(?i)(Get "https?://[^"]*": |: reading https?://\S+: 5\d\d |fatal: unable to access |` +
	`module lookup disabled by GOPROXY=off|cannot find module providing package .*: (dial|lookup) |` +
	`^go: .*(dial tcp|i/o timeout|no such host|TLS handshake timeout|connection (refused|reset)|could not resolve host))`)

// networkLine returns the first line that tells of a failed download.
func networkLine(text string) string {
	for line := range strings.Lines(text) {
		if network.MatchString(line) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
