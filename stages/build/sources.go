package build

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// goSources are the Go files of a module, read once for all checks: its own and
// those of modules in folders, without a vendor folder.
type goSources struct {
	tree     *source.Tree
	contents map[string][]byte // by the path
}

func readSources(tree *source.Tree) (*goSources, error) {
	s := &goSources{tree: tree, contents: map[string][]byte{}}
	for _, f := range tree.Files {
		if !strings.HasSuffix(f.Path, ".go") || strings.HasPrefix(f.Path, "vendor/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(tree.Dir, filepath.FromSlash(f.Path)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just been deleted
		}
		if err != nil {
			return nil, err
		}
		s.contents[f.Path] = data
	}
	return s, nil
}

// directives reports whether any Go file of the module itself has a go:generate
// directive.
func (s *goSources) directives() bool {
	for name, data := range s.contents {
		if !strings.HasPrefix(name, "../") && directive.Match(data) {
			return true
		}
	}
	return false
}

// generateKey identifies everything that the generators of a module read.
func (s *goSources) generateKey() evidence.Digest {
	reads := readingsOf(s)
	in := &evidence.Inputs{}
	for _, f := range s.tree.Files {
		data, own := s.contents[f.Path]
		if !own || reads.full(f.Path) || generatedFile.Match(data) {
			in.Digest(f.Path, f.Digest)
		} else {
			in.Digest("declarations of "+f.Path, evidence.Sum(declarations(data)))
		}
	}
	return in.Key()
}

// importsKey identifies what go.mod and go.sum depend on: themselves, those of
// modules in folders, the toolchain, and of every Go file what stands before
// its declarations (build constraints and imports).
func (s *goSources) importsKey() evidence.Digest {
	in := &evidence.Inputs{}
	in.Tool("go", gotool.Version())
	for _, f := range s.tree.Files {
		data, own := s.contents[f.Path]
		switch base := filepath.Base(f.Path); {
		case own:
			in.Digest("imports of "+f.Path, evidence.Sum(head(data)))
		case base == "go.mod" || base == "go.sum":
			in.Digest(f.Path, f.Digest)
		}
	}
	return in.Key()
}

// head returns a Go file up to its last import; one that does not parse is
// returned whole.
func head(src []byte) []byte {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", src, parser.ImportsOnly|parser.SkipObjectResolution)
	if err != nil {
		return src
	}
	end := file.Name.End()
	for _, spec := range file.Imports {
		end = max(end, spec.End())
	}
	return src[:fset.Position(end).Offset]
}
