package gotest

import (
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// Failure tells what is red, nil when nothing is. Its cause has at most 24
// lines: what did not compile first, because nothing of it was tested, then
// the failing tests, each with the beginning of its output.
func (r *Result) Failure() *pipeline.Failure {
	blocks := r.blocks()
	if len(blocks) == 0 {
		if r.command == nil {
			return nil
		}
		f := &pipeline.Failure{Summary: "go test failed", Cause: gotool.Excerpt(r.other, gotool.CauseLines)}
		if f.Cause == "" {
			f.Cause = r.command.Error()
		}
		return f
	}
	return &pipeline.Failure{Summary: r.headline(), Cause: layout(blocks, gotool.CauseLines)}
}

// headline counts: "2 of 31 tests failed, 1 package does not compile".
func (r *Result) headline() string {
	var parts []string
	if r.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s failed", r.Failed, count(r.Executed(), "test")))
	}
	builds, others := 0, 0
	for _, t := range r.Tests {
		switch t.Name {
		case buildTest:
			builds++
		case packageTest:
			others++
		}
	}
	if builds == 1 {
		parts = append(parts, "1 package does not compile")
	} else if builds > 1 {
		parts = append(parts, fmt.Sprintf("%d packages do not compile", builds))
	}
	if others > 0 {
		parts = append(parts, count(others, "package")+" failed outside of a test")
	}
	return strings.Join(parts, ", ")
}

// block is what a cause says of one failing thing.
type block struct {
	title string
	lines []string
}

// blocks returns the failing things, what matters most first. A test that
// failed only because a sub-test did has no block of its own. Several packages
// that failed for the same broken build are one.
func (r *Result) blocks() []block {
	var builds, tests, cut []block
	seen := map[string]bool{}
	for _, t := range r.Tests {
		lines := relevant(t.Output)
		switch {
		case t.Status != pipeline.TestFailed, r.blamesChild(t, lines):
		case t.Name == buildTest:
			if !seen[t.Output] {
				seen[t.Output] = true
				builds = append(builds, block{"does not compile: " + t.Package, compilerLines(lines)})
			}
		case t.Name == packageTest:
			tests = append(tests, block{"FAIL " + t.Package, lines})
		case len(lines) == 1 && strings.HasPrefix(lines[0], "the test binary ended"):
			cut = append(cut, block{"DID NOT END " + t.Package + " " + t.Name, nil})
		default:
			tests = append(tests, block{title(t), lines})
		}
	}
	return append(append(builds, tests...), cut...)
}

// blamesChild reports whether t has nothing to say but that a sub-test failed.
func (r *Result) blamesChild(t pipeline.Test, lines []string) bool {
	if len(lines) > 0 && !strings.HasPrefix(lines[0], "the test binary ended") {
		return false
	}
	for _, c := range r.Tests {
		if c.Status == pipeline.TestFailed && c.Package == t.Package && strings.HasPrefix(c.Name, t.Name+"/") {
			return true
		}
	}
	return false
}

func title(t pipeline.Test) string {
	s := "FAIL " + t.Package + " " + t.Name
	if t.File != "" {
		s += fmt.Sprintf(" (%s:%d)", t.File, t.Line)
	}
	return s
}

// layout gives each block its title and a fair share of the lines. What does
// not fit is counted in the last line.
func layout(blocks []block, most int) string {
	var out []string
	for i, b := range blocks {
		left, rest := most-len(out), len(blocks)-i
		if left <= 2 && rest > 1 {
			out = append(out, fmt.Sprintf("... and %d more", rest))
			break
		}
		share := max(left/rest, min(left, 3)) - 1
		if rest > 1 {
			share = min(share, left-2) // room for the count
		}
		out = append(out, gotool.Clip(b.title))
		out = append(out, indent(b.lines, share)...)
	}
	return strings.Join(out, "\n")
}

func indent(lines []string, most int) []string {
	if len(lines) == 0 || most <= 0 {
		return nil
	}
	var out []string
	for _, line := range strings.Split(gotool.Excerpt(strings.Join(lines, "\n"), most), "\n") {
		out = append(out, "    "+line)
	}
	return out
}
