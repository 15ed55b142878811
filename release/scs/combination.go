package scs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// Member is a service of a combination, in one version.
type Member struct {
	Service string `json:"service"` // a DNS label
	Version string `json:"version"` // SemVer without "v"
	// Bundle is the digest of the bundle's index and Size its length in bytes.
	Bundle evidence.Digest `json:"bundle"`
	Size   int64           `json:"size"`
	// Source is the repository that the bundle was found in:
	// "registry.example.com/shop/stock". It says where to look and is no part of
	// the identity: a copy is the same bundle.
	Source string `json:"source"`
}

// Combination is a set of services in exact versions, with the tests and the
// values that it is tested with. The zero value of a digest stands for nothing:
// a system without values.
type Combination struct {
	System string // a DNS label
	// Members are sorted by service, each service once.
	Members []Member
	// Suite and Values are the digests of the acceptance tests and of the values.
	Suite, Values evidence.Digest
}

// MaxMembers bounds a system.
const MaxMembers = 1000

// Check says what is wrong with a combination; nil for one that has an ID.
func (c Combination) Check() error {
	if !isLabel(c.System) {
		return fmt.Errorf("the system's name %q; expected a DNS label", c.System)
	}
	if len(c.Members) == 0 || len(c.Members) > MaxMembers {
		return fmt.Errorf("%d services; expected 1 to %d", len(c.Members), MaxMembers)
	}
	for i, m := range c.Members {
		if err := m.check(); err != nil {
			return err
		}
		if i > 0 && c.Members[i-1].Service >= m.Service {
			return fmt.Errorf("service %s stands behind %s; expected each service once, sorted by name", m.Service, c.Members[i-1].Service)
		}
	}
	for name, digest := range map[string]evidence.Digest{"suite": c.Suite, "values": c.Values} {
		if digest != "" && !isDigest(digest) {
			return fmt.Errorf("the digest of the %s is %q; expected sha256: and 64 hex digits", name, digest)
		}
	}
	return nil
}

func (m Member) check() error {
	if !isLabel(m.Service) {
		return fmt.Errorf("the service's name %q; expected a DNS label", m.Service)
	}
	if v, err := semver.StrictNewVersion(m.Version); err != nil || v.String() != m.Version {
		return fmt.Errorf("service %s has the version %q; expected a semantic version such as 1.4.2", m.Service, m.Version)
	}
	if !isDigest(m.Bundle) {
		return fmt.Errorf("service %s has the bundle %q; expected sha256: and 64 hex digits", m.Service, m.Bundle)
	}
	if m.Size <= 0 {
		return fmt.Errorf("the bundle of service %s has %d bytes; expected the length of its index", m.Service, m.Size)
	}
	return nil
}

// Member returns the member for a service, nil when there is none.
func (c Combination) Member(service string) *Member {
	at, found := slices.BinarySearchFunc(c.Members, service, func(m Member, name string) int { return cmp.Compare(m.Service, name) })
	if !found {
		return nil
	}
	return &c.Members[at]
}

// With returns the combination with a member added or put in the place of the
// one of the same service; c is not changed.
func (c Combination) With(m Member) Combination {
	at, found := slices.BinarySearchFunc(c.Members, m.Service, func(m Member, name string) int { return cmp.Compare(m.Service, name) })
	c.Members = slices.Clone(c.Members)
	if found {
		c.Members[at] = m
	} else {
		c.Members = slices.Insert(c.Members, at, m)
	}
	return c
}

// Without returns the combination without a service; c is not changed.
func (c Combination) Without(service string) Combination {
	c.Members = slices.DeleteFunc(slices.Clone(c.Members), func(m Member) bool { return m.Service == service })
	return c
}

// Change is a service that differs between two combinations. From is nil for
// one that is new, To for one that is gone.
type Change struct {
	Service  string
	From, To *Member
}

// String says it in words: "stock 0.1.0 -> 0.1.1".
func (c Change) String() string {
	switch {
	case c.From == nil:
		return c.Service + " " + c.To.Version + " (new)"
	case c.To == nil:
		return c.Service + " " + c.From.Version + " (gone)"
	case c.From.Version == c.To.Version:
		return c.Service + " " + c.To.Version + " (another bundle)"
	}
	return c.Service + " " + c.From.Version + " -> " + c.To.Version
}

// Diff returns the services whose bundles differ, sorted by name.
func Diff(from, to Combination) []Change {
	var changes []Change
	for i := range from.Members {
		old := &from.Members[i]
		if m := to.Member(old.Service); m == nil || m.Bundle != old.Bundle {
			changes = append(changes, Change{old.Service, old, m})
		}
	}
	for i := range to.Members {
		if m := &to.Members[i]; from.Member(m.Service) == nil {
			changes = append(changes, Change{m.Service, nil, m})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Service, b.Service) })
	return changes
}

// isLabel reports whether a name is a DNS label (RFC 1123, section 2.1) in lower
// case.
func isLabel(name string) bool {
	return name != "" && len(name) <= 63 && name[0] != '-' && name[len(name)-1] != '-' &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isDigest(d evidence.Digest) bool {
	hex, ok := strings.CutPrefix(string(d), "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}
