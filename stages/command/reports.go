package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

const (
	// maxReport bounds a report file, in bytes.
	maxReport = 64 << 20
	// maxItems bounds the tests, files and issues of all reports together.
	maxItems = 200_000
	// maxText bounds the output of one test, in bytes.
	maxText = 32 << 10
)

// reader adds one report to the findings. service is the folder that paths are
// made relative to.
type reader func(data []byte, service string, f *pipeline.Findings) error

// readReports reads all reports into the job's findings. The error tells which
// are missing or broken; the others are read all the same.
func (s *Stage) readReports(job *pipeline.Job) error {
	root, err := os.OpenRoot(job.Out)
	if err != nil {
		return err
	}
	defer root.Close()
	var errs []error
	read := func(patterns []string, add reader) {
		for _, pattern := range patterns {
			errs = append(errs, readPattern(root, pattern, job, add))
		}
	}
	r := s.settings.Reports
	read(r.JUnit, addJUnit)
	read(r.Cobertura, addCobertura)
	read(r.CodeQuality, addCodeQuality)
	job.Findings.Summary = summary(job.Findings)
	return errors.Join(errs...)
}

// readPattern reads the files below root that match; os.Root keeps links from
// leading out of it.
func readPattern(root *os.Root, pattern string, job *pipeline.Job, add reader) error {
	names, err := glob(root.FS(), pattern)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("report %s is missing below $PIPELINE_OUT", pattern)
	}
	for _, name := range names {
		data, err := readBounded(root, name)
		if err == nil {
			err = add(data, job.Dir, job.Findings)
		}
		if err != nil {
			return fmt.Errorf("report %s: %w", name, err)
		}
	}
	return nil
}

// glob returns the regular files that match, in the order of their names.
func glob(fsys fs.FS, pattern string) ([]string, error) {
	var names []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && Match(pattern, name) {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	return names, err
}

func readBounded(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would never end
		return nil, errors.New("not a file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	if len(data) > maxReport {
		return nil, fmt.Errorf("larger than %d MiB", maxReport>>20)
	}
	return bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), err
}

// relative returns a path of a report relative to the service, with slashes.
// It is empty when the path leads out of the service.
func relative(service, name string) string {
	name = filepath.FromSlash(strings.ReplaceAll(name, `\`, "/"))
	if !filepath.IsAbs(name) {
		name = filepath.Clean(name)
		if !filepath.IsLocal(name) {
			return ""
		}
		return filepath.ToSlash(name)
	}
	dirs := []string{service}
	if real, err := filepath.EvalSymlinks(service); err == nil {
		dirs = append(dirs, real)
	}
	for _, dir := range dirs {
		if rel, err := filepath.Rel(dir, name); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return ""
}

func bounded(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "\n[...]"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
