package changelog

import (
	"slices"
	"strings"
)

// Effective returns the commits that are left of a range, in its order: without
// merges that only carry others, and without pairs of a revert and what it
// reverts. A revert that was reverted takes nothing back. Of a commit that was
// reverted before the range began, only the revert is there, and it stays.
func Effective(commits []Commit) []Commit {
	h := newHistory(commits)
	var left []Commit
	for i := range commits {
		if !h.gone(i) && !h.carries(i) {
			left = append(left, commits[i])
		}
	}
	return left
}

// history is a range of commits with what can be derived from it.
type history struct {
	commits []Commit
	// sorted are indices in the order of the hashes.
	sorted []int
	// carrier is, for each commit, the index of the merge that brought it to
	// the main line, -1 for none.
	carrier []int
	// cancelled are reverts and what they take back.
	cancelled []bool
}

func newHistory(commits []Commit) *history {
	h := &history{commits: commits, carrier: make([]int, len(commits)), cancelled: make([]bool, len(commits))}
	for i := range commits {
		h.sorted = append(h.sorted, i)
		h.carrier[i] = -1
	}
	slices.SortFunc(h.sorted, func(a, b int) int { return strings.Compare(commits[a].Hash, commits[b].Hash) })
	h.findCarriers()
	h.cancel()
	return h
}

// find returns the index of a commit by its hash or a unique beginning of it,
// -1 when it is not in the range.
func (h *history) find(hash string) int {
	at, _ := slices.BinarySearchFunc(h.sorted, hash, func(i int, hash string) int { return strings.Compare(h.commits[i].Hash, hash) })
	fits := func(at int) bool {
		return at < len(h.sorted) && strings.HasPrefix(h.commits[h.sorted[at]].Hash, hash)
	}
	if !fits(at) || fits(at+1) {
		return -1
	}
	return h.sorted[at]
}

// findCarriers follows the side parents of each merge, the oldest first, up to
// the main line and to what an older merge has brought.
func (h *history) findCarriers() {
	onMain := make([]bool, len(h.commits))
	for i := 0; len(h.commits) > 0 && i >= 0 && !onMain[i]; i = h.parent(i, 0) {
		onMain[i] = true
	}
	for merge := len(h.commits) - 1; merge >= 0; merge-- {
		var open []int
		for n := 1; n < len(h.commits[merge].Parents); n++ {
			open = append(open, h.parent(merge, n))
		}
		for len(open) > 0 {
			i := open[len(open)-1]
			open = open[:len(open)-1]
			if i < 0 || i == merge || onMain[i] || h.carrier[i] >= 0 {
				continue
			}
			h.carrier[i] = merge
			for n := range h.commits[i].Parents {
				open = append(open, h.parent(i, n))
			}
		}
	}
}

func (h *history) parent(i, n int) int {
	if n >= len(h.commits[i].Parents) {
		return -1
	}
	return h.find(h.commits[i].Parents[n])
}

// cancel goes from the newest revert to the oldest: one that is taken back
// itself has no effect.
func (h *history) cancel() {
	for i := range h.commits {
		if h.gone(i) {
			continue
		}
		hashes := h.commits[i].reverted()
		left := len(hashes)
		for _, hash := range hashes {
			if target := h.find(hash); target >= 0 && target != i && !h.gone(target) {
				h.cancelled[target] = true
				left--
			}
		}
		h.cancelled[i] = len(hashes) > 0 && left == 0
	}
}

// gone reports whether a commit was taken back, alone or with its merge.
func (h *history) gone(i int) bool {
	for steps := 0; i >= 0 && steps <= len(h.commits); steps++ {
		if h.cancelled[i] {
			return true
		}
		i = h.carrier[i]
	}
	return false
}

// carries reports whether a commit is a merge that says nothing of its own.
func (h *history) carries(i int) bool {
	c := &h.commits[i]
	if c.Type != "" || c.Trailer != "" || len(c.Breaking) > 0 {
		return false
	}
	if len(c.Parents) > 0 {
		return len(c.Parents) > 1
	}
	for _, form := range []string{"branch '", "remote-tracking branch '", "tag '", "commit '", "branches '", "pull request #"} {
		if strings.HasPrefix(c.Subject, "Merge "+form) {
			return true
		}
	}
	return false
}

// references are those of a commit, and the merge requests of the merges that
// brought it.
func (h *history) references(i int) []reference {
	all := references(h.commits[i].Body)
	for at, steps := h.carrier[i], 0; at >= 0 && steps < len(h.commits); at, steps = h.carrier[at], steps+1 {
		for _, r := range references(h.commits[at].Body) {
			if r.sign == '!' && !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	return all
}
