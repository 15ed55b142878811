package container

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/source"
	"gitlab.com/selfcontained/pipeline/stages/container/chart"
	"gitlab.com/selfcontained/pipeline/stages/container/fileset"
)

// Key adds the recipe, the settings, the version and the files that go into
// the bundle beside the program, which is an output of the build. Of a base in
// a registry it knows the reference alone: a tag that has moved is not noticed
// until something else changes.
func (s *Stage) Key(ctx context.Context, in *evidence.Inputs) error {
	image := s.service.Image
	in.Value("recipe container", recipe)
	in.Value("setting name", s.service.Name)
	in.Value("version", s.version)
	in.Values("setting image", image.Base, s.user(), image.Env, image.Files, s.ports)
	in.Values("setting image.builder", image.Builder)
	in.Values("setting platforms", s.service.Platforms)
	in.Values("setting chart", s.service.Chart)
	in.Values("setting api", s.service.API)
	tree, err := s.sources.Scan(ctx)
	if err != nil {
		return err
	}
	switch {
	case len(image.Builder) > 0:
		tree.Shipped().AddTo(in) // it may read anything
	case image.Base == "":
		in.Digest("root certificates", evidence.Sum([]byte(certificates())))
	}
	return s.keyFiles(in, tree)
}

// keyFiles adds the files that the settings name.
func (s *Stage) keyFiles(in *evidence.Inputs, tree *source.Tree) error {
	root, err := os.OpenRoot(s.service.Dir)
	if err != nil {
		return fmt.Errorf("open the service's folder: %w", err)
	}
	defer root.Close()
	k := &keyFiles{root: root, in: in, known: map[string]evidence.Digest{}, done: map[string]bool{}}
	for _, f := range tree.Files {
		k.known[f.Path] = f.Digest
	}
	if s.service.Chart != "" {
		entries, err := chart.Entries(root, s.service.Chart)
		if err := k.add(s.service.Chart, entries, err); err != nil {
			return err
		}
	}
	for _, name := range s.named(root) {
		set, err := fileset.List(root, name, fileset.Keep)
		if err != nil {
			set = &fileset.Set{}
		}
		if err := k.add(name, set.Entries, err); err != nil {
			return err
		}
	}
	return nil
}

// named returns the paths that the settings name, the chart's excepted. Of a
// base layout the index is enough: it names all the rest by digest.
func (s *Stage) named(root *os.Root) []string {
	names := slices.Concat(s.service.API.Provides, s.service.API.Uses)
	if len(s.service.Image.Builder) > 0 {
		return names
	}
	names = append(names, slices.Collect(maps.Values(s.service.Image.Files))...)
	if dir, ok := s.baseLayout(func(p string) bool { _, err := root.Stat(p); return err == nil }); ok {
		names = append(names, path.Join(dir, "index.json"))
	}
	return names
}

type keyFiles struct {
	root  *os.Root
	in    *evidence.Inputs
	known map[string]evidence.Digest
	done  map[string]bool
}

// add adds entries. What cannot be listed is an input too, by what is wrong
// with it: saying so as a verdict is left to Run.
func (k *keyFiles) add(name string, entries []fileset.Entry, wrong error) error {
	if wrong != nil {
		k.in.Value("file "+name, wrong.Error())
		return nil
	}
	for _, e := range entries {
		if k.done[e.Path] {
			continue
		}
		k.done[e.Path] = true
		digest, ok := k.known[e.Path]
		if !ok || e.Followed {
			var err error
			if digest, err = k.hash(e); err != nil {
				return err
			}
		}
		k.in.File(e.Path, digest)
	}
	return nil
}

// hash reads a file that is not among the sources (git ignores it, or it is
// the target of a link), in the way that package source does.
func (k *keyFiles) hash(e fileset.Entry) (evidence.Digest, error) {
	if e.Link != "" {
		return evidence.Sum([]byte("link " + e.Link)), nil
	}
	f, err := k.root.Open(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // gone since it was listed
	}
	if err != nil {
		return "", fmt.Errorf("hash %s: %w", e.Path, err)
	}
	defer f.Close()
	h := sha256.New()
	if e.Executable {
		_, _ = io.WriteString(h, "executable\x00")
	}
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("hash %s: %w", e.Path, err)
	}
	return evidence.SumOf(h), nil
}
