package scaffold_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

func paths(p *scaffold.Plan) []string {
	var list []string
	for _, f := range p.Files {
		list = append(list, f.Path)
	}
	return list
}

// TestNewServices makes services in different places and looks at the files one
// by one; package acceptance runs them.
func TestNewServices(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files, service, module string
		at, wantModule         string
		ci                     bool // .gitlab-ci.yml is written
	}{
		"empty":          {"", "stock", "", "", "example.com/stock", true},
		"module given":   {"", "a-b-c", "go.example/x/y", "", "go.example/x/y", true},
		"with a readme":  {"-- README.md --\n", "stock", "", "", "example.com/stock", true},
		"beside another": {"-- cart/go.mod --\nmodule gitlab.com/shop/cart\n-- cart/pipeline.yaml --\n", "stock", "", "stock/", "gitlab.com/shop/stock", true},
		"has its CI":     {"-- .gitlab-ci.yml --\nstages: [x]\n-- x --\n", "s", "", "s/", "example.com/s", false},
		"in a module":    {"-- go.mod --\nmodule x.example/y\n", "stock", "", "stock/", "example.com/stock", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := repository(t, txtar.Parse([]byte(test.files)))
			o := scaffold.Options{Service: test.service, Module: test.module}
			p := plan(t, dir, o)
			got := paths(p)
			for _, want := range []string{"go.mod", "cmd/" + test.service + "/main.go", "cmd/" + test.service + "-client/main.go", ".gitignore", "chart/templates/_helpers.tpl", "chart/.helmignore", "internal/server/mock_book_test.go"} {
				if !slices.Contains(got, test.at+want) {
					t.Errorf("%s is missing", test.at+want)
				}
			}
			if has := slices.Contains(got, ".gitlab-ci.yml"); has != test.ci || !test.ci && p.Include == "" {
				t.Errorf(".gitlab-ci.yml is written: %v, to include: %q", has, p.Include)
			}
			if err := scaffold.Write(p, dir); err != nil {
				t.Fatal(err)
			}
			for _, f := range p.Files {
				check(t, f)
				if tools := f.Content; strings.HasSuffix(f.Path, "go.mod") {
					_, tools, _ = strings.Cut(tools, "tool (\n")
					if lines := strings.Split(strings.TrimSuffix(tools, "\n)\n"), "\n"); len(lines) != 4 || !slices.IsSorted(lines) {
						t.Errorf("tools %q, want 4, sorted", lines)
					}
				}
				if strings.Contains(f.Content, "newservice") || strings.HasSuffix(f.Path, ".tmpl") {
					t.Errorf("%s is still a template", f.Path)
				}
			}
			s, err := config.Load(filepath.Join(dir, test.at))
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != test.service || s.Module != test.wantModule || s.Main != "./cmd/"+test.service || s.Chart != "chart" {
				t.Errorf("name %s, module %s, main %s, chart %s", s.Name, s.Module, s.Main, s.Chart)
			}
			if again := plan(t, dir, o); !again.Empty() {
				t.Errorf("a second plan is not empty: %v", paths(again))
			}
		})
	}
}

// TestNewServiceNeedsWhatStockNeeds keeps a new service from downloading
// anything that the example does not.
func TestNewServiceNeedsWhatStockNeeds(t *testing.T) {
	t.Parallel()
	versions := func(name string) map[string]string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := modfile.Parse(name, data, nil)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, r := range file.Require {
			all[r.Mod.Path] = r.Mod.Version
		}
		return all
	}
	stock := versions("../../../examples/shop/stock/go.mod")
	for module, version := range versions("service/go.mod.tmpl") {
		if stock[module] != version {
			t.Errorf("%s %s, stock has %q", module, version, stock[module])
		}
	}
}

// TestPartOfModule must not cut a module into two.
func TestPartOfModule(t *testing.T) {
	t.Parallel()
	dir := repository(t, txtar.Parse([]byte("-- a/go.mod --\nmodule x.example/y\n-- a/cmd/y/main.go --\npackage main\n")))
	facts, err := scaffold.Look(t.Context(), filepath.Join(dir, "a/cmd/y"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = scaffold.Decide(facts, scaffold.Options{})
	var usage *scaffold.UsageError
	if !errors.As(err, &usage) || !strings.HasSuffix(err.Error(), "--dir "+filepath.Join(dir, "a")) {
		t.Errorf("error %v, want a *UsageError that names %s", err, filepath.Join(dir, "a"))
	}
}

// TestHostileNames must refuse what cannot name a service everywhere.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	facts, err := scaffold.Look(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		".", "..", "../x", "/x", "a/b", "a b", "A", "a_b", "1a", "-a", "a-", "ä", "a\nb", "a\x00", "$(id)", "{{.}}", strings.Repeat("a", 51),
		"data", "tmp", "internal", "vendor", "testdata", "--help",
	} {
		_, err := scaffold.Decide(facts, scaffold.Options{Service: name})
		var usage *scaffold.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: error %v, want a *UsageError that says what is expected", name, err)
		}
	}
	for _, module := range []string{"..", "a b", "/x", "x.example/\n", "-x.example/y", "x.example/a@v1"} {
		_, err := scaffold.Decide(facts, scaffold.Options{Service: "a", Module: module})
		var usage *scaffold.UsageError
		if !errors.As(err, &usage) {
			t.Errorf("module %q: error %v, want a *UsageError", module, err)
		}
	}
}

// TestNoMixture must not put a service among files that are there.
func TestNoMixture(t *testing.T) {
	t.Parallel()
	dir := repository(t, txtar.Parse([]byte("-- x --\n-- stock/go.mod --\nmodule a.example/b\n")))
	facts, err := scaffold.Look(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = scaffold.Decide(facts, scaffold.Options{Service: "stock"})
	var usage *scaffold.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "stock/go.mod") {
		t.Errorf("error %v, want a *UsageError that names stock/go.mod", err)
	}
}

func TestNothingToTranslate(t *testing.T) {
	t.Parallel()
	facts, err := scaffold.Look(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, err = scaffold.Decide(facts, scaffold.Options{})
	var usage *scaffold.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "--service") {
		t.Errorf("error %v, want a *UsageError that names --service", err)
	}
	if _, err := scaffold.Look(t.Context(), filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want %v", err, os.ErrNotExist)
	}
}
