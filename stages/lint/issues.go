package lint

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// issues collects findings, each once: a package and its test variant, and
// passes with different tags, report the same lines.
type issues struct {
	dir  string
	list []pipeline.Issue
}

// add notes an issue; file is absolute or relative to the service.
func (s *issues) add(file string, line, column int, check, severity, message string) {
	if filepath.IsAbs(file) {
		file = s.relative(file)
	}
	i := pipeline.Issue{
		Path: filepath.ToSlash(filepath.Clean(file)), Line: max(line, 1), Column: column,
		Check: check, Severity: severity, Message: message,
	}
	if !slices.Contains(s.list, i) {
		s.list = append(s.list, i)
	}
}

// relative knows that the go command names files by the real path or by the
// one that it was started with.
func (s *issues) relative(file string) string {
	dirs := []string{s.dir}
	if real, err := filepath.EvalSymlinks(s.dir); err == nil {
		dirs = append(dirs, real)
	}
	for _, dir := range dirs {
		if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return file
}

// rank orders severities, the worst first.
func rank(severity string) int {
	return slices.Index([]string{"blocker", "critical", "major", "minor", "info"}, severity)
}

func (s *issues) sorted() []pipeline.Issue {
	slices.SortStableFunc(s.list, func(a, b pipeline.Issue) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), strings.Compare(a.Path, b.Path),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Check, b.Check))
	})
	return s.list
}

// summary counts: "3 issues: 2 major, 1 minor".
func summary(list []pipeline.Issue) string {
	if len(list) == 0 {
		return "no issues"
	}
	counts := map[string]int{}
	var order []string
	for _, i := range list {
		if counts[i.Severity] == 0 {
			order = append(order, i.Severity)
		}
		counts[i.Severity]++
	}
	for n, severity := range order {
		order[n] = fmt.Sprintf("%d %s", counts[severity], severity)
	}
	noun := "issues"
	if len(list) == 1 {
		noun = "issue"
	}
	return fmt.Sprintf("%d %s: %s", len(list), noun, strings.Join(order, ", "))
}

// judge fails for any issue that is worse than minor.
func judge(list []pipeline.Issue) error {
	var lines []string
	for _, i := range list {
		if rank(i.Severity) <= rank("major") {
			lines = append(lines, fmt.Sprintf("%s:%d: %s (%s)", i.Path, i.Line, i.Message, i.Check))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &pipeline.Failure{
		Summary: summary(list),
		Cause:   gotool.Excerpt(strings.Join(lines, "\n"), gotool.CauseLines),
	}
}
