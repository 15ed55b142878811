package acceptance

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/cmd/internal/cli"
	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/module/sandbox"
)

// TestMain puts this checkout's program into PATH. As the first process of a
// sandbox it is started by itself.
func TestMain(m *testing.M) {
	program := func() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
	if sandbox.IsInit(os.Args) {
		program()
	}
	testscript.Main(m, map[string]func(){"pipeline": program})
}

// repository is a git repository that init has been run in.
type repository struct {
	dir string
	env []string
	// command is how the program is called, as is who calls it.
	command []string
	as      *syscall.SysProcAttr
}

// initialised makes a repository of files, lets edits change it and runs init
// in it.
func initialised(t *testing.T, from string, o scaffold.Options, edits ...func(dir string)) *repository {
	t.Helper()
	need(t, "git", "make", "go")
	r := &repository{dir: filepath.Join(t.TempDir(), "work"), env: os.Environ(), command: []string{"pipeline"}}
	if o.Service == "" { // nothing is downloaded for code without dependencies
		r.env = append(r.env, "GOPROXY=off")
	}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if from != "" {
		if err := os.CopyFS(r.dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	for _, edit := range edits {
		edit(r.dir)
	}
	r.commit(t, "before")
	facts, err := scaffold.Look(t.Context(), r.dir)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := scaffold.Decide(facts, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Write(plan, r.dir); err != nil {
		t.Fatal(err)
	}
	r.commit(t, "feat: pipeline init")
	return r
}

// need skips where a tool is missing, and fails in CI. None of the tests is
// short.
func need(t *testing.T, tools ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the go command or whole pipelines")
	}
	for _, tool := range tools {
		_, err := exec.LookPath(tool)
		switch {
		case err != nil && os.Getenv("CI") == "true":
			t.Fatalf("%s is missing", tool)
		case err != nil:
			t.Skipf("%s is missing", tool)
		}
	}
}

func (r *repository) commit(t *testing.T, message string) {
	t.Helper()
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "-A"},
		{"-c", "user.name=A Developer", "-c", "user.email=dev@example.com", "commit", "-q", "--allow-empty", "-m", message},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = r.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
}

// run runs stages and returns the exit code, the record and what was shown.
func (r *repository) run(t *testing.T, args ...string) (int, *pipeline.Record, string) {
	t.Helper()
	argv := slices.Concat(r.command, []string{"run", "-C", r.dir}, args)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.SysProcAttr = r.env, r.as
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	record, err := pipeline.ReadRecord(pipeline.OpenCheckout(r.dir).LastRun())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return cmd.ProcessState.ExitCode(), record, string(text)
}

// green runs stages, all of which must pass.
func (r *repository) green(t *testing.T, stages ...string) {
	t.Helper()
	code, record, text := r.run(t, append(stages, "--force")...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	for _, stage := range stages {
		if !slices.ContainsFunc(record.Results, func(got pipeline.Result) bool { return got.Kind == stage && got.Status == pipeline.Passed }) {
			t.Errorf("%s has not passed\n%s", stage, text)
		}
	}
}

// passed checks that a stage has executed a test.
func (r *repository) passed(t *testing.T, service, stage, test string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, ".pipeline", "reports", "junit-"+service+"-"+stage+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Suites []struct {
			Cases []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	for _, suite := range report.Suites {
		for _, got := range suite.Cases {
			if got.Name == test && got.Failure == nil && got.Skipped == nil {
				return
			}
		}
	}
	t.Errorf("%s has not executed %s:\n%s", stage, test, data)
}

// TestRepositoryOf2017 runs all stages in a repository that is a GOPATH, then
// breaks a test behind a target of the Makefile.
func TestRepositoryOf2017(t *testing.T) {
	t.Parallel()
	r := initialised(t, "../testdata/tally2017", scaffold.Options{})
	r.green(t, append(inCluster(), "build", "unit", "lint", "container", "module", "bench")...)
	r.passed(t, "tally", "module", "TestMakeModule")
	for _, stage := range inCluster() {
		r.passed(t, "tally", stage, "TestMakeIntegration")
	}

	replace(t, filepath.Join(r.dir, "src/tally/mtest/mtest_test.go"), `"sum":2`, `"sum":3`)
	code, _, text := r.run(t, "module")
	if code != 1 || !strings.Contains(text, `want "sum":3`) {
		t.Errorf("a red test behind make mtest: exit code %d\n%s", code, text)
	}
}

// replace changes all places of a text in a file.
func replace(t *testing.T, name, old, text string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(data), old, text)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRepositoryWithImportPath runs the same code as it looks where it was
// cloned to its import path: the built-in build takes it as a module.
func TestRepositoryWithImportPath(t *testing.T) {
	t.Parallel()
	r := initialised(t, "../testdata/tally2017", scaffold.Options{}, func(dir string) {
		replace(t, filepath.Join(dir, "Makefile"), "export GOPATH := $(CURDIR)\n", "")
		replace(t, filepath.Join(dir, "Makefile"), " $(NAME)/", " ./src/$(NAME)/")
		sources, err := filepath.Glob(filepath.Join(dir, "src/tally/*/*.go"))
		if err != nil || len(sources) < 6 {
			t.Fatalf("%d sources, %v", len(sources), err)
		}
		for _, name := range append(sources, filepath.Join(dir, "src/tally/main.go")) {
			replace(t, name, `"tally/`, `"gitlab.com/team/tally/src/tally/`)
		}
	})
	r.green(t, "build", "unit", "container", "module")
	r.passed(t, "tally", "module", "TestMakeModule")
}

// TestBridgesCompile compiles the tests that call make in all their forms, as
// the golden plans have them.
func TestBridgesCompile(t *testing.T) {
	t.Parallel()
	need(t, "go")
	plans, err := filepath.Glob("../testdata/plans/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	dir, bridges := t.TempDir(), 0
	for _, name := range plans {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if !strings.HasSuffix(f.Name, "_test.go") {
				continue
			}
			bridges++
			folder := filepath.Join(dir, fmt.Sprint("bridge", bridges))
			if err := errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(filepath.Join(folder, "x_test.go"), f.Data, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module bridges.example\n\ngo 1.21\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "vet", "-tags=module,integration", "./...")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || bridges < 3 {
		t.Errorf("%d bridges, %v\n%s", bridges, err, out)
	}
}
