package version

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Change is one change that the code proves against the last release.
type Change struct {
	// Rule names what was looked at: "TYPE_REMOVED" of package goapi,
	// "FIELD_NO_DELETE" of package protoapi.
	Rule string
	// Where is a package or file and the symbol in it.
	Where string
	// Text says in one sentence what changed.
	Text string
	// Bump is what the change asks for at the least.
	Bump Bump
}

func (c Change) String() string { return c.Where + ": " + c.Text + " (" + c.Rule + ")" }

// String returns "none", "patch", "minor" or "major".
func (b Bump) String() string {
	if b < None || b > Major {
		return "bump " + strconv.Itoa(int(b))
	}
	return [...]string{"none", "patch", "minor", "major"}[b]
}

// Input is what a decision is made of.
type Input struct {
	// Last is the last release, nil before the first. See Last.
	Last *semver.Version
	// Commits are those since the last release, newest first.
	Commits []Commit
	// Proof is what the code proves against the last release, in any order.
	Proof []Change
	// Stable allows to leave 0.x: the next version is 1.0.0 or above.
	Stable bool
	// Pre asks for a pre-release with this identifier: "rc" gives -rc.1.
	Pre string
	// Tags and Prefix tell which pre-releases there are, as in State.
	Tags   []string
	Prefix string
	// Wanted is the version that the bundle carries; nil when none is built.
	// It may be higher than what is due, but not lower.
	Wanted *semver.Version
}

// Reason is one thing that a decision rests on.
type Reason struct {
	Bump Bump
	// Rule is that of a proven change, and empty for a commit.
	Rule string
	// Where is that of the change, or the abbreviated hash of the commit.
	Where string
	// Text is that of the change, or the subject of the commit.
	Text string
}

// Decision says which version comes next, and why.
type Decision struct {
	// Last is that of the input; nil before the first release.
	Last *semver.Version
	// Due is the lowest version that commits and proof allow, with Pre the next
	// pre-release of it; nil when there is nothing to release.
	Due *semver.Version
	// Next is the version to release: Wanted when that is given, else Due. Nil
	// when there is nothing to release, which is no error.
	Next *semver.Version
	// Claimed is what the commits ask for, Proven what the code asks for.
	Claimed, Proven Bump
	// Reasons are all that count, the heaviest first; among equals the proof
	// comes before the commits, and each in the order of the input.
	Reasons []Reason
	// Unclaimed are the proven changes that ask for a higher version than the
	// commits do, the heaviest first. Below 1.0.0 a breaking change asks for no
	// more than a feature.
	Unclaimed []Change
}

// TooLowError says that a version is lower than what is due (the last release,
// when nothing is), or that it is the one of a development build.
type TooLowError struct {
	Version, Due *semver.Version
	// Reasons are those of the decision that ask for more than Version gives.
	Reasons []Reason
}

func (e *TooLowError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version %v is too low: %v is due; build and test that one with `pipeline run --version %[2]v`", e.Version, e.Due)
	for _, r := range e.Reasons {
		b.WriteString("\n  " + r.String())
	}
	return b.String()
}

func (r Reason) String() string {
	where := ""
	if r.Where != "" {
		where = r.Where + ": "
	}
	if r.Rule == "" {
		return fmt.Sprintf("%v: commit %s%s", r.Bump, where, r.Text)
	}
	return fmt.Sprintf("%v: %s%s (%s)", r.Bump, where, r.Text, r.Rule)
}

// UnstableError says that a version would leave 0.x without being asked to.
type UnstableError struct{ Version *semver.Version }

func (e *UnstableError) Error() string {
	return fmt.Sprintf("version %v promises a stable interface, and there was none below 1.0.0; say so with --stable, or take a version below 1.0.0", e.Version)
}

// Decide returns which version comes next: the higher of what the commits say
// and of what the code proves. The first one is First; below 1.0.0 a breaking
// change raises the minor version, and 1.0.0 is reached with Stable alone.
//
// The error is a *TooLowError when Wanted is lower than what is due or than a
// pre-release that exists, and an *UnstableError when it leaves 0.x without
// Stable. The decision is complete in both cases.
func Decide(in Input) (Decision, error) {
	d := Decision{Last: in.Last, Claimed: FromCommits(in.Commits), Reasons: claims(in.Commits)}
	for _, c := range in.Proof {
		d.Proven = max(d.Proven, c.Bump)
		if c.Bump > None {
			d.Reasons = append(d.Reasons, Reason{Bump: c.Bump, Rule: c.Rule, Where: c.Where, Text: c.Text})
		}
	}
	slices.SortStableFunc(d.Reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Bump, a.Bump), -cmp.Compare(min(1, len(a.Rule)), min(1, len(b.Rule))))
	})
	d.Unclaimed = unclaimed(in, d.Claimed)
	d.Due = due(in, max(d.Claimed, d.Proven))
	d.Next = d.Due
	if in.Wanted == nil {
		return d, nil
	}
	return d, d.want(in)
}

// unclaimed returns the changes that ask for more than the commits do.
func unclaimed(in Input, claimed Bump) []Change {
	if in.Last == nil {
		return nil
	}
	var list []Change
	claim := Next(in.Last, claimed)
	for _, c := range in.Proof {
		if Next(in.Last, c.Bump).GreaterThan(claim) {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b Change) int { return cmp.Compare(b.Bump, a.Bump) })
	return list
}

// due returns the lowest version that may be released, nil for none.
func due(in Input, b Bump) *semver.Version {
	leave := in.Stable && (in.Last == nil || in.Last.Major() == 0)
	if in.Last != nil && b == None && !leave {
		return nil
	}
	core := Next(in.Last, b)
	if leave {
		core = semver.New(1, 0, 0, "", "")
	}
	if in.Pre == "" {
		return core
	}
	n := 1
	for _, v := range preReleases(in, core) {
		identifier, number, _ := strings.Cut(v.Prerelease(), ".")
		if i, err := strconv.Atoi(number); err == nil && identifier == in.Pre {
			n = max(n, i+1)
		}
	}
	return semver.New(core.Major(), core.Minor(), core.Patch(), in.Pre+"."+strconv.Itoa(n), "")
}

// preReleases returns those of a version that exist.
func preReleases(in Input, core *semver.Version) []*semver.Version {
	var list []*semver.Version
	for _, tag := range in.Tags {
		text, ok := strings.CutPrefix(tag, in.Prefix)
		if v, err := semver.StrictNewVersion(text); ok && err == nil && v.Prerelease() != "" && sameCore(v, core) {
			list = append(list, v)
		}
	}
	return list
}

func sameCore(a, b *semver.Version) bool {
	return a.Major() == b.Major() && a.Minor() == b.Minor() && a.Patch() == b.Patch()
}

// want takes the version that the bundle carries, if it may.
func (d *Decision) want(in Input) error {
	if d.Due == nil && Development(in.Wanted) {
		return nil
	}
	low := d.lowest(in)
	if low != nil && (in.Wanted.LessThan(low) || Development(in.Wanted)) {
		return &TooLowError{Version: in.Wanted, Due: cmp.Or(d.Due, low), Reasons: d.above(in)}
	}
	before := in.Last == nil || in.Last.Major() == 0
	if before && in.Wanted.Major() > 0 && !in.Stable {
		return &UnstableError{in.Wanted}
	}
	d.Next = in.Wanted
	if d.Due == nil && in.Last != nil && !in.Wanted.GreaterThan(in.Last) {
		d.Next = nil
	}
	return nil
}

// lowest returns what Wanted has to reach. A pre-release of what is due is
// enough when there is none that is higher.
func (d *Decision) lowest(in Input) *semver.Version {
	if d.Due == nil {
		return in.Last
	}
	core := semver.New(d.Due.Major(), d.Due.Minor(), d.Due.Patch(), "", "")
	if in.Wanted.Prerelease() == "" || !sameCore(in.Wanted, core) {
		return core
	}
	low := in.Wanted
	for _, v := range preReleases(in, core) {
		if v.GreaterThan(low) && !Development(v) {
			low = v
		}
	}
	return low
}

// above returns the reasons that ask for more than Wanted is.
func (d *Decision) above(in Input) []Reason {
	if in.Last == nil {
		return nil
	}
	var list []Reason
	for _, r := range d.Reasons {
		if Next(in.Last, r.Bump).GreaterThan(in.Wanted) {
			list = append(list, r)
		}
	}
	return list
}

// Development reports whether a version is that of a development build, as
// Candidate names them: such a bundle is never released.
func Development(v *semver.Version) bool {
	return strings.HasPrefix(v.Prerelease(), developmentMark)
}
