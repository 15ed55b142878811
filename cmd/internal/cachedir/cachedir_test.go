package cachedir

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// fill makes files of 1,000 bytes; the number is the age of the file, or of the
// folder that a slash at the end of the name tells to be the unit, in days.
func fill(t *testing.T, files map[string]int) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		unit := filepath.Join(dir, filepath.FromSlash(name))
		file := unit
		if strings.HasSuffix(name, "/") {
			file = filepath.Join(unit, "file")
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-time.Duration(files[name]) * day)
		if err := os.Chtimes(unit, then, then); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func there(t *testing.T, dir string, files map[string]int) []string {
	t.Helper()
	var names []string
	for name := range files {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestTrimKnowsWhatMayGo(t *testing.T) {
	t.Parallel()
	files := map[string]int{
		"bundles/old/": 8, "bundles/new/": 6, "bundles/.layout-1/": 2, "bundles/.layout-2/": 0,
		"bundles/.blobs/old": 8, "bundles/.blobs/new": 6, "bundles/.blobs/.tmp-1": 2,
		"suites/old/": 8, "suites/new/": 6,
		"content/ab/old": 8, "content/ab/new": 6,
		"registry/old": 100, "environments/old": 100, "kube/old": 100, "node/old": 100, "locks/old": 8, "locks/new": 6,
	}
	dir := fill(t, files)
	// A blob is in use as long as a bundle has it.
	files["bundles/.blobs/linked"] = 100
	linked := filepath.Join(dir, "bundles/.blobs/linked")
	if err := os.Link(filepath.Join(dir, "bundles/new/file"), linked); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-100 * day)
	if err := os.Chtimes(linked, then, then); err != nil {
		t.Fatal(err)
	}
	freed, err := Trim(t.Context(), dir, evidence.Limits{Unused: Unused, Bytes: Bytes}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bundles/.blobs/linked", "bundles/.blobs/new", "bundles/.layout-2/", "bundles/new/", "content/ab/new",
		"environments/old", "kube/old", "locks/new", "node/old", "registry/old", "suites/new/",
	}
	if diff := cmp.Diff(want, there(t, dir, files)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	if freed.Entries != 7 || freed.Bytes != 7000 {
		t.Errorf("freed %+v, want 7 entries with 7000 bytes", freed)
	}
	if rests, _ := filepath.Glob(filepath.Join(dir, "*", ".old-*")); len(rests) > 0 {
		t.Errorf("left behind: %v", rests)
	}
}

func TestDailyTrimsOnceADay(t *testing.T) {
	t.Parallel()
	files := map[string]int{"suites/old/": 8}
	dir := fill(t, files)
	limits, now := evidence.Limits{Unused: Unused, Bytes: Bytes}, time.Now()
	for _, test := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {time.Minute, 0}, {23 * time.Hour, 0}, {25 * time.Hour, 1}} {
		old := filepath.Join(dir, "suites", "old")
		then := now.Add(-8 * day)
		if err := os.MkdirAll(old, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(old, then, then); err != nil {
			t.Fatal(err)
		}
		freed, err := Daily(t.Context(), dir, limits, now.Add(test.after))
		if err != nil || freed.Entries != test.want {
			t.Errorf("after %s: freed %+v, %v; want %d entries", test.after, freed, err, test.want)
		}
	}
}

func TestDailyTellsThatItCannotWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(fill(t, map[string]int{"file": 0}), "file") // where the folder should be
	if _, err := Daily(t.Context(), file, evidence.Limits{}, time.Now()); err == nil {
		t.Error("a cache that cannot be written to is no error")
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	dir := fill(t, map[string]int{"cas/ab/x": 0, "verdicts/ab/y": 0, "verdicts/ab/z": 0, "registry/lock": 0, "registry/blob": 0, "other": 0})
	for _, link := range []string{"bundles/a", "bundles/b"} { // one blob in two bundles
		name := filepath.Join(dir, link)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(dir, "other"), name); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := Usage(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for i, p := range parts {
		got[p.What] = p.Bytes
		if i > 0 && p.Bytes > parts[i-1].Bytes {
			t.Errorf("%s is behind a smaller part", p.What)
		}
	}
	want := map[string]int64{"verdicts, and what stages made and found": 3000, "releases in the local registry": 2000, "bundles of systems": 1000, "everything else": 1000}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("usage (-want +got):\n%s", diff)
	}
	if none, err := Usage(filepath.Join(dir, "missing")); err != nil || len(none) > 0 {
		t.Errorf("no cache: %v, %v", none, err)
	}
}
