package command

import (
	"path"
	"strings"
)

// Match reports whether a path with slashes matches a pattern: that of
// path.Match for each element, and "**" for any number of elements. A pattern
// that names a folder matches everything in it, so that "src" and "src/**" mean
// the same. A malformed pattern matches nothing.
func Match(pattern, name string) bool {
	pattern = strings.TrimSuffix(strings.TrimPrefix(pattern, "./"), "/")
	if pattern == "." || pattern == "" {
		return true
	}
	return matchElements(append(strings.Split(pattern, "/"), "**"), strings.Split(name, "/"))
}

// matchElements matches a pattern that ends in "**". On a mismatch it goes back
// to the last "**" only: what an earlier one could swallow more, that one can
// too, so the work is at most the product of the lengths.
func matchElements(pattern, name []string) bool {
	p, n, back, from := 0, 0, -1, 0
	for n < len(name) {
		if pattern[p] == "**" {
			if p == len(pattern)-1 {
				return true
			}
			back, from, p = p, n, p+1
			continue
		}
		ok, err := path.Match(pattern[p], name[n])
		switch {
		case err != nil:
			return false
		case ok:
			p, n = p+1, n+1
		case back < 0:
			return false
		default:
			from++
			p, n = back+1, from
		}
	}
	for _, rest := range pattern[p:] {
		if rest != "**" {
			return false
		}
	}
	return true
}
