package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestVariablesAreDocumented finds each environment variable that the program
// reads or sets in the tables of environment.md, and each of the tables in the
// program.
func TestVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	used, documented := variablesInSource(t), documentedVariables(t)
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !documented[name] {
			t.Errorf("docs/reference/environment.md has no row for %s, which is in %s", name, used[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if used[name] == "" {
			t.Errorf("docs/reference/environment.md has a row for %s, which the program neither reads nor sets", name)
		}
	}
	if len(used) < 40 {
		t.Errorf("only %d variables were found in the source", len(used))
	}
}

// documentedVariables are those in the first column of the tables, up to the
// section about other programs. A name that ends in <NAME> stands for all that
// begin so.
func documentedVariables(t *testing.T) map[string]bool {
	t.Helper()
	text, _, found := strings.Cut(readDocument(t, "docs/reference/environment.md"), "\n## Read by what it calls\n")
	if !found {
		t.Fatal("docs/reference/environment.md has no section \"Read by what it calls\"")
	}
	names := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(text, -1) {
		for _, m := range regexp.MustCompile("`([A-Za-z0-9_]+)(<[A-Z]+>)?`").FindAllStringSubmatch(row[1], -1) {
			names[m[1]] = true
		}
	}
	return names
}

// variablesInSource returns the variables that the packages of the program
// name in a text, and what they give to Getenv or LookupEnv, with the file of
// one place.
func variablesInSource(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, dir := range packagesOf(t, "./cmd/pipeline") {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") {
				variablesInFile(t, name, found)
			}
		}
	}
	return found
}

// packagesOf returns the folders of this module's packages that a program is
// made of.
func packagesOf(t *testing.T, program string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", program)
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func variablesInFile(t *testing.T, name string, found map[string]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`\b(?:PIPELINE|CI|GITLAB)_[A-Z0-9_]+`)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				for _, v := range ours.FindAllString(text, -1) {
					found[v] = name
				}
			}
		case *ast.CallExpr:
			if v := askedFor(n); v != "" {
				found[v] = name
			}
		}
		return true
	})
}

// askedFor returns the literal that a call of Getenv or LookupEnv, of os or
// handed in, is about.
func askedFor(call *ast.CallExpr) string {
	var function string
	switch f := call.Fun.(type) {
	case *ast.Ident:
		function = f.Name
	case *ast.SelectorExpr:
		function = f.Sel.Name
	}
	if !strings.EqualFold(function, "getenv") && function != "LookupEnv" || len(call.Args) != 1 {
		return ""
	}
	literal, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return ""
	}
	name, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return name
}
