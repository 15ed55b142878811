package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bashCompletion is where the package bash-completion has its library.
func bashCompletion() []string {
	return []string{
		"/usr/share/bash-completion/bash_completion",
		"/opt/homebrew/share/bash-completion/bash_completion",
		"/usr/local/share/bash-completion/bash_completion",
	}
}

// TestBash types into a real bash, as far as that is possible: the variables
// are set that readline sets, and the function is called that it calls.
func TestBash(t *testing.T) {
	t.Parallel()
	library := ""
	for _, file := range bashCompletion() {
		if _, err := os.Stat(file); err == nil && library == "" {
			library = file
		}
	}
	if _, err := exec.LookPath("bash"); err != nil || library == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("bash and bash-completion are needed in CI: apt-get install bash bash-completion")
		}
		t.Skip("no bash, or no bash-completion")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "tiny"))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"pipeline", "run", "uni"}, "unit"},
		{[]string{"pipeline", "run", "--runtime", "do"}, "docker"},
		{[]string{"pipeline", "run", "--runtime=po"}, "--runtime=podman podman"}, // as bash splits words, or not
		{[]string{"pipeline", "doc"}, "doctor"},
		{[]string{"pipeline", "completion", "fi"}, "fish"},
		{[]string{"pipeline", "run", "nothing-like-it"}, ""},
	} {
		got := complete(t, dir, library, c.words)
		if got != c.want && (got == "" || !strings.Contains(" "+c.want+" ", " "+got+" ")) {
			t.Errorf("%v: %q, want %q", c.words, got, c.want)
		}
	}
}

// complete returns what bash would offer, or put in the place of the last word.
func complete(t *testing.T, dir, library string, words []string) string {
	t.Helper()
	script := `set +o posix
source "$1"; shift
source <(pipeline completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
compopt() { :; }
__start_pipeline
for word in "${COMPREPLY[@]}"; do echo "${word%% *}"; done`
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{"--norc", "--noprofile", "-c", script, "bash", library}, words...)...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", words, err, out)
	}
	return strings.TrimSpace(string(out))
}

// BenchmarkCompleteStages is the promise of 100 ms from key to candidates.
func BenchmarkCompleteStages(b *testing.B) {
	for b.Loop() {
		cmd := exec.Command("pipeline", "__complete", "run", "-C", filepath.Join("testdata", "tiny"), "")
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
	}
}
