package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// checkTime bounds each check. What then has not answered is not waited for
// any longer than patience.
const (
	checkTime = 1800 * time.Millisecond
	patience  = 400 * time.Millisecond
)

// check is one look at one thing. Its lines get its group, and its name
// where they have none of their own. No line is printed when there are none.
type check struct {
	group, name string
	// late is the line for when the check does not come back.
	late func(Finding) Finding
	run  func(context.Context) []Finding
}

// checks are all, in the order in which they are shown.
func (d *patient) checks() []check {
	all := []check{
		{group: "project", name: "pipeline", run: oneLine(d.ownLine)},
		{group: "project", name: "service", run: d.service},
		{group: "project", name: "configuration", run: d.configuration},
		{group: "project", name: "deployment", run: d.deployment},
		{group: "project", name: "repository", run: d.repository},
		{group: "tools", name: "go", run: d.goTool},
		{group: "tools", name: "c compiler", run: d.otherPreflights},
		{group: "tools", name: "docker", run: d.engineLines("docker")},
		{group: "tools", name: "podman", run: d.engineLines("podman")},
		{group: "tools", name: "module runtime", run: d.moduleRuntime},
	}
	for _, c := range d.clusters() {
		all = append(all, check{group: "cluster", name: "cluster", run: c.lines, late: d.lateFor(c.nodes)})
	}
	return append(all, []check{
		{group: "release", name: "registry", run: d.registries},
		{group: "release", name: "forge", run: d.forge},
		{group: "release", name: "identity", run: d.identity},
		{group: "machine", name: "disk", run: d.disks},
		{group: "machine", name: "cache", run: d.cacheSize},
		{group: "machine", name: "folders", run: d.folders},
		{group: "machine", name: "memory", run: d.memory},
		{group: "machine", name: "open files", run: d.openFiles},
		{group: "machine", name: "inotify", run: d.inotify},
		{group: "machine", name: "proxy", run: d.proxies},
	}...)
}

// lateFor makes the line of a check whose silence means that the nodes cannot be
// tested. Of all others it only means that the machine is busy.
func (d *patient) lateFor(nodes []*pipeline.Node) func(Finding) Finding {
	return func(l Finding) Finding { return d.blocked(l, nodes) }
}

// oneLine makes a check of a function that always has something to say.
func oneLine(look func() Finding) func(context.Context) []Finding {
	return func(context.Context) []Finding { return []Finding{look()} }
}

// examine makes all checks at once and returns their lines in order. A check
// that does not come back soon after the limit is given up.
func examine(ctx context.Context, limit time.Duration, checks []check) []Finding {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	results := make([]chan []Finding, len(checks))
	for i, c := range checks {
		results[i] = make(chan []Finding, 1)
		go func() { results[i] <- c.run(ctx) }()
	}
	over := make(chan struct{})
	stop := time.AfterFunc(limit+patience, func() { close(over) })
	defer stop.Stop()
	var lines []Finding
	for i, c := range checks {
		lines = append(lines, c.await(results[i], over, limit)...)
	}
	return lines
}

func (c check) await(result <-chan []Finding, over <-chan struct{}, limit time.Duration) []Finding {
	var lines []Finding
	select {
	case lines = <-result:
	case <-over:
		select {
		case lines = <-result:
		default:
			lines = []Finding{c.lateLine(limit)}
		}
	}
	for i := range lines {
		lines[i].Group = c.group
		if lines[i].Name == "" {
			lines[i].Name = c.name
		}
	}
	return lines
}

func (c check) lateLine(limit time.Duration) Finding {
	l := unknownLine(fmt.Sprintf("no answer within %v", limit))
	if c.late != nil {
		return c.late(l)
	}
	return l
}

// unknownLine is about what could not be found out.
func unknownLine(found string) Finding {
	return Finding{
		State: Warning, Found: found,
		Consequence: "nobody knows whether it works", Remedy: "run `pipeline doctor` again when the machine is less busy",
	}
}

// errorLine says what a stage, a provider or a command says, with the remedy
// that it names.
func errorLine(err error) Finding {
	l := Finding{State: Warning}
	var (
		notTested   *pipeline.NotTested
		environment *kindtest.EnvironmentError
		permission  *kindtest.PermissionError
	)
	switch {
	case errors.As(err, &notTested):
		l.Found, l.Remedy = reason(notTested.Why, notTested.Err), notTested.Remedy
	case errors.As(err, &environment):
		l.Found, l.Remedy = reason(environment.What, environment.Err), environment.Remedy
	case errors.As(err, &permission):
		l.Found, l.Remedy = reason("not allowed to "+permission.Action, permission.Err), permission.Remedy
	default:
		l.Found = oneText(err)
	}
	return l
}

func reason(what string, err error) string {
	if err == nil || proc.NotFound(err) {
		return what
	}
	return what + ": " + oneText(err)
}

// oneText is an error on one line.
func oneText(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// ask runs a command for a check: no longer than ctx lasts, even if it ignores
// that it is to end.
func ask(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	out, err := proc.Cmd{Dir: dir, Args: args, Env: append([]string{"LC_ALL=C"}, env...), Grace: 100 * time.Millisecond}.Output(ctx)
	return strings.TrimSpace(string(out)), err
}
