package version_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/release/version"
	"gitlab.com/selfcontained/pipeline/release/version/goapi"
	"gitlab.com/selfcontained/pipeline/release/version/protoapi"
)

// pair is two versions of something, and programs that use it. An archive of
// the corpus has:
//   - old/ and new/: a Go module (its path is example.com/NAME unless go.mod
//     says otherwise), or .proto files; a real module has neither, but a first
//     line "module: PATH OLD NEW"
//   - client/: a test that was written against the old version
//   - uses/: a test that uses what is new, if anything is
//   - a first line "platform: OS/ARCH" where the two are to be compiled for that
type pair struct {
	name    string
	archive *txtar.Archive
	// What the workspaces say.
	clientOld, clientNew, usesOld, usesNew bool
	testsOld, testsNew                     map[string]bool
	proof                                  []version.Change
}

func readCorpus(t *testing.T) []*pair {
	t.Helper()
	names, err := filepath.Glob("testdata/corpus/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var pairs []*pair
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, &pair{name: strings.TrimSuffix(filepath.Base(name), ".txtar"), archive: a})
	}
	return pairs
}

// first returns the words of the archive's first line after a key.
func (p *pair) first(key string) []string {
	line, _, _ := strings.Cut(string(p.archive.Comment), "\n")
	words, ok := strings.CutPrefix(line, key+": ")
	if !ok {
		return nil
	}
	return strings.Fields(words)
}

func (p *pair) real() bool { return p.first("module") != nil }

// proto reports whether a pair is one of .proto files.
func (p *pair) proto() bool {
	return slices.ContainsFunc(p.archive.Files, func(f txtar.File) bool { return strings.HasSuffix(f.Name, ".proto") })
}

// label is what the old programs and tests find: breaking when one of them
// fails with the new version only, else a feature when a program runs with the
// new version only. It is not written down anywhere.
func (p *pair) label() version.Bump {
	broken := p.clientOld && !p.clientNew
	for test := range p.testsOld {
		broken = broken || p.testsOld[test] && !p.testsNew[test]
	}
	switch {
	case broken:
		return version.Major
	case p.usesNew && !p.usesOld:
		return version.Minor
	}
	return version.Patch
}

// decide returns the version that the proof asks for, after commits that only
// claim a fix.
func (p *pair) decide(t *testing.T, last *semver.Version) *semver.Version {
	t.Helper()
	d, err := version.Decide(version.Input{Last: last, Commits: []version.Commit{{Subject: "fix: something"}}, Proof: p.proof})
	if err != nil {
		t.Fatal(err)
	}
	return d.Next
}

// No version may be lower than what real programs demand, and at most one in
// twenty higher.
func TestCorpusDownloadsModules(t *testing.T) {
	t.Parallel()
	pairs := readCorpus(t)
	real := len(slices.DeleteFunc(slices.Clone(pairs), func(p *pair) bool { return !p.real() }))
	if len(pairs) < 30 || real < 10 {
		t.Errorf("the corpus has %d pairs, %d of them real modules; expected 30 and 10", len(pairs), real)
	}
	lab := newLab(t, pairs)
	lab.run(t)
	for _, p := range pairs {
		lab.prove(t, p)
	}
	low, high := 0, 0
	last := semver.MustParse("1.4.2")
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "pair\tprograms say\tproof says\trules")
	for _, p := range pairs {
		if !p.clientOld {
			t.Errorf("%s: the client does not run with the old version", p.name)
		}
		want, got := version.Next(last, p.label()), p.decide(t, last)
		verdict := ""
		switch {
		case got.LessThan(want):
			verdict = "TOO LOW"
			low++
		case got.GreaterThan(want):
			verdict = "too high"
			high++
		}
		fmt.Fprintf(w, "%s\t%v\t%v\t%s %s\n", p.name, want, got, rules(p.proof), verdict)
	}
	w.Flush()
	t.Logf("%d pairs, %d too low, %d too high\n%s", len(pairs), low, high, table.String())
	if low > 0 || high*20 > len(pairs) {
		t.Errorf("%d too low, and none may be; %d too high, and %d may be\n%s", low, high, len(pairs)/20, table.String())
	}
}

// rules lists the heaviest rules of a proof.
func rules(proof []version.Change) string {
	names := map[string]bool{}
	for _, c := range proof {
		if c.Bump == proof[0].Bump {
			names[c.Rule] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), " ")
}

// prove compares the two versions as a release would.
func (l *lab) prove(t *testing.T, p *pair) {
	t.Helper()
	if p.proto() {
		p.proof = protoapi.Compare(compileProto(t, p, "old"), compileProto(t, p, "new"))
		return
	}
	var sides [2]*goapi.API
	for i, side := range []string{"old", "new"} {
		var err error
		if sides[i], err = goapi.Load(t.Context(), l.module(side, p), goapi.Options{}); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
	}
	p.proof = goapi.Compare(sides[0], sides[1])
}

func needTool(t *testing.T, missing bool, what string) {
	t.Helper()
	if missing && os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	if missing {
		t.Skip(what)
	}
}
