package gitrepo

import (
	"testing"
)

func TestRef(t *testing.T) {
	t.Parallel()
	ctx, r := t.Context(), newRepo(t)
	commit := r.commit(t, "a.txt", "one")
	for name, want := range map[string]string{
		"refs/heads/main": commit, "refs/heads/mai": "", "refs/heads": "", "refs/heads/none": "",
	} {
		if got, err := r.Ref(ctx, name); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"main", "", "-x", "refs/heads/*"} {
		if got, err := r.Ref(ctx, name); err == nil {
			t.Errorf("%q: %q and no error", name, got)
		}
	}
}
