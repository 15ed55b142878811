// Command testsum reads the output of `go test -json` runs, prints it as text
// and ends with one line of counts. It exits with 1 when a test failed, a
// package did not build, or nothing was executed.
package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotest"
)

func main() { os.Exit(sum(os.Stdin, os.Stdout)) }

func sum(in io.Reader, out io.Writer) int {
	r, err := gotest.Parse(in, out)
	if err != nil {
		fmt.Fprintln(out, "testsum:", err)
		return 1
	}
	if f := r.Failure(); f != nil {
		fmt.Fprintf(out, "\n%s\n%s\n\n", f.Summary, f.Cause)
	}
	failed := 0
	for _, t := range r.Tests {
		switch t.Status {
		case pipeline.TestFailed:
			failed++ // a package that did not build is one of them
		case pipeline.TestSkipped:
			fmt.Fprintf(out, "skipped: %s %s: %s\n", t.Package, t.Name, strings.Join(strings.Fields(t.Output), " "))
		}
	}
	for _, p := range slowest(r.Packages, 10) {
		fmt.Fprintf(out, "%6.0f s  %s\n", p.Time.Seconds(), p.Path)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", r.Passed, failed, r.Skipped)
	if r.Failure() != nil || failed > 0 || r.Executed() == 0 {
		return 1
	}
	return 0
}

// slowest returns the n packages that took longest, the longest first.
func slowest(packages []gotest.Package, n int) []gotest.Package {
	list := slices.Clone(packages)
	slices.SortStableFunc(list, func(a, b gotest.Package) int { return cmp.Compare(b.Time, a.Time) })
	return list[:min(n, len(list))]
}
