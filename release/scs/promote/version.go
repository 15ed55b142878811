package promote

import (
	"fmt"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Bump is by how much a version goes on.
type Bump int

// The bumps, in their order.
const (
	None Bump = iota
	Patch
	Minor
	Major
)

// String names it as Semantic Versioning does, in lower case.
func (b Bump) String() string {
	return [...]string{"none", "patch", "minor", "major"}[b]
}

// first is the version that a system begins with.
const first = "0.1.0"

// NextVersion returns the version of a system that changes from a lock to a
// combination: by the highest bump of its members, and by a patch where nothing
// but the suite, the values or bytes have changed. Nil is the first one, 0.1.0.
// Below 1.0.0 a breaking change raises the minor version. A combination that is
// the same keeps its version.
func NextVersion(previous *scs.Lock, next scs.Combination) string {
	if previous == nil {
		return first
	}
	if previous.ID() == next.ID() {
		return previous.Version
	}
	v, err := semver.NewVersion(previous.Version)
	if err != nil {
		return first // no lock can be read that has none
	}
	bump := Patch
	for _, c := range scs.Diff(previous.Combination, next) {
		bump = max(bump, BumpOf(c))
	}
	if bump == Major && v.Major() == 0 {
		bump = Minor
	}
	switch bump {
	case Major:
		*v = v.IncMajor()
	case Minor:
		*v = v.IncMinor()
	default:
		*v = v.IncPatch()
	}
	return v.String()
}

// BumpOf is what the change of one member means for the system: a new one is
// something more, one that is gone breaks whoever used it, and one that goes back
// counts like one that goes forward.
func BumpOf(c scs.Change) Bump {
	switch {
	case c.From == nil:
		return Minor
	case c.To == nil:
		return Major
	}
	from, errFrom := semver.NewVersion(c.From.Version)
	to, errTo := semver.NewVersion(c.To.Version)
	switch {
	case errFrom != nil || errTo != nil:
		return Major
	case from.Major() != to.Major():
		return Major
	case from.Minor() != to.Minor():
		return Minor
	case c.From.Version != c.To.Version || c.From.Bundle != c.To.Bundle:
		return Patch
	}
	return None
}

// shown is a change of version for people.
func shown(m *scs.Member) string {
	if m == nil {
		return "none"
	}
	return m.Version
}

// direction is the bump of a change in words.
func direction(c scs.Change) string {
	switch {
	case c.From == nil:
		return "new"
	case c.To == nil:
		return "gone"
	case c.From.Version == c.To.Version:
		return "another bundle"
	}
	from, errFrom := semver.NewVersion(c.From.Version)
	to, errTo := semver.NewVersion(c.To.Version)
	if errFrom == nil && errTo == nil && to.LessThan(from) {
		return fmt.Sprintf("back (%s)", BumpOf(c))
	}
	return BumpOf(c).String()
}
