package policy

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

var update = flag.Bool("update", false, "write the golden files")

func day(d int) time.Time { return time.Date(2026, 3, d, 10, 0, 0, 0, time.UTC) }

func now() time.Time { return day(10) }

func digest(text string) evidence.Digest { return evidence.Sum([]byte(text)) }

// everything asks all that can be asked.
func everything() Policy {
	p := Release("main", []string{"unit", "lint"})
	p.Approvals, p.Manual, p.Checklist = 2, true, []string{"pay"}
	return p
}

// enough is evidence that meets everything.
func enough() Evidence {
	b := digest("bundle")
	return Evidence{
		Subject: b, Commit: "c0ffee", Clean: true, Branches: []string{"main", "next"}, Signed: true,
		Verdicts: []Verdict{
			{Stage: "unit", Subject: b, Status: "passed", Summary: "12 tests", At: day(1)},
			{Stage: "lint", Subject: b, Status: "passed", At: day(1)},
		},
		Reviews: []Review{{
			MergeRequest: "!12", Commit: "c0ffee", Author: "kim", Committers: []string{"lee"}, LastPush: day(2),
			Approvals: []Approval{{"sam", day(3)}, {"pat", day(3)}},
		}},
		Manual: []Checklist{{Subject: b, By: "sam", At: day(3), Items: []Item{{"order", "passed"}, {"pay", "passed"}}}},
	}
}

func waived(until time.Time) Verdict {
	return Verdict{Stage: "unit", Subject: digest("bundle"), Status: "waived", At: day(1), Waiver: &Waiver{"later", until}}
}

func overrideOf(rule string) Override {
	return Override{Subject: digest("bundle"), Rule: rule, Reason: "fire", By: "sam", At: day(9), Until: day(11)}
}

// of returns what became of a rule.
func of(d Decision, rule string) Status {
	for _, f := range d.Findings {
		if f.Rule == rule {
			return f.Status
		}
	}
	return "not asked"
}

func TestJudge(t *testing.T) {
	t.Parallel()
	stage := StageRule("unit")
	for name, c := range map[string]struct {
		change func(p *Policy, e *Evidence)
		rule   string
		want   Status
	}{
		"enough":                          {func(*Policy, *Evidence) {}, stage, Met},
		"not applicable":                  {func(_ *Policy, e *Evidence) { e.Verdicts[0].Status = "not applicable" }, stage, Met},
		"no verdict":                      {func(_ *Policy, e *Evidence) { e.Verdicts = e.Verdicts[1:] }, stage, NotMet},
		"failed":                          {func(_ *Policy, e *Evidence) { e.Verdicts[0].Status = "failed" }, stage, NotMet},
		"not tested":                      {func(_ *Policy, e *Evidence) { e.Verdicts[0].Status = "not tested" }, stage, NotMet},
		"skipped":                         {func(_ *Policy, e *Evidence) { e.Verdicts[0].Status = "skipped" }, stage, NotMet},
		"cancelled":                       {func(_ *Policy, e *Evidence) { e.Verdicts[0].Status = "cancelled" }, stage, NotMet},
		"unknown status":                  {func(_ *Policy, e *Evidence) { e.Verdicts[0].Status = "Passed" }, stage, NotMet},
		"of another bundle":               {func(_ *Policy, e *Evidence) { e.Verdicts[0].Subject = digest("another") }, stage, NotMet},
		"of no bundle":                    {func(_ *Policy, e *Evidence) { e.Verdicts[0].Subject = "" }, stage, NotMet},
		"no bundle to judge":              {func(_ *Policy, e *Evidence) { e.Subject, e.Verdicts[0].Subject, e.Verdicts[1].Subject = "", "", "" }, stage, NotMet},
		"of another stage":                {func(_ *Policy, e *Evidence) { e.Verdicts[0].Stage = "Unit" }, stage, NotMet},
		"waived":                          {func(_ *Policy, e *Evidence) { e.Verdicts[0] = waived(day(11)) }, stage, Waived},
		"waived until now":                {func(_ *Policy, e *Evidence) { e.Verdicts[0] = waived(now()) }, stage, NotMet},
		"waived without waiver":           {func(_ *Policy, e *Evidence) { e.Verdicts[0].Status = "waived" }, stage, NotMet},
		"waived, and passed":              {func(_ *Policy, e *Evidence) { e.Verdicts = append(e.Verdicts, waived(day(11))) }, stage, Met},
		"overridden":                      {overriding(func(*Override) {}), stage, Overridden},
		"met needs no override":           {func(_ *Policy, e *Evidence) { e.Overrides = []Override{overrideOf(stage)} }, stage, Met},
		"override of another rule":        {overriding(func(o *Override) { o.Rule = "stage lint" }), stage, NotMet},
		"override of another bundle":      {overriding(func(o *Override) { o.Subject = digest("another") }), stage, NotMet},
		"override that ended":             {overriding(func(o *Override) { o.Until = now() }), stage, NotMet},
		"override of tomorrow":            {overriding(func(o *Override) { o.At = day(11) }), stage, NotMet},
		"override without reason":         {overriding(func(o *Override) { o.Reason = " " }), stage, NotMet},
		"override by nobody":              {overriding(func(o *Override) { o.By = "" }), stage, NotMet},
		"override that is not allowed":    {func(p *Policy, e *Evidence) { overriding(func(*Override) {})(p, e); p.Override = []string{"manual"} }, stage, NotMet},
		"override of the signature":       {func(_ *Policy, e *Evidence) { e.Signed, e.Overrides = false, []Override{overrideOf(RuleSigned)} }, RuleSigned, NotMet},
		"approved":                        {func(*Policy, *Evidence) {}, RuleApprovals, Met},
		"the forge asks for more":         {approving(func(r *Review) { r.Left = 1 }), RuleApprovals, NotMet},
		"a clock that is a bit ahead":     {approving(func(r *Review) { r.Approvals[0].At = now().Add(time.Minute) }), RuleApprovals, Met},
		"approved tomorrow":               {approving(func(r *Review) { r.Approvals[0].At = day(11) }), RuleApprovals, NotMet},
		"approved by one twice":           {approving(func(r *Review) { r.Approvals[1].By = " SAM" }), RuleApprovals, NotMet},
		"approved by the author":          {approving(func(r *Review) { r.Approvals[1].By = "Kim" }), RuleApprovals, NotMet},
		"approved by a committer":         {approving(func(r *Review) { r.Approvals[1].By = "lee" }), RuleApprovals, NotMet},
		"committers may":                  {func(p *Policy, e *Evidence) { p.CommittersMayApprove, e.Reviews[0].Approvals[1].By = true, "lee" }, RuleApprovals, Met},
		"approved before the push":        {approving(func(r *Review) { r.LastPush = day(4) }), RuleApprovals, NotMet},
		"approved who knows when":         {approving(func(r *Review) { r.Approvals[0].At = time.Time{} }), RuleApprovals, NotMet},
		"pushed who knows when":           {approving(func(r *Review) { r.LastPush = time.Time{} }), RuleApprovals, NotMet},
		"written by who knows whom":       {approving(func(r *Review) { r.Author = "" }), RuleApprovals, NotMet},
		"another commit approved":         {approving(func(r *Review) { r.Commit = "beef" }), RuleApprovals, NotMet},
		"no commit":                       {func(_ *Policy, e *Evidence) { e.Commit, e.Reviews[0].Commit = "", "" }, RuleApprovals, NotMet},
		"no approvals asked":              {func(p *Policy, e *Evidence) { p.Approvals, e.Reviews = 0, nil }, RuleApprovals, "not asked"},
		"checklist":                       {func(*Policy, *Evidence) {}, RuleManual, Met},
		"no checklist":                    {func(_ *Policy, e *Evidence) { e.Manual = nil }, RuleManual, NotMet},
		"checklist of another":            {func(_ *Policy, e *Evidence) { e.Manual[0].Subject = digest("another") }, RuleManual, NotMet},
		"checklist, an item failed":       {func(_ *Policy, e *Evidence) { e.Manual[0].Items[0].Result = "failed" }, RuleManual, NotMet},
		"checklist, an item twice":        {func(_ *Policy, e *Evidence) { e.Manual[0].Items = append(e.Manual[0].Items, Item{"pay", "failed"}) }, RuleManual, NotMet},
		"checklist lacks an item":         {func(_ *Policy, e *Evidence) { e.Manual[0].Items[1].Name = "play" }, RuleManual, NotMet},
		"checklist without items":         {func(p *Policy, e *Evidence) { p.Checklist, e.Manual[0].Items = nil, nil }, RuleManual, NotMet},
		"checklist by nobody":             {func(_ *Policy, e *Evidence) { e.Manual[0].By = "" }, RuleManual, NotMet},
		"dirty":                           {func(_ *Policy, e *Evidence) { e.Clean = false }, RuleCleanTree, NotMet},
		"on another branch":               {func(_ *Policy, e *Evidence) { e.Branches = []string{"feature"} }, RuleBranch, NotMet},
		"on a branch that is called so":   {func(_ *Policy, e *Evidence) { e.Branches = []string{"main-2"} }, RuleBranch, NotMet},
		"unsigned":                        {func(_ *Policy, e *Evidence) { e.Signed = false }, RuleSigned, NotMet},
		"signature not asked":             {func(p *Policy, e *Evidence) { p.Signed, e.Signed = false, false }, RuleSigned, "not asked"},
		"dirty, overridden":               {func(_ *Policy, e *Evidence) { e.Clean, e.Overrides = false, []Override{overrideOf(RuleCleanTree)} }, RuleCleanTree, Overridden},
		"a stage that is asked for twice": {func(p *Policy, _ *Evidence) { p.Require = append(p.Require, "unit") }, stage, Met},
	} {
		p, e := everything(), enough()
		c.change(&p, &e)
		d := Judge(p, e, now())
		if got := of(d, c.rule); got != c.want {
			t.Errorf("%s: %s is %s; expected %s\n%s", name, c.rule, got, c.want, d)
		}
		if d.Allowed != (c.want != NotMet) {
			t.Errorf("%s: allowed is %v\n%s", name, d.Allowed, d)
		}
		for _, f := range d.Findings {
			if (f.Status == NotMet) != (f.Remedy != "") || f.Why == "" {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

func overriding(change func(*Override)) func(*Policy, *Evidence) {
	return func(_ *Policy, e *Evidence) {
		o := overrideOf("stage unit")
		change(&o)
		e.Verdicts, e.Overrides = e.Verdicts[1:], []Override{o}
	}
}

func approving(change func(*Review)) func(*Policy, *Evidence) {
	return func(_ *Policy, e *Evidence) { change(&e.Reviews[0]) }
}

func TestPrinted(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	show := func(title string, change func(p *Policy, e *Evidence)) {
		p, e := everything(), enough()
		change(&p, &e)
		fmt.Fprintf(&b, "# %s\n%s\n", title, Judge(p, e, now()))
	}
	show("everything is there", func(*Policy, *Evidence) {})
	show("nothing is there", func(_ *Policy, e *Evidence) { *e = Evidence{Subject: e.Subject, Commit: "c0ffee"} })
	show("exceptions", func(_ *Policy, e *Evidence) {
		e.Verdicts[0], e.Reviews[0].Approvals = waived(day(20)), e.Reviews[0].Approvals[:1]
		e.Overrides = []Override{overrideOf(RuleApprovals)}
	})
	show("not quite", func(_ *Policy, e *Evidence) {
		e.Verdicts = append(e.Verdicts, Verdict{Stage: "lint", Subject: e.Subject, Status: "failed"})
		e.Verdicts[0] = waived(day(9))
		e.Manual[0].Items[0].Result = "failed"
	})
	golden := filepath.Join("testdata", "decisions.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("decisions (-want +got; -update accepts):\n%s", diff)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	p, q := everything(), everything()
	slices.Reverse(q.Require)
	if p.Digest() != q.Digest() || !slices.Equal(q.Require, []string{"lint", "unit"}) {
		t.Error("the order of the stages matters")
	}
	if q.Approvals++; p.Digest() == q.Digest() {
		t.Error("the number of approvals does not matter")
	}
}

// Statements become evidence, and a decision becomes what a release carries.
func TestStatements(t *testing.T) {
	t.Parallel()
	want := enough()
	e := Evidence{Subject: want.Subject, Commit: want.Commit, Clean: true, Branches: want.Branches, Signed: true}
	about := sign.Subject{Digest: want.Subject}
	for _, p := range []sign.Predicate{
		sign.Verdict{Stage: "stock/unit", Status: "passed", Summary: "12 tests", Started: day(1)},
		sign.Verdict{Stage: "lint", Status: "passed", Started: day(1)},
		sign.Review{
			MergeRequest: "!12", Commit: "c0ffee", Author: "kim", Committers: []string{"lee"}, LastPush: day(2),
			Approvals: []sign.Approval{{By: "sam", At: day(3)}, {By: "pat", At: day(3)}},
		},
		sign.Manual{By: "sam", At: day(3), Items: []sign.Item{{Name: "order", Result: "passed"}, {Name: "pay", Result: "passed"}}},
		sign.Release{Version: "1.0.0"},
	} {
		e.Add(&sign.Statement{Subject: about, Predicate: p})
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	e.Verdicts = nil
	e.Add(&sign.Statement{Subject: about, Predicate: sign.Verdict{
		Stage: "stock/unit", Status: "waived", Started: day(1), Waiver: &sign.Waiver{Reason: "later", Until: day(20)},
	}})
	e.Add(&sign.Statement{Subject: about, Predicate: sign.Override{Rule: "stage lint", Reason: "fire", By: "sam", At: day(9), Until: day(11)}})
	d := Judge(everything(), e, now())
	overridden, waivers := d.Record()
	if !d.Allowed {
		t.Error(d)
	}
	if diff := cmp.Diff([]sign.Exception{{Rule: "stage lint", Reason: "fire", By: "sam", Until: day(11)}}, overridden); diff != "" {
		t.Errorf("overridden (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]sign.Exception{{Rule: "stage unit", Reason: "later", Until: day(20)}}, waivers); diff != "" {
		t.Errorf("waived (-want +got):\n%s", diff)
	}
}
