package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

const (
	// maxCobertura is the size of one file in bytes; GitLab reads 10 MiB.
	maxCobertura = 10 << 20
	// maxLines bounds the lines of one block, against blocks that are no code.
	maxLines = 100_000
)

// class is the coverage of one file by lines.
type class struct {
	pkg, name, file string
	hits            map[int]int
	covered         int
}

// Cobertura writes the statement coverage of a service by lines: a line has
// the hits of the block on it that was run most. File names are relative to
// the repository; the only source is the checkout. Without coverage nothing is
// written.
func Cobertura(w io.Writer, run Run, service string) error {
	classes := run.classes(service)
	if len(classes) == 0 {
		return nil
	}
	_, err := w.Write(run.cobertura(encodeClasses(classes), classes))
	return err
}

// coberturaFiles makes the files of all services, as many as it takes to stay
// below limit bytes each.
func (run Run) coberturaFiles(limit int) []file {
	var files []file
	used := map[string]bool{}
	for _, service := range run.services() {
		classes := run.classes(service)
		texts := encodeClasses(classes)
		for start := 0; start < len(classes); {
			end, size := start, 2000
			for end < len(classes) && (end == start || size+len(texts[end])+2*len(classes[end].pkg)+400 < limit) {
				size += len(texts[end]) + 2*len(classes[end].pkg) + 400
				end++
			}
			data := run.cobertura(texts[start:end], classes[start:end])
			files = append(files, file{free(used, "coverage-"+fileName(service), ".xml"), data})
			start = end
		}
	}
	return files
}

// classes merges the coverage of all stages of a service, sorted by package
// and file.
func (run Run) classes(service string) []class {
	byFile := map[string]*class{}
	for _, s := range run.Stages {
		if s.Service != service || s.Findings == nil || s.Findings.Coverage == nil {
			continue
		}
		for _, f := range s.Findings.Coverage.Files {
			name, ok := run.repoPath(s, f.Path)
			if !ok || f.Path == "" {
				continue // GitLab could not show it
			}
			if byFile[name] == nil {
				byFile[name] = &class{pkg: oneLine(f.Package), name: oneLine(f.Path), file: name, hits: map[int]int{}}
			}
			byFile[name].add(f.Blocks)
		}
	}
	classes := make([]class, 0, len(byFile))
	for _, c := range byFile {
		for _, hits := range c.hits {
			if hits > 0 {
				c.covered++
			}
		}
		classes = append(classes, *c)
	}
	slices.SortFunc(classes, func(a, b class) int {
		return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.file, b.file))
	})
	return classes
}

func (c *class) add(blocks []pipeline.CoverageBlock) {
	for _, b := range blocks {
		for line := max(1, b.From); line <= min(b.To, b.From+maxLines); line++ {
			c.hits[line] = max(c.hits[line], b.Hits)
		}
	}
}

// encodeClasses returns one class element per class.
func encodeClasses(classes []class) [][]byte {
	texts := make([][]byte, len(classes))
	for i, c := range classes {
		var b bytes.Buffer
		fmt.Fprintf(&b, `<class name="%s" filename="%s" line-rate="%s" branch-rate="0" complexity="0"><methods></methods><lines>`+"\n",
			escape(c.name), escape(c.file), rate(c.covered, len(c.hits)))
		lines := make([]int, 0, len(c.hits))
		for line := range c.hits {
			lines = append(lines, line)
		}
		slices.Sort(lines)
		for _, line := range lines {
			b.WriteString(`<line number="` + strconv.Itoa(line) + `" hits="` + strconv.Itoa(max(0, c.hits[line])) + "\"/>\n")
		}
		b.WriteString("</lines></class>\n")
		texts[i] = b.Bytes()
	}
	return texts
}

// cobertura joins class elements, sorted by package, to a document.
func (run Run) cobertura(texts [][]byte, classes []class) []byte {
	var b bytes.Buffer
	covered, valid := count(classes)
	fmt.Fprintf(&b, xml.Header+`<coverage line-rate="%s" branch-rate="0" lines-covered="%d" lines-valid="%d" branches-covered="0" branches-valid="0" complexity="0" version="%s" timestamp="%d">`+"\n",
		rate(covered, valid), covered, valid, escape(run.Version), max(0, run.Started.UnixMilli()))
	fmt.Fprintf(&b, "<sources><source>%s</source></sources>\n<packages>\n", escape(cmp.Or(run.Project, ".")))
	for start := 0; start < len(classes); {
		end := start
		for end < len(classes) && classes[end].pkg == classes[start].pkg {
			end++
		}
		covered, valid := count(classes[start:end])
		fmt.Fprintf(&b, `<package name="%s" line-rate="%s" branch-rate="0" complexity="0"><classes>`+"\n",
			escape(classes[start].pkg), rate(covered, valid))
		for _, text := range texts[start:end] {
			b.Write(text)
		}
		b.WriteString("</classes></package>\n")
		start = end
	}
	b.WriteString("</packages>\n</coverage>\n")
	return b.Bytes()
}

func count(classes []class) (covered, valid int) {
	for _, c := range classes {
		covered += c.covered
		valid += len(c.hits)
	}
	return covered, valid
}

func rate(covered, valid int) string {
	if valid == 0 {
		return "0"
	}
	return strconv.FormatFloat(float64(covered)/float64(valid), 'f', 4, 64)
}
