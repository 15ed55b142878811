// Package version decides which version comes next. It is pure: everything
// that it needs to know is handed in.
//
// Decide takes the higher of two answers: what the commits since the last
// release say, and what the code proves against it. The proof is a list of
// Change: packages goapi (exported Go interface) and protoapi (protobuf) make it.
//
// The version comes before the build: it is stamped into binary, image and
// chart, so that what is tested carries the name under which it may be
// released. On the release branch, with nothing uncommitted, the candidate is
// the version that the commits since the last release ask for. Anywhere else
// it is a development version named after the content that it is built from,
// so that equal content has an equal name.
package version

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// First is the version of a first release.
const First = "0.1.0"

// Commit is what the decision reads of a commit. Hash may be empty; then a
// revert is matched by the subject.
type Commit struct{ Subject, Body, Hash string }

// developmentMark begins the pre-release part of a development version.
const developmentMark = "dev."

// State is what a service's repository says.
type State struct {
	// Tags are the names of the tags that the head contains.
	Tags []string
	// Prefix is what stands before the version in a tag: "v", "stock/v".
	Prefix string
	// Commits are those since the last release, newest first.
	Commits []Commit
	// Release says that the head is the release branch with nothing uncommitted.
	Release bool
	// Content identifies the build's inputs: hex digits, eight are used.
	Content string
}

// Bump is how much a version has to grow.
type Bump int

// The bumps, in ascending order.
const (
	None Bump = iota
	Patch
	Minor
	Major
)

// Last returns the highest release among the tags, and nil when there is none.
// Pre-releases do not count.
func Last(tags []string, prefix string) *semver.Version {
	var last *semver.Version
	for _, tag := range tags {
		text, ok := strings.CutPrefix(tag, prefix)
		if !ok {
			continue
		}
		v, err := semver.StrictNewVersion(text)
		if err == nil && v.Prerelease() == "" && (last == nil || v.GreaterThan(last)) {
			last = v
		}
	}
	return last
}

// Candidate returns the version that a build gets now.
func Candidate(s State) string {
	last := Last(s.Tags, s.Prefix)
	if s.Release && last != nil && len(s.Commits) == 0 {
		return last.String() // what is here is that release
	}
	bump := FromCommits(s.Commits)
	if s.Release && (last == nil || bump > None) {
		return Next(last, bump).String()
	}
	base := Next(last, max(bump, Patch))
	return fmt.Sprintf("%s-%sh%.8s", base, developmentMark, s.Content)
}

// Next returns the version after last. Below 1.0.0 a breaking change raises
// the minor version: nothing is promised there. Without a last release it is
// First.
func Next(last *semver.Version, b Bump) *semver.Version {
	if last == nil {
		return semver.MustParse(First)
	}
	if b == Major && last.Major() == 0 {
		b = Minor
	}
	next := *last
	switch b {
	case Major:
		next = last.IncMajor()
	case Minor:
		next = last.IncMinor()
	case Patch:
		next = last.IncPatch()
	}
	return &next
}
