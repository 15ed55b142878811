package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if code, done := innerProcess(os.Args); done {
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){
		"pipeline": func() { os.Exit(Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the sessions in testdata/script: what a user types and sees.
// None of them needs a network, an engine or a cluster.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, scripts("testdata/script"))
}

func scripts(dir string) testscript.Params {
	commands := newGitLabs().commands()
	maps.Copy(commands, map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "service": copyTiny, "replace": replace, "replaceAll": replaceAll, "without": without, "commit": commit, "sameTime": sameTime,
		"shown": writeShown,
	})
	return testscript.Params{Dir: dir, Setup: isolate, RequireExplicitExec: true, Cmds: commands, Condition: missing}
}

// missing is the condition [missing:PROGRAM], for scripts that are skipped where
// a program is not installed. In CI it has to be there.
func missing(condition string) (bool, error) {
	name, ok := strings.CutPrefix(condition, "missing:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", condition)
	}
	if _, err := exec.LookPath(name); err != nil && os.Getenv("CI") == "true" {
		return false, fmt.Errorf("%s is not installed: %w", name, err)
	} else if err != nil {
		return true, nil
	}
	return false, nil
}

// isolate gives each script a home and a cache of its own, and Go's caches of
// the machine.
func isolate(env *testscript.Env) error {
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOSUMDB"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return err
		}
		env.Setenv(name, strings.TrimSpace(string(out)))
	}
	env.Setenv("PIPELINE_CACHE", filepath.Join(env.WorkDir, "cache"))
	env.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(env.WorkDir))
	for _, v := range []string{"GIT_AUTHOR", "GIT_COMMITTER"} {
		env.Setenv(v+"_NAME", "A Developer")
		env.Setenv(v+"_EMAIL", "dev@example.com")
	}
	return nil
}

// exits runs a command and checks its exit code: exits CODE COMMAND ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// copyTiny copies testdata/tiny into a folder: service DIR.
func copyTiny(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.CopyFS(ts.MkAbs(args[0]), os.DirFS(filepath.Join(testdata(ts), "tiny"))))
}

// testdata is the folder of the tests, which scripts do not run in.
func testdata(ts *testscript.TestScript) string {
	dir, err := os.Getwd()
	ts.Check(err)
	return filepath.Join(dir, "testdata")
}

// replace changes the first place of a text in a file: replace FILE OLD NEW.
// OLD must be there.
func replace(ts *testscript.TestScript, _ bool, args []string) { edit(ts, args, 1) }

// replaceAll changes all places.
func replaceAll(ts *testscript.TestScript, _ bool, args []string) { edit(ts, args, -1) }

func edit(ts *testscript.TestScript, args []string, places int) {
	name := ts.MkAbs(args[0])
	old, text := strings.ReplaceAll(args[1], `\n`, "\n"), strings.ReplaceAll(args[2], `\n`, "\n")
	data := ts.ReadFile(name)
	if !strings.Contains(data, old) {
		ts.Fatalf("%s does not contain %q", args[0], old)
	}
	ts.Check(os.WriteFile(name, []byte(strings.Replace(data, old, text, places)), 0o644))
}

// without makes PATH hold nothing but pipeline and the named commands: what
// runs then runs without all others.
func without(ts *testscript.TestScript, _ bool, keep []string) {
	bin := filepath.Join(ts.Getenv("WORK"), "path")
	ts.Check(os.MkdirAll(bin, 0o755))
	for _, name := range append([]string{"pipeline"}, keep...) {
		for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
			if from := filepath.Join(dir, name); exists(from) && !exists(filepath.Join(bin, name)) {
				ts.Check(os.Symlink(from, filepath.Join(bin, name)))
			}
		}
	}
	ts.Setenv("PATH", bin)
}

// commit makes a repository of a folder if it is none, and commits everything:
// commit DIR MESSAGE.
func commit(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	if !exists(filepath.Join(dir, ".git")) {
		ts.Check(ts.Exec("git", "init", "-q", "-b", "main", dir))
	}
	ts.Check(ts.Exec("git", "-C", dir, "add", "-A"))
	ts.Check(ts.Exec("git", "-C", dir, "commit", "-q", "-m", args[1]))
}

// sameTime gives FILE the modification time of OTHER.
func sameTime(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	ts.Check(os.Chtimes(ts.MkAbs(args[0]), info.ModTime(), info.ModTime()))
}
