package source

import (
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// Tree is an immutable list of files, sorted by path.
type Tree struct {
	Dir   string
	Files []File
}

// Digest returns the digest over paths and contents.
func (t *Tree) Digest() evidence.Digest {
	h := sha256.New()
	for _, f := range t.Files {
		fmt.Fprintf(h, "%d:%s%s\n", len(f.Path), f.Path, f.Digest)
	}
	return evidence.SumOf(h)
}

// AddTo adds every file as an input.
func (t *Tree) AddTo(in *evidence.Inputs) {
	for _, f := range t.Files {
		in.File(f.Path, f.Digest)
	}
}

// Filter returns the files that keep says yes to.
func (t *Tree) Filter(keep func(path string) bool) *Tree {
	out := &Tree{Dir: t.Dir}
	for _, f := range t.Files {
		if keep(f.Path) {
			out.Files = append(out.Files, f)
		}
	}
	return out
}

// Below returns the files in the given folder.
func (t *Tree) Below(dir string) *Tree {
	dir = path.Clean(dir) + "/"
	return t.Filter(func(p string) bool { return dir == "./" || strings.HasPrefix(p, dir) })
}

// Has reports whether a file is there.
func (t *Tree) Has(path string) bool {
	_, ok := slices.BinarySearchFunc(t.Files, path, func(f File, p string) int { return strings.Compare(f.Path, p) })
	return ok
}

// Code returns everything but documentation that no Go file embeds: what
// building and testing can depend on.
func (t *Tree) Code() *Tree {
	embedded := t.embedded()
	return t.Filter(func(p string) bool { return !Documentation(p) || embedded(p) })
}

// Shipped returns what can influence the bytes that are shipped: Code without
// what only tests use.
func (t *Tree) Shipped() *Tree {
	embedded := t.embedded()
	return t.Filter(func(p string) bool {
		return embedded(p) || !Documentation(p) && !TestOnly(p)
	})
}

// embedded returns a predicate for the files that a go:embed directive names.
func (t *Tree) embedded() func(string) bool {
	var patterns []string
	for _, f := range t.Files {
		for _, e := range f.Embeds {
			patterns = append(patterns, path.Join(path.Dir(f.Path), e))
		}
	}
	return func(p string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return matchesOrContains(pattern, p) })
	}
}

// matchesOrContains reports whether pattern names p or a folder above it.
func matchesOrContains(pattern, p string) bool {
	for at := p; at != "." && at != "/" && at != ".."; at = path.Dir(at) {
		if ok, _ := path.Match(pattern, at); ok || pattern == at {
			return true
		}
	}
	return pattern == "."
}

// Documentation reports whether a file is documentation by its name: Markdown,
// AsciiDoc, licences, a docs folder at the top, CI and editor settings.
func Documentation(p string) bool {
	switch path.Ext(p) {
	case ".md", ".adoc", ".rst":
		return true
	}
	base := path.Base(p)
	switch base {
	case "LICENSE", "NOTICE", "CODEOWNERS", ".gitignore", ".gitattributes", ".editorconfig", ".gitlab-ci.yml":
		return true
	}
	return strings.HasPrefix(p, "docs/") || strings.HasPrefix(p, ".gitlab/")
}

// TestOnly reports whether the go command uses a file for tests alone.
func TestOnly(p string) bool {
	return strings.HasSuffix(p, "_test.go") || strings.HasPrefix(p, "testdata/") || strings.Contains(p, "/testdata/")
}
