// Package search finds out which updates break a system, with as few tests as
// possible.
//
// The last good combination passes its acceptance tests, the candidate fails, and
// between them lie n changes: services that are newer, new or gone. Each set of
// changes on top of good is a combination that can be tested. The search sees
// nothing of it but the oracle, whose answers are what it costs: a fresh namespace
// each. It remembers all of them, and looks for
//
//   - culprits: sets of changes that fail while each smaller set passes; mostly
//     one change, sometimes two or three that fail only together;
//   - the newest combination that passes: as many updates as possible.
//
// # How
//
// Let us add the changes to good one after the other: somewhere on that way it
// breaks. Halving finds the step in log2 n tests. The change of that step is
// guilty, and only what lies below the step can have a part in it. If it fails
// alone, it is a culprit. If not, it becomes where the next way begins, and the
// step where that one ends, until what was collected fails by itself: log2 n tests
// for each member (isolate; the idea is that of Junker's QuickXplain, 2004).
//
// The newest combination is then the candidate without one change of each culprit,
// as few as possible, so that where culprits share a change that one goes
// (greatest). Either it passes, and no greater one can, or it fails and has a
// further culprit (split). At last each change that is held back is tried on top
// of what passes (extend), and in older versions (forward). A single among n costs
// at most ceil(log2 n)+2 tests: the way, the change alone, all others.
//
// # What is a fact
//
// It is natural to think that what contains something broken is broken, and what
// is part of something good is good. The search uses that to choose its questions,
// and reports nothing that rests on it: of a culprit the set itself has failed and
// each set with one change less has passed; the newest combination has passed;
// with any further change it has failed. Where a change repairs another one this
// stays so. Then the answers contradict that thought, which the result says
// (Repairs, Unproven), and more updates may be possible than it has found.
//
// # What an answer is worth
//
// A red answer has many causes besides a fault: a timeout, a full node, a registry
// that stutters. A green one says that everything was there and each test passed;
// it is wrong only if a fault shows at times. So green is believed sooner: where
// answers contradict each other the last green step counts, and before more
// questions are built on one red answer (it fails, but not by the change that was
// found), that answer is asked for again, once more each time.
//
// What is reported is looked at in the end (review). What another answer speaks
// against gets a majority of Options.Votes, 3 by default, and that answer too. So
// do culprits and the newest combination, unless there is one culprit of one
// change. Once the oracle has answered one question in two ways, each fact needs
// two equal answers.
//
// What is left is the frequent case: one change explains everything, and nothing
// speaks against it. This rests on one red answer with that change alone and one
// green one without it, besides the candidate's. If the red one is wrong, then the
// change is guilty all the same, but together with another one; if the green one
// is wrong, then there is a further culprit. Two tests more rule that out: set
// Options.Repeat to 2, and no single wrong answer can deceive the search.
//
// With Options.Parallel greater than 1 the way is divided into more parts at a
// time, and confirmations run side by side: more tests in fewer rounds.
package search
