package module

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/module/instance"
)

// serve starts the program for good: readiness, the service's own tests, and
// its end after SIGTERM.
func (c *checks) serve(ctx context.Context) error {
	port, noPort := c.port()
	var s *started
	err := c.check("ready", func() (err error) {
		if s, err = c.start(ctx, "serve", c.argv(nil), port); err != nil {
			return err
		}
		return c.checkReady(ctx, s, noPort)
	})
	if s == nil {
		return err
	}
	defer s.stop()
	if err != nil || c.isRed("ready") {
		return err
	}
	if err := c.moduleTests(ctx, s.Addr()); err != nil {
		return err
	}
	return c.check("SIGTERM", func() error { return c.checkStop(ctx, s) })
}

func (c *checks) isRed(name string) bool {
	for _, r := range c.red {
		if r.name == name {
			return true
		}
	}
	return false
}

// pollEvery is the pause between two looks at a starting program.
const pollEvery = 20 * time.Millisecond

func (c *checks) checkReady(ctx context.Context, s *started, noPort error) error {
	if noPort != nil {
		err := s.wait(ctx, settle)
		if err == nil && !s.Exit().OK() {
			return s.failed("the program ended")
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return noPort
	}
	probe, err := probeOf(c.stage.o.Settings.Ready)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, c.limits.Ready)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		err := probe.check(limited, s.Instance)
		if err == nil {
			return nil
		}
		if last == nil || limited.Err() == nil { // the limit is no answer
			last = err
		}
		select {
		case <-s.Done():
			return s.failed("the program ended before it was ready")
		case <-limited.Done():
			return c.notReady(ctx, s, probe.name, last)
		case <-tick.C:
		}
	}
}

func (c *checks) notReady(ctx context.Context, s *started, probe string, last error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	port, _ := c.port()
	return &pipeline.Failure{
		Summary: fmt.Sprintf("not ready within %v (%s, port %d)", c.limits.Ready, probe, port),
		Cause:   cause(fmt.Sprintf("the last answer of port %d was: %v\nthe program's output:", port, last), s.out.String()),
	}
}

// checkStop asks the program to end, as an engine or a kubelet would.
func (c *checks) checkStop(ctx context.Context, s *started) error {
	select {
	case <-s.Done():
		if _, err := c.port(); err != nil && s.Exit().OK() {
			return &skipError{"the program had ended by itself"}
		}
		return s.failed("the program ended before SIGTERM")
	default:
	}
	limit := c.stage.o.Settings.Stop
	if limit == 0 {
		limit = defaultStop
	}
	if err := s.Signal(syscall.SIGTERM); err != nil {
		return &pipeline.NotTested{Why: "the runtime could not send SIGTERM", Err: err}
	}
	err := s.wait(ctx, limit)
	var failure *pipeline.Failure
	if errors.As(err, &failure) {
		return &pipeline.Failure{
			Summary: fmt.Sprintf("still running %v after SIGTERM", limit),
			Cause:   cause(fmt.Sprintf("the program did not end within %v of SIGTERM; a cluster would kill it", limit), s.out.String()),
		}
	}
	if err != nil {
		return err
	}
	if !endedBySIGTERM(s.Exit()) {
		return s.failed("after SIGTERM")
	}
	return nil
}

// endedBySIGTERM reports whether the end is the one that was asked for: in
// order, or by the signal itself, in a program that does not catch it (an
// engine says 128 + 15 then).
func endedBySIGTERM(e instance.Exit) bool {
	return e.OK() || e.Err == nil && (e.Signal == syscall.SIGTERM || e.Code == 128+int(syscall.SIGTERM))
}
