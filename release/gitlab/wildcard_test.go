package gitlab

import "testing"

func TestWildcard(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, tag string
		want         bool
	}{
		{"v1", "v1", true}, {"v1", "v10", false}, {"v*", "v1.0.0", true}, {"*", "", true}, {"*", "a/b", true}, {"v*.0", "v1.0", true},
		{"v*.0", "v1.1", false}, {"v*0", "v0", true}, {"v0*0", "v0", false}, {"a*b*c", "a-b-c", true}, {"a*b*c", "a-c-b", false}, {"*-rc*", "v1-rc.1", true},
	} {
		if got := wildcard(test.pattern, test.tag); got != test.want {
			t.Errorf("%q on %q: %v", test.pattern, test.tag, got)
		}
	}
}
