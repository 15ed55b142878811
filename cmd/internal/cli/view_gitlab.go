package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// maxSection is how much of the end of a stage's log stands in the log of the
// job, in bytes: GitLab cuts a job's log at 4 MB.
const maxSection = 128 << 10

// gitlabView is the plain view with the log of each stage behind its line, as a
// section that people unfold (docs.gitlab.com/ci/jobs/job_logs, "Custom
// collapsible sections").
type gitlabView struct{ *plainView }

// Observe implements pipeline.Observer.
func (v *gitlabView) Observe(e pipeline.Event) {
	v.plainView.Observe(e)
	if e.Type != pipeline.EventFinish || e.Result.Log == "" {
		return
	}
	// A log that cannot be read is named by the line above.
	if text, err := endOf(e.Result.Log, maxSection); err == nil && text != "" {
		v.section(e.Result, text)
	}
}

// section writes the text between the marks of GitLab, which counts the time of
// a section from their times. The text has no carriage return and no escape
// sequence, without which nothing in it is a mark.
func (v *gitlabView) section(r *pipeline.Result, text string) {
	name := "pipeline_" + strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, r.Node)
	from, to := r.Started.Unix(), r.Started.Add(r.Duration+time.Second/2).Unix()
	fmt.Fprintf(v.w, "\x1b[0Ksection_start:%d:%s[collapsed=true]\r\x1b[0K    log of %s\n%s\n\x1b[0Ksection_end:%d:%s\r\x1b[0K\n",
		from, name, v.name(r.Node), indent(harmless(text), "    "), to, name)
}

// endOf returns at most so many bytes of the end of a file, from the beginning
// of a line on.
func endOf(name string, most int64) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := max(0, info.Size()-most)
	data, err := io.ReadAll(io.NewSectionReader(f, from, most))
	text := strings.ToValidUTF8(string(data), "\ufffd")
	if from > 0 {
		_, text, _ = strings.Cut(text, "\n")
		text = fmt.Sprintf("[%d bytes before are in %s]\n%s", info.Size()-int64(len(text)), relative(name), text)
	}
	return strings.TrimRight(text, "\n"), err
}

// coverageLine is the line for GitLab's keyword coverage, of all services
// together: "coverage: 86.2% of statements", as go test writes it. It is empty
// without coverage. The keyword takes the last match in the log of
//
//	/^coverage: \d+\.\d+% of statements$/
func coverageLine(rec *pipeline.Record) string {
	var sum pipeline.Coverage
	for _, r := range rec.Results {
		if r.Findings != nil && r.Findings.Coverage != nil {
			sum.Statements += r.Findings.Coverage.Statements
			sum.Covered += r.Findings.Coverage.Covered
		}
	}
	if sum.Statements == 0 {
		return ""
	}
	return fmt.Sprintf("coverage: %.1f%% of statements", sum.Percent())
}
