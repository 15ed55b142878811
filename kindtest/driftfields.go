package kindtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// absent is how a field is shown that is not there.
const absent = "(none)"

// fieldDifference is a field in which two objects differ. path is written as
// kubectl explains fields, with list entries by name or by number:
// "spec.template.spec.containers[app].image".
type fieldDifference struct{ path, want, have string }

// compareFields lists the smallest fields in which two JSON values differ, sorted
// by path. Nothing and an empty map are the same.
func compareFields(want, have any) []fieldDifference {
	var out []fieldDifference
	compareAt("", want, have, &out)
	slices.SortFunc(out, func(a, b fieldDifference) int { return cmp.Compare(a.path, b.path) })
	return out
}

func compareAt(path string, want, have any, out *[]fieldDifference) {
	if reflect.DeepEqual(want, have) || isEmpty(want) && isEmpty(have) {
		return
	}
	wantMap, ok1 := want.(map[string]any)
	haveMap, ok2 := have.(map[string]any)
	if ok1 && ok2 {
		compareMaps(path, wantMap, haveMap, out)
		return
	}
	wantList, ok1 := want.([]any)
	haveList, ok2 := have.([]any)
	if ok1 && ok2 {
		if a, b := byEntryName(wantList), byEntryName(haveList); a != nil && b != nil {
			compareEntries(path, a, b, out)
			return
		}
		if len(wantList) == len(haveList) {
			for i := range wantList {
				compareAt(fmt.Sprintf("%s[%d]", path, i), wantList[i], haveList[i], out)
			}
			return
		}
	}
	*out = append(*out, fieldDifference{path, showValue(want), showValue(have)})
}

func compareMaps(path string, want, have map[string]any, out *[]fieldDifference) {
	for _, key := range keysOf(want, have) {
		name := key
		if strings.ContainsRune(key, '.') { // an annotation or a file
			name = "[" + key + "]"
		} else if path != "" {
			name = "." + key
		}
		compareAt(path+name, want[key], have[key], out)
	}
}

func compareEntries(path string, want, have map[string]any, out *[]fieldDifference) {
	for _, key := range keysOf(want, have) {
		compareAt(path+"["+key+"]", want[key], have[key], out)
	}
}

func keysOf(a, b map[string]any) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// entryNames returns a key for each entry of a list: its name, with a number when
// one before has the same. Nil when an entry has no name.
func entryNames(list []any) []string {
	names := make([]string, len(list))
	count := make(map[string]int)
	for i, entry := range list {
		fields, _ := entry.(map[string]any)
		name, _ := fields["name"].(string)
		if name == "" {
			return nil
		}
		if count[name]++; count[name] > 1 {
			name = fmt.Sprintf("%s#%d", name, count[name])
		}
		names[i] = name
	}
	return names
}

// byEntryName returns the entries of a list by their names, nil when one has none.
func byEntryName(list []any) map[string]any {
	names := entryNames(list)
	if names == nil {
		return nil
	}
	out := make(map[string]any, len(list))
	for i, name := range names {
		out[name] = list[i]
	}
	return out
}

// overlay returns a with b laid over it, and may change a: maps by key, lists by
// the names of their entries, else by number when they have the same length.
func overlay(a, b any) any {
	switch b := b.(type) {
	case map[string]any:
		if under, ok := a.(map[string]any); ok {
			for key, v := range b {
				under[key] = overlay(under[key], v)
			}
			return under
		}
	case []any:
		if under, ok := a.([]any); ok {
			return overlayList(under, b)
		}
	}
	return b
}

func overlayList(under, list []any) []any {
	names, above := entryNames(under), byEntryName(list)
	switch {
	case names != nil && above != nil:
		for i, name := range names {
			if entry, ok := above[name]; ok {
				under[i] = overlay(under[i], entry)
				delete(above, name)
			}
		}
		for i, name := range entryNames(list) {
			if _, ok := above[name]; ok {
				under = append(under, list[i])
			}
		}
		return under
	case len(under) == len(list):
		for i := range list {
			under[i] = overlay(under[i], list[i])
		}
		return under
	}
	return list
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// maxShown is how many bytes of a value are shown.
const maxShown = 120

func showValue(v any) string {
	if v == nil {
		return absent
	}
	if s, ok := v.(string); ok && strings.IndexFunc(s, unicode.IsControl) < 0 {
		return clip(s, maxShown)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return clip(strings.TrimSpace(b.String()), maxShown)
}

// addition is a field that only kubectl has set.
type addition struct{ path, manager string }

// addedByHand lists the fields of the live object that were set with kubectl, by
// nobody else, and that the chart does not set: in the dry run all that the chart
// sets belongs to driftManager. Metadata are for everybody, and a restart by
// `kubectl rollout` changes nothing.
func addedByHand(live, wanted *unstructured.Unstructured) []addition {
	hand, others := make(map[string]*fieldpath.Set), &fieldpath.Set{}
	for _, m := range wanted.GetManagedFields() {
		if m.Manager == driftManager && m.FieldsV1 != nil {
			others = others.Union(readFields(m.FieldsV1))
		}
	}
	for _, m := range live.GetManagedFields() {
		switch {
		case m.FieldsV1 == nil || m.Manager == "kubectl-rollout":
		case strings.HasPrefix(m.Manager, "kubectl") && m.Subresource == "":
			hand[m.Manager] = readFields(m.FieldsV1)
		default:
			others = others.Union(readFields(m.FieldsV1))
		}
	}
	var out []addition
	for _, manager := range slices.Sorted(maps.Keys(hand)) {
		for _, path := range outermost(hand[manager].Difference(others)) {
			out = append(out, addition{path, manager})
		}
	}
	return out
}

// readFields reads the fields of a manager; what cannot be read is empty.
func readFields(fields *metav1.FieldsV1) *fieldpath.Set {
	set := &fieldpath.Set{}
	if err := set.FromJSON(fields.GetRawReader()); err != nil {
		return &fieldpath.Set{}
	}
	return set
}

// outermost lists the paths of a set that are in no other path of it, without
// those of metadata and status.
func outermost(set *fieldpath.Set) []string {
	var paths []string
	set.Iterate(func(p fieldpath.Path) {
		paths = append(paths, strings.TrimPrefix(p.String(), "."))
	})
	slices.Sort(paths)
	var out []string
	for _, p := range paths {
		if strings.HasPrefix(p, "metadata") || strings.HasPrefix(p, "status") {
			continue
		}
		if n := len(out); n > 0 && (strings.HasPrefix(p, out[n-1]+".") || strings.HasPrefix(p, out[n-1]+"[")) {
			continue
		}
		out = append(out, p)
	}
	return out
}
