package problem_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/shop/web/internal/problem"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	const uri = "tag:selfcontained.gitlab.io,2026:shop/web/"
	for name, test := range map[string]struct {
		problem problem.Problem
		status  int
		body    string
		header  http.Header
	}{
		"all members": {
			problem.Problem{Kind: problem.Conflict, Detail: `too few of "a"`, Field: "quantity", SKUs: []string{"a", "b"}}, 409,
			`{"type":"` + uri + `conflict","title":"Not possible at present","status":409,"detail":"too few of \"a\"","field":"quantity","skus":["a","b"],"requestId":"r1"}` + "\n",
			http.Header{},
		},
		"the kind's own detail": {
			problem.Problem{Kind: problem.Unavailable}, 503,
			`{"type":"` + uri + `unavailable","title":"The shop cannot be reached","status":503,"detail":"Please try again in a moment.","requestId":"r1"}` + "\n",
			http.Header{"Retry-After": {"2"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			w.Header().Set(problem.RequestIDHeader, "r1")
			test.problem.Write(w)
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("status %d, want %d; body\n%swant\n%s", w.Code, test.status, w.Body, test.body)
			}
			if got := w.Header().Get("Content-Type"); got != problem.ContentType {
				t.Errorf("content type %q", got)
			}
			if diff := cmp.Diff(test.header["Retry-After"], w.Header()["Retry-After"]); diff != "" {
				t.Errorf("Retry-After (-want +got):\n%s", diff)
			}
		})
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	p := &problem.Problem{Kind: problem.InvalidArgument, Detail: "must be a number"}
	if got, want := p.Error(), "invalid-argument: must be a number"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
