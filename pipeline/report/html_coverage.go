package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// maxMissed bounds the groups of lines that are listed of one file.
const maxMissed = 20

// covered is a number of statements with the part that is covered.
type covered struct {
	Name           string
	Percent, Count string
	Width          string // in percent
}

// coverageView is the coverage of a stage by packages.
type coverageView struct {
	covered
	Stage    *stageView
	Packages []packageCoverage
}

type packageCoverage struct {
	covered
	Files []fileCoverage
}

type fileCoverage struct {
	covered
	Missed string // lines
}

func coveredOf(name string, done, all int) covered {
	c := covered{Name: oneLine(bound(name)), Percent: "no code", Count: fmt.Sprintf("%d of %d", done, all), Width: percent(float64(done), float64(all))}
	if all > 0 {
		c.Percent = fmt.Sprintf("%.1f %%", 100*float64(done)/float64(all))
	}
	return c
}

// coverageOf sorts the files by their packages, nil without coverage.
func coverageOf(v *stageView, c *pipeline.Coverage) *coverageView {
	if c == nil {
		return nil
	}
	view := &coverageView{covered: coveredOf("", c.Covered, c.Statements), Stage: v}
	files := slices.Clone(c.Files)
	slices.SortStableFunc(files, func(a, b pipeline.FileCoverage) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Path, b.Path))
	})
	for start := 0; start < len(files); {
		end, done, all := start, 0, 0
		pkg := packageCoverage{}
		for ; end < len(files) && files[end].Package == files[start].Package; end++ {
			f := files[end]
			done, all = done+f.Covered, all+f.Statements
			pkg.Files = append(pkg.Files, fileCoverage{coveredOf(f.Path, f.Covered, f.Statements), missed(f.Blocks)})
		}
		pkg.covered = coveredOf(cmp.Or(files[start].Package, "(no package)"), done, all)
		view.Packages = append(view.Packages, pkg)
		start = end
	}
	return view
}

// missed lists the lines that no test ran: "3-5, 9". A line counts as run when
// one of the blocks on it was.
func missed(blocks []pipeline.CoverageBlock) string {
	if !slices.ContainsFunc(blocks, func(b pipeline.CoverageBlock) bool { return b.Hits <= 0 }) {
		return ""
	}
	c := class{hits: map[int]int{}}
	c.add(blocks)
	var lines []int
	for line, hits := range c.hits {
		if hits <= 0 {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	var groups []string
	more := 0
	for start := 0; start < len(lines); {
		end := start + 1
		for end < len(lines) && lines[end] == lines[end-1]+1 {
			end++
		}
		switch {
		case len(groups) >= maxMissed:
			more++
		case end == start+1:
			groups = append(groups, fmt.Sprint(lines[start]))
		default:
			groups = append(groups, fmt.Sprintf("%d-%d", lines[start], lines[end-1]))
		}
		start = end
	}
	text := strings.Join(groups, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
