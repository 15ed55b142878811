package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"gitlab.com/selfcontained/pipeline/pipeline/report"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/version"
)

// inGitLab reports whether this is a job of GitLab.
func inGitLab() bool { return os.Getenv("GITLAB_CI") != "" }

// request is the merge request that the job is for.
type request struct {
	client *gitlab.Client
	number int64
	target string // its target branch
	job    string // whose figures are compared with
	token  gitlab.Kind
}

// openRequest returns the merge request of the job; nil when there is none, or
// no token at all, which is told.
func openRequest(s *streams, f *reportFlags) (*request, error) {
	text := os.Getenv("CI_MERGE_REQUEST_IID")
	if !inGitLab() || text == "" {
		return nil, nil
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number <= 0 {
		return nil, &usageError{fmt.Errorf("CI_MERGE_REQUEST_IID is %q; expected the number that GitLab gives the merge request", text)}
	}
	config, err := gitlab.FromEnvironment(os.Getenv, "")
	if errors.Is(err, gitlab.ErrNoToken) {
		fmt.Fprintln(s.err, noToken)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if project := os.Getenv("CI_MERGE_REQUEST_PROJECT_PATH"); project != "" {
		config.Project = project // of a fork the request is elsewhere
	}
	client, err := gitlab.New(config)
	if err != nil {
		return nil, err
	}
	return &request{
		client: client, number: number, target: os.Getenv("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
		job: cmp.Or(f.baselineJob, os.Getenv("CI_JOB_NAME")), token: config.Token.Kind(),
	}, nil
}

// noToken says why there is no note in the merge request.
const noToken = "no note in the merge request: set PIPELINE_GITLAB_TOKEN to an access token with the scope api, a job token may not write notes"

// figures reads those of the target branch. That there are none, or that they
// cannot be read, only makes the note poorer.
func (m *request) figures(ctx context.Context, s *streams, reports string) *report.Figures {
	if m.target == "" || m.job == "" {
		return nil
	}
	data, err := m.client.JobFile(ctx, m.target, m.job, reports+"/figures.json")
	var f *report.Figures
	if err == nil && data != nil {
		f, err = report.ReadFigures(data)
	}
	if err != nil {
		fmt.Fprintf(s.err, "no figures to compare with: %v\n", err)
		return nil
	}
	return f
}

// write keeps the note in the merge request, if the token may.
func (m *request) write(ctx context.Context, s *streams, name, text string) error {
	if m.token == gitlab.KindJob {
		fmt.Fprintln(s.err, noToken)
		return nil
	}
	outcome, err := m.client.EnsureNote(ctx, m.number, name, text)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "note of merge request !%d: %s\n", m.number, outcome)
	return nil
}

// noteName is the name of the note: two parts of a repository, each with jobs of
// its own, have two.
func noteName(sess *session, f *reportFlags) string {
	dir, err := filepath.Abs(f.dir)
	rel := relativeTo(sess.root, dir)
	if err != nil || rel == "." || rel == "" {
		return "report"
	}
	return "report " + regexp.MustCompile(`[^A-Za-z0-9_/.]+`).ReplaceAllString(rel, "_")
}

// nextVersions says which version each service would get, as the commits ask for
// it. What the code proves is looked at by the release.
func (sess *session) nextVersions(ctx context.Context) ([]report.Next, error) {
	var list []report.Next
	for _, svc := range sess.services {
		if !sess.isAsked(svc) {
			continue
		}
		state := version.State{Prefix: svc.Release.TagPrefix}
		if err := readHistory(ctx, svc, &state); err != nil {
			return nil, err
		}
		if len(state.Tags) == 0 && len(state.Commits) == 0 {
			continue // no repository, or no commit
		}
		list = append(list, nextOf(svc.Name, state))
	}
	return list, nil
}

func nextOf(service string, state version.State) report.Next {
	last := version.Last(state.Tags, state.Prefix)
	// Without a version that is wanted there is nothing to be wrong about.
	d, _ := version.Decide(version.Input{Last: last, Commits: state.Commits, Tags: state.Tags, Prefix: state.Prefix})
	next := report.Next{Service: service}
	if last != nil {
		next.Last = last.String()
	}
	if d.Due == nil {
		return next
	}
	next.Version = d.Due.String()
	for _, r := range d.Reasons {
		if last != nil { // the first version has no reason but to be it
			next.Reasons = append(next.Reasons, r.String())
		}
	}
	return next
}
