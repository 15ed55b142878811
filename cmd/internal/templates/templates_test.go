package templates

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, version, want string }{
		{"", "0.3.1", ""},
		{"", "(devel)", ""},
		{"0", "0.3.1", ""},
		{"0", "v0.3.1", ""},
		{"0", "0.0.0-20260105090000-1f2e3d4c5b6a+dirty", ""},
		{"0", "(devel)", ""},
		{"0", "", ""},
		{"2", "2.0.0-rc.1", ""},
		{"1", "(devel)", "component is that of version 1"},
		{"1", "0.3.1", "component is that of version 1, and this is pipeline 0.3.1: give both"},
		{"0", "1.0.0", "component is that of version 0, and this is pipeline 1.0.0: give both"},
		{"10", "1.0.0", "version 10"},
		{"1.2", "1.2.0", `PIPELINE_TEMPLATE="1.2": expected a major version, such as 1`},
		{"-1", "1.2.0", "expected a major version"},
		{"latest", "0.1.0", "expected a major version, such as 0"},
	} {
		err := Check(c.value, c.version)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("Check(%q, %q): %v", c.value, c.version, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("Check(%q, %q): %v, want %q", c.value, c.version, err, c.want)
		}
	}
}
