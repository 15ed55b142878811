package resolve

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/sync/errgroup"
)

// maxRefused is how many versions of a service are looked at in vain.
const maxRefused = 50

// Choice is what a service offers. Safe for concurrent use.
type Choice struct {
	Service string
	// Newest is the newest candidate; nil when there is none. It is never older
	// than the current version, unless that is out of range.
	Newest *Candidate
	// Refused are the versions that are newer than Newest, newest first; where
	// Newest is nil, those that were looked at. Of versions that are out of range
	// only those newer than Newest are told, too.
	Refused []Refusal

	asked      Service
	constraint *semver.Constraints
	resolver   *resolver
	versions   []*semver.Version // all that have a tag, newest first

	mu    sync.Mutex
	looks map[string]look // by version
}

// look is what was found about a version: one of the first two.
type look struct {
	candidate *Candidate
	refusal   *Refusal
	release   *Candidate // also of a version that is refused: who says that it was released
}

// Why says in a sentence why there is no candidate; "" when there is one.
func (c *Choice) Why() string {
	switch {
	case c.Newest != nil:
		return ""
	case len(c.versions) == 0:
		return fmt.Sprintf("%s has no tag that is a version; release %s there", c.asked.Source, c.Service)
	case len(c.Refused) == 0:
		return fmt.Sprintf("no version of %s could be looked at", c.Service)
	}
	best := c.Refused[0]
	for _, r := range c.Refused {
		if best.Reason == OutOfRange && r.Reason != OutOfRange {
			best = r
		}
	}
	if best.Reason == OutOfRange {
		return fmt.Sprintf("none of the %d versions of %s is in the range %s", len(c.versions), c.Service, c.asked.Range)
	}
	return fmt.Sprintf("%s %s: %s", c.Service, best.Version, best.Why)
}

// choose fills in Newest and Refused.
func (c *Choice) choose(ctx context.Context) error {
	if err := c.list(ctx); err != nil {
		return err
	}
	looked := 0
	for _, v := range c.versions {
		if !c.constraint.Check(v) {
			c.Refused = append(c.Refused, c.outOfRange(v))
			continue
		}
		if c.isBelow(v) || looked == maxRefused {
			return nil
		}
		found, err := c.look(ctx, v)
		if err != nil {
			return err
		}
		if looked++; found.candidate != nil {
			c.Newest = found.candidate
			return nil
		}
		c.Refused = append(c.Refused, *found.refusal)
	}
	return nil
}

// list reads the tags. Those that are full versions count: 1.4 and latest move.
func (c *Choice) list(ctx context.Context) error {
	done, err := c.resolver.slot(ctx)
	if err != nil {
		return err
	}
	defer done()
	tags, err := c.asked.Source.Tags(ctx)
	if err != nil {
		return c.unreachable(err)
	}
	for _, tag := range tags {
		if v, err := semver.StrictNewVersion(tag); err == nil && v.String() == tag {
			c.versions = append(c.versions, v)
		}
	}
	slices.SortFunc(c.versions, func(a, b *semver.Version) int { return b.Compare(a) })
	return nil
}

func (c *Choice) unreachable(err error) error {
	return &Unreachable{Service: c.Service, Source: c.asked.Source.String(), Err: err}
}

func (c *Choice) outOfRange(v *semver.Version) Refusal {
	r := Refusal{Version: v.String(), Reason: OutOfRange, Why: fmt.Sprintf("it is not in the range %s", c.asked.Range)}
	if v.Prerelease() != "" {
		r.Why = "it is a pre-release, which the range does not name"
	}
	return r
}

// isBelow reports whether a version is older than the one that the system has
// and may keep: to go back is nothing that happens by itself.
func (c *Choice) isBelow(v *semver.Version) bool {
	current := c.current()
	return current != nil && c.constraint.Check(current) && v.LessThan(current)
}

func (c *Choice) current() *semver.Version {
	if c.asked.Current == nil {
		return nil
	}
	v, err := semver.StrictNewVersion(c.asked.Current.Version)
	if err != nil {
		return nil
	}
	return v
}

// between returns the versions that are older than Newest, down to the current
// one.
func (c *Choice) between() []*semver.Version {
	var list []*semver.Version
	for _, v := range c.versions {
		if c.Newest != nil && v.LessThan(c.Newest.version) && !c.isBelow(v) {
			list = append(list, v)
		}
	}
	return list
}

// Older returns the other candidates: those in range that are older than Newest,
// down to and including the current version (all when there is none), newest
// first, and the versions among them that are none. What was read is remembered.
func (c *Choice) Older(ctx context.Context) ([]*Candidate, []Refusal, error) {
	var versions []*semver.Version
	for _, v := range c.between() {
		if c.constraint.Check(v) {
			versions = append(versions, v)
		}
	}
	looks, err := c.lookAll(ctx, versions)
	if err != nil {
		return nil, nil, err
	}
	var candidates []*Candidate
	var refused []Refusal
	for _, l := range looks {
		if l.candidate != nil {
			candidates = append(candidates, l.candidate)
		} else {
			refused = append(refused, *l.refusal)
		}
	}
	return candidates, refused, nil
}

// Note is what changed with a version.
type Note struct {
	Version string `json:"version"`
	// Text is the Markdown of the release; empty when no trusted key has signed
	// any, and then Why says so.
	Text string `json:"text"`
	Why  string `json:"why,omitempty"`
}

// Notes returns the notes of the versions that come with upgrading from the
// current version to upTo, newest first: one for each version in range between
// them. Without a current version there is only that of upTo. A version that is
// no candidate has its notes, too, when a trusted key has signed its release:
// what changed with it is in its successor.
func (c *Choice) Notes(ctx context.Context, upTo string) ([]Note, error) {
	last, err := semver.StrictNewVersion(upTo)
	if err != nil {
		return nil, fmt.Errorf("service %s: version %q: %w", c.Service, upTo, err)
	}
	current := c.current()
	var versions []*semver.Version
	for _, v := range c.versions {
		wanted := v.Equal(last) || current != nil && v.LessThan(last) && v.GreaterThan(current) && c.constraint.Check(v)
		if wanted {
			versions = append(versions, v)
		}
	}
	looks, err := c.lookAll(ctx, versions)
	if err != nil {
		return nil, err
	}
	notes := make([]Note, len(looks))
	for i, l := range looks {
		notes[i] = Note{Version: versions[i].String()}
		if l.release != nil {
			notes[i].Text = l.release.Release.Notes
		} else {
			notes[i].Why = l.refusal.Why
		}
	}
	return notes, nil
}

// lookAll looks at many versions at once.
func (c *Choice) lookAll(ctx context.Context, versions []*semver.Version) ([]look, error) {
	looks := make([]look, len(versions))
	group, ctx := errgroup.WithContext(ctx)
	for i, v := range versions {
		group.Go(func() (err error) {
			looks[i], err = c.look(ctx, v)
			return err
		})
	}
	return looks, group.Wait()
}

// look looks at a version, once.
func (c *Choice) look(ctx context.Context, v *semver.Version) (look, error) {
	c.mu.Lock()
	known, ok := c.looks[v.String()]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	done, err := c.resolver.slot(ctx)
	if err != nil {
		return look{}, err
	}
	defer done()
	found, err := (&examination{resolver: c.resolver, service: c.asked, version: v}).run(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return look{}, context.Cause(ctx)
		}
		return look{}, c.unreachable(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks[v.String()] = found
	return found, nil
}
