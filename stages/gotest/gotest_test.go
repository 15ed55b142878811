package gotest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each archive in testdata has a stream, and what is made of it: the log, the
// summary and the cause, and the tests.
func TestParse(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no test data", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			r, err := Parse(bytes.NewReader(a.Files[0].Data), &log)
			if err != nil {
				t.Fatal(err)
			}
			got := &txtar.Archive{Comment: a.Comment, Files: []txtar.File{
				a.Files[0],
				{Name: "log", Data: log.Bytes()},
				{Name: "verdict", Data: []byte(verdictText(r))},
				{Name: "tests", Data: []byte(testsText(r))},
			}}
			if *update {
				if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(a)), string(txtar.Format(got))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func verdictText(r *Result) string {
	err := r.Err("unit")
	var f *pipeline.Failure
	if errors.As(err, &f) {
		return f.Summary + "\n" + f.Cause + "\n"
	}
	return fmt.Sprintf("%s: %v\n", r.Summary(), err)
}

func testsText(r *Result) string {
	var b strings.Builder
	for _, t := range r.Tests {
		fmt.Fprintf(&b, "%s %s %s %v %s:%d\n", t.Status, t.Package, t.Name, t.Time, t.File, t.Line)
	}
	return b.String()
}

func TestRun(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("go is not in PATH")
		}
		t.Skip("go is not in PATH")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module example.com/m\n\ngo 1.24\n",
		"a/a_test.go": "package a\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestA(t *testing.T) {\n\tt.Errorf(\"X is %q\", os.Getenv(\"X\"))\n}\n\nfunc TestOther(t *testing.T) {}\n",
		"b/b_test.go": "package b\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { nope() }\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	job := pipeline.NewJob(&pipeline.Node{}, "test", dir, t.TempDir(), t.TempDir(), t.TempDir(), &log, nil)
	r, err := Run(t.Context(), job, Options{Run: "A|B", Env: []string{"X=y"}})
	if err != nil {
		t.Fatal(err)
	}
	f := r.Failure()
	if f == nil {
		t.Fatalf("no failure\n%s", log.String())
	}
	want := "does not compile: example.com/m/b\n    b/b_test.go:5:28: undefined: nope\n" +
		"FAIL example.com/m/a TestA (a/a_test.go:9)\n        a_test.go:9: X is \"y\""
	if diff := cmp.Diff(want, f.Cause); diff != "" {
		t.Error(diff)
	}
	if len(job.Findings.Tests) != 2 || r.Executed() != 1 {
		t.Errorf("findings %+v, executed %d", job.Findings.Tests, r.Executed())
	}
	r, err = Run(t.Context(), job, Options{Packages: []string{"./none"}})
	if err != nil || r.Failure() == nil {
		t.Fatalf("a folder that does not exist: %v, %v", err, r.Failure())
	}
	if f := r.Failure(); !strings.Contains(f.Cause, "none") {
		t.Errorf("cause %q", f.Cause)
	}
}

func TestMissingGo(t *testing.T) {
	t.Setenv("PATH", "")
	job := pipeline.NewJob(&pipeline.Node{}, "test", t.TempDir(), "", "", "", &bytes.Buffer{}, nil)
	_, err := Run(t.Context(), job, Options{})
	var n *pipeline.NotTested
	if !errors.As(err, &n) || n.Remedy == "" {
		t.Errorf("error %v is no NotTested", err)
	}
}

// However much fails, a cause is short and says how much it leaves out.
func TestManyFailures(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 5, 8, 12, 13, 24, 25, 400} {
		var in strings.Builder
		for i := range n {
			fmt.Fprintf(&in, `{"Action":"output","Package":"m","Test":"T%d","Output":"    a_test.go:1: one\n        two\n        three\n        four\n"}`+"\n", i)
			fmt.Fprintf(&in, `{"Action":"fail","Package":"m","Test":"T%d"}`+"\n", i)
		}
		r, err := Parse(strings.NewReader(in.String()), nil)
		if err != nil {
			t.Fatal(err)
		}
		f := r.Failure()
		lines := strings.Split(f.Cause, "\n")
		if len(lines) > 24 || r.Failed != n {
			t.Errorf("%d failures: %d lines", n, len(lines))
		}
		shown := strings.Count(f.Cause, "FAIL m T")
		if more := fmt.Sprintf("... and %d more", n-shown); shown < n && lines[len(lines)-1] != more {
			t.Errorf("%d failures, %d shown: the last line is %q, want %q", n, shown, lines[len(lines)-1], more)
		}
	}
}

// What one test writes does not fill the memory or the report.
func TestBounded(t *testing.T) {
	t.Parallel()
	var in strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&in, `{"Action":"output","Package":"m","Test":"T","Output":"line %d\n"}`+"\n", i)
	}
	in.WriteString(`{"Action":"fail","Package":"m","Test":"T"}` + "\n" + strings.Repeat("x", 3<<20))
	r, err := Parse(strings.NewReader(in.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := r.Tests[0].Output
	if len(out) > maxOutput+20 || !strings.HasPrefix(out, "line 0\n") || !strings.HasSuffix(out, "line 19999\n") {
		t.Errorf("%d bytes, from %.10q to %q", len(out), out, out[len(out)-12:])
	}
	if len(r.other) > maxOutput+20 {
		t.Errorf("%d bytes of other output", len(r.other))
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse(bytes.NewReader(data), nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[[2]string]bool{}
		red := false
		for _, test := range r.Tests {
			key := [2]string{test.Package, test.Name}
			if seen[key] && test.Name != buildTest && test.Name != packageTest {
				t.Errorf("%v is there twice", key)
			}
			seen[key], red = true, red || test.Status == pipeline.TestFailed
			if test.Time < 0 || test.Status == "" {
				t.Errorf("%+v", test)
			}
		}
		failure := r.Failure()
		if red != (failure != nil) {
			t.Errorf("failed tests: %v, failure: %v", red, failure)
		}
		if failure != nil && strings.Count(failure.Cause, "\n") >= 24 {
			t.Errorf("cause has more than 24 lines:\n%s", failure.Cause)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var in bytes.Buffer
	for i := range 1000 {
		for _, action := range []string{"run", "output", "pass"} {
			fmt.Fprintf(&in, `{"Time":"2026-01-01T00:00:00Z","Action":%q,"Package":"example.com/m","Test":"Test%d","Output":"    a_test.go:1: text\n"}`+"\n", action, i)
		}
	}
	b.SetBytes(int64(in.Len()))
	for b.Loop() {
		if _, err := Parse(bytes.NewReader(in.Bytes()), nil); err != nil {
			b.Fatal(err)
		}
	}
}
