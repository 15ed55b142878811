package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/report"
)

// runReport writes the reports of the newest results and prints what is asked
// for.
func runReport(ctx context.Context, s *streams, f *reportFlags, stages []string) error {
	if f.baselineJob != "" && !f.note {
		return &usageError{errors.New("--baseline-job needs --note: it is about what the note compares with")}
	}
	sess, err := openSession(ctx, &f.selection)
	if err != nil {
		return err
	}
	known, asked, err := sess.reported(s, stages)
	if err != nil {
		return err
	}
	records, err := sess.records()
	if err != nil {
		return err
	}
	jobs := inGitLab()
	if len(records) == 0 && len(asked) > 0 && jobs {
		records = []*pipeline.Record{{}} // no job left one: none of its stages is tested
	}
	if len(records) == 0 {
		return &usageError{errors.New("no run yet; `pipeline run` makes one")}
	}
	if last := records[len(records)-1]; last.ID != "" && last.Ended.IsZero() {
		fmt.Fprintf(s.err, "run %s has not ended: it is going on, or was killed; this is how far it came\n", last.ID)
	}
	rec, earlier := sess.mergedRecord(records, jobs, known, asked)
	run := sess.reportOf(rec)
	for i, r := range rec.Results {
		run.Stages[i].Earlier = earlier[r.Node]
	}
	if err := sess.replaceReports(rec, run); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "report: %s\n", relative(sess.page()))
	if f.note {
		return sess.note(ctx, s, f, run)
	}
	return report.Markdown(s.out, run)
}

// reported returns the nodes of the services that the command is about with what
// they need, and those that the arguments name.
func (sess *session) reported(s *streams, stages []string) (known, asked []string, err error) {
	e, err := sess.engine(s, &clusterFlags{}, "")
	if err != nil {
		return nil, nil, err
	}
	plan, err := sess.selected(e.Plan, nil)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range plan.Nodes() {
		known = append(known, n.Name)
	}
	if len(stages) == 0 {
		return known, nil, nil
	}
	if plan, err = sess.selected(e.Plan, stages); err != nil {
		return nil, nil, err
	}
	return known, named(sess.asked, plan, stages), nil
}

// note prints the note for reviewers and, in a job for a merge request, writes it
// there.
func (sess *session) note(ctx context.Context, s *streams, f *reportFlags, run report.Run) error {
	about := report.About{}
	var err error
	if about.Next, err = sess.nextVersions(ctx); err != nil {
		return err
	}
	m, err := openRequest(s, f)
	if err != nil {
		return err
	}
	if m != nil {
		about.Before, about.Ref = m.figures(ctx, s, relativeTo(sess.root, sess.checkout.Reports())), m.target
	}
	var b bytes.Buffer
	if err := report.Note(&b, run, about); err != nil {
		return err
	}
	if _, err := s.out.Write(b.Bytes()); err != nil || m == nil {
		return err
	}
	return m.write(ctx, s, noteName(sess, f), b.String())
}
