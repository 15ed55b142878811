package templates

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tinyService is the smallest service that has everything a stage looks at.
const tinyService = "../cli/testdata/tiny"

// newTiny is a consumer with the tiny service, with a package that counts for
// the coverage, and with what a release asks for where there is no cluster.
func newTiny(t *testing.T, include string) *consumer {
	t.Helper()
	c := newConsumer(t, tinyService, include)
	c.replace("pipeline.yaml", "stages:", "release:\n  require: [build, unit, lint, container, module]\nstages:")
	c.write(".gitignore", "bin/\n") // a clone is clean without a word of the consumer
	c.write("half/half.go", "package half\n\n// Of returns the half.\nfunc Of(n int) int { return n / 2 }\n")
	c.write("half/half_test.go", "package half\n\nimport \"testing\"\n\nfunc TestOf(t *testing.T) {\n\tif Of(4) != 2 {\n\t\tt.Error(\"the half of 4 is not 2\")\n\t}\n}\n")
	c.push("fix: halves")
	return c
}

// TestStages runs a pipeline of the default branch, one job per stage, from the
// commit to the release. Each job has a fresh clone and a fresh cache.
func TestStages(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole pipelines of GitLab")
	}
	t.Parallel()
	c := newTiny(t, `
include:
  - local: templates/service/template.yml
    inputs:
      cluster: none
      release: auto
      release-args: --unsigned
`)
	got := c.run(nil)
	want := map[string]string{}
	for _, job := range []string{"build", "unit", "lint", "container", "module", "report", "release"} {
		want["pipeline-"+job] = "PASS"
	}
	if diff := cmp.Diff(want, got.jobs); diff != "" {
		t.Fatalf("%s\n%s", diff, got.text)
	}
	t.Run("log", func(t *testing.T) {
		for job, want := range map[string]string{
			"build":     `build +passed .*passed in .* 1 passed`,
			"unit":      `unit +passed .* 2 tests, coverage 100.*passed in .* 1 passed`,
			"lint":      `lint +passed .*passed in .* 1 passed`,
			"container": `build +up to date .*container +passed .*passed in .* 1 up to date, 1 passed`,
			"module":    `build +up to date .*container +up to date .*module +passed .*passed in .* 2 up to date, 1 passed`,
			"release":   `released tiny 0\.1\.0\n$`,
		} {
			if log := got.log("pipeline-" + job); !regexp.MustCompile("(?s)" + want).MatchString(log) {
				t.Errorf("the log of %s does not match %s:\n%s", job, want, log)
			}
		}
		if !regexp.MustCompile(`PASS +pipeline-unit +100(\.0)?% coverage`).MatchString(got.text) {
			t.Errorf("the coverage was not found:\n%s", got.text)
		}
	})
	t.Run("artifacts", c.checkArtifacts)
	t.Run("release", func(t *testing.T) {
		if tag := c.git("ls-remote", "--tags", "origin"); !strings.HasSuffix(tag, "refs/tags/v0.1.0") {
			t.Errorf("tags of the project: %q", tag)
		}
	})
	t.Run("hand-over", c.checkHandOver)
}

// artifacts are the files that a job handed on, those of its own run by a name
// without its id.
func (c *consumer) artifacts(job string) []string {
	c.t.Helper()
	root := filepath.Join(c.dir, ".gitlab-ci-local", "artifacts", job)
	run := regexp.MustCompile(`runs/[^/]+`)
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, path)
			files = append(files, run.ReplaceAllString(filepath.ToSlash(rel), "runs/ID"))
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// artifact returns a file that a job handed on.
func (c *consumer) artifact(job, file string) string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, ".gitlab-ci-local", "artifacts", job, file))
	if err != nil {
		c.t.Error(err)
	}
	return string(data)
}

// checkArtifacts checks that each job hands on what is its own, and no more.
func (c *consumer) checkArtifacts(t *testing.T) {
	for job, want := range map[string]string{
		"build": `\.pipeline/out/tiny/build(/.*|\.verdict\.json|\.findings\.json)|\.pipeline/runs/ID/.*`,
		"unit": `\.pipeline/out/tiny/unit(/.*|\.verdict\.json|\.findings\.json)|\.pipeline/runs/ID/.*` +
			`|\.gitlab-ci-reports/(junit/\.pipeline/reports/junit-tiny-unit\.xml|coverage_report/\.pipeline/reports/coverage-tiny\.xml)`,
		"container": `\.pipeline/out/tiny/container(/.*|\.verdict\.json|\.findings\.json)|\.pipeline/runs/ID/.*|\.gitlab-ci-reports/cyclonedx/\.pipeline/reports/tiny\.cdx\.json`,
		"module":    `\.pipeline/out/tiny/module(/.*|\.verdict\.json|\.findings\.json)|\.pipeline/runs/ID/.*|\.gitlab-ci-reports/junit/\.pipeline/reports/junit-tiny-module\.xml`,
	} {
		files := c.artifacts("pipeline-" + job)
		for _, file := range files {
			if !regexp.MustCompile(`^(` + want + `)$`).MatchString(file) {
				t.Errorf("%s hands on %s", job, file)
			}
		}
		for _, need := range []string{".pipeline/out/tiny/" + job + ".verdict.json", ".pipeline/runs/ID/record.jsonl", ".pipeline/runs/ID/finished"} {
			if !slices.Contains(files, need) {
				t.Errorf("%s does not hand on %s, but %v", job, need, files)
			}
		}
	}
	files := c.artifacts("pipeline-report")
	for _, need := range []string{".pipeline/reports/report.html", ".pipeline/reports/summary.md", ".pipeline/reports/figures.json", ".pipeline/reports/junit-tiny-unit.xml", ".pipeline/reports/junit-tiny-module.xml"} {
		if !slices.Contains(files, need) {
			t.Errorf("report has no %s, but %v", need, files)
		}
	}
}

// checkHandOver changes one byte of what a job handed on: the one that gets it
// ends with exit code 3, on which GitLab tries it again.
func (c *consumer) checkHandOver(t *testing.T) {
	const job = "pipeline-container"
	if got := c.run(nil, job); got.jobs[job] != "PASS" || !strings.Contains(got.log(job), "build      up to date") {
		t.Fatalf("the job alone, with what others handed on:\n%s", got.text)
	}
	name := filepath.Join(c.dir, ".gitlab-ci-local/artifacts/pipeline-build/.pipeline/out/tiny/build/build.json")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2]++
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	got := c.run(nil, job)
	if !regexp.MustCompile(job + ` +finished in .* FAIL 3`).MatchString(got.text) {
		t.Errorf("the job took what was changed on the way:\n%s", got.text)
	}
	if !strings.Contains(got.log(job), "input missing: the outputs of tiny/build; ") {
		t.Errorf("the job does not say what it lacks:\n%s", got.text)
	}
}
