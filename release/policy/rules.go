package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// judgeStage looks for a verdict on this bundle that opens the gate. Passed
// goes before not applicable, and that before waived.
func judgeStage(e Evidence, stage string, now time.Time) Finding {
	f := Finding{Rule: StageRule(stage), Status: NotMet}
	var best *Verdict
	flaky := false
	for _, v := range e.Verdicts {
		if v.Stage != stage || !e.about(v.Subject) {
			continue
		}
		flaky = flaky || v.Status == "failed"
		if best == nil || rank(v, now) > rank(*best, now) || rank(v, now) == rank(*best, now) && newer(v, *best) {
			best = &v
		}
	}
	if best == nil {
		f.Why, f.Remedy = "no verdict on this bundle", runAgain(stage)
		return f
	}
	f.Why = best.Status
	if best.Summary != "" {
		f.Why += ": " + best.Summary
	}
	switch {
	case rank(*best, now) == 0:
		f.Remedy = remedyOf(*best)
		if best.Waiver != nil {
			f.Why = "the waiver ended on " + best.Waiver.Until.UTC().Format(time.DateOnly)
		}
	case best.Status == "waived":
		f.Status = Waived
		f.Exception = &Exception{Reason: best.Waiver.Reason, Until: best.Waiver.Until}
	default:
		f.Status = Met
		if flaky {
			f.Why += " (it has failed on the same bytes as well: the test is flaky)"
		}
	}
	return f
}

func runAgain(stage string) string { return "run `pipeline run " + stage + "` on this bundle" }

// remedyOf is what the verdict says itself, or to run the stage.
func remedyOf(v Verdict) string {
	if v.Remedy != "" {
		return v.Remedy
	}
	return runAgain(v.Stage)
}

// rank says how well a verdict opens a gate; 0 does not. Whatever is not known
// to open does not.
func rank(v Verdict, now time.Time) int {
	switch v.Status {
	case "passed":
		return 3
	case "not applicable":
		return 2
	case "waived":
		if v.Waiver != nil && !blank(v.Waiver.Reason) && now.Before(v.Waiver.Until) {
			return 1
		}
	}
	return 0
}

// newer orders verdicts of one rank, so that their order does not matter.
func newer(a, b Verdict) bool {
	if !a.At.Equal(b.At) {
		return a.At.After(b.At)
	}
	return verdictText(a) < verdictText(b)
}

func verdictText(v Verdict) string {
	text := v.Status + "\x00" + v.Summary
	if v.Waiver != nil {
		text += "\x00" + v.Waiver.Reason + "\x00" + v.Waiver.Until.UTC().Format(time.RFC3339Nano)
	}
	return text
}

// judgeApprovals counts, in each merge request for the commit, the people who
// approved after the last push and neither wrote it nor are unknown.
func judgeApprovals(p Policy, e Evidence, now time.Time) Finding {
	f := Finding{Rule: RuleApprovals, Status: NotMet}
	best := -1
	for _, r := range e.Reviews {
		if e.Commit == "" || r.Commit != e.Commit || blank(r.Author) || r.LastPush.IsZero() {
			continue
		}
		people := approvers(p, r, now)
		count := len(people)
		why := fmt.Sprintf("%d of %d in %s", count, p.Approvals, r.MergeRequest)
		if count > 0 {
			why += ": " + strings.Join(people, ", ")
		}
		if r.Left > 0 {
			why += fmt.Sprintf("; the forge's own rules ask for %d more", r.Left)
			count = min(count, p.Approvals-1)
		}
		if count > best || count == best && why < f.Why {
			best, f.Why = count, why
		}
	}
	switch {
	case best >= p.Approvals:
		f.Status = Met
		return f
	case best < 0:
		f.Why = "no merge request for commit " + short(e.Commit)
	}
	f.Remedy = "have the merge request approved after its last push, by others than its author"
	if !p.CommittersMayApprove {
		f.Remedy += " and committers"
	}
	return f
}

// approvers returns the distinct people whose approval counts, sorted.
func approvers(p Policy, r Review, now time.Time) []string {
	var people []string
	for _, a := range r.Approvals {
		name := strings.ToLower(strings.TrimSpace(a.By))
		own := same(a.By, r.Author) ||
			!p.CommittersMayApprove && slices.ContainsFunc(r.Committers, func(c string) bool { return same(a.By, c) })
		if name == "" || own || a.At.IsZero() || a.At.Before(r.LastPush) || a.At.After(now.Add(sign.Skew)) {
			continue
		}
		people = append(people, name)
	}
	return sorted(people)
}

func short(commit string) string {
	if commit == "" {
		return "(unknown)"
	}
	return commit[:min(12, len(commit))]
}

// judgeManual looks for one checklist on this bundle in which everything passed.
func judgeManual(p Policy, e Evidence, now time.Time) Finding {
	f := Finding{Rule: RuleManual, Status: NotMet, Why: "no checklist for this bundle"}
	f.Remedy = "go through the checklist and run `pipeline attest manual`"
	var whys []string
	for _, c := range e.Manual {
		if !e.about(c.Subject) || blank(c.By) || c.At.IsZero() || c.At.After(now) {
			continue
		}
		lacks := lacking(p, c)
		if len(lacks) == 0 {
			why := fmt.Sprintf("%d passed, by %s on %s", len(c.Items), c.By, c.At.UTC().Format(time.DateOnly))
			if f.Status != Met || why < f.Why {
				f = Finding{Rule: RuleManual, Status: Met, Why: why}
			}
			continue
		}
		whys = append(whys, fmt.Sprintf("that of %s lacks %s", c.By, strings.Join(lacks, ", ")))
	}
	switch {
	case len(whys) == 0:
	case f.Status == Met:
		f.Why += " (" + strings.Join(sorted(whys), "; ") + ")"
	default:
		f.Why = strings.Join(sorted(whys), "; ")
	}
	return f
}

// lacking returns what a checklist has not passed. An empty one lacks items.
func lacking(p Policy, c Checklist) []string {
	var lacks []string
	result := map[string]bool{}
	for _, i := range c.Items {
		passed, known := result[i.Name]
		result[i.Name] = i.Result == "passed" && (passed || !known)
	}
	for name, passed := range result {
		if !passed {
			lacks = append(lacks, fmt.Sprintf("%q", name))
		}
	}
	for _, name := range p.Checklist {
		if _, ok := result[name]; !ok {
			lacks = append(lacks, fmt.Sprintf("%q", name))
		}
	}
	if len(c.Items) == 0 {
		lacks = append(lacks, "items")
	}
	return sorted(lacks)
}

func judgeCleanTree(e Evidence) Finding {
	if e.Clean {
		return Finding{Rule: RuleCleanTree, Status: Met, Why: "nothing is uncommitted"}
	}
	return Finding{Rule: RuleCleanTree, Status: NotMet, Why: "the working copy is not known to be clean", Remedy: "commit, and run `pipeline run` again"}
}

func judgeBranch(p Policy, e Evidence) Finding {
	if slices.Contains(e.Branches, p.Branch) {
		return Finding{Rule: RuleBranch, Status: Met, Why: "the commit is on " + p.Branch}
	}
	return Finding{
		Rule: RuleBranch, Status: NotMet, Why: fmt.Sprintf("commit %s is not known to be on %s", short(e.Commit), p.Branch),
		Remedy: "merge it into " + p.Branch + ", and fetch that branch",
	}
}

func judgeSigned(e Evidence) Finding {
	if e.Signed {
		return Finding{Rule: RuleSigned, Status: Met, Why: "a trusted key vouches for the evidence"}
	}
	return Finding{
		Rule: RuleSigned, Status: NotMet, Why: "no trusted key vouches for the evidence",
		Remedy: "set PIPELINE_SIGNING_KEY (`pipeline keys new`), or say --unsigned, which is shown for ever",
	}
}
