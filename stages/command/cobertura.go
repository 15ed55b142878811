package command

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// addCobertura reads a coverage report of version 4 of Cobertura
// (https://cobertura.sourceforge.net/xml/coverage-04.dtd) as coverage.py,
// istanbul, coverlet and the converters of JaCoCo write it. A line is taken for
// a statement. Several classes, and several reports, may speak of one file: a
// line counts as often as the one of them that has the most hits.
func addCobertura(data []byte, service string, f *pipeline.Findings) error {
	h := &cobertura{service: service, files: map[string]*coveredFile{}}
	if f.Coverage != nil {
		for _, old := range f.Coverage.Files {
			h.files[old.Path] = unfold(old)
		}
	}
	if err := walkXML(data, h); err != nil {
		return err
	}
	if !h.seen {
		return errors.New("no Cobertura report: it has no element coverage")
	}
	f.Coverage = h.coverage()
	return nil
}

// coveredFile has the hits of each line.
type coveredFile struct {
	pkg  string
	hits map[int]int
}

type cobertura struct {
	service string
	files   map[string]*coveredFile
	lines   int
	seen    bool
	sources []string
	pkg     string
	class   *coveredFile // the open one; nil when its file is no part of the service
	methods int          // depth of method lists, whose lines the class repeats
}

func (h *cobertura) start(name string, attr map[string]string) error {
	switch name {
	case "coverage":
		h.seen = true
	case "package":
		h.pkg = attr["name"]
	case "class":
		h.class = h.file(attr["filename"])
	case "methods":
		h.methods++
	case "line":
		return h.line(attr)
	}
	return nil
}

func (h *cobertura) end(name, text string) error {
	switch name {
	case "source":
		h.sources = append(h.sources, strings.TrimSpace(text))
	case "methods":
		h.methods--
	case "class":
		h.class = nil
	}
	return nil
}

// file returns the file of a class by its path relative to the service.
func (h *cobertura) file(name string) *coveredFile {
	rel := h.locate(name)
	if rel == "" {
		return nil
	}
	f := h.files[rel]
	if f == nil {
		f = &coveredFile{pkg: h.pkg, hits: map[int]int{}}
		h.files[rel] = f
	}
	return f
}

// locate finds a file name: it is relative to the service, or to one of the
// sources that the report names.
func (h *cobertura) locate(name string) string {
	if name == "" {
		return ""
	}
	candidates := []string{name}
	for _, source := range h.sources {
		candidates = append(candidates, path.Join(filepath.ToSlash(source), name))
	}
	for _, c := range candidates {
		rel := relative(h.service, c)
		if rel == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(h.service, filepath.FromSlash(rel))); err == nil {
			return rel
		}
	}
	return relative(h.service, name)
}

func (h *cobertura) line(attr map[string]string) error {
	if h.class == nil || h.methods > 0 {
		return nil
	}
	number, err := strconv.Atoi(attr["number"])
	if err != nil || number < 1 {
		return nil
	}
	if h.lines++; h.lines > 10*maxItems {
		return fmt.Errorf("more than %d lines", 10*maxItems)
	}
	hits, err := strconv.ParseFloat(attr["hits"], 64) // some write 1e+06
	if err != nil || !(hits > 0) {
		hits = 0
	}
	const most = 1 << 30
	h.class.hits[number] = max(h.class.hits[number], int(min(hits, most)))
	return nil
}

// coverage sums up; files are sorted by path.
func (h *cobertura) coverage() *pipeline.Coverage {
	total := &pipeline.Coverage{}
	for _, name := range slices.Sorted(maps.Keys(h.files)) {
		f := h.files[name].fold(name)
		total.Statements += f.Statements
		total.Covered += f.Covered
		total.Files = append(total.Files, f)
	}
	return total
}

// fold makes blocks of neighbouring lines with the same hits.
func (c *coveredFile) fold(name string) pipeline.FileCoverage {
	f := pipeline.FileCoverage{Path: name, Package: c.pkg, Statements: len(c.hits)}
	for _, line := range slices.Sorted(maps.Keys(c.hits)) {
		hits := c.hits[line]
		if hits > 0 {
			f.Covered++
		}
		if n := len(f.Blocks); n > 0 && f.Blocks[n-1].To == line-1 && f.Blocks[n-1].Hits == hits {
			f.Blocks[n-1].To, f.Blocks[n-1].Statements = line, f.Blocks[n-1].Statements+1
			continue
		}
		f.Blocks = append(f.Blocks, pipeline.CoverageBlock{From: line, To: line, Statements: 1, Hits: hits})
	}
	return f
}

// unfold is the inverse of fold.
func unfold(f pipeline.FileCoverage) *coveredFile {
	c := &coveredFile{pkg: f.Package, hits: map[int]int{}}
	for _, b := range f.Blocks {
		for line := b.From; line <= b.To; line++ {
			c.hits[line] = b.Hits
		}
	}
	return c
}
