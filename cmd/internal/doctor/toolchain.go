package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// goTool says whether the stages for Go code have their toolchain.
func (d *patient) goTool(ctx context.Context) []Finding {
	if err := gotool.Require(); err != nil {
		return []Finding{d.blocked(errorLine(err), d.refused(ctx, err.Error()))}
	}
	settings, err := readGoSettings(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return []Finding{unknownLine(oneText(err))}
		}
		return []Finding{{
			State: Warning, Found: oneText(err),
			Consequence: "its version and its settings are not known", Remedy: "see what `go env` says",
		}}
	}
	lines := d.goVersion(settings)
	if len(d.modules()) > 0 {
		lines = append(lines, moduleProxy(settings))
	}
	if own := settings.flags(); own != "" {
		lines = append(lines, Finding{
			Name: "go settings", State: Warning, Found: own,
			Consequence: "the stages do not use it; a go command that is typed by hand does, and may build something else",
			Remedy:      "`go env -u GOFLAGS GOEXPERIMENT`, and unset them in the environment",
		})
	}
	return lines
}

// refused returns the nodes whose preflight fails with this text; the cluster's
// is not asked.
func (d *patient) refused(ctx context.Context, text string) []*pipeline.Node {
	return d.stagesOf(func(n *pipeline.Node) bool {
		err := d.preflight(ctx, n)
		return err != nil && err.Error() == text
	})
}

func (d *patient) preflight(ctx context.Context, n *pipeline.Node) error {
	p, ok := n.Stage.(pipeline.Preflighter)
	if !ok || isIntegration(n) {
		return nil
	}
	return p.Preflight(ctx)
}

// otherPreflights has a line for whatever else the stages' own checks say: that
// a C compiler is missing.
func (d *patient) otherPreflights(ctx context.Context) []Finding {
	byText := map[string][]*pipeline.Node{}
	var lines []Finding
	if err := gotool.Require(); err != nil {
		return nil // said already, and the stages say nothing else
	}
	errs := map[string]error{}
	var order []string
	for _, n := range d.Nodes {
		if err := d.preflight(ctx, n); err != nil {
			text := err.Error()
			if errs[text] == nil {
				errs[text], order = err, append(order, text)
			}
			byText[text] = append(byText[text], n)
		}
	}
	for _, text := range order {
		lines = append(lines, d.blocked(errorLine(errs[text]), byText[text]))
	}
	return lines
}

// modules are the services with a go.mod of which a stage uses Go.
func (d *patient) modules() []*config.Service {
	return slices.DeleteFunc(slices.Clone(d.Services), func(c *config.Service) bool {
		return c.Module == "" || len(d.goStages(c)) == 0
	})
}

// goStages are the stages of a service that begin with a look for Go.
func (d *patient) goStages(c *config.Service) []*pipeline.Node {
	return d.stagesOf(func(n *pipeline.Node) bool {
		_, ok := n.Stage.(pipeline.Preflighter)
		return ok && n.Service == c.Name && !isIntegration(n)
	})
}

// goSettings are what `go env` says, as far as it matters here.
type goSettings struct {
	GOVERSION, GOROOT, GOENV, GOFLAGS, GOPROXY, GOSUMDB, GOMODCACHE, GOEXPERIMENT string
	toolchain                                                                     string // GOTOOLCHAIN
}

// readGoSettings asks the go command that is in PATH, which could otherwise
// fetch another one to be asked.
func readGoSettings(ctx context.Context) (goSettings, error) {
	out, err := ask(ctx, string(filepath.Separator), []string{"GOTOOLCHAIN=local"},
		"go", "env", "-json", "GOVERSION", "GOROOT", "GOENV", "GOFLAGS", "GOPROXY", "GOSUMDB", "GOMODCACHE", "GOEXPERIMENT")
	if err != nil {
		return goSettings{}, err
	}
	var s goSettings
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return s, fmt.Errorf("read what `go env -json` says: %w", err)
	}
	s.toolchain = os.Getenv("GOTOOLCHAIN")
	for _, file := range []string{s.GOENV, filepath.Join(s.GOROOT, "go.env")} {
		if s.toolchain == "" {
			s.toolchain = setting(file, "GOTOOLCHAIN")
		}
	}
	return s, nil
}

// setting reads a line KEY=VALUE of a file as `go env -w` writes it; see `go
// help environment`.
func setting(file, key string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return value
		}
	}
	return ""
}

// flags are the settings with which go commands by hand differ from those of
// the stages (gotool.Env).
func (s goSettings) flags() string {
	var own []string
	for _, flag := range strings.Fields(s.GOFLAGS) {
		if flag != "-buildvcs=false" {
			own = append(own, flag)
		}
	}
	text := ""
	if len(own) > 0 {
		text = "GOFLAGS=" + strings.Join(own, " ")
	}
	if s.GOEXPERIMENT != "" {
		text = strings.TrimSpace(text + " GOEXPERIMENT=" + s.GOEXPERIMENT)
	}
	return text
}

// cached reports whether a toolchain was fetched before.
func (s goSettings) cached(toolchain string) bool {
	_, err := os.Stat(filepath.Join(s.GOMODCACHE, "golang.org", fmt.Sprintf("toolchain@v0.0.1-%s.%s-%s", toolchain, runtime.GOOS, runtime.GOARCH)))
	return err == nil
}

// goVersion compares the toolchain with what each go.mod asks for.
func (d *patient) goVersion(s goSettings) []Finding {
	have := s.GOVERSION
	good := Finding{State: OK, Found: have}
	var lines []Finding
	asked := ""
	for _, c := range d.modules() {
		line, toolchain, err := goDirectives(filepath.Join(c.Dir, "go.mod"))
		if err != nil {
			continue // the build stage says it better
		}
		if version.Compare(line, asked) > 0 {
			asked = line
		}
		l := s.judge(line, toolchain)
		switch {
		case l.State == Problem:
			lines = append(lines, d.blocked(l, d.goStages(c)))
		case l.State != OK:
			lines = append(lines, l)
		}
	}
	if len(lines) > 0 {
		return lines
	}
	if asked != "" {
		good.Found += "; go.mod asks for " + asked
	}
	return []Finding{good}
}

// goDirectives returns the lines "go" and "toolchain" of a go.mod, both as
// toolchains are named: "go1.26". The second may be empty.
func goDirectives(file string) (language, toolchain string, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	mod, err := modfile.Parse(file, data, nil)
	if err != nil {
		return "", "", err
	}
	language = "go1.16" // https://go.dev/ref/mod#go-mod-file-go
	if mod.Go != nil {
		language = "go" + mod.Go.Version
	}
	if mod.Toolchain != nil {
		toolchain = mod.Toolchain.Name
	}
	return language, toolchain, nil
}

// judge says what the go command does about a go.mod that asks for these; see
// https://go.dev/doc/toolchain.
func (s goSettings) judge(language, toolchain string) Finding {
	wants := language
	mayFetch := s.toolchain == "" || strings.Contains(s.toolchain, "auto")
	if mayFetch && version.IsValid(toolchain) && version.Compare(toolchain, wants) > 0 {
		wants = toolchain
	}
	l := Finding{State: OK, Found: fmt.Sprintf("%s; go.mod asks for %s", s.GOVERSION, wants)}
	remedy := fmt.Sprintf("install %s or newer from https://go.dev/dl", wants)
	switch {
	case version.Compare(s.GOVERSION, wants) >= 0:
	case mayFetch && s.cached(wants):
		l.Found += ", which is in the module cache"
	case mayFetch && s.GOPROXY == "off":
		l.State, l.Remedy = Problem, remedy
		l.Found += ", which GOPROXY=off keeps from being fetched"
	case mayFetch:
		l.State, l.Remedy = Warning, remedy
		l.Consequence = "the first go command fetches that toolchain, and needs a module proxy for it"
	default:
		l.State, l.Remedy = Problem, remedy+", or `go env -u GOTOOLCHAIN`"
		l.Found += fmt.Sprintf(", and GOTOOLCHAIN=%s keeps it from being fetched", s.toolchain)
	}
	return l
}

func moduleProxy(s goSettings) Finding {
	l := Finding{Name: "go modules", State: OK, Found: fmt.Sprintf("GOPROXY=%s GOSUMDB=%s", s.GOPROXY, s.GOSUMDB)}
	if s.GOPROXY == "off" {
		l.State = Warning
		l.Consequence = "a module that is not in the module cache cannot be had; build, unit and lint then fail, lint also where staticcheck has never been built"
		l.Remedy = "`go env -u GOPROXY`, and unset it in the environment; or `go mod download` where there is a network"
	}
	return l
}
