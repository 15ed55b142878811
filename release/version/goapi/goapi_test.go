package goapi

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/release/version"
)

var update = flag.Bool("update", false, "write the golden files")

func needGo(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the go command is missing")
		}
		t.Skip("needs the go command")
	}
}

// extract writes the files below a folder of an archive, and a go.mod where it
// has none.
func extract(t testing.TB, a *txtar.Archive, folder string) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, data []byte) {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put("go.mod", []byte("module example.com/shop\n\ngo 1.24\n"))
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, folder+"/"); ok {
			put(name, f.Data)
		}
	}
	return dir
}

func load(t testing.TB, dir string, o Options) *API {
	t.Helper()
	needGo(t)
	a, err := Load(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func lines(changes []version.Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%v %v\n", c.Bump, c)
	}
	return b.String()
}

// Each archive has an old and a new module, and the changes between them.
func TestCompare(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/compare/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			newDir := extract(t, a, "new")
			old, new := load(t, extract(t, a, "old"), Options{}), load(t, newDir, Options{})
			got := strings.ReplaceAll(lines(Compare(old, new)), newDir+"/", "")
			last := &a.Files[len(a.Files)-1]
			if diff := cmp.Diff(string(last.Data), got); diff != "" && !*update {
				t.Errorf("%s", diff)
			}
			if *update {
				last.Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for _, same := range []*API{old, new} {
				if changes := Compare(same, same); len(changes) > 0 {
					t.Errorf("compared with itself:\n%s", lines(changes))
				}
			}
		})
	}
}

// apidiff writes to standard output when it is not content with itself. Results
// of this program go there, so that must not happen.
func TestCompareIsSilent(t *testing.T) {
	t.Parallel()
	needGo(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCompare$", "-test.v=false")
	out, err := cmd.Output()
	if text := string(out); err != nil || strings.TrimSpace(strings.ReplaceAll(text, "PASS", "")) != "" && !strings.HasPrefix(strings.TrimSpace(text), "PASS\ncoverage:") {
		t.Errorf("%v: %s", err, text)
	}
}

// Loading leaves no trace in the folder, and sees neither tests nor internal,
// main or nested packages.
func TestLoad(t *testing.T) {
	t.Parallel()
	a := txtar.Parse([]byte(`
-- old/shop.go --
package shop
-- old/shop_test.go --
package shop
import "no.such/module"
var _ = module.X
-- old/api/v1/v1.go --
package v1
-- old/internal/i/i.go --
package i
-- old/cmd/tool/main.go --
package main
func main() {}
-- old/nested/go.mod --
module example.com/shop/nested
-- old/nested/n.go --
package nested
-- old/testdata/t.go --
package broken {
-- old/plan9/p_plan9.go --
package plan9
-- old/only/o.go --
//go:build shopping

package only
`))
	dir := extract(t, a, "old")
	before := snapshot(t, dir)
	api := load(t, dir, Options{})
	if diff := cmp.Diff([]string{"example.com/shop", "example.com/shop/api/v1"}, api.Packages()); diff != "" {
		t.Error(diff)
	}
	if api.Module != "example.com/shop" || api.Go != "1.24" {
		t.Errorf("%s, go %s", api.Module, api.Go)
	}
	tagged := load(t, dir, Options{Tags: []string{"shopping"}, Platforms: []Platform{{"plan9", "amd64"}}})
	if len(tagged.Packages()) != 4 {
		t.Errorf("with tag, on plan9: %v", tagged.Packages())
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("loading changed the folder: %s", diff)
	}
}

func snapshot(t *testing.T, dir string) map[string]time.Time {
	files := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if info, infoErr := e.Info(); infoErr == nil {
			files[name] = info.ModTime()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	needGo(t)
	for name, c := range map[string]struct{ files, want string }{
		"no go.mod":        {"", "no go.mod"},
		"no module line":   {"-- old/go.mod --\ngo 1.24\n", "begin it with"},
		"newer Go":         {"-- old/go.mod --\nmodule m\ngo 1.999\n", "install that one"},
		"not tidy":         {"-- old/x.go --\npackage x\nimport \"example.com/none\"\nvar X none.T\n", "not tidy"},
		"not downloaded":   {"-- old/go.mod --\nmodule m\ngo 1.24\nrequire example.com/none v1.2.3\n-- old/x.go --\npackage x\nimport \"example.com/none\"\nvar X none.T\n", "go mod download"},
		"does not parse":   {"-- old/x.go --\npackage x\nfunc {\n", "x.go:2"},
		"does not compile": {"-- old/x.go --\npackage x\nvar X Y\n", "x.go:2:7: undefined: Y"},
		"replaced outside": {"-- old/go.mod --\nmodule m\ngo 1.24\nrequire example.com/none v1.2.3\nreplace example.com/none => ../none\n-- old/x.go --\npackage x\nimport \"example.com/none\"\nvar X none.T\n", "whole repository"},
	} {
		dir := extract(t, txtar.Parse([]byte(c.files)), "old")
		if c.files == "" {
			dir = t.TempDir()
		}
		_, err := Load(t.Context(), dir, Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
		if errors.Is(err, ErrNoModule) != (c.files == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadIsCancelled(t *testing.T) {
	t.Parallel()
	needGo(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, extract(t, &txtar.Archive{}, "old"), Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCheckPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path  string
		major uint64
		want  string // "" is fine
	}{
		{"example.com/shop", 0, ""},
		{"example.com/shop", 1, ""},
		{"example.com/shop", 2, "example.com/shop/v2"},
		{"example.com/shop/v2", 2, ""},
		{"example.com/shop/v2", 1, "example.com/shop"},
		{"example.com/shop/v2", 3, "example.com/shop/v3"},
		{"gopkg.in/shop.v2", 2, ""},
		{"gopkg.in/shop.v2", 3, "gopkg.in/shop.v3"},
	} {
		var wrong *PathError
		err := checkPath(c.path, c.major)
		if errors.As(err, &wrong); (c.want == "") != (err == nil) || wrong != nil && wrong.Want != c.want {
			t.Errorf("%s at %d: %v, want %q", c.path, c.major, err, c.want)
		}
	}
}

// The promise: for a module with Kubernetes and Helm among its dependencies, a
// platform is loaded and compared in less than four seconds on two processors.
func BenchmarkLoadAndCompare(b *testing.B) {
	for b.Loop() {
		a := load(b, "../../..", Options{Platforms: []Platform{{"linux", "amd64"}}})
		if changes := Compare(a, a); len(changes) > 0 {
			b.Fatal(lines(changes))
		}
	}
}
