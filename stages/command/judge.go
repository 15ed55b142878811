package command

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// causeLines is the length of a cause.
const causeLines = 24

// judge looks, after a command that ended well, whether it kept its promises
// and what its reports say.
func (s *Stage) judge(job *pipeline.Job, reports error) error {
	root, err := os.OpenRoot(job.Out)
	if err != nil {
		return err
	}
	defer root.Close()
	if lacks := missing(root, s.settings.Outputs); len(lacks) > 0 {
		return &pipeline.Failure{
			Summary: "outputs are missing: " + strings.Join(lacks, ", "),
			Cause:   "The command ended well but did not write them below $PIPELINE_OUT.",
		}
	}
	if reports != nil {
		return &pipeline.Failure{Summary: "reports cannot be read", Cause: firstLines(reports.Error())}
	}
	return s.judgeFindings(job.Findings)
}

// judgeFindings fails for red tests even if the command forgot to.
func (s *Stage) judgeFindings(f *pipeline.Findings) error {
	if err := redTests(f); err != nil {
		return err
	}
	switch {
	case executed(f.Tests) == 0 && len(s.settings.Reports.JUnit) > 0:
		return &pipeline.NotTested{Why: "no test was executed", Remedy: "see in the log why there was none"}
	case s.settings.Coverage > 0 && f.Coverage == nil:
		return errors.New("a least coverage is set and no Cobertura report is: add reports.cobertura")
	case f.Coverage.Percent() < s.settings.Coverage:
		return &pipeline.Failure{
			Summary: fmt.Sprintf("coverage %.2f %% is below %g %%", f.Coverage.Percent(), s.settings.Coverage),
		}
	}
	return nil
}

// redTests is a *pipeline.Failure that names the tests that failed; nil for none.
func redTests(f *pipeline.Findings) error {
	var red []string
	for _, t := range f.Tests {
		if t.Status == pipeline.TestFailed {
			red = append(red, strings.TrimSpace("FAIL "+t.Package+" "+t.Name)+"\n"+firstOf(t.Output, 2))
		}
	}
	if len(red) == 0 {
		return nil
	}
	return &pipeline.Failure{
		Summary: fmt.Sprintf("%d of %s failed", len(red), plural(executed(f.Tests), "test")),
		Cause:   firstLines(strings.Join(red, "\n")),
	}
}

// executed counts the tests that were not skipped.
func executed(tests []pipeline.Test) int {
	n := 0
	for _, t := range tests {
		if t.Status != pipeline.TestSkipped {
			n++
		}
	}
	return n
}

// summary is one line of what the reports say.
func summary(f *pipeline.Findings) string {
	var parts []string
	if n := len(f.Tests); n > 0 {
		parts = append(parts, plural(n, "test"))
	}
	if f.Coverage != nil && f.Coverage.Statements > 0 {
		parts = append(parts, fmt.Sprintf("coverage %.1f %%", f.Coverage.Percent()))
	}
	if n := len(f.Issues); n > 0 {
		parts = append(parts, plural(n, "issue"))
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
