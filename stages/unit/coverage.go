package unit

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/cover"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// Coverage reads a profile as `go test -coverprofile` writes it (`go doc
// golang.org/x/tools/cover`) and returns the coverage of the module's files
// that own says yes to; paths are relative to the module. Blocks that several
// test binaries report are added up.
func Coverage(r io.Reader, module string, own func(path string) bool) (*pipeline.Coverage, error) {
	profiles, err := cover.ParseProfilesFromReader(r)
	if err != nil {
		return nil, err
	}
	total := &pipeline.Coverage{}
	for _, p := range profiles {
		rel, ok := strings.CutPrefix(p.FileName, module+"/")
		if !ok || !own(rel) {
			continue
		}
		f := fileCoverage(rel, path.Dir(p.FileName), p.Blocks)
		total.Statements += f.Statements
		total.Covered += f.Covered
		total.Files = append(total.Files, f)
	}
	return total, nil
}

// readCoverage is Coverage of the profile that go test wrote.
func readCoverage(profile, module string, own func(path string) bool) (*pipeline.Coverage, error) {
	data, err := os.Open(profile)
	if err != nil {
		return nil, fmt.Errorf("read the coverage that go test wrote: %w", err)
	}
	defer data.Close()
	cov, err := Coverage(data, module, own)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ProfileFile, err)
	}
	return cov, nil
}

func fileCoverage(rel, pkg string, blocks []cover.ProfileBlock) pipeline.FileCoverage {
	f := pipeline.FileCoverage{Path: rel, Package: pkg}
	for _, b := range blocks {
		f.Statements += b.NumStmt
		if b.Count > 0 {
			f.Covered += b.NumStmt
		}
		f.Blocks = append(f.Blocks, pipeline.CoverageBlock{
			From: b.StartLine, To: b.EndLine, Statements: b.NumStmt, Hits: b.Count,
		})
	}
	return f
}

// ownCode returns a predicate for the files of the module at dir that tests
// are written for: neither generated nor in a main package.
func ownCode(dir string) (func(string) bool, error) {
	mains, err := gotool.Mains(dir)
	if err != nil {
		return nil, err
	}
	return func(rel string) bool {
		folder := "./" + path.Dir(rel)
		if path.Dir(rel) == "." {
			folder = "."
		}
		return !slices.Contains(mains, folder) && !generated(filepath.Join(dir, filepath.FromSlash(rel)))
	}, nil
}

// generated follows https://go.dev/s/generatedcode.
func generated(name string) bool {
	f, _ := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
	return f != nil && ast.IsGenerated(f)
}

// judge compares the coverage with the least that is asked for, in percent.
func judge(c *pipeline.Coverage, least float64) error {
	if least <= 0 || c.Percent() >= least {
		return nil
	}
	if c.Statements == 0 {
		return &pipeline.Failure{
			Summary: fmt.Sprintf("coverage of at least %g %% is asked for and no statement counts", least),
			Cause:   "all code is generated or in main packages; move logic into packages of its own, or drop stages.unit.coverage",
		}
	}
	missing := int(least*float64(c.Statements)/100) - c.Covered + 1
	lines := []string{fmt.Sprintf("about %d more statements must be covered; the least covered packages:", missing)}
	for _, p := range packages(c) {
		lines = append(lines, fmt.Sprintf("%6.1f %%  %s (%d of %d statements are not covered)",
			p.Percent(), p.name, p.Statements-p.Covered, p.Statements))
	}
	return &pipeline.Failure{
		Summary: fmt.Sprintf("coverage %.2f %% is below %g %%", c.Percent(), least),
		Cause:   gotool.Excerpt(strings.Join(lines, "\n"), gotool.CauseLines),
	}
}

type packageCoverage struct {
	pipeline.Coverage
	name string
}

// packages returns the packages that are not fully covered, the least covered
// first.
func packages(c *pipeline.Coverage) []packageCoverage {
	byName := map[string]*packageCoverage{}
	for _, f := range c.Files {
		p := byName[f.Package]
		if p == nil {
			p = &packageCoverage{name: f.Package}
			byName[f.Package] = p
		}
		p.Statements += f.Statements
		p.Covered += f.Covered
	}
	var list []packageCoverage
	for _, p := range byName {
		if p.Covered < p.Statements {
			list = append(list, *p)
		}
	}
	slices.SortFunc(list, func(a, b packageCoverage) int {
		return cmp.Or(cmp.Compare(a.Percent(), b.Percent()), strings.Compare(a.name, b.name))
	})
	return list
}
