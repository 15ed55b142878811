package templates

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// others returns for each input values that are not its default.
func others() map[string][]any {
	return map[string][]any{
		"prefix": {"", "stock."}, "mode": {"single"}, "dir": {"services/stock"}, "args": {"--service stock"},
		"own-stages": {"licences spelling"}, "stage": {"check"}, "release-stage": {"publish"}, "deploy-stage": {"publish"},
		"image": {"registry.example.com/ci/pipeline:0.1"}, "program": {"./bin/pipeline"}, "prepare": {[]any{"make build", "echo ready"}},
		"go-cache": {false}, "cluster": {"kind", "dind", "none"}, "kube-context": {"group/agents:test"},
		"cluster-registry": {"registry.example.com/ci"}, "dind-image": {"docker:29-dind"}, "node-image": {"registry.example.com/node:1"},
		"bench": {"never"}, "tag-pipelines": {true}, "release": {"auto", "never"}, "registry": {"registry.example.com/shop/"},
		"release-args": {"--pre rc"}, "id-tokens": {true}, "id-token-audience": {"https://vault.example.com"},
		"interruptible": {false}, "retries": {0, 2}, "timeout": {"20 minutes"}, "expire-in": {"3 days"},
		"test-args": {"--force"}, "update": {"commit", "never"}, "update-args": {"--parallel 4"},
		"promotion": {"staging", "never"}, "staging": {"preview"}, "production": {"live"}, "deploy": {false}, "status": {false},
	}
}

// beside returns the inputs without which one has no effect.
func beside(in string) map[string]any {
	switch in {
	case "dind-image":
		return map[string]any{"cluster": "dind"}
	case "id-token-audience":
		return map[string]any{"id-tokens": true}
	}
	return map[string]any{}
}

// without returns the jobs with one input less.
func without(t *testing.T, c *component, given map[string]any, in string) map[string]any {
	t.Helper()
	rest := maps.Clone(given)
	delete(rest, in)
	jobs, err := c.jobsWith(rest)
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

// valid checks a document in the form that JSON has.
func valid(t *testing.T, schema *jsonschema.Schema, document any) error {
	t.Helper()
	data, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

// TestEveryInput puts each value of each input into its component: the jobs that
// come out fit GitLab's schema and are others than those that the defaults make.
func TestEveryInput(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole pipelines of GitLab")
	}
	t.Parallel()
	schema := gitlabtest.CISchema(t)
	for _, name := range names() {
		c := read(t, name)
		for what, document := range map[string]any{"header": c.header, "body": c.jobs} {
			if err := valid(t, schema, document); err != nil {
				t.Errorf("%s: the %s: %v", name, what, err)
			}
		}
		plain, err := c.jobsWith(nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := valid(t, schema, plain); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for in := range c.inputs {
			tried := 0
			for _, v := range others()[in] {
				if c.inputs[in].check(v) != nil {
					continue // an option of the other component
				}
				tried++
				given := beside(in)
				given[in] = v
				got, err := c.jobsWith(given)
				if err != nil {
					t.Errorf("%s, %s=%v: %v", name, in, v, err)
				} else if err := valid(t, schema, got); err != nil {
					t.Errorf("%s, %s=%v: %v", name, in, v, err)
				} else if reflect.DeepEqual(got, without(t, c, given, in)) {
					t.Errorf("%s: %s=%v changes nothing", name, in, v)
				}
			}
			if tried == 0 {
				t.Errorf("%s: no other value for %s", name, in)
			}
		}
	}
	if err := valid(t, schema, map[string]any{"job": map[string]any{"script": "true", "retry": map[string]any{"max": "once"}}}); err == nil {
		t.Error("the schema accepts anything")
	}
}

// TestInputsAreRefused checks what GitLab refuses before it makes a pipeline.
func TestInputsAreRefused(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]map[string]any{
		"service": {"mode": "parallel", "prefix": "a b", "retries": "1", "go-cache": "yes", "prepare": "make", "unknown": "x"},
		"scs":     {"cluster": "none", "promotion": "yes", "deploy": "production"},
	} {
		c := read(t, name)
		for in, v := range bad {
			if _, err := c.expand(map[string]any{in: v}); err == nil {
				t.Errorf("%s takes %s=%v", name, in, v)
			}
		}
	}
}

// TestComponentsKeepToThemselves checks what makes a file usable by component,
// project, remote and local alike, and beside jobs of others.
func TestComponentsKeepToThemselves(t *testing.T) {
	t.Parallel()
	for _, name := range names() {
		c := read(t, name)
		for in, spec := range c.inputs {
			if spec.Type == "" || spec.Default == nil || spec.Description == "" || !strings.HasSuffix(spec.Description, ".") {
				t.Errorf("%s: the input %s has no type, default or sentence that describes it", name, in)
			}
		}
		for job, body := range c.jobs {
			if !strings.HasPrefix(strings.TrimPrefix(job, "."), "$[[ inputs.prefix ]]") {
				t.Errorf("%s: %s is a global keyword, or a job without the prefix", name, job)
			}
			if keys := body.(map[string]any); keys["variables"] != nil && keys["variables"].(map[string]any)["GIT_DEPTH"] == "0" {
				if got := keys["variables"].(map[string]any)[Variable]; got != Major {
					t.Errorf("%s: %s says version %v of the component, want %s", name, job, got, Major)
				}
			}
		}
		if strings.Contains(c.text, "!reference") || strings.Contains(c.text, "include:") {
			t.Errorf("%s needs another file", name)
		}
	}
}
