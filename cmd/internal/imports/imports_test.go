// Package imports holds the test of who may import whom.
package imports

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "gitlab.com/selfcontained/pipeline/"

// allowed lists, for each part of the module, the parts that it may import. The
// longest prefix counts; a part may always import itself. An entry that ends in
// "!" means exactly that package.
func allowed() map[string][]string {
	return map[string][]string{
		"cmd":               {"pipeline", "stages", "release", "kindtest", "cmd"},
		"cmd/hostsetup":     {"pipeline/proc", "kindtest/nodeimage"},
		"stages":            {"pipeline", "kindtest"},
		"release":           {"pipeline"},
		"release/scs":       {"pipeline", "kindtest", "release"},
		"kindtest":          {"pipeline/proc"},
		"pipeline/proc":     {},
		"pipeline/evidence": {"pipeline/proc"},
		"pipeline/source":   {"pipeline/evidence", "pipeline/proc"},
		"pipeline/bundle":   {"pipeline/evidence", "pipeline/proc"},
		"pipeline/gitrepo":  {"pipeline/proc"},
		"pipeline/config":   {"pipeline!"},
		"pipeline/report":   {"pipeline!"},
		"pipeline!":         {"pipeline/evidence", "pipeline/proc"},
	}
}

// homes are the heavy modules and the only parts that may import them.
func homes() map[string][]string {
	return map[string][]string{
		"sigs.k8s.io/kind":                       {"kindtest/kind", "kindtest/internal"},
		"helm.sh/helm/":                          {"kindtest"},
		"k8s.io/client-go":                       {"kindtest"},
		"github.com/google/go-containerregistry": {"stages/container", "stages/module", "kindtest", "pipeline/evidence", "pipeline/bundle", "release"},
		"github.com/spf13/cobra":                 {"cmd"},
		"gitlab.com/gitlab-org/api/client-go":    {"release/gitlab"},
	}
}

func TestImportDirections(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		from := strings.TrimPrefix(words[0], module)
		packages++
		for _, to := range words[1:] {
			if own, ok := strings.CutPrefix(to, module); ok {
				checkOwn(t, from, own)
			} else {
				checkHome(t, from, to)
			}
		}
	}
	if packages < 20 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

func checkOwn(t *testing.T, from, to string) {
	t.Helper()
	part, may := rule(from)
	if part == "" {
		t.Errorf("no rule for package %s", from)
	}
	if within(to, strings.TrimSuffix(part, "!")) && part != "pipeline!" {
		return
	}
	for _, m := range may {
		if within(to, m) {
			return
		}
	}
	t.Errorf("%s imports %s; %s may import only itself and %v", from, to, part, may)
}

// rule returns the most special part that a package belongs to.
func rule(pkg string) (part string, may []string) {
	for p, m := range allowed() {
		if within(pkg, p) && len(p) > len(part) {
			part, may = p, m
		}
	}
	return part, may
}

func within(pkg, part string) bool {
	if exact, ok := strings.CutSuffix(part, "!"); ok {
		return pkg == exact
	}
	return pkg == part || strings.HasPrefix(pkg, part+"/")
}

func checkHome(t *testing.T, from, to string) {
	t.Helper()
	for heavy, parts := range homes() {
		if !strings.HasPrefix(to, heavy) {
			continue
		}
		ok := false
		for _, p := range parts {
			ok = ok || within(from, p)
		}
		if !ok {
			t.Errorf("%s imports %s, which only %v may", from, to, parts)
		}
	}
}
