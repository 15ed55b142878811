// Package chart packs a Helm chart, the same content always to the same bytes.
//
// Helm's own writer stamps the time of day into the archive, so two packages of
// one chart differ; here the entries are sorted and have no times, owners or
// modes. The version that is about to be built replaces version and appVersion
// in Chart.yaml, and everything else in that file, comments included, stays as
// it was written. A chart that Helm would refuse is refused here, with file and
// line: Chart.yaml, values.yaml, the syntax of the templates, and dependencies
// that are not vendored in charts/.
//
// Format: helm.sh/docs/topics/charts, apiVersion v2.
package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"gitlab.com/selfcontained/pipeline/stages/container/archive"
	"gitlab.com/selfcontained/pipeline/stages/container/fileset"
)

// File is a file of a chart; Name is relative to the chart, with slashes.
type File struct {
	Name string
	Data []byte
}

// Chart is a chart that is ready to be packed.
type Chart struct {
	Name string
	// Metadata is Chart.yaml as JSON, as the config blob of the OCI artifact
	// holds it.
	Metadata []byte
	// Files are sorted by name.
	Files []File
}

// Problem is something that Helm would refuse. Line is 0 when it is not about
// a line.
type Problem struct {
	File string // relative to the service
	Line int
	What string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.What
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.What)
}

// Error lists what is wrong with a chart.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxFile is Helm's limit for one file of a chart.
const maxFile = 5 << 20

// Load reads the chart in the folder dir of the service and stamps version
// into it. The error is an *Error when the chart itself is wrong.
func Load(root *os.Root, dir, version string) (*Chart, error) {
	entries, err := Entries(root, dir)
	if err != nil {
		return nil, err
	}
	c := &Chart{}
	for _, e := range entries {
		data, err := root.ReadFile(e.Path)
		if err != nil {
			return nil, fmt.Errorf("read chart: %w", err)
		}
		if len(data) > maxFile {
			return nil, problem(e.Path, 0, "has more than 5 MiB, which Helm refuses; name it in .helmignore")
		}
		c.Files = append(c.Files, File{Name: e.Rel, Data: data})
	}
	if err := c.lint(dir); err != nil {
		return nil, err
	}
	return c, c.stamp(path.Join(dir, chartFile), version)
}

const chartFile = "Chart.yaml"

// Entries lists the files that belong to the chart in dir: all but those that
// .helmignore names.
func Entries(root *os.Root, dir string) ([]fileset.Entry, error) {
	set, err := fileset.List(root, dir, fileset.Follow)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem(dir, 0, "there is no such folder; `chart` in pipeline.yaml names the folder with Chart.yaml")
	}
	if err != nil {
		return nil, fmt.Errorf("chart: %w", err)
	}
	if !set.Folder {
		return nil, problem(dir, 0, "is a file; `chart` names the folder with Chart.yaml")
	}
	ignored, err := readIgnore(root, path.Join(dir, ignoreFile))
	if err != nil {
		return nil, err
	}
	var kept []fileset.Entry
	for _, e := range set.Entries {
		if !ignored.matches(e.Rel) {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

func (c *Chart) stamp(name, version string) error {
	i := c.index(chartFile)
	stamped, err := Stamp(name, c.Files[i].Data, version)
	if err != nil {
		return err
	}
	c.Files[i].Data = stamped
	c.Name, c.Metadata, err = metadata(name, stamped)
	return err
}

// index returns the place of a file, or -1.
func (c *Chart) index(name string) int {
	for i, f := range c.Files {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// Archive writes the chart as Helm reads it: a tar.gz whose entries lie below
// a folder with the chart's name.
func (c *Chart) Archive(w io.Writer) error {
	a, err := archive.New(w)
	if err != nil {
		return err
	}
	for _, f := range c.Files {
		if err := a.File(c.Name+"/"+f.Name, 0o644, int64(len(f.Data)), bytes.NewReader(f.Data)); err != nil {
			return err
		}
	}
	_, err = a.Close()
	return err
}

func problem(file string, line int, what string) *Error {
	return &Error{Problems: []Problem{{File: file, Line: line, What: what}}}
}
