package command

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
)

// run runs a shell script as the stage "step" of a service with one source.
func run(t *testing.T, script string, set config.Stage) (*pipeline.Job, string, error) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "src/app.py", "print()\n")
	if set.Command == nil {
		set.Command = []string{"sh", "-c", script}
	}
	var log bytes.Buffer
	node := &pipeline.Node{Name: "svc/step", Service: "svc", Kind: "step", Dir: dir}
	need := t.TempDir()
	writeFile(t, need, "made", "by build\n")
	job := pipeline.NewJob(node, "test", dir, t.TempDir(), t.TempDir(), t.TempDir(), &log, map[string]string{"svc/build": need})
	stage := New(Options{
		Service: config.Service{Name: "svc", Dir: dir, Stages: map[string]config.Stage{"step": set}},
		Kind:    "step", Version: "1.2.3", Sources: source.Open(dir),
	})
	err := stage.Run(t.Context(), job)
	return job, log.String(), err
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPassed(t *testing.T) {
	t.Parallel()
	script := `set -e; pwd -P; test -f src/app.py; cp "$PIPELINE_NEED_BUILD/made" "$PIPELINE_OUT/app"
echo "$PIPELINE_VERSION $COLOUR"; mkdir "$PIPELINE_OUT/lib"`
	job, log, err := run(t, script, config.Stage{
		Needs: []string{"build"}, Outputs: []string{"app", "lib/"},
		Env: map[string]string{"COLOUR": "blue"}, Inputs: []string{"src/**/*.py"},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if !strings.Contains(log, "1.2.3 blue\n") {
		t.Errorf("log %q", log)
	}
	if data, err := os.ReadFile(filepath.Join(job.Out, "app")); string(data) != "by build\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestRed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script   string
		set            config.Stage
		summary, cause string
	}{
		{
			name: "status", script: `for i in $(seq 100); do echo line $i; done; printf '\033[31mboom\033[0m\n' >&2; exit 7`,
			summary: "sh: exit status 7", cause: "line 100\nboom",
		},
		{name: "signal", script: `kill -9 $$`, summary: "sh: ended by signal killed"},
		{
			name: "output", script: `touch "$PIPELINE_OUT/a"`, set: config.Stage{Outputs: []string{"a", "b", "c/d"}},
			summary: "outputs are missing: b, c/d", cause: "$PIPELINE_OUT",
		},
		{
			name: "link out of the folder", script: `ln -s /etc/passwd "$PIPELINE_OUT/a"`, set: config.Stage{Outputs: []string{"a"}},
			summary: "outputs are missing: a",
		},
		{
			name: "report", script: `true`, set: config.Stage{Reports: config.Reports{JUnit: []string{"junit.xml"}}},
			summary: "reports cannot be read", cause: "report junit.xml is missing",
		},
		{
			name: "red tests, status 0", set: config.Stage{Reports: config.Reports{JUnit: []string{"*.xml"}}},
			script:  `echo '<testsuite name="s"><testcase name="x"><failure message="bad"/></testcase><testcase name="y"/></testsuite>' > "$PIPELINE_OUT/j.xml"`,
			summary: "1 of 2 tests failed", cause: "FAIL s x\n    bad",
		},
		{
			name: "red tests, status 2", set: config.Stage{Reports: config.Reports{JUnit: []string{"*.xml"}}},
			script:  `echo '<testsuite name="s"><testcase name="x"><failure message="bad"/></testcase></testsuite>' > "$PIPELINE_OUT/j.xml"; exit 2`,
			summary: "1 of 1 test failed", cause: "FAIL s x\n    bad",
		},
		{name: "permission", set: config.Stage{Command: []string{"./src/app.py"}}, summary: "./src/app.py cannot be executed", cause: "+x"},
		{name: "input", script: `true`, set: config.Stage{Inputs: []string{"src", "lib/**"}}, summary: "inputs match no file: lib/**"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, log, err := run(t, test.script, test.set)
			var f *pipeline.Failure
			if !errors.As(err, &f) {
				t.Fatalf("error %v is no Failure\n%s", err, log)
			}
			if f.Summary != test.summary || !strings.Contains(f.Cause, test.cause) || strings.Count(f.Cause, "\n") >= 24 {
				t.Errorf("%s\n%s", f.Summary, f.Cause)
			}
		})
	}
}

func TestNotTested(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]config.Stage{
		"program": {Command: []string{"no-such-program", "x"}},
		"script":  {Command: []string{"./no-such-script"}},
		"no test": {
			Command: []string{"sh", "-c", `echo '<testsuites/>' > "$PIPELINE_OUT/j.xml"`},
			Reports: config.Reports{JUnit: []string{"j.xml"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, log, err := run(t, "", set)
			var n *pipeline.NotTested
			if !errors.As(err, &n) || n.Remedy == "" {
				t.Fatalf("error %v is no NotTested\n%s", err, log)
			}
		})
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "src/a.py", "1")
	writeFile(t, dir, "other.txt", "1")
	key := func(set config.Stage) evidence.Digest {
		var in evidence.Inputs
		o := Options{Service: config.Service{Stages: map[string]config.Stage{"step": set}}, Kind: "step", Sources: source.Open(dir)}
		if err := New(o).Key(t.Context(), &in); err != nil {
			t.Fatal(err)
		}
		for _, i := range in.List() {
			if strings.Contains(i.Value, "secret") {
				t.Errorf("%s shows %s", i.Label, i.Value)
			}
		}
		return in.Key()
	}
	narrow := config.Stage{Command: []string{"x"}, Inputs: []string{"src"}, Env: map[string]string{"A": "secret"}}
	before, all := key(narrow), key(config.Stage{})
	writeFile(t, dir, "other.txt", "2")
	if key(narrow) != before {
		t.Error("a file that is no input changes the key")
	}
	if key(config.Stage{}) == all {
		t.Error("without inputs a file does not change the key")
	}
	narrow.Env = map[string]string{"A": "secret2"}
	if key(narrow) == before {
		t.Error("the environment does not change the key")
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"src", "src/a/b.py", true},
		{"src/", "src/a.py", true},
		{"src", "src2/a.py", false},
		{"src/*.py", "src/a.py", true},
		{"src/*.py", "src/a/b.py", false},
		{"src/**/*.py", "src/b.py", true},
		{"src/**/*.py", "src/a/c/b.py", true},
		{"src/**/*.py", "src/a/c/b.txt", false},
		{"**/x/**/y", "a/x/b/x/c/y", true},
		{"**/x/**/y", "a/x/b/z", false},
		{"**", "a", true},
		{"**/**", "a/b", true},
		{"./a", "a", true},
		{".", "a/b", true},
		{"*.json", "package.json", true},
		{"*.json", "a/package.json", false},
		{"[", "[", false},
		{"a/b", "a", false},
	} {
		if got := Match(test.pattern, test.name); got != test.want {
			t.Errorf("Match(%q, %q) is %v", test.pattern, test.name, got)
		}
	}
}

func TestNeedVariable(t *testing.T) {
	t.Parallel()
	got := []string{NeedVariable("build"), NeedVariable("stock/container"), NeedVariable("my-step2")}
	want := []string{"PIPELINE_NEED_BUILD", "PIPELINE_NEED_STOCK_CONTAINER", "PIPELINE_NEED_MY_STEP2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	in := "\x1b[1;31mred\x1b[0m\r\n 10%\r 50%\r100%\n\x1b]8;;http://x\x07link\x1b]8;;\x07"
	if got, want := plain(in), "red\n100%\nlink"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
