package doctor

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release/version"
	"gitlab.com/selfcontained/pipeline/stages/integration"
)

func (d *patient) ownLine() Finding {
	return Finding{State: OK, Found: fmt.Sprintf("%s %s/%s, built with %s", d.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())}
}

// service says which services there are.
func (d *patient) service(context.Context) []Finding {
	switch {
	case d.None != nil:
		return []Finding{{State: NotNeeded, Found: oneText(d.None), Consequence: "only the machine was looked at"}}
	case len(d.Services) == 0:
		return nil
	}
	names := make([]string, len(d.Services))
	for i, c := range d.Services {
		names[i] = fmt.Sprintf("%s (%s)", c.Name, d.Shown(c.Dir))
	}
	return []Finding{{State: OK, Found: strings.Join(names, ", ")}}
}

// configuration has a line for each mistake, FILE:LINE:COLUMN first.
func (d *patient) configuration(context.Context) []Finding {
	if d.Wrong == nil {
		return nil
	}
	texts := []string{oneText(d.Wrong)}
	var problems config.Problems
	if errors.As(d.Wrong, &problems) {
		texts = nil
		for _, p := range problems {
			texts = append(texts, p.Error())
		}
	}
	lines := make([]Finding, len(texts))
	for i, text := range texts {
		lines[i] = Finding{State: Problem, Found: text}
	}
	lines[len(lines)-1].Consequence = "no stage can run"
	lines[len(lines)-1].Remedy = "correct the file; `pipeline schema` prints what an editor needs to help with it"
	return lines
}

// deployment says how the integration stage would install the services.
func (d *patient) deployment(context.Context) []Finding {
	nodes := d.integrationStages()
	if len(nodes) == 0 {
		return nil
	}
	bare := map[string]bool{}
	found := d.serviceNames(func(c *config.Service) string {
		switch {
		case c.Chart != "":
			return "chart " + c.Chart
		case c.Manifests != "":
			return "manifests " + c.Manifests
		}
		bare[c.Name] = true
		return "nothing says how the service is deployed"
	})
	without := d.stagesOf(func(n *pipeline.Node) bool { return isIntegration(n) && bare[n.Service] })
	if len(without) == 0 {
		return []Finding{{State: OK, Found: found}}
	}
	return []Finding{d.blocked(Finding{
		Found: found, Remedy: "add a Helm chart at deploy/chart or chart, or manifests at deploy/k8s",
	}, without)}
}

func isIntegration(n *pipeline.Node) bool {
	_, ok := n.Stage.(*integration.Stage)
	return ok
}

// integrationStages are those that need a cluster: not a command in their
// place, and not a library's.
func (d *patient) integrationStages() []*pipeline.Node { return d.stagesOf(isIntegration) }

// repository looks at git and at the history that versions come from.
func (d *patient) repository(ctx context.Context) []Finding {
	if _, err := exec.LookPath("git"); err != nil {
		return []Finding{{
			Name: "git", State: Warning, Found: "not in PATH",
			Consequence: "every file below a service counts as its source, and versions do not follow the commits",
			Remedy:      "install git, for example with `apt-get install git`",
		}}
	}
	lines := []Finding{{Name: "git", State: OK, Found: "installed"}}
	if out, err := ask(ctx, "", nil, "git", "version"); err == nil {
		lines[0].Found = strings.TrimPrefix(out, "git version ")
	}
	if d.Root == "" {
		return append(lines, d.noRepository())
	}
	repo := &gitrepo.Repo{Root: d.Root}
	head, err := repo.Head(ctx)
	if ctx.Err() != nil {
		return append(lines, unknownLine("`git status` has "+context.Cause(ctx).Error()))
	}
	if err != nil {
		return append(lines, d.brokenRepository(err))
	}
	return append(lines, d.headLine(head), d.history(ctx, repo, head))
}

func (d *patient) noRepository() Finding {
	if len(d.Nodes) == 0 {
		return Finding{State: NotNeeded, Found: d.Dir + " is in no git work tree"}
	}
	return Finding{
		State: Warning, Found: d.Dir + " is in no git work tree",
		Consequence: "versions do not follow the commits, and nothing can be released",
		Remedy:      "`git init`, or work in a clone",
	}
}

func (d *patient) brokenRepository(err error) Finding {
	l := Finding{Found: oneText(err), Remedy: "see what `git status` says in " + d.Root}
	if strings.Contains(l.Found, "dubious ownership") || strings.Contains(l.Found, "safe.directory") {
		l.Remedy = "`git config --global --add safe.directory " + d.Root + "`"
	}
	return d.blocked(l, d.Nodes)
}

func (d *patient) headLine(head gitrepo.Head) Finding {
	branch := d.Branch(head)
	where := "branch " + branch
	if branch == "" {
		where = "no branch (detached)"
	}
	switch {
	case head.Commit == "":
		where += ", no commit yet"
	case head.Dirty:
		where += ", with changes that are not committed: versions end in -dev, a release needs a commit"
	default:
		where += ", nothing uncommitted"
	}
	return Finding{State: OK, Found: where}
}

// history says whether all commits and the tags of releases are there.
func (d *patient) history(ctx context.Context, repo *gitrepo.Repo, head gitrepo.Head) Finding {
	l := Finding{Name: "history", State: OK, Found: "complete"}
	if head.Commit == "" {
		l.Found = "empty"
		return l
	}
	if shallow, err := repo.Shallow(ctx); err == nil && shallow {
		l.State, l.Found = Warning, "cut off (a shallow clone)"
		l.Consequence = "the next version is computed from a part of the commits and may be wrong"
		l.Remedy = "`git fetch --unshallow --tags`; in GitLab set the variable GIT_DEPTH to 0"
	}
	if len(d.Services) > 0 {
		l.Found += "; " + d.serviceNames(func(c *config.Service) string { return lastRelease(ctx, repo, head.Commit, c.Release.TagPrefix) })
	}
	return l
}

func lastRelease(ctx context.Context, repo *gitrepo.Repo, commit, prefix string) string {
	tags, err := repo.Tags(ctx, commit, prefix)
	if err != nil {
		return "tags cannot be read: " + oneText(err)
	}
	last := version.Last(tags, prefix)
	if last == nil {
		return fmt.Sprintf("no tag %s*, the first release will be %s", prefix, version.First)
	}
	return "last release " + prefix + last.String()
}

// identity says who would make a tag.
func (d *patient) identity(ctx context.Context) []Finding {
	if d.Root == "" || len(d.Nodes) == 0 {
		return nil
	}
	if _, err := exec.LookPath("git"); err != nil {
		return nil // said already
	}
	out, err := ask(ctx, d.Root, nil, "git", "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
	if err == nil {
		who, _, _ := strings.Cut(out, ">")
		return []Finding{{State: OK, Found: who + ">"}}
	}
	return []Finding{{
		State: Warning, Found: "git knows neither your name nor your e-mail address",
		Consequence: "git cannot make the tag of a release",
		Remedy:      "`git config --global user.name NAME` and `git config --global user.email ADDRESS`",
	}}
}
