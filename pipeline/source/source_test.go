package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree writes files below a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		put(t, dir, name, text)
	}
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func scan(t *testing.T, dir string) *Tree {
	t.Helper()
	tr, err := Open(dir).Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func paths(t *Tree) []string {
	var p []string
	for _, f := range t.Files {
		p = append(p, f.Path)
	}
	return p
}

func gitInit(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("git", "init", "-q", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git init: %v %s", err, out)
	}
}

func TestScanListsWhatGitWouldTrack(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{
		"main.go": "package main", ".gitignore": "bin/\n", "bin/x": "x", ".pipeline/out": "y", "sub/.gitignore": "*.tmp\n", "sub/a.tmp": "z", "sub/b": "b",
	})
	gitInit(t, dir)
	want := []string{".gitignore", "main.go", "sub/.gitignore", "sub/b"}
	if diff := cmp.Diff(want, paths(scan(t, dir))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestRepositoriesInsideBelongToTheSources(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"main.go": "package main", "inner/a.go": "package a", "inner/.gitignore": "*.tmp\n", "inner/x.tmp": ""})
	gitInit(t, dir)
	gitInit(t, filepath.Join(dir, "inner"))
	want := []string{"inner/.gitignore", "inner/a.go", "main.go"}
	if diff := cmp.Diff(want, paths(scan(t, dir))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestScanWithoutRepositoryTakesEverything(t *testing.T) {
	dir := tree(t, map[string]string{"a": "", "bin/x": "", ".pipeline/out": "", ".git-not/x": ""})
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	want := []string{".git-not/x", "a", "bin/x"}
	if diff := cmp.Diff(want, paths(scan(t, dir))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestReplacedModulesBelongToTheSources(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"app/go.mod": "module app\nreplace lib => ../lib\nreplace far => example.com/far v1.0.0\n",
		"lib/go.mod": "module lib\nreplace deep => ../deep\n", "lib/lib.go": "package lib", "deep/d.go": "package deep", "other/o.go": "package other",
	})
	want := []string{"../deep/d.go", "../lib/go.mod", "../lib/lib.go", "go.mod"}
	if diff := cmp.Diff(want, paths(scan(t, filepath.Join(root, "app")))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestEditThatKeepsSizeAndTimeIsSeen is what a cache by modification time would
// miss.
func TestEditThatKeepsSizeAndTimeIsSeen(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"a.go": "package a // 1"})
	name := filepath.Join(dir, "a.go")
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(name, when, when); err != nil {
		t.Fatal(err)
	}
	folder := Open(dir)
	before, err := folder.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "a.go", "package a // 2")
	if err := os.Chtimes(name, when, when); err != nil {
		t.Fatal(err)
	}
	if fresh := scan(t, dir); fresh.Digest() == before.Digest() {
		t.Error("a new process does not see the edit")
	}
	if same, _ := folder.Scan(t.Context()); same.Digest() != before.Digest() {
		t.Error("Scan does not keep its snapshot")
	}
	if err := folder.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, _ := folder.Scan(t.Context()); after.Digest() == before.Digest() {
		t.Error("Refresh does not see the edit")
	}
}

func TestExecutableBitAndLinksCount(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"run.sh": "#!/bin/sh"})
	before := scan(t, dir).Digest()
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	executable := scan(t, dir).Digest()
	if before == executable {
		t.Error("the executable bit does not count")
	}
	if err := os.Symlink("run.sh", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if scan(t, dir).Digest() == executable {
		t.Error("a link does not count")
	}
}

func TestShippedAndCode(t *testing.T) {
	t.Parallel()
	tr := scan(t, tree(t, map[string]string{
		"README.md": "", "LICENSE": "", "docs/x.txt": "", "main.go": "package main\n//go:embed help.md all:static \"notes/*.md\"\nvar x string\n",
		"help.md": "", "static/deep/index.md": "", "notes/a.md": "", "notes/b.txt": "", "main_test.go": "package main", "testdata/x.json": "", "chart/Chart.yaml": "",
	}))
	shipped := []string{"chart/Chart.yaml", "help.md", "main.go", "notes/a.md", "notes/b.txt", "static/deep/index.md"}
	if diff := cmp.Diff(shipped, paths(tr.Shipped())); diff != "" {
		t.Errorf("shipped (-want +got):\n%s", diff)
	}
	code := []string{"chart/Chart.yaml", "help.md", "main.go", "main_test.go", "notes/a.md", "notes/b.txt", "static/deep/index.md", "testdata/x.json"}
	if diff := cmp.Diff(code, paths(tr.Code())); diff != "" {
		t.Errorf("code (-want +got):\n%s", diff)
	}
	if !tr.Has("main.go") || tr.Has("main") {
		t.Error("Has is wrong")
	}
	if got := paths(tr.Below("notes")); len(got) != 2 {
		t.Errorf("Below(notes) is %v", got)
	}
}
