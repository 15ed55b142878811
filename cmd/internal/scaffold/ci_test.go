package scaffold_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
	"gitlab.com/selfcontained/pipeline/cmd/internal/templates"
)

const plain = "-- %s/go.mod --\nmodule gitlab.com/shop/plain\n-- %s/main.go --\npackage main\n\nfunc main() {}\n"

// within puts the plain service into a folder.
func within(dir string) string { return strings.ReplaceAll(plain, "%s", dir) }

// TestInclude plans in a folder of a repository, and looks at what is to be
// included in the file that GitLab reads.
func TestInclude(t *testing.T) {
	t.Parallel()
	component := "include:\n  - component: $CI_SERVER_FQDN/selfcontained/pipeline/service@" + templates.Major + "\n"
	for name, test := range map[string]struct {
		files, at, service string
		written, shown     string
	}{
		"none":                    {within("."), ".", "", component, ""},
		"another's":               {within(".") + "-- .gitlab-ci.yml --\nx: {script: [y]}\n", ".", "", "", component},
		"commented out":           {within(".") + "-- .gitlab-ci.yml --\n# include: {component: gitlab.com/selfcontained/pipeline/service@1}\n", ".", "", "", component},
		"included":                {within(".") + "-- .gitlab-ci.yml --\ninclude:\n- local: x.yml\n- component: git.example/mirror/pipeline/service@1.2\n", ".", "", "", ""},
		"included, alone":         {within(".") + "-- .gitlab-ci.yml --\nspec: {inputs: {}}\n---\ninclude: templates/service/template.yml\nx: {script: !reference [a, b]}\n", ".", "", "", ""},
		"included, of a project":  {within(".") + "-- .gitlab-ci.yml --\ninclude: {project: a/b, ref: v1, file: [/x.yml, /templates/service/template.yml]}\n", ".", "", "", ""},
		"included, by address":    {within(".") + "-- .gitlab-ci.yml --\ninclude: {remote: \"https://x.example/-/raw/v1/templates/service/template.yml\"}\n", ".", "", "", ""},
		"of a system":             {within(".") + "-- .gitlab-ci.yml --\ninclude: {component: $X/pipeline/scs@1}\n", ".", "", "", component},
		"in a folder":             {within("a/b c"), "a/b c", "", "", component + "    inputs:\n      dir: a/b c\n"},
		"in a folder, included":   {within("a") + "-- .gitlab-ci.yml --\ninclude: {component: $X/pipeline/service@1, inputs: {dir: a/}}\n", "a", "", "", ""},
		"of another folder":       {within("a") + "-- .gitlab-ci.yml --\ninclude: {component: $X/pipeline/service@1, inputs: {dir: b}}\n", "a", "", "", component + "    inputs:\n      dir: a\n"},
		"own stage":               {within(".") + "-- pipeline.yaml --\napiVersion: pipeline/v1\nkind: Service\nstages: {unit: {race: true}, z: {command: [a]}, b: {command: [a]}}\n", ".", "", component + "    inputs:\n      own-stages: b z\n", ""},
		"new service":             {"", ".", "stock", component, ""},
		"new one beside services": {within("cart"), ".", "stock", component, ""},
		"new one in a service":    {within("."), ".", "stock", component + "    inputs:\n      prefix: stock-\n      dir: stock\n", ""},
		"new one in a folder":     {within("shop/cart"), "shop", "stock", "", component + "    inputs:\n      dir: shop\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, filepath.Join(repository(t, txtar.Parse([]byte(test.files))), test.at), scaffold.Options{Service: test.service})
			written := ""
			for _, f := range p.Files {
				if filepath.Base(f.Path) == ".gitlab-ci.yml" {
					_, written, _ = strings.Cut(f.Content, "\n") // without the comment
				}
			}
			if diff := cmp.Diff([]string{test.written, test.shown}, []string{written, p.Include}); diff != "" {
				t.Errorf("written and shown (-want +got):\n%s", diff)
			}
		})
	}
}

// TestComponentsAreThere asks the components for the inputs that are set.
func TestComponentsAreThere(t *testing.T) {
	t.Parallel()
	for kind, inputs := range map[string][]string{"service": {"prefix", "dir", "own-stages"}, "scs": {"dir"}} {
		data, err := os.ReadFile(filepath.Join("../../../templates", kind, "template.yml"))
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Spec struct{ Inputs map[string]any }
		}
		if err := yaml.Unmarshal(data, &template); err != nil {
			t.Fatal(err)
		}
		for _, name := range inputs {
			if template.Spec.Inputs[name] == nil {
				t.Errorf("the component %s has no input %s", kind, name)
			}
		}
	}
}

// TestOtherInstance must say that GitLab takes components from itself only.
func TestOtherInstance(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]bool{
		"git@gitlab.com:shop/plain.git": false, "https://git.shop.example/team/plain": true,
	} {
		dir := repository(t, txtar.Parse([]byte(within("."))))
		config := "[core]\n\trepositoryformatversion = 0\n[remote \"origin\"]\n\turl = " + remote + "\n"
		write(t, filepath.Join(dir, ".git/config"), config)
		write(t, filepath.Join(dir, ".git/HEAD"), "ref: refs/heads/main\n")
		write(t, filepath.Join(dir, ".git/objects/x"), "")
		write(t, filepath.Join(dir, ".git/refs/x"), "")
		p := plan(t, dir, scaffold.Options{})
		got := false
		for _, m := range p.Missing {
			got = got || m.What == "the component on git.shop.example" && strings.Contains(m.Means, "templates/service/template.yml")
		}
		if got != want {
			t.Errorf("%s: said %v, want %v: %v", remote, got, want, p.Missing)
		}
	}
}
