package cli

import (
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

func newReport(s *streams) *cobra.Command {
	sel := &selection{}
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write the reports of the last run again and print the summary",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			sess, err := openSession(cmd.Context(), sel)
			if err != nil {
				return err
			}
			last := sess.checkout.LastRun()
			if last == "" {
				return &usageError{errors.New("no run yet; `pipeline run` makes one")}
			}
			rec, err := pipeline.ReadRecord(last)
			if err != nil {
				return err
			}
			if rec.Ended.IsZero() {
				fmt.Fprintf(s.err, "run %s has not ended: it is going on, or was killed; this is how far it came\n", rec.ID)
			}
			sess.loadFindings(rec)
			if err := sess.writeReports(rec); err != nil {
				return err
			}
			fmt.Fprintf(s.err, "report: %s\n", relative(sess.page()))
			return report.Markdown(s.out, sess.reportOf(rec))
		},
	}
	sel.addFlags(cmd)
	return cmd
}

// loadFindings brings back the findings of results that were read from disk.
func (sess *session) loadFindings(rec *pipeline.Record) {
	for i := range rec.Results {
		r := &rec.Results[i]
		v := sess.checkout.Verdict(r.Node)
		if v == nil || r.Status != pipeline.Passed {
			continue
		}
		var f pipeline.Findings
		if sess.store.GetJSON(v.Findings, &f) == nil {
			r.Findings = &f
		}
	}
}

// page is the path of the report for people.
func (sess *session) page() string { return filepath.Join(sess.checkout.Reports(), "report.html") }

// reportFormat counts the changes of what the reports look like: those in place
// that an earlier version has written are written again.
const reportFormat = 2

// reportMark holds what the reports in place were made from.
const reportMark = ".made-from.json"

// writeReports writes the reports of a run, unless those in place say the same
// already.
func (sess *session) writeReports(rec *pipeline.Record) error {
	dir := sess.checkout.Reports()
	mark := filepath.Join(dir, reportMark)
	state := sess.reportState(rec)
	if state != "" {
		if old, err := os.ReadFile(mark); err == nil && string(old) == state {
			return nil
		}
	}
	if err := os.Remove(mark); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("write reports: %w", err)
	}
	if _, err := report.Write(dir, sess.reportOf(rec)); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	if state == "" {
		return nil
	}
	return evidence.WriteFile(mark, []byte(state))
}

// reportState describes a run in which everything was up to date; another run
// always has something new to report.
func (sess *session) reportState(rec *pipeline.Record) string {
	keys := map[string]evidence.Digest{"format": evidence.Digest(strconv.Itoa(reportFormat))}
	for _, r := range rec.Results {
		v := sess.checkout.Verdict(r.Node)
		if v == nil || r.Status != pipeline.Passed {
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
		ID: rec.ID, Started: rec.Started, Duration: rec.Ended.Sub(rec.Started), Status: string(rec.Status),
		Project: sess.root,
	}
	if len(sess.services) > 0 {
		run.Version = sess.services[0].version
	}
	for _, r := range rec.Results {
		run.Stages = append(run.Stages, report.Stage{
			Root: sess.rootOf(r.Service), Service: r.Service, Kind: r.Kind, Status: r.Status, Started: r.Started, Duration: r.Duration,
			UpToDate: r.UpToDate, Message: r.Message, Cause: r.Cause, Findings: r.Findings, Log: r.Log,
			Left: r.Left, Version: sess.versionOf(r.Service),
		})
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
		if rel, err := filepath.Rel(sess.root, svc.Dir); svc.Name == name && err == nil && rel != "." {
			return filepath.ToSlash(rel)
		}
	}
	return ""
}
