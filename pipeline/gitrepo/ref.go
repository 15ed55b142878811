package gitrepo

import (
	"context"
	"fmt"
	"strings"
)

// Ref returns the full hash of the commit that a reference of this repository is
// on ("refs/remotes/origin/main"), "" where there is no such reference. Nobody
// else is asked.
func (r *Repo) Ref(ctx context.Context, name string) (string, error) {
	if !strings.HasPrefix(name, "refs/") || strings.ContainsAny(name, " \t\n*?[\\") {
		return "", fmt.Errorf("%q is no full name of a reference", name)
	}
	out, err := r.git(ctx, "for-each-ref", "--format=%(refname) %(objectname)", name)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if at, hash, ok := strings.Cut(strings.TrimSpace(line), " "); ok && at == name {
			return r.commitOf(ctx, hash)
		}
	}
	return "", nil
}
