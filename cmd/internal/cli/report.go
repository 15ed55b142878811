package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/report"
)

// reportFlags are the flags of `pipeline report`.
type reportFlags struct {
	selection
	note        bool
	baselineJob string
}

func newReport(s *streams) *cobra.Command {
	f := &reportFlags{}
	cmd := &cobra.Command{
		Use:   "report [STAGE...]",
		Short: "Write the reports of the newest results again and print the summary",
		Long: `Write the reports into .pipeline/reports and print the summary as Markdown. They
show the newest result of each stage out of all runs that .pipeline/runs has: in
GitLab those of the jobs whose artifacts this job has, elsewhere those of this
checkout; a result of a run before the last one is marked as such. A stage that
is named and has no result is shown as not tested.

--note prints what reviewers need instead, and keeps it as one note of the merge
request in a GitLab job for one. That takes PIPELINE_GITLAB_TOKEN, an access token
with the scope api: a job token may not write notes. The figures are compared with
those that the job of this name left in the newest successful pipeline of the
target branch. The command ends with 0 whatever the stages came to.`,
		Example: "  pipeline report\n  pipeline report --note",
		RunE: func(cmd *cobra.Command, stages []string) error {
			return runReport(cmd.Context(), s, f, stages)
		},
	}
	f.selection.addFlags(cmd)
	cmd.Flags().BoolVar(&f.note, "note", false, "print the note for reviewers, and write it to the merge request of a GitLab job")
	cmd.Flags().StringVar(&f.baselineJob, "baseline-job", "", "job of the target branch to compare figures with (default: the one of this name)")
	return cmd
}

// page is the path of the report for people.
func (sess *session) page() string { return filepath.Join(sess.checkout.Reports(), "report.html") }

// reportFormat counts the changes of what the reports look like: those in place
// that an earlier version has written are written again.
const reportFormat = 3

// reportMark holds what the reports in place were made from.
const reportMark = ".made-from.json"

// writeReports keeps what a run found and writes its reports.
func (sess *session) writeReports(rec *pipeline.Record) error {
	return errors.Join(keepFindings(rec), sess.replaceReports(rec, sess.reportOf(rec)))
}

// replaceReports writes the reports, unless those in place say the same already.
func (sess *session) replaceReports(rec *pipeline.Record, run report.Run) error {
	dir := sess.checkout.Reports()
	mark := filepath.Join(dir, reportMark)
	state := sess.reportState(rec, run)
	if state != "" {
		if old, err := os.ReadFile(mark); err == nil && string(old) == state {
			return nil
		}
	}
	if err := os.Remove(mark); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("write reports: %w", err)
	}
	if _, err := report.Write(dir, run); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	if state == "" {
		return nil
	}
	return evidence.WriteFile(mark, []byte(state))
}

// reportState describes a run in which everything was up to date; another run
// always has something new to report.
func (sess *session) reportState(rec *pipeline.Record, run report.Run) string {
	keys := map[string]any{"format": strconv.Itoa(reportFormat), "links": run.Links}
	for i, r := range rec.Results {
		v := sess.checkout.Verdict(r.Node)
		if v == nil || r.Status != pipeline.Passed || run.Stages[i].Earlier {
			return ""
		}
		keys[r.Node] = v.Key
	}
	data, err := json.Marshal(keys)
	if err != nil {
		return ""
	}
	return string(data)
}

// reportOf is the run as the reports see it.
func (sess *session) reportOf(rec *pipeline.Record) report.Run {
	run := report.Run{
		ID: rec.ID, Started: rec.Started, Duration: max(0, rec.Ended.Sub(rec.Started)), Status: string(rec.Status),
		Project: sess.root, Links: jobLinks(os.Getenv, relativeTo(sess.root, sess.page())),
	}
	if len(sess.services) > 0 {
		run.Version = sess.services[0].version
	}
	for _, r := range rec.Results {
		stage := report.Stage{
			Root: sess.rootOf(r.Service), Service: r.Service, Kind: r.Kind, Status: r.Status, Started: r.Started, Duration: r.Duration,
			UpToDate: r.UpToDate, Message: r.Message, Cause: r.Cause, Findings: r.Findings, Log: r.Log,
			Left: r.Left, Version: sess.versionOf(r.Service),
		}
		sess.addBundle(&stage, r.Node)
		run.Stages = append(run.Stages, stage)
	}
	return run
}

// versionOf returns the version of a service in this run.
func (sess *session) versionOf(name string) string {
	for _, svc := range sess.services {
		if svc.Name == name {
			return svc.version
		}
	}
	return ""
}

// rootOf returns the path from the top of the checkout to a service, "" when
// that is the top.
func (sess *session) rootOf(name string) string {
	for _, svc := range sess.services {
		if rel := relativeTo(sess.root, svc.Dir); svc.Name == name && rel != "." {
			return rel
		}
	}
	return ""
}

// relativeTo returns the path below root, with slashes; "" when it is not there.
func relativeTo(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return filepath.ToSlash(rel)
}

// statusOf sums results up as a run does: failed before not tested.
func statusOf(results []pipeline.Result) pipeline.Status {
	worst := pipeline.Status("")
	for _, r := range results {
		switch {
		case r.Status == pipeline.Failed:
			return pipeline.Failed
		case r.Status == pipeline.Cancelled:
			worst = pipeline.Cancelled
		case !r.Status.Opens():
			worst = cmp.Or(worst, pipeline.Untested)
		}
	}
	return cmp.Or(worst, pipeline.Passed)
}
