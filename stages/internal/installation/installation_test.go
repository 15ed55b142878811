package installation

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

func TestImageValuesFollowTheConventionOfHelmCreate(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]map[string]any{
		"pipeline.local/stock:1.0.0-abc":      {"repository": "pipeline.local/stock", "tag": "1.0.0-abc", "pullPolicy": "IfNotPresent"},
		"localhost:5000/team/stock@sha256:12": {"repository": "localhost:5000/team/stock", "digest": "sha256:12", "tag": "bundle@sha256:12", "pullPolicy": "IfNotPresent"},
	} {
		if diff := cmp.Diff(map[string]any{"image": want}, ImageValues(ref)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", ref, diff)
		}
	}
}

func TestImageRefNamesTheContent(t *testing.T) {
	t.Parallel()
	i := &Image{Name: "stock", Version: "1.0.0+build.7", Digest: evidence.Sum([]byte("x"))}
	if got, want := i.Ref(), "pipeline.local/stock:1.0.0-build.7-"+i.Digest.Short(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMergeLaysMapsOverMaps(t *testing.T) {
	t.Parallel()
	a := map[string]any{"image": map[string]any{"tag": "a", "keep": 1}, "list": []int{1}}
	b := map[string]any{"image": map[string]any{"tag": "b"}, "list": []int{2}, "new": true}
	want := map[string]any{"image": map[string]any{"tag": "b", "keep": 1}, "list": []int{2}, "new": true}
	if diff := cmp.Diff(want, Merge(a, b)); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	if a["image"].(map[string]any)["tag"] != "a" {
		t.Error("merge changed its argument")
	}
}

func TestStatusOfFailures(t *testing.T) {
	t.Parallel()
	var failure *pipeline.Failure
	var notTested *pipeline.NotTested
	for name, c := range map[string]struct {
		err    error
		target any
		text   string
	}{
		"environment": {&kindtest.EnvironmentError{What: "no engine", Remedy: "start one"}, &notTested, "no engine; start one"},
		"permission":  {&kindtest.PermissionError{Action: "create namespaces", Remedy: "ask"}, &notTested, "not allowed to create namespaces"},
		"chart":       {&kindtest.ChartError{Chart: "c", File: "templates/x.yaml", Line: 3, Msg: "no"}, &failure, "templates/x.yaml:3"},
		"not ready":   {&kindtest.NotReadyError{}, &failure, ""},
	} {
		err := StageError(c.err)
		if !errors.As(err, c.target) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %T %v, want %T with %q", name, err, err, c.target, c.text)
		}
	}
}

func TestFirstLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		n    int
		want string
	}{{"a\nb\nc\n", 2, "a\nb"}, {"a\n", 5, "a"}, {"", 3, ""}} {
		if got := firstLines(c.text, c.n); got != c.want {
			t.Errorf("firstLines(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestSameRefKnowsTheFormForChartsWithoutDigest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"pipeline.local/stock:1", "pipeline.local/stock:1", true},
		{"pipeline.local/stock:1", "pipeline.local/stock:2", false},
		{"localhost:5000/stock:bundle@sha256:12", "localhost:5000/stock@sha256:12", true},
		{"localhost:5000/stock:bundle@sha256:12", "localhost:5000/stock@sha256:13", false},
		{"localhost:5000/stock@sha256:12", "localhost:5001/stock@sha256:12", false},
		{"localhost:5000/cart@sha256:12", "localhost:5000/stock@sha256:12", false},
	} {
		if got := SameRef(c.a, c.b); got != c.want {
			t.Errorf("SameRef(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestNamespacesOfLongNamesFitIntoALabel(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"shop":                          "shop",
		strings.Repeat("a", 63):         strings.Repeat("a", 52),
		strings.Repeat("a", 51) + "-bc": strings.Repeat("a", 51),
	} {
		if got := shortened(name); got != want {
			t.Errorf("shortened(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestTextForPeopleAndTests(t *testing.T) {
	t.Parallel()
	if got := EnvName("price-list.v2"); got != "PRICE_LIST_V2" {
		t.Errorf("variable %s", got)
	}
	phases := []pipeline.Phase{{Name: "load", Took: time.Minute}, {Name: "ready", Took: 1240 * time.Millisecond}, {Name: "tests", Took: 400 * time.Millisecond}}
	if got := Times(phases, "ready", "tests"); got != ", ready 1.2 s, tests 0.4 s" {
		t.Errorf("times %q", got)
	}
}
