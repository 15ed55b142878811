package sign

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// need collects what a predicate lacks.
type need []string

func (n *need) text(name, value string) { n.that(name, strings.TrimSpace(value) != "") }

func (n *need) time(name string, t time.Time) { n.that(name, !t.IsZero()) }

func (n *need) that(name string, ok bool) {
	if !ok {
		*n = append(*n, name)
	}
}

// terms checks what all predicates have in common and returns the error.
func (n need) terms(t Terms) error {
	n.time("issued", t.Issued)
	n.that("expires after issued", t.Expires.IsZero() || t.Expires.After(t.Issued))
	n.that("sequence of 0 or more", t.Sequence >= 0)
	if t.Policy != "" {
		n.that("policy as sha256 digest", checkDigest(t.Policy) == nil)
	}
	if len(n) == 0 {
		return nil
	}
	return errors.New("incomplete; needs " + strings.Join(n, ", "))
}

// isStatus reports whether text is a pipeline.Status. The root package imports
// evidence, so that its constants cannot be used here.
func isStatus(text string) bool {
	switch text {
	case "passed", "failed", "not tested", "waived", "not applicable", "skipped", "cancelled":
		return true
	}
	return false
}

func (v Verdict) check() error {
	var n need
	n.text("stage", v.Stage)
	n.that("a known status", isStatus(v.Status))
	n.that("inputs as sha256 digest", checkDigest(v.Inputs) == nil)
	n.time("started", v.Started)
	n.that("milliseconds of 0 or more", v.Milliseconds >= 0)
	n.text("version", v.Version)
	n.text("commit", v.Commit)
	n.that("a waiver exactly when waived", (v.Status == "waived") == (v.Waiver != nil))
	if v.Waiver != nil {
		n.text("waiver.reason", v.Waiver.Reason)
		n.time("waiver.until", v.Waiver.Until)
	}
	return n.terms(v.Terms)
}

func (m Manual) check() error {
	var n need
	n.text("by", m.By)
	n.time("at", m.At)
	n.that("items", len(m.Items) > 0)
	for _, i := range m.Items {
		n.text("items.name", i.Name)
		n.that("items.result passed, failed or not tested", i.Result == "passed" || i.Result == "failed" || i.Result == "not tested")
	}
	return n.terms(m.Terms)
}

func (r Review) check() error {
	var n need
	n.text("mergeRequest", r.MergeRequest)
	n.text("commit", r.Commit)
	n.text("author", r.Author)
	n.time("lastPush", r.LastPush)
	for _, a := range r.Approvals {
		n.text("approvals.by", a.By)
		n.time("approvals.at", a.At)
	}
	return n.terms(r.Terms)
}

func (o Override) check() error {
	var n need
	n.text("rule", o.Rule)
	n.text("reason", o.Reason)
	n.text("by", o.By)
	n.time("at", o.At)
	n.that("until after at", o.Until.After(o.At))
	return n.terms(o.Terms)
}

func (r Release) check() error {
	var n need
	n.text("version", r.Version)
	n.text("commit", r.Commit)
	n.text("tag", r.Tag)
	n.that("notes of at most 64 KiB", len(r.Notes) <= MaxNotes)
	for name, d := range r.Digests {
		n.that("digests."+name+" as sha256 digest", checkDigest(d) == nil)
	}
	for _, e := range slices.Concat(r.Overridden, r.Waived) {
		n.text("exception.rule", e.Rule)
		n.text("exception.reason", e.Reason)
	}
	slices.Sort(n)
	return n.terms(r.Terms)
}

func (c Consent) check() error {
	var n need
	n.text("system", c.System)
	n.text("environment", c.Environment)
	n.text("by", c.By)
	n.time("at", c.At)
	return n.terms(c.Terms)
}

func (p Promotion) check() error {
	var n need
	n.text("system", p.System)
	n.text("environment", p.Environment)
	n.text("version", p.Version)
	n.text("commit", p.Commit)
	n.text("by", p.By)
	n.that("lock as sha256 digest", checkDigest(p.Lock) == nil)
	n.that("evidence as sha256 digest", checkDigest(p.Evidence) == nil)
	n.that("previous as sha256 digest", p.Previous == "" || checkDigest(p.Previous) == nil)
	n.that("sequence of 1 or more", p.Sequence > 0)
	return n.terms(p.Terms)
}

func checkDigest(d evidence.Digest) error {
	hexes, ok := strings.CutPrefix(string(d), "sha256:")
	if !ok || len(hexes) != 64 || strings.Trim(hexes, "0123456789abcdef") != "" {
		return fmt.Errorf("%q is no sha256 digest", d)
	}
	return nil
}
