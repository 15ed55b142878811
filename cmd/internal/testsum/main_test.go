package main

import (
	"strings"
	"testing"
)

func TestSum(t *testing.T) {
	t.Parallel()
	const pass = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestS"}
{"Action":"skip","Package":"p","Test":"TestS"}
{"Action":"pass","Package":"p"}
`
	const fail = `{"Action":"run","Package":"q","Test":"TestB"}
{"Action":"output","Package":"q","Test":"TestB","Output":"    b_test.go:3: red\n"}
{"Action":"fail","Package":"q","Test":"TestB"}
{"Action":"fail","Package":"q"}
`
	for _, c := range []struct {
		in   string
		code int
		last string
	}{
		{pass, 0, "1 passed, 0 failed, 1 skipped"},
		{pass + fail, 1, "1 passed, 1 failed, 1 skipped"},
		{"", 1, "0 passed, 0 failed, 0 skipped"},
		{pass + "broken output\n" + `{"Action":"build-fail","ImportPath":"r"}` + "\n" + `{"Action":"fail","Package":"r","FailedBuild":"r"}` + "\n", 1, "1 passed, 1 failed, 1 skipped"},
	} {
		var out strings.Builder
		code := sum(strings.NewReader(c.in), &out)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-1]; code != c.code || last != c.last {
			t.Errorf("code %d, last line %q; want %d, %q", code, last, c.code, c.last)
		}
	}
}
