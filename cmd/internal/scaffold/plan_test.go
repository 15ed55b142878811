package scaffold_test

import (
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"
	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/stages/container/chart"
)

var update = flag.Bool("update", false, "write the golden files")

// repository writes the files of an archive below a folder of a fixed name,
// which is the top of a git repository.
func repository(t *testing.T, a *txtar.Archive) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	if err := os.MkdirAll(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		write(t, filepath.Join(dir, f.Name), string(f.Data))
	}
	return dir
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func plan(t *testing.T, dir string, o scaffold.Options) *scaffold.Plan {
	t.Helper()
	facts, err := scaffold.Look(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := scaffold.Decide(facts, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPlans compares the plans for small repositories with what is expected,
// and tries them: what is written must be good, and enough.
func TestPlans(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/plans/*.txtar")
	if err != nil || len(archives) < 12 {
		t.Fatalf("%d archives, %v", len(archives), err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			dir := repository(t, a)
			p := plan(t, dir, scaffold.Options{})
			golden(t, strings.TrimSuffix(name, ".txtar")+".golden", show(p))
			try(t, dir, p)
		})
	}
}

// show renders a plan. Of the chart, which has a test of its own, only values
// are shown.
func show(p *scaffold.Plan) string {
	var b strings.Builder
	list := func(title string, lines []string) {
		for _, line := range lines {
			fmt.Fprintf(&b, "%s: %s\n", title, line)
		}
	}
	list("found", p.Found)
	for _, m := range p.Missing {
		fmt.Fprintf(&b, "missing: %s: %s\n", m.What, m.Means)
	}
	list("kept", p.Kept)
	list("next", p.Next)
	if p.Include != "" {
		b.WriteString("include:\n" + p.Include)
	}
	for _, f := range p.Files {
		fmt.Fprintf(&b, "-- %s --\n", f.Path)
		if !strings.HasPrefix(f.Path, "deploy/chart/") || strings.HasSuffix(f.Path, "values.yaml") {
			b.WriteString(f.Content)
		}
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", name, diff)
	}
}

// try writes a plan and lets those judge it who have to read it.
func try(t *testing.T, dir string, p *scaffold.Plan) {
	t.Helper()
	if err := scaffold.Write(p, dir); err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Files {
		check(t, f)
	}
	if _, err := os.Stat(filepath.Join(dir, "pipeline.yaml")); err == nil {
		if _, err := config.Load(dir); err != nil {
			t.Errorf("pipeline.yaml: %v", err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := root.Stat("deploy/chart"); err == nil {
		if _, err := chart.Load(root, "deploy/chart", "1.2.3"); err != nil {
			t.Errorf("the chart: %v", err)
		}
	}
	if again := plan(t, dir, scaffold.Options{}); !again.Empty() || again.Diff() != "" {
		t.Errorf("a second plan is not empty:\n%s", again.Diff())
	}
}

// check looks at a file alone.
func check(t *testing.T, f scaffold.File) {
	t.Helper()
	switch filepath.Ext(f.Path) {
	case ".go":
		got, err := format.Source([]byte(f.Content))
		if err != nil || string(got) != f.Content {
			t.Errorf("%s is not as gofmt has it: %v\n%s", f.Path, err, cmp.Diff(string(got), f.Content))
		}
	case ".mod":
		if _, err := modfile.Parse(f.Path, []byte(f.Content), nil); err != nil {
			t.Error(err)
		}
	}
	if f.Content != "" && !strings.HasSuffix(f.Content, "\n") && filepath.Ext(f.Path) != ".binpb" {
		t.Errorf("%s does not end with a line break", f.Path)
	}
}
