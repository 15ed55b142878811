// Package reporttest checks reports as those who take them do: GitLab, and the
// specifications of the formats.
//
// It shares no type and no code with the writers of package report, so that a
// mistake there is none here, too. It is strict: an element, a field or a line
// that a format does not know is an error, even where GitLab would ignore it.
// The limits are those of docs.gitlab.com/ci/yaml/artifacts_reports, for a
// self-managed GitLab with its defaults.
package reporttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Limits of GitLab in bytes.
const (
	MaxJUnit     = 30_000_000
	MaxJUnits    = 100_000_000 // of all files of a job
	MaxCobertura = 10 << 20
	MaxDotenv    = 5000
)

// Check returns what is wrong with a report; the format is told by its name, as
// package report gives it. A name of no format is an error.
func Check(name string, data []byte) error {
	for _, format := range []struct {
		pattern string
		check   func([]byte) error
	}{
		{"junit-*.xml", junit}, {"coverage-*.xml", cobertura}, {"codequality.json", codeQuality}, {"*.cdx.json", cycloneDX},
		{"pipeline.env", dotenv}, {"annotations.json", annotations}, {"metrics.txt", metrics},
		{"figures.json", anyJSON}, {"bench.txt", text}, {"summary.md", text}, {"report.html", text},
	} {
		if ok, _ := filepath.Match(format.pattern, name); ok {
			if err := format.check(data); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		}
	}
	return fmt.Errorf("%s is no report", name)
}

// CheckDir checks all reports in a folder, and the limits that they share.
// Hidden files are none. It returns the names.
func CheckDir(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, readErr := os.ReadFile(filepath.Join(dir, e.Name()))
		err = errors.Join(err, readErr, Check(e.Name(), data))
		if strings.HasPrefix(e.Name(), "junit-") {
			size += len(data)
		}
		names = append(names, e.Name())
	}
	if size >= MaxJUnits {
		err = errors.Join(err, fmt.Errorf("the JUnit reports have %d bytes", size))
	}
	return names, err
}
