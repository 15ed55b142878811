package kindtest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func value(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCompareFields(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, want, have string
		paths            []string
	}{
		{"same", `{"a":{"b":[1,{"c":2}]}}`, `{"a":{"b":[1,{"c":2}]}}`, nil},
		{"empty is absent", `{"a":{},"b":[]}`, `{}`, nil},
		{"field", `{"spec":{"replicas":1}}`, `{"spec":{"replicas":3}}`, []string{"spec.replicas: 1 3"}},
		{"absent", `{"a":"x"}`, `{"b":"y"}`, []string{"a: x (none)", "b: (none) y"}},
		{"entry by name", `{"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}`, `{"env":[{"name":"B","value":"3"},{"name":"A","value":"1"}]}`, []string{"env[B].value: 2 3"}},
		{"entry added", `{"env":[{"name":"A"}]}`, `{"env":[{"name":"A"},{"name":"B"}]}`, []string{`env[B]: (none) {"name":"B"}`}},
		{"name twice", `{"env":[{"name":"A","value":"1"},{"name":"A","value":"2"}]}`, `{"env":[{"name":"A","value":"1"},{"name":"A","value":"3"}]}`, []string{"env[A#2].value: 2 3"}},
		{"entry by number", `{"args":["a","b"]}`, `{"args":["a","c"]}`, []string{"args[1]: b c"}},
		{"other length", `{"args":["a"]}`, `{"args":["a","c"]}`, []string{`args: ["a"] ["a","c"]`}},
		{"key with dots", `{"metadata":{"annotations":{"example.com/x":"1"}}}`, `{"metadata":{"annotations":{"example.com/x":"2"}}}`, []string{"metadata.annotations[example.com/x]: 1 2"}},
		{"other type", `{"a":"1"}`, `{"a":1}`, []string{"a: 1 1"}},
	} {
		var got []string
		for _, f := range compareFields(value(t, test.want), value(t, test.have)) {
			got = append(got, f.path+": "+f.want+" "+f.have)
		}
		if diff := cmp.Diff(test.paths, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, under, above, want string }{
		{"maps", `{"a":1,"b":{"c":2}}`, `{"b":{"d":3}}`, `{"a":1,"b":{"c":2,"d":3}}`},
		{"by name", `[{"name":"x","hand":1},{"name":"a","v":1,"default":true}]`, `[{"name":"a","v":2},{"name":"b"}]`, `[{"name":"x","hand":1},{"name":"a","v":2,"default":true},{"name":"b"}]`},
		{"name twice", `[{"name":"a","v":1},{"name":"a","v":2}]`, `[{"name":"a","v":1},{"name":"a","v":3}]`, `[{"name":"a","v":1},{"name":"a","v":3}]`},
		{"by number", `[{"v":1,"default":true}]`, `[{"v":2}]`, `[{"v":2,"default":true}]`},
		{"other length", `[1]`, `[1,2]`, `[1,2]`},
		{"other type", `{"a":1}`, `[1]`, `[1]`},
	} {
		if diff := cmp.Diff(value(t, test.want), overlay(value(t, test.under), value(t, test.above))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestDropNulls(t *testing.T) {
	t.Parallel()
	v := value(t, `{"a":null,"b":[{"c":null,"d":1}],"e":{"f":null}}`)
	dropNulls(v)
	if diff := cmp.Diff(value(t, `{"b":[{"d":1}],"e":{}}`), v); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func managed(entries ...string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	var list []metav1.ManagedFieldsEntry
	for i := 0; i < len(entries); i += 3 {
		fields := &metav1.FieldsV1{}
		fields.SetRawBytes([]byte(entries[i+2]))
		list = append(list, metav1.ManagedFieldsEntry{
			Manager: entries[i], Subresource: entries[i+1], Operation: metav1.ManagedFieldsOperationUpdate, FieldsType: "FieldsV1",
			FieldsV1: fields,
		})
	}
	u.SetManagedFields(list)
	return u
}

func TestAddedByHand(t *testing.T) {
	t.Parallel()
	wanted := managed(driftManager, "", `{"f:spec":{"f:replicas":{}}}`)
	live := managed(
		"pipeline", "", `{"f:spec":{"f:paused":{}}}`,
		"kubectl-edit", "", `{"f:metadata":{"f:labels":{"f:x":{}}},"f:spec":{"f:replicas":{},"f:paused":{},"f:strategy":{"f:type":{}},"f:hosts":{"k:{\"name\":\"a\"}":{".":{},"f:name":{},"f:ip":{}}}}}`,
		"kubectl", "scale", `{"f:spec":{"f:parallelism":{}}}`,
		"kubectl-rollout", "", `{"f:spec":{"f:restarted":{}}}`,
	)
	want := []addition{{`spec.hosts[name="a"]`, "kubectl-edit"}, {"spec.strategy.type", "kubectl-edit"}}
	if diff := cmp.Diff(want, addedByHand(live, wanted), cmp.AllowUnexported(addition{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSameImage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"r:5000/stock:1", "r:5000/stock:1", true},
		{"r:5000/stock:1", "r:5000/stock:2", false},
		{"r:5000/stock:1@sha256:ab", "r:5000/stock@sha256:ab", true},
		{"r:5000/stock@sha256:ab", "r:5000/stock@sha256:ac", false},
		{"r:5000/stock@sha256:ab", "r:5000/cart@sha256:ab", false},
		{"r:5000/stock:bundle@sha256:ab", "r/stock@sha256:ab", false},
	} {
		if SameImage(test.a, test.b) != test.want {
			t.Errorf("SameImage(%s, %s) is not %v", test.a, test.b, test.want)
		}
	}
}
