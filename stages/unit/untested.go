package unit

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// untested remembers, in the stage's cache, what a profile says of packages
// without tests: their statements, none of them covered. The go command counts
// them again in every run, and starts four processes for each such package.
type untested struct {
	file, dir string
	known     map[string]uncovered       // by the folder
	asked     map[string]evidence.Digest // the keys of those that are not known
}

// uncovered are the lines of a profile for the sources with the key.
type uncovered struct {
	Key   evidence.Digest `json:"key"`
	Lines string          `json:"lines"`
}

// newUntested looks which of the packages have no tests, and are known.
func newUntested(job *pipeline.Job, packages []string) (*untested, error) {
	u := &untested{
		file: filepath.Join(job.Cache, "untested.json"), dir: job.Dir,
		known: map[string]uncovered{}, asked: map[string]evidence.Digest{},
	}
	tests, err := gotool.TestFiles(job.Dir, "")
	if err != nil {
		return nil, err
	}
	remembered := map[string]uncovered{}
	if data, err := os.ReadFile(u.file); err == nil && !job.Fresh {
		_ = json.Unmarshal(data, &remembered) // else they are counted again
	}
	tested := gotool.Packages(tests)
	for _, folder := range packages {
		if slices.Contains(tested, folder) {
			continue
		}
		key := u.key(folder)
		if r, ok := remembered[folder]; ok && r.Key == key && len(tested) > 0 {
			u.known[folder] = r
		} else {
			u.asked[folder] = key
		}
	}
	return u, nil
}

// unknown returns the packages that the go command has to look at.
func (u *untested) unknown(packages []string) []string {
	return slices.DeleteFunc(slices.Clone(packages), func(folder string) bool {
		_, known := u.known[folder]
		return known
	})
}

// key identifies a package's sources, and the Go that counts its statements.
func (u *untested) key(folder string) evidence.Digest {
	in := &evidence.Inputs{}
	in.Tool("go", gotool.Version())
	names, _ := filepath.Glob(filepath.Join(u.dir, filepath.FromSlash(folder), "*.go"))
	for _, name := range names {
		sum, _ := evidence.SumFile(name) // what cannot be read does not compile
		in.Digest(filepath.Base(name), sum)
	}
	return in.Key()
}

// complete appends to a profile what is known, and remembers what it says of
// the packages that were not.
func (u *untested) complete(profile string) error {
	written, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	if err := u.learn(string(written)); err != nil {
		return err
	}
	var more strings.Builder
	for _, folder := range slices.Sorted(maps.Keys(u.known)) {
		if _, asked := u.asked[folder]; !asked {
			more.WriteString(u.known[folder].Lines)
		}
	}
	return os.WriteFile(profile, append(written, more.String()...), 0o644)
}

// learn adds what a profile says of the packages that were asked for, unless
// they have changed meanwhile.
func (u *untested) learn(profile string) error {
	if len(u.asked) == 0 {
		return nil
	}
	module := gotool.Module(u.dir)
	for folder, key := range u.asked {
		if key == u.key(folder) {
			u.known[folder] = uncovered{Key: key, Lines: linesOf(profile, path.Join(module, folder))}
		}
	}
	data, err := json.Marshal(u.known)
	if err != nil {
		return err
	}
	return evidence.WriteFile(u.file, data)
}

// linesOf returns the lines of a profile for the files of a package:
// "PACKAGE/FILE.go:FROM,TO STATEMENTS COUNT".
func linesOf(profile, pkg string) string {
	var b strings.Builder
	for line := range strings.Lines(profile) {
		if name, _, ok := strings.Cut(line, ".go:"); ok && path.Dir(name) == pkg {
			b.WriteString(line)
		}
	}
	return b.String()
}
