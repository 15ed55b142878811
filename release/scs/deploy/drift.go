package deploy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// Kind is what a Drift is about.
type Kind string

// The kinds of drift. Those from Deleted on are about an object of a service that
// is installed as it should be.
const (
	Unfinished Kind = "unfinished"  // a deployment is going on, or died
	OtherState Kind = "other state" // the record names another deployment
	Missing    Kind = "missing"     // a member is not installed
	OtherOne   Kind = "version"     // another version or bundle of a member
	Values     Kind = "values"      // the same bundle with another chart or other values
	ByHelm     Kind = "helm"        // a revision that somebody's helm made
	Incomplete Kind = "incomplete"  // a revision that is not deployed
	Extra      Kind = "extra"       // a release of the environment that is no member

	Deleted  Kind = kindtest.DriftDeleted
	Scaled   Kind = kindtest.DriftScaled
	Edited   Kind = kindtest.DriftEdited
	Added    Kind = kindtest.DriftAdded
	Image    Kind = kindtest.DriftImage
	NotReady Kind = kindtest.DriftNotReady
	Unknown  Kind = kindtest.DriftUnknown
)

// Drift is one thing in which a namespace is not what its environment says.
type Drift struct {
	Service string `json:"service,omitempty"` // empty when it is about the whole
	Kind    Kind   `json:"kind"`
	Object  string `json:"object,omitempty"` // "deployment/stock"
	Field   string `json:"field,omitempty"`  // "spec.replicas"
	Want    string `json:"want,omitempty"`
	Have    string `json:"have,omitempty"`
}

func (d Drift) String() string {
	text := string(d.Kind)
	for _, part := range []string{d.Service, d.Object, d.Field} {
		if part != "" {
			text += " " + part
		}
	}
	if d.Want != "" {
		text += ": want " + d.Want
	}
	if d.Have != "" {
		text += ", have " + d.Have
	}
	return text
}

// Status is what a namespace runs.
type Status struct {
	System      string          `json:"system"`
	Environment string          `json:"environment"`
	Namespace   string          `json:"namespace"`
	Cluster     string          `json:"cluster"`
	Version     string          `json:"version"` // that it has to run
	ID          evidence.Digest `json:"id"`
	Sequence    int64           `json:"sequence"`
	// Record is what the last deployment wrote down.
	Record Record `json:"record"`
	// Drift is sorted by service, kind, object and field; empty when there is none.
	Drift []Drift `json:"drift"`
}

// JSON is the status as a document.
func (s *Status) JSON() []byte {
	if s.Drift == nil {
		s.Drift = []Drift{}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // text and numbers can always be written
	}
	return append(text, '\n')
}

// Text is the status for people.
func (s *Status) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s, environment %s, namespace %s in cluster %s: ", s.System, s.Version, s.Environment, s.Namespace, s.Cluster)
	if len(s.Drift) == 0 {
		b.WriteString("no drift\n")
		return b.String()
	}
	fmt.Fprintf(&b, "%d differences\n", len(s.Drift))
	for _, d := range s.Drift {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	return b.String()
}

// Look compares what runs with what the environment says, and changes nothing. A
// namespace that is not there has nothing, so that all members are missing; one
// of somebody else is a *kindtest.ForeignError.
func Look(ctx context.Context, c *kindtest.Cluster, d Deployment) (*Status, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	space := d.space(c)
	if _, err := space.Labelled(ctx); err != nil {
		return nil, err
	}
	stored, err := readRecord(ctx, space)
	if err != nil {
		return nil, err
	}
	releases, err := space.Releases(ctx)
	if err != nil {
		return nil, err
	}
	s := &Status{System: d.System, Environment: d.Environment, Namespace: d.Namespace, Cluster: c.Name,
		Version: d.Version, ID: d.ID, Sequence: d.Sequence, Record: stored.record}
	s.Drift = recordDrift(&d, &s.Record)
	asked, err := s.services(&d, &state{record: s.Record, releases: releases})
	if err != nil {
		return nil, err
	}
	if err := s.objects(ctx, space, asked, &d); err != nil {
		return nil, err
	}
	slices.SortStableFunc(s.Drift, func(a, b Drift) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Field, b.Field))
	})
	return s, nil
}

// recordDrift compares the deployment with what the last one wrote down.
func recordDrift(d *Deployment, r *Record) []Drift {
	var out []Drift
	object := "configmap/" + RecordName
	if a := r.Deploying; a != nil {
		out = append(out, Drift{Kind: Unfinished, Object: object, Want: "a complete deployment",
			Have: fmt.Sprintf("%s (sequence %d) is being deployed by %s since %s, or that died", a.Version, a.Sequence, cmp.Or(a.By, "somebody"), a.Since.Format("2006-01-02 15:04:05"))})
	}
	want, have := describe(d.Version, d.Sequence, d.ID), "nothing"
	if i := r.Installed; i != nil {
		have = describe(i.Version, i.Sequence, i.ID)
	}
	if want != have {
		if f := r.Failed; f != nil && f.ID == d.ID {
			have += "; deploying it failed: " + f.Why
		}
		out = append(out, Drift{Kind: OtherState, Object: object, Want: want, Have: have})
	}
	return out
}

func describe(version string, sequence int64, id evidence.Digest) string {
	return fmt.Sprintf("%s, sequence %d, %s", version, sequence, id.Short())
}

// services compares the members with the releases and returns those releases
// whose objects are to be looked at.
func (s *Status) services(d *Deployment, there *state) ([]kindtest.Release, error) {
	var asked []kindtest.Release
	for i := range d.Members {
		m := &d.Members[i]
		r := there.release(m.Service)
		if r == nil || !d.ours(r) {
			have := "nothing"
			if r != nil {
				have = "a Helm release of somebody else"
			}
			s.Drift = append(s.Drift, Drift{Service: m.Service, Kind: Missing, Want: m.Version, Have: have})
			continue
		}
		differences, err := releaseDrift(m, r)
		if err != nil {
			return nil, err
		}
		s.Drift = append(s.Drift, differences...)
		asked = append(asked, *r)
	}
	for i := range there.releases {
		if r := &there.releases[i]; d.ours(r) && d.member(r.Name) == nil {
			s.Drift = append(s.Drift, Drift{Service: r.Name, Kind: Extra, Want: "nothing", Have: r.Labels[versionLabel]})
		}
	}
	return asked, nil
}

// releaseDrift compares a member with its release.
func releaseDrift(m *Member, r *kindtest.Release) ([]Drift, error) {
	var out []Drift
	if !r.Ours {
		out = append(out, Drift{Service: m.Service, Kind: ByHelm, Want: "a revision of pipeline",
			Have: fmt.Sprintf("revision %d, which another helm made at %s: %s", r.Revision, r.Updated.Format("2006-01-02 15:04:05"), r.Description)})
	} else if !r.Steady() {
		out = append(out, Drift{Service: m.Service, Kind: Incomplete, Want: "deployed", Have: fmt.Sprintf("revision %d is %s: %s", r.Revision, r.Status, r.Description)})
	}
	if r.Labels[versionLabel] != labelVersion(m.Version) || r.Labels[bundleLabel] != labelDigest(m.Bundle) {
		return append(out, Drift{Service: m.Service, Kind: OtherOne, Want: fmt.Sprintf("%s (%s)", m.Version, m.Bundle.Short()),
			Have: fmt.Sprintf("%s (%.12s)", r.Labels[versionLabel], r.Labels[bundleLabel])}), nil
	}
	if m.Chart == nil || m.Image.Ref == "" || !r.Ours {
		return out, nil
	}
	in, err := m.chart().Inputs()
	if err != nil {
		return nil, fmt.Errorf("service %s %s: %w", m.Service, m.Version, err)
	}
	if in != r.Inputs {
		out = append(out, Drift{Service: m.Service, Kind: Values, Want: "the values of the environment", Have: "other values, or another chart"})
	}
	return out, nil
}

// objects compares the objects of the releases with what is in the cluster.
func (s *Status) objects(ctx context.Context, space *kindtest.Space, releases []kindtest.Release, d *Deployment) error {
	if len(releases) == 0 {
		return nil
	}
	images := make(map[string]kindtest.Loaded)
	if s.Record.Installed != nil {
		for _, p := range s.Record.Installed.Members {
			if m := d.member(p.Service); m != nil && m.Bundle == p.Bundle {
				images[p.Service] = kindtest.Loaded{Ref: p.Ref, Digest: string(p.Bundle), Config: p.Config}
			}
		}
	}
	for _, m := range d.Members {
		if m.Image.Ref != "" {
			images[m.Service] = m.Image
		}
	}
	found, err := space.Drift(ctx, releases, images)
	if err != nil {
		return err
	}
	for service, list := range found {
		for _, o := range list {
			s.Drift = append(s.Drift, Drift{Service: service, Kind: Kind(o.Kind), Object: o.Object, Field: o.Field, Want: o.Want, Have: o.Have})
		}
	}
	return nil
}
