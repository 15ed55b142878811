package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/module"
	"gitlab.com/selfcontained/pipeline/stages/module/sandbox"
)

func (d *patient) moduleStages() []*pipeline.Node {
	return d.stagesOf(func(n *pipeline.Node) bool { _, ok := n.Stage.(*module.Stage); return ok })
}

// moduleRuntime says which runtime the module stage would take, and why not an
// earlier one.
func (d *patient) moduleRuntime(ctx context.Context) []Finding {
	nodes := d.moduleStages()
	if len(d.Nodes) > 0 && len(nodes) == 0 {
		return []Finding{{State: NotNeeded, Found: "no service has a module stage"}}
	}
	bySetting := map[string][]*pipeline.Node{}
	for _, n := range nodes {
		want := d.runtimeOf(n.Service)
		bySetting[want] = append(bySetting[want], n)
	}
	if len(nodes) == 0 {
		bySetting[d.Runtime] = nil
	}
	var lines []Finding
	for _, want := range []string{"", "sandbox", "docker", "podman"} {
		if those, asked := bySetting[want]; asked {
			lines = append(lines, d.runtime(ctx, want, those))
		}
	}
	return lines
}

// runtimeOf is the setting for a service; the flag wins.
func (d *patient) runtimeOf(service string) string {
	for _, c := range d.Services {
		if c.Name == service {
			return cmp.Or(d.Runtime, c.Stages[module.Kind].Runtime)
		}
	}
	return d.Runtime
}

func (d *patient) runtime(ctx context.Context, want string, nodes []*pipeline.Node) Finding {
	candidates := []string{"sandbox", "docker", "podman"}
	if want != "" {
		candidates = []string{want}
	}
	var why []string
	for _, name := range candidates {
		detail, err := d.tryRuntime(ctx, name)
		if err == nil {
			l := Finding{State: OK, Found: detail}
			if len(why) > 0 {
				l.Found += ", because " + strings.Join(why, "; ")
			}
			return l
		}
		why = append(why, name+": "+oneText(err))
	}
	if ctx.Err() != nil {
		return unknownLine(strings.Join(why, "; "))
	}
	remedy := "allow user namespaces, start docker or podman, or choose another with stages.module.runtime"
	if slices.Contains(candidates, "sandbox") {
		remedy = cmp.Or(userNamespaces(), remedy)
	}
	return d.blocked(Finding{Found: "no runtime works here: " + strings.Join(why, "; "), Remedy: remedy}, nodes)
}

// tryRuntime says in a few words what works.
func (d *patient) tryRuntime(ctx context.Context, name string) (string, error) {
	if name != "sandbox" {
		e := d.engines.named(ctx, name)
		return name + " " + e.version, e.err
	}
	scratch, err := os.MkdirTemp("", "pipeline-doctor-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	mode, err := sandbox.Choose(ctx, scratch)
	return fmt.Sprintf("sandbox (%s)", mode), err
}

// userNamespaces returns the command that allows them, where a setting of the
// kernel forbids them: see sysctl/user.rst and admin-guide/LSM/apparmor.rst of
// the kernel, and Debian's unprivileged_userns_clone.
func userNamespaces() string {
	for _, s := range []struct{ key, forbids, allows string }{
		{"kernel.apparmor_restrict_unprivileged_userns", "1", "0"},
		{"kernel.unprivileged_userns_clone", "0", "1"},
		{"user.max_user_namespaces", "0", "15000"},
	} {
		data, err := os.ReadFile(filepath.Join("/proc/sys", strings.ReplaceAll(s.key, ".", "/")))
		if err == nil && strings.TrimSpace(string(data)) == s.forbids {
			return fmt.Sprintf("`sudo sysctl -w %s=%s`, or start docker or podman", s.key, s.allows)
		}
	}
	return ""
}
