package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

// versionAnnotation is how an index says its version (OCI image specification
// 1.1, annotations.md).
const versionAnnotation = "org.opencontainers.image.version"

// TagTaken says that a tag names something that it must not be moved from.
type TagTaken struct {
	Repository, Tag string
	Has, Want       evidence.Digest
	// Why says what is wrong with moving it.
	Why string
}

func (e *TagTaken) Error() string {
	return fmt.Sprintf("%s:%s names %s, not %s: %s", e.Repository, e.Tag, e.Has, e.Want, e.Why)
}

// Move is a tag that has to change.
type Move struct {
	Tag string `json:"tag"`
	// From is what it names now; empty when it is new.
	From evidence.Digest `json:"from,omitempty"`
	To   evidence.Digest `json:"to"`
	Why  string          `json:"why"`
}

// PlanTags reads the registry and returns the moves that a release of digest as
// version asks for, in their order: 1.4.2, 1.4, 1. None is an answer. A
// pre-release moves its own tag only. The error is a TagTaken when a tag
// forbids the release. The bundle need not be there yet.
func PlanTags(ctx context.Context, in *repository.Repository, digest evidence.Digest, version string) ([]Move, error) {
	v, err := parseVersion(version)
	if err != nil {
		return nil, err
	}
	p := &tagPlan{in: in, version: v, digest: digest}
	if err := p.full(ctx); err != nil || v.Prerelease() != "" {
		return p.moves, err
	}
	lines := []*line{
		{tag: fmt.Sprintf("%d.%d", v.Major(), v.Minor())},
		{tag: fmt.Sprintf("%d", v.Major())},
	}
	// The moving tags first: whoever moves one has put the full version before,
	// which is then in the list.
	for _, l := range lines {
		if l.has, err = in.Head(ctx, l.tag); err != nil {
			return nil, err
		}
	}
	tags, err := in.Tags(ctx)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		l.versions = versionsOf(l.tag, tags, v)
		if err := p.line(ctx, l); err != nil {
			return p.moves, err
		}
	}
	return p.moves, nil
}

// line is a moving tag, what it names now, and the versions of its line,
// highest first.
type line struct {
	tag      string
	has      evidence.Digest
	versions []*semver.Version
}

func parseVersion(version string) (*semver.Version, error) {
	v, err := semver.StrictNewVersion(version)
	if err != nil {
		return nil, fmt.Errorf("version %q: %w; expected MAJOR.MINOR.PATCH", version, err)
	}
	if v.Metadata() != "" {
		return nil, fmt.Errorf("version %q: a registry's tag cannot hold build metadata (+...)", version)
	}
	return v, nil
}

// versionsOf returns the released versions of a line, with v, highest first.
func versionsOf(line string, tags []string, v *semver.Version) []*semver.Version {
	all := []*semver.Version{v}
	for _, tag := range tags {
		other, err := parseVersion(tag)
		if err == nil && other.Prerelease() == "" && strings.HasPrefix(tag, line+".") && !other.Equal(v) {
			all = append(all, other)
		}
	}
	slices.SortFunc(all, func(a, b *semver.Version) int { return b.Compare(a) })
	return all
}

type tagPlan struct {
	in      *repository.Repository
	version *semver.Version
	digest  evidence.Digest
	moves   []Move
}

func (p *tagPlan) full(ctx context.Context) error {
	tag := p.version.String()
	has, err := p.in.Head(ctx, tag)
	if err != nil || has == p.digest {
		return err
	}
	if has != "" {
		return &TagTaken{p.in.String(), tag, has, p.digest, "a released version is never replaced; release the next one"}
	}
	p.moves = append(p.moves, Move{Tag: tag, To: p.digest, Why: "the version"})
	return nil
}

// line plans a moving tag: it names the highest version of its line.
func (p *tagPlan) line(ctx context.Context, l *line) error {
	highest := l.versions[0]
	want, err := p.digestOf(ctx, highest)
	if err != nil || l.has == want || want == "" {
		return err
	}
	if l.has != "" {
		if err := p.forward(ctx, l, want); err != nil {
			return err
		}
	}
	p.moves = append(p.moves, Move{Tag: l.tag, From: l.has, To: want, Why: "the highest version of its line is " + highest.String()})
	return nil
}

func (p *tagPlan) digestOf(ctx context.Context, v *semver.Version) (evidence.Digest, error) {
	if v.Equal(p.version) {
		return p.digest, nil
	}
	return p.in.Head(ctx, v.String())
}

// forward returns nil when what a moving tag names now is known to be a lower
// version of its line than the highest.
func (p *tagPlan) forward(ctx context.Context, l *line, want evidence.Digest) error {
	for _, lower := range l.versions[1:] {
		d, err := p.digestOf(ctx, lower)
		if err != nil {
			return err
		}
		if d == l.has {
			return nil
		}
	}
	named, err := versionOf(ctx, p.in, l.has)
	if err != nil {
		return err
	}
	if named == nil {
		return &TagTaken{p.in.String(), l.tag, l.has, want, "nobody knows which version that is; delete the tag if it may move"}
	}
	if !named.LessThan(l.versions[0]) {
		return &TagTaken{p.in.String(), l.tag, l.has, want, "that is " + named.String() + ", and a tag never moves backwards"}
	}
	return nil
}

// versionOf returns the version that an index says it has, or nil.
func versionOf(ctx context.Context, in *repository.Repository, digest evidence.Digest) (*semver.Version, error) {
	raw, err := in.Manifest(ctx, string(digest))
	if err != nil || raw == nil {
		return nil, err
	}
	var m v1.IndexManifest
	if json.Unmarshal(raw.Raw, &m) != nil {
		return nil, nil
	}
	v, err := parseVersion(m.Annotations[versionAnnotation])
	if err != nil {
		return nil, nil
	}
	return v, nil
}

// maxRounds bounds how often the tags are looked at again because another
// release moves them too.
const maxRounds = 50

// Tag gives a bundle that is in the repository the tags of its version. It
// looks again after each move, until nothing is left to move: of two releases
// at once, the one that ends last leaves the moving tags at the highest. (A
// registry has no compare-and-swap: for the moment between a move and the next
// look a moving tag may name the lower of the two.)
func Tag(ctx context.Context, in *repository.Repository, digest evidence.Digest, version string) error {
	for range maxRounds {
		moves, err := PlanTags(ctx, in, digest, version)
		if err != nil || len(moves) == 0 {
			return err
		}
		if err := move(ctx, in, moves[0]); err != nil {
			return err
		}
	}
	return fmt.Errorf("the tags of %s are moved by others all the time; run again", in)
}

func move(ctx context.Context, in *repository.Repository, m Move) error {
	raw, err := in.Manifest(ctx, string(m.To))
	if err != nil {
		return err
	}
	if raw == nil {
		return fmt.Errorf("%s@%s is not there to be tagged %s; push it first", in, m.To, m.Tag)
	}
	return in.PutTag(ctx, m.Tag, raw)
}
