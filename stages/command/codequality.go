package command

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// codeQualityIssue is what GitLab reads of a Code Quality report
// (https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format),
// in both forms of a location. Other types of elements are passed over.
type codeQualityIssue struct {
	Type        string `json:"type"`
	Description string `json:"description"`
	CheckName   string `json:"check_name"`
	Severity    string `json:"severity"`
	Location    struct {
		Path  string `json:"path"`
		Lines struct {
			Begin lineNumber `json:"begin"`
		} `json:"lines"`
		Positions struct {
			Begin struct {
				Line   lineNumber `json:"line"`
				Column lineNumber `json:"column"`
			} `json:"begin"`
		} `json:"positions"`
	} `json:"location"`
}

// lineNumber is a number that some writers quote, and some replace by a
// position with a line in it.
type lineNumber int

func (n *lineNumber) UnmarshalJSON(data []byte) error {
	var position struct {
		Line int `json:"line"`
	}
	if json.Unmarshal(data, &position) == nil {
		*n = lineNumber(position.Line)
		return nil
	}
	if v, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64); err == nil && v >= 0 && v < 1<<31 {
		*n = lineNumber(v)
	}
	return nil
}

func addCodeQuality(data []byte, service string, f *pipeline.Findings) error {
	var list []codeQualityIssue
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("no Code Quality report: %w", err)
	}
	for _, i := range list {
		file := relative(service, i.Location.Path)
		if i.Type != "" && i.Type != "issue" || i.Location.Path == "" || file == "" {
			continue
		}
		if len(f.Issues) >= maxItems {
			return errors.New("too many issues")
		}
		begin := i.Location.Positions.Begin
		f.Issues = append(f.Issues, pipeline.Issue{
			Path: file, Line: int(max(cmp.Or(i.Location.Lines.Begin, begin.Line), 1)), Column: int(max(begin.Column, 0)),
			Check: cmp.Or(i.CheckName, "issue"), Severity: severity(i.Severity), Message: bounded(i.Description),
		})
	}
	return nil
}

// severity keeps the five of the format; what is none of them is minor.
func severity(s string) string {
	s = strings.ToLower(s)
	if slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, s) {
		return s
	}
	return "minor"
}
