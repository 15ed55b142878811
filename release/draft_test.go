package release_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/changelog"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/version"
)

var update = flag.Bool("update", false, "write the golden files")

func now() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// ready is a bundle 1.3.0 after v1.2.0 with a feature, and all that the gate
// asks for.
func ready() release.Input {
	bundle := evidence.Sum([]byte("bundle"))
	return release.Input{
		Service: "stock", Candidate: "1.3.0", Bundle: bundle, Commit: strings.Repeat("c0ffee12", 5),
		Version: version.Input{
			Last: semver.MustParse("1.2.0"), Prefix: "v", Tags: []string{"v1.2.0"},
			Commits: []version.Commit{{Subject: "feat: give back", Hash: strings.Repeat("ab", 20)}},
		},
		Commits:   []changelog.Commit{{Hash: strings.Repeat("ab", 20), Type: "feat", Subject: "give back"}},
		Artefacts: release.Artefacts{Repository: "registry.example.com/shop/stock", Chart: "registry.example.com/shop/stock/charts/stock"},
		Policy:    policy.Release("main", []string{"unit"}),
		Evidence: policy.Evidence{
			Subject: bundle, Commit: strings.Repeat("c0ffee12", 5), Clean: true, Branches: []string{"main"}, Signed: true,
			Verdicts: []policy.Verdict{{Stage: "unit", Subject: bundle, Status: "passed", Summary: "12 tests", At: now().Add(-time.Hour)}},
		},
		Now: now(),
	}
}

func breaking() version.Change {
	return version.Change{Rule: "RPC_NO_DELETE", Where: "stock.v1.Stock.Take", Text: "the method was removed", Bump: version.Major}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*release.Input)
		version string // "" is refused, or nothing
		refused string // of the first refusal; "" is none
	}{
		"ready":           {func(*release.Input) {}, "1.3.0", ""},
		"first":           {func(in *release.Input) { in.Version.Last, in.Candidate = nil, "0.1.0" }, "0.1.0", ""},
		"higher than due": {func(in *release.Input) { in.Candidate = "2.0.0" }, "2.0.0", ""},
		"too low":         {func(in *release.Input) { in.Candidate = "1.2.1" }, "", "the bundle is 1.2.1, and 1.3.0 is due"},
		"more than said":  {func(in *release.Input) { in.Version.Proof = []version.Change{breaking()} }, "", "2.0.0 is due: the code has changes that no commit declares"},
		"said by version": {func(in *release.Input) { in.Version.Proof, in.Candidate = []version.Change{breaking()}, "2.0.0" }, "2.0.0", ""},
		"development":     {func(in *release.Input) { in.Candidate = "1.3.0-dev.h01234567" }, "", "a development build"},
		"nothing":         {func(in *release.Input) { in.Version.Commits = nil }, "", ""},
		"pre-release":     {func(in *release.Input) { in.Version.Pre, in.Candidate = "rc", "1.3.0-rc.1" }, "1.3.0-rc.1", ""},
		"no pre-release":  {func(in *release.Input) { in.Version.Pre = "rc" }, "", "a pre-release was asked for: 1.3.0-rc.1"},
		"leaves 0.x":      {func(in *release.Input) { in.Version.Last, in.Candidate = semver.MustParse("0.9.0"), "1.0.0" }, "", "--stable"},
		"leaves 0.x, said": {func(in *release.Input) {
			in.Version.Last, in.Candidate, in.Version.Stable = semver.MustParse("0.9.0"), "1.0.0", true
		}, "1.0.0", ""},
		"the gate":       {func(in *release.Input) { in.Evidence.Verdicts = nil }, "1.3.0", "no verdict on this bundle"},
		"library's path": {func(in *release.Input) { in.Module, in.Candidate = "example.com/stock", "2.0.0" }, "2.0.0", "module example.com/stock/v2"},
	} {
		in := ready()
		c.change(&in)
		d, err := release.Decide(in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		refused := ""
		if len(d.Refusals) > 0 {
			refused = d.Refusals[0].Why
		}
		if d.Version != c.version || (refused == "") != (c.refused == "") || !strings.Contains(refused, c.refused) {
			t.Errorf("%s: version %q, refused %q; want %q, %q", name, d.Version, refused, c.version, c.refused)
		}
		if d.Allowed() != (c.version != "" && c.refused == "") {
			t.Errorf("%s: allowed is %v", name, d.Allowed())
		}
		for _, r := range d.Refusals {
			if r.Remedy == "" {
				t.Errorf("%s: no remedy for %q", name, r.Why)
			}
		}
	}
}

func TestCandidateThatIsNoVersion(t *testing.T) {
	t.Parallel()
	in := ready()
	in.Candidate = "latest"
	if _, err := release.Decide(in); err == nil || !strings.Contains(err.Error(), `"latest"`) {
		t.Errorf("%v", err)
	}
}

// TestText shows drafts as people see them.
func TestText(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*release.Input){
		"ready":   func(*release.Input) {},
		"refused": func(in *release.Input) { in.Version.Proof, in.Evidence.Verdicts = []version.Change{breaking()}, nil },
		"nothing": func(in *release.Input) { in.Version.Commits = nil },
		"exceptions": func(in *release.Input) {
			in.Policy.Signed, in.Unsigned, in.Evidence.Signed = false, true, false
			in.Evidence.Verdicts = nil
			in.Evidence.Overrides = []policy.Override{{
				Subject: in.Bundle, Rule: "stage unit", Reason: "the clock is wrong\n/close @all <b>", By: "sam", At: now().Add(-time.Hour), Until: now().Add(time.Hour),
			}}
		},
	} {
		in := ready()
		change(&in)
		d, err := release.Decide(in)
		if err != nil {
			t.Fatal(err)
		}
		got := d.Text([]release.State{
			{What: "push the bundle", There: true}, {What: "make the tag"}, {What: "tag the chart", Problem: "it has another digest"},
		}) + "\n" + d.Notes
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if diff := cmp.Diff(string(want), got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}
