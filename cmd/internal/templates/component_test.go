package templates

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// top is the root of this repository.
const top = "../../.."

// names are those of the components.
func names() []string { return []string{"service", "scs"} }

// input is one of spec:inputs.
type input struct {
	Type        string `yaml:"type"`
	Default     any    `yaml:"default"`
	Options     []any  `yaml:"options"`
	Regex       string `yaml:"regex"`
	Description string `yaml:"description"`
}

// component is a template file, taken apart.
type component struct {
	name   string
	inputs map[string]input
	order  []string // names of the inputs as in the file
	header any      // first document
	jobs   map[string]any
	text   string
}

func read(t *testing.T, name string) *component {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(top, "templates", name, "template.yml"))
	if err != nil {
		t.Fatal(err)
	}
	header, body, ok := strings.Cut(string(data), "\n---\n")
	if !ok {
		t.Fatalf("%s has no header", name)
	}
	c := &component{name: name, text: string(data)}
	var spec struct {
		Spec struct {
			Inputs yaml.Node `yaml:"inputs"`
		} `yaml:"spec"`
	}
	for text, into := range map[string][]any{header: {&spec, &c.header}, body: {&c.jobs}} {
		for _, v := range into {
			if err := yaml.Unmarshal([]byte(text), v); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	if err := spec.Spec.Inputs.Decode(&c.inputs); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for i := 0; i < len(spec.Spec.Inputs.Content); i += 2 {
		c.order = append(c.order, spec.Spec.Inputs.Content[i].Value)
	}
	return c
}

// expand does with the jobs what GitLab does when a file is included: it checks
// the inputs and puts them in.
func (c *component) expand(given map[string]any) (map[string]any, error) {
	values := map[string]any{}
	for name, in := range c.inputs {
		values[name] = in.Default
	}
	for name, v := range given {
		in, known := c.inputs[name]
		if !known {
			return nil, fmt.Errorf("no input %s", name)
		}
		if err := in.check(v); err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
		values[name] = v
	}
	out, err := fill(c.jobs, values)
	if err != nil {
		return nil, err
	}
	return out.(map[string]any), nil
}

// check is what GitLab checks of a value: type, options and regex.
func (in input) check(v any) error {
	kinds := map[string]reflect.Kind{"string": reflect.String, "number": reflect.Int, "boolean": reflect.Bool, "array": reflect.Slice}
	if got := reflect.TypeOf(v).Kind(); got != kinds[in.Type] {
		return fmt.Errorf("%v is no %s", v, in.Type)
	}
	if len(in.Options) > 0 && !slices.Contains(in.Options, v) {
		return fmt.Errorf("%v is none of %v", v, in.Options)
	}
	if in.Regex != "" && !regexp.MustCompile(in.Regex).MatchString(v.(string)) {
		return fmt.Errorf("%v does not match %s", v, in.Regex)
	}
	return nil
}

// fill puts values into all keys and strings. A string that is nothing but one
// input becomes its value, of its type; in a longer one it becomes text.
func fill(node any, values map[string]any) (any, error) {
	switch n := node.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(n)) {
			name, err := fill(key, values)
			if err != nil {
				return nil, err
			}
			if _, twice := out[fmt.Sprint(name)]; twice {
				return nil, fmt.Errorf("%s is there twice", name)
			}
			if out[fmt.Sprint(name)], err = fill(n[key], values); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(n))
		for i, item := range n {
			var err error
			if out[i], err = fill(item, values); err != nil {
				return nil, err
			}
		}
		return out, nil
	case string:
		return fillText(n, values)
	}
	return node, nil
}

func fillText(text string, values map[string]any) (any, error) {
	block := regexp.MustCompile(`\$\[\[ inputs\.([a-z-]+) \]\]`)
	var unknown error
	lookUp := func(name string) any {
		v, ok := values[name]
		if !ok {
			unknown = fmt.Errorf("%q uses the input %s, which is not declared", text, name)
		}
		return v
	}
	if m := block.FindStringSubmatch(text); m != nil && m[0] == text {
		return lookUp(m[1]), unknown
	}
	out := block.ReplaceAllStringFunc(text, func(s string) string {
		v := lookUp(block.FindStringSubmatch(s)[1])
		if list, ok := v.([]any); ok {
			data, _ := json.Marshal(list)
			return string(data)
		}
		return fmt.Sprint(v)
	})
	if unknown == nil && strings.Contains(out, "$[[") {
		unknown = fmt.Errorf("%q is no interpolation that GitLab knows", text)
	}
	return out, unknown
}

// jobsWith returns the jobs as they are after all that GitLab does with them.
func (c *component) jobsWith(given map[string]any) (map[string]any, error) {
	jobs, err := c.expand(given)
	if err != nil {
		return nil, err
	}
	return resolve(jobs)
}

// resolve returns the jobs that are not hidden with what they extend: maps are
// merged, all else of the job goes before what it extends.
func resolve(jobs map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for name := range jobs {
		if strings.HasPrefix(name, ".") {
			continue
		}
		job, err := extended(jobs, name, 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = job
	}
	return out, nil
}

// maxExtends is how deep GitLab follows extends: doc/ci/yaml/index.md.
const maxExtends = 10

func extended(jobs map[string]any, name string, depth int) (map[string]any, error) {
	job, ok := jobs[name].(map[string]any)
	if !ok || depth > maxExtends {
		return nil, fmt.Errorf("it extends %s, which is not there or too deep", name)
	}
	parent, ok := job["extends"].(string)
	if !ok {
		return job, nil
	}
	base, err := extended(jobs, parent, depth+1)
	if err != nil {
		return nil, err
	}
	out := merge(base, job)
	delete(out, "extends")
	return out, nil
}

func merge(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	for key, v := range over {
		lower, isMap := out[key].(map[string]any)
		upper, both := v.(map[string]any)
		if isMap && both {
			v = merge(lower, upper)
		}
		out[key] = v
	}
	return out
}
