// Package report writes what a run found in the formats that GitLab and people
// read. Every writer is a pure function of a Run, but for files that the run
// names (logs, bills of materials), so that the reports can be made again from
// a record at any time. Text from tests and tools is hostile until cleaned: it
// may hold bytes that XML forbids, be larger than GitLab reads, or look like
// HTML, a mention or a quick action of GitLab. A report about nothing is not
// written, and one of a former run is removed, so that no report speaks for a
// run that did not make it. The demands of GitLab are those of its
// documentation of artifacts:reports; Write tells the names of the files.
package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// Stage is the outcome of one stage.
type Stage struct {
	Service, Kind string
	Status        pipeline.Status
	Started       time.Time
	Duration      time.Duration
	// UpToDate is whether a remembered verdict was used.
	UpToDate bool
	// Message is one line, Cause a few: what a person must see first.
	Message, Cause string
	Findings       *pipeline.Findings
	// Log is the path of the stage's log, "" without one.
	Log string
	// Left is what could not be cleaned up.
	Left string
	// Version is that of the service.
	Version string
	// Root is the path from the repository's root to the stage's service, with
	// slashes; "" is that of the run. It matters when a run has several
	// services.
	Root string
	// Earlier is whether the result is of a run before the newest one.
	Earlier bool
	// SBOM is the path of a bill of materials in CycloneDX's JSON, "" without one.
	SBOM string
}

// Link is an address for people: http or https.
type Link struct{ Label, URL string }

// Run is what the reports are about.
type Run struct {
	ID, Version string
	Started     time.Time
	Duration    time.Duration
	Status      string
	Stages      []Stage
	// Root is the path from the repository's root to the service, with slashes:
	// "" or "examples/shop/stock".
	Root string
	// Project is the absolute path of the checkout, "" when it is unknown.
	Project string
	// Links are shown in the annotations of a GitLab job.
	Links []Link
}

// file is a report to be written.
type file struct {
	name string
	data []byte
}

// Write writes the reports of a run to dir, which is made when it is not there,
// and returns their paths, sorted. Each file is replaced in one step. Files of
// these names in dir that the run has nothing to say in are removed. The names,
// and the key of artifacts:reports in GitLab that each is for:
//
//	junit-SERVICE-STAGE.xml  junit
//	coverage-SERVICE.xml     coverage_report, cobertura
//	codequality.json         codequality
//	SERVICE.cdx.json         cyclonedx: the bill of materials of the container stage
//	pipeline.env             dotenv
//	annotations.json         annotations: only with links
//	metrics.txt              metrics
//	figures.json             none: what a merge request compares itself with, see Figures
//	bench.txt                none: the Go benchmark format
//	summary.md, report.html  none: for people
//
// What GitLab would refuse for its size goes on in files with .2, .3 before
// the extension: junit-*.xml and coverage-*.xml match all.
func Write(dir string, run Run) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("write the reports: %w", err)
	}
	files, err := run.files()
	if err != nil {
		return nil, fmt.Errorf("make the reports: %w", err)
	}
	var written []string
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := replace(path, f.data); err != nil {
			return written, fmt.Errorf("write the report: %w", err)
		}
		written = append(written, path)
	}
	slices.Sort(written)
	return written, removeStale(dir, written)
}

// files makes all reports that have something to say.
func (run Run) files() ([]file, error) {
	files := slices.Concat(run.junitFiles(maxJUnit, maxJUnits), run.coberturaFiles(maxCobertura))
	boms, err := run.bomFiles()
	if err != nil {
		return nil, err
	}
	files = append(files, boms...)
	for _, one := range []struct {
		name  string
		write func(io.Writer, Run) error
	}{
		{"codequality.json", CodeQuality}, {"pipeline.env", Dotenv}, {"annotations.json", Annotations}, {"metrics.txt", Metrics},
		{"figures.json", WriteFigures}, {"bench.txt", Benchmarks}, {"summary.md", Markdown}, {"report.html", HTML},
	} {
		var b bytes.Buffer
		if err := one.write(&b, run); err != nil {
			return nil, fmt.Errorf("%s: %w", one.name, err)
		}
		if b.Len() > 0 {
			files = append(files, file{one.name, b.Bytes()})
		}
	}
	return files, nil
}

// replace writes data to path in one step: whoever reads sees the old file or
// the new one.
func replace(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// removeStale removes the reports in dir that are not among those written.
func removeStale(dir string, written []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for old reports: %w", err)
	}
	ours := regexp.MustCompile(`^(junit-.*\.xml|coverage-.*\.xml|.*\.cdx\.json|(codequality|annotations|figures)\.json|pipeline\.env|metrics\.txt|bench\.txt|summary\.md|report\.html)$`)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if entry.IsDir() || !ours.MatchString(entry.Name()) || slices.Contains(written, path) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the report of a former run: %w", err)
		}
	}
	return nil
}

// services returns the names of the services in the order of their first stage.
func (run Run) services() []string {
	var names []string
	seen := map[string]bool{}
	for _, s := range run.Stages {
		if !seen[s.Service] {
			seen[s.Service] = true
			names = append(names, s.Service)
		}
	}
	return names
}

// byService returns the stages of each service.
func (run Run) byService() map[string][]Stage {
	stages := map[string][]Stage{}
	for _, s := range run.Stages {
		stages[s.Service] = append(stages[s.Service], s)
	}
	return stages
}

// fileName returns text as part of a file name.
func fileName(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, text)
}
