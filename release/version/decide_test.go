package version

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"
)

func v(text string) *semver.Version { return semver.MustParse(text) }

func text(v *semver.Version) string {
	if v == nil {
		return ""
	}
	return v.String()
}

// proof makes one change for each bump.
func proof(bumps ...Bump) []Change {
	var list []Change
	for _, b := range bumps {
		list = append(list, Change{Rule: "RULE", Where: b.String(), Text: "changed", Bump: b})
	}
	return list
}

func TestDecide(t *testing.T) {
	t.Parallel()
	rcs := []string{"v1.4.2", "v1.5.0-rc.1", "v1.5.0-rc.10", "v1.5.0-beta.20", "v1.6.0-rc.30", "stock/v1.5.0-rc.40"}
	for name, c := range map[string]struct {
		in        Input
		want      string // "" is nothing to release
		unclaimed int
	}{
		"first":                                  {Input{Commits: commits("docs: x")}, "0.1.0", 0},
		"first, stable":                          {Input{Stable: true}, "1.0.0", 0},
		"first, chosen":                          {Input{Wanted: v("0.3.0")}, "0.3.0", 0},
		"first pre-release":                      {Input{Pre: "rc"}, "0.1.0-rc.1", 0},
		"commits above the proof":                {Input{Last: v("1.4.2"), Commits: commits("feat: x"), Proof: proof(Patch)}, "1.5.0", 0},
		"proof above the commits":                {Input{Last: v("1.4.2"), Commits: commits("fix: x"), Proof: proof(Minor, Major)}, "2.0.0", 2},
		"proof without commits":                  {Input{Last: v("1.4.2"), Proof: proof(Patch)}, "1.4.3", 1},
		"proof as the commits":                   {Input{Last: v("1.4.2"), Commits: commits("feat!: x"), Proof: proof(Major)}, "2.0.0", 0},
		"breaking below one":                     {Input{Last: v("0.4.2"), Commits: commits("fix: x"), Proof: proof(Major)}, "0.5.0", 1},
		"breaking below one, called a feature":   {Input{Last: v("0.4.2"), Commits: commits("feat: x"), Proof: proof(Major)}, "0.5.0", 0},
		"to one":                                 {Input{Last: v("0.4.2"), Stable: true}, "1.0.0", 0},
		"stable already":                         {Input{Last: v("1.4.2"), Stable: true}, "", 0},
		"nothing to release":                     {Input{Last: v("1.4.2"), Commits: commits("docs: x", "ci: y", "test: z", "chore: a")}, "", 0},
		"nothing, a development build":           {Input{Last: v("1.4.2"), Wanted: v("1.4.3-dev.h01234567")}, "", 0},
		"nothing, but wanted":                    {Input{Last: v("1.4.2"), Wanted: v("1.4.3")}, "1.4.3", 0},
		"nothing, built as the last":             {Input{Last: v("1.4.2"), Wanted: v("1.4.2")}, "", 0},
		"pre-release":                            {Input{Last: v("1.4.2"), Pre: "rc", Tags: rcs, Prefix: "v", Commits: commits("feat: x")}, "1.5.0-rc.11", 0},
		"pre-release of another service":         {Input{Last: v("1.4.2"), Pre: "rc", Tags: rcs, Prefix: "stock/v", Commits: commits("feat: x")}, "1.5.0-rc.41", 0},
		"pre-release of another identifier":      {Input{Last: v("1.4.2"), Pre: "alpha", Tags: rcs, Prefix: "v", Commits: commits("feat: x")}, "1.5.0-alpha.1", 0},
		"pre-release of nothing":                 {Input{Last: v("1.4.2"), Pre: "rc", Tags: rcs, Prefix: "v"}, "", 0},
		"pre-releases are no release":            {Input{Last: Last(rcs, "v"), Tags: rcs, Prefix: "v", Commits: commits("fix: x")}, "1.4.3", 0},
		"wanted as due":                          {Input{Last: v("1.4.2"), Commits: commits("feat: x"), Wanted: v("1.5.0")}, "1.5.0", 0},
		"wanted higher":                          {Input{Last: v("1.4.2"), Commits: commits("fix: x"), Proof: proof(Minor), Wanted: v("3.0.0")}, "3.0.0", 1},
		"wanted pre-release of what is due":      {Input{Last: v("1.4.2"), Commits: commits("feat: x"), Wanted: v("1.5.0-rc.2")}, "1.5.0-rc.2", 0},
		"wanted pre-release that exists":         {Input{Last: v("1.4.2"), Commits: commits("feat: x"), Wanted: v("1.5.0-rc.10"), Tags: rcs, Prefix: "v"}, "1.5.0-rc.10", 0},
		"wanted release after its pre-releases":  {Input{Last: v("1.4.2"), Commits: commits("feat: x"), Wanted: v("1.5.0"), Tags: rcs, Prefix: "v"}, "1.5.0", 0},
		"development tags are no pre-releases":   {Input{Last: v("1.4.2"), Commits: commits("feat: x"), Wanted: v("1.5.0-alpha.1"), Tags: []string{"v1.5.0-dev.h01234567"}, Prefix: "v"}, "1.5.0-alpha.1", 0},
		"wanted one with leave":                  {Input{Last: v("0.4.2"), Commits: commits("feat: x"), Wanted: v("1.0.0"), Stable: true}, "1.0.0", 0},
		"wanted pre-release of one, with leave":  {Input{Last: v("0.4.2"), Commits: commits("feat: x"), Wanted: v("1.0.0-rc.1"), Stable: true}, "1.0.0-rc.1", 0},
		"proof of nothing is shown and no claim": {Input{Last: v("1.4.2"), Proof: proof(None)}, "", 0},
	} {
		d, err := Decide(c.in)
		if got := text(d.Next); got != c.want || err != nil || len(d.Unclaimed) != c.unclaimed {
			t.Errorf("%s: %q with %d unclaimed, %v; want %q with %d", name, got, len(d.Unclaimed), err, c.want, c.unclaimed)
		}
	}
}

func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	rc := []string{"v1.5.0-rc.3"}
	for name, c := range map[string]struct {
		in      Input
		due     string // "" is an UnstableError
		reasons int
	}{
		"lower than the commits":              {Input{Last: v("1.4.2"), Commits: commits("feat: x", "fix: y"), Wanted: v("1.4.3")}, "1.5.0", 1},
		"lower than the proof":                {Input{Last: v("1.4.2"), Commits: commits("feat: x"), Proof: proof(Major, Minor), Wanted: v("1.5.0")}, "2.0.0", 1},
		"lower than the first":                {Input{Wanted: v("0.0.1")}, "0.1.0", 0},
		"lower than the last":                 {Input{Last: v("1.4.2"), Wanted: v("1.4.1")}, "1.4.2", 0},
		"not above the last":                  {Input{Last: v("1.4.2"), Commits: commits("fix: x"), Wanted: v("1.4.2")}, "1.4.3", 1},
		"pre-release below the due one":       {Input{Last: v("1.4.2"), Commits: commits("feat!: x"), Wanted: v("1.5.0-rc.1")}, "2.0.0", 1},
		"pre-release below one that exists":   {Input{Last: v("1.4.2"), Commits: commits("feat: x"), Wanted: v("1.5.0-rc.2"), Tags: rc, Prefix: "v"}, "1.5.0", 1},
		"a development build":                 {Input{Last: v("1.4.2"), Commits: commits("feat: x"), Wanted: v("1.5.0-dev.h01234567")}, "1.5.0", 1},
		"stable asks for one":                 {Input{Last: v("0.4.2"), Commits: commits("feat: x"), Wanted: v("0.5.0"), Stable: true}, "1.0.0", 0},
		"one without leave":                   {Input{Last: v("0.4.2"), Commits: commits("feat: x"), Wanted: v("1.0.0")}, "", 0},
		"one as the first without leave":      {Input{Wanted: v("1.0.0")}, "", 0},
		"pre-release of one without leave":    {Input{Last: v("0.4.2"), Commits: commits("feat: x"), Wanted: v("1.0.0-rc.1")}, "", 0},
		"too low counts before without leave": {Input{Last: v("0.4.2"), Commits: commits("feat: x"), Wanted: v("0.4.3")}, "0.5.0", 1},
	} {
		_, err := Decide(c.in)
		var low *TooLowError
		var unstable *UnstableError
		switch {
		case errors.As(err, &low):
			if text(low.Due) != c.due || len(low.Reasons) != c.reasons {
				t.Errorf("%s: due %v with %d reasons, want %q with %d", name, low.Due, len(low.Reasons), c.due, c.reasons)
			}
		case errors.As(err, &unstable):
			if c.due != "" {
				t.Errorf("%s: %v, want too low", name, err)
			}
		default:
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReasonsAndTheirOrder(t *testing.T) {
	t.Parallel()
	d, err := Decide(Input{
		Last:    v("1.4.2"),
		Commits: []Commit{{Subject: "fix: a", Hash: "0123456789"}, {Subject: "docs: b"}, {Subject: "feat!: c"}},
		Proof: []Change{
			{Rule: "ADDED", Where: "shop.Cart", Text: "is new", Bump: Minor},
			{Rule: "REMOVED", Where: "shop.Basket", Text: "is gone", Bump: Major},
		},
		Wanted: v("1.4.3"),
	})
	want := []string{
		"major: shop.Basket: is gone (REMOVED)",
		"major: commit feat!: c",
		"minor: shop.Cart: is new (ADDED)",
		"patch: commit 01234567: fix: a",
	}
	var got []string
	for _, r := range d.Reasons {
		got = append(got, r.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err == nil {
		t.Fatal("1.4.3 is not too low")
	}
	for _, part := range append(slices.Clone(want[:3]), "1.4.3", "2.0.0", "pipeline run --version 2.0.0") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q:\n%v", part, err)
		}
	}
	if strings.Contains(err.Error(), want[3]) {
		t.Errorf("the error blames what 1.4.3 satisfies:\n%v", err)
	}
}

// Whatever is put in, the next version is above the last one and not below
// what each reason asks for.
func FuzzDecide(f *testing.F) {
	f.Add("1.4.2", "feat: x", 3, false, "rc", "2.0.0")
	f.Add("0.1.0", "chore: x", 0, true, "", "")
	f.Add("", "fix: x", 1, true, "", "1.0.0-rc.1")
	f.Fuzz(func(t *testing.T, last, subject string, bump int, stable bool, pre, wanted string) {
		in := Input{Commits: commits(subject), Proof: proof(Bump(min(max(bump, 0), 3))), Stable: stable}
		in.Last, _ = semver.StrictNewVersion(last)
		in.Wanted, _ = semver.StrictNewVersion(wanted)
		if _, err := semver.StrictNewVersion("1.0.0-" + pre + ".1"); err == nil {
			in.Pre = pre
		}
		if in.Last != nil && in.Last.Prerelease() != "" {
			return
		}
		d, err := Decide(in)
		if err != nil || d.Next == nil {
			return
		}
		core := semver.New(d.Next.Major(), d.Next.Minor(), d.Next.Patch(), "", "")
		low := Next(in.Last, max(d.Claimed, d.Proven))
		if core.LessThan(low) && d.Due != nil || in.Last != nil && !core.GreaterThan(in.Last) {
			t.Errorf("%v after %v, at least %v: %+v", d.Next, in.Last, low, in)
		}
		if (in.Last == nil || in.Last.Major() == 0) && core.Major() > 0 && !stable {
			t.Errorf("%v left 0.x by itself", d.Next)
		}
	})
}
