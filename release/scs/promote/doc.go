// Package promote moves an environment of a system to a combination that was
// tested.
//
// What an environment is on is one commit on its branch: lock, promotion and the
// evidence that the promotion rests on. A promotion goes Decide -> Check ->
// Apply. Decide is pure: it lets the passport judge, signs the promotion, and
// makes the files of the commit. Apply first puts everything that the commit
// names into the system's registry, by digest, which harms nobody. Then it pushes
// the commit with a lease: of two at once one wins, and a reader meets the old
// set or the new one, never a mixture. What people look at (registry tags, the
// promotion beside the combination, GitLab's deployments) follows the commit.
//
// A promotion that died anywhere is finished by running it again: the pointer is
// there then, and what is missing behind it is done without a new commit. A
// rollback is a promotion of an older lock, by the same gate.
package promote
