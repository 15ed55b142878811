package config

import "strings"

// list joins words for an error message.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// nearest returns the known word that a mistyped one is likely to mean, empty
// when none is near.
func nearest(word string, known []string) string {
	best, limit := "", 2*max(1, min(3, len(word)/3))+2
	for _, k := range known {
		distance := 2 * edits(strings.ToLower(word), strings.ToLower(k))
		if word == "" || k[0] != word[0] {
			distance++ // the first letter is seldom wrong
		}
		if distance < limit {
			best, limit = k, distance
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and swaps of neighbours
// that lead from a to b (optimal string alignment); long words count as far.
func edits(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
