package cli

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

var update = flag.Bool("update", false, "write the generated files of docs")

// TestReferenceIsWhatTheProgramSays compares the generated files of docs with what the program
// says of itself. With -update it writes them.
func TestReferenceIsWhatTheProgramSays(t *testing.T) {
	t.Parallel()
	for name, generated := range map[string][]byte{
		"reference/commands.md":       commandReference(newRoot(&streams{out: new(bytes.Buffer), err: new(bytes.Buffer)})),
		"reference/configuration.md":  configurationReference(t),
		"schema/pipeline.schema.json": config.Schema(),
		"schema/scs.schema.json":      config.SystemSchema(),
	} {
		file := filepath.Join(top, "docs", filepath.FromSlash(name))
		if *update {
			if err := os.WriteFile(file, generated, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		stored, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(stored), string(generated)); diff != "" {
			t.Errorf("docs/%s is not what the program says; `go test ./cmd/internal/cli -run TestReferenceIs -update` writes it\n%s", name, diff)
		}
	}
}

// TestExitCodesAreDocumented finds each exit code of exit.go in the reference
// and in the help, and nothing else.
func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	want := exitCodes(t)
	got := map[string]bool{}
	row := regexp.MustCompile(`(?m)^\| (\d+) \|`)
	for _, m := range row.FindAllStringSubmatch(readDocument(t, "docs/reference/exit-codes.md"), -1) {
		got[m[1]] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the exit codes of docs/reference/exit-codes.md are not those of exit.go (- exit.go, + document)\n%s", diff)
	}
	_, help, _ := strings.Cut(newRoot(&streams{}).Long, "Exit codes:")
	clear(got)
	for _, code := range regexp.MustCompile(`\b\d+\b`).FindAllString(help, -1) {
		got[code] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the exit codes of `pipeline --help` are not those of exit.go (- exit.go, + help)\n%s", diff)
	}
}

// exitCodes are the values of the constants exit... of exit.go.
func exitCodes(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "exit.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "exit") || len(spec.Values) != 1 {
			return true
		}
		if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.INT {
			codes[value.Value] = true
		}
		return true
	})
	if len(codes) < 6 {
		t.Fatalf("only %d exit codes were found in exit.go", len(codes))
	}
	return codes
}

// readDocument returns the text of a file of the repository.
func readDocument(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
