package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// maxDescription bounds the text of a finding in bytes.
const maxDescription = 2000

// violation is one element of a Code Quality report.
type violation struct {
	Description string   `json:"description"`
	CheckName   string   `json:"check_name"`
	Fingerprint string   `json:"fingerprint"`
	Severity    string   `json:"severity"`
	Location    location `json:"location"`
	column      int
}

type location struct {
	Path  string `json:"path"`
	Lines struct {
		Begin int `json:"begin"`
	} `json:"lines"`
}

// CodeQuality writes the issues of all stages as GitLab's Code Quality report.
// A fingerprint is made of path, check and message, and of a number where
// these are equal, so that it outlives a shift of the lines. A lint stage
// without issues makes an empty list: that is how GitLab learns that the old
// ones are solved. Without issues and without such a stage nothing is written.
// Issues in files outside of the repository are left out.
func CodeQuality(w io.Writer, run Run) error {
	list := []violation{}
	linted := false
	for _, s := range run.Stages {
		if s.Findings == nil {
			continue
		}
		linted = linted || s.Kind == "lint" && (s.Status == pipeline.Passed || s.Status == pipeline.Failed || s.Status == pipeline.Waived)
		for _, issue := range s.Findings.Issues {
			if v, ok := run.violation(s, issue); ok {
				list = append(list, v)
			}
		}
	}
	if len(list) == 0 && !linted {
		return nil
	}
	list = fingerprinted(list)
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// violation translates an issue.
func (run Run) violation(s Stage, issue pipeline.Issue) (violation, bool) {
	v := violation{
		Description: cmp.Or(oneLine(shorten(issue.Message, maxDescription)), oneLine(issue.Check), "no message"),
		CheckName:   cmp.Or(oneLine(issue.Check), oneLine(s.Kind)),
		Severity:    strings.ToLower(issue.Severity),
		column:      issue.Column,
	}
	if !slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, v.Severity) {
		v.Severity = "major"
	}
	name, ok := run.repoPath(s, issue.Path)
	v.Location.Path = name
	v.Location.Lines.Begin = max(1, issue.Line)
	return v, ok
}

// fingerprinted sorts the list, drops what is there twice, and fills in the
// fingerprints.
func fingerprinted(list []violation) []violation {
	slices.SortFunc(list, func(a, b violation) int {
		return cmp.Or(cmp.Compare(a.Location.Path, b.Location.Path), cmp.Compare(a.Location.Lines.Begin, b.Location.Lines.Begin),
			cmp.Compare(a.column, b.column), cmp.Compare(a.CheckName, b.CheckName),
			cmp.Compare(a.Description, b.Description), cmp.Compare(a.Severity, b.Severity))
	})
	list = slices.Compact(list)
	// Messages that point elsewhere ("declared at x.go:12:3") shift too.
	numbers := regexp.MustCompile(`(:[0-9]+)+\b|\bline [0-9]+\b`)
	seen := map[string]int{}
	for i := range list {
		v := &list[i]
		text := fmt.Sprintf("%q %q %q", v.Location.Path, v.CheckName, numbers.ReplaceAllString(v.Description, ""))
		seen[text]++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", text, seen[text]))
		v.Fingerprint = hex.EncodeToString(sum[:16])
	}
	return list
}
