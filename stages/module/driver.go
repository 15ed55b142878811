package module

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/module/engine"
	"gitlab.com/selfcontained/pipeline/stages/module/instance"
	"gitlab.com/selfcontained/pipeline/stages/module/sandbox"
)

// machine starts containers of one image.
type machine interface {
	Start(context.Context, instance.Spec) (instance.Instance, error)
}

// driver makes machines.
type driver interface {
	Name() string
	// Visible guesses, without starting a process, whether Open would work.
	Visible() bool
	// Open makes a machine for the image, and says in a few words what it is.
	// An *unavailableError means that another driver may do.
	Open(ctx context.Context, job *pipeline.Job, img *image) (machine, string, error)
	// Sweep removes what was left for a node of a run, or for the whole run
	// when node is empty. An engine that does not answer has nothing.
	Sweep(ctx context.Context, run, node string) error
}

// unavailableError says that a driver does not work on this machine.
type unavailableError struct{ err error }

func (e *unavailableError) Error() string { return e.err.Error() }

func (e *unavailableError) Unwrap() error { return e.err }

// drivers returns all, in the order in which they are tried.
func drivers() []driver {
	return []driver{sandboxDriver{}, engineDriver{engine.Docker}, engineDriver{engine.Podman}}
}

// candidates returns the drivers that the settings allow.
func (s *Stage) candidates() []driver {
	want := s.o.Settings.Runtime
	return slices.DeleteFunc(slices.Clone(s.drivers), func(d driver) bool { return want != "" && d.Name() != want })
}

// choose opens the first driver that works.
func (c *checks) choose(ctx context.Context) error {
	var why []string
	for _, d := range c.stage.candidates() {
		c.job.Say("trying " + d.Name())
		c.stage.use(d)
		m, fact, err := d.Open(ctx, c.job, c.image)
		var unavailable *unavailableError
		switch {
		case err == nil:
			c.machine = m
			c.job.Findings.Facts = map[string]string{"runtime": d.Name(), "runtime detail": fact, "bundle": c.image.bundle.Digest}
			fmt.Fprintf(c.job.Log, "runtime: %s (%s)\n", d.Name(), fact)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &unavailable):
			return &pipeline.NotTested{Why: d.Name() + " does not take the image", Err: err, Transient: true}
		}
		why = append(why, d.Name()+": "+strings.ReplaceAll(err.Error(), "\n", ", "))
	}
	if len(why) == 0 {
		why = []string{fmt.Sprintf("%q is no runtime", c.stage.o.Settings.Runtime)}
	}
	return &pipeline.NotTested{
		Why:    "no runtime works here: " + strings.Join(why, "; "),
		Remedy: "allow user namespaces, start docker or podman, or choose another with stages.module.runtime",
	}
}

// sandboxDriver runs images without an engine.
type sandboxDriver struct{}

func (sandboxDriver) Name() string { return "sandbox" }

func (sandboxDriver) Visible() bool { return sandbox.Possible() }

func (sandboxDriver) Sweep(context.Context, string, string) error { return nil }

func (sandboxDriver) Open(ctx context.Context, job *pipeline.Job, img *image) (machine, string, error) {
	mode, err := sandbox.Choose(ctx, job.Scratch)
	if err != nil {
		return nil, "", &unavailableError{err}
	}
	box, err := sandbox.New(mode, sandbox.Image{
		Root: img.root, User: img.user, WorkDir: img.config.WorkingDir,
		Env:      append([]string{proc.RunVariable + "=" + job.Run}, img.config.Env...),
		Writable: img.writable(),
	})
	if err != nil {
		return nil, "", err
	}
	return box, string(mode), nil
}

// writable returns the folders that outlive a container by nature: the image's
// volumes, and /data where it is there.
func (img *image) writable() []string {
	all := slices.Collect(maps.Keys(img.config.Volumes))
	if img.hasData() && !slices.Contains(all, "/data") {
		all = append(all, "/data")
	}
	slices.Sort(all)
	return all
}

// engineDriver runs images with docker or podman.
type engineDriver struct{ engine.Engine }

func (d engineDriver) Visible() bool { return d.Installed() }

func (d engineDriver) Open(ctx context.Context, job *pipeline.Job, img *image) (machine, string, error) {
	version, err := d.Available(ctx)
	if err != nil {
		return nil, "", &unavailableError{err}
	}
	job.Say("loading the image into " + d.Name())
	m, err := d.Load(ctx, engine.Options{
		Image: img.Image, Run: job.Run, Node: job.Node.Name, Volumes: img.writable(),
	})
	if err != nil {
		return nil, "", err
	}
	return m, version, nil
}
