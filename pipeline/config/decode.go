package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxValues bounds the values of a file with its aliases expanded.
const maxValues = 100_000

// where is the place of a value: its keys and indexes, each behind a NUL.
type where string

func (p where) key(name string) where { return p + "\x00" + where(name) }

func (p where) index(i int) where { return p.key(fmt.Sprint(i)) }

// last returns the last key or index.
func (p where) last() string { return string(p[strings.LastIndexByte(string(p), 0)+1:]) }

// decoder fills Go values from YAML nodes. It goes on after a problem, and
// remembers where each value stands for the checks that come later.
type decoder struct {
	file     string
	problems Problems
	rules    map[string]rule
	values   map[where]*yaml.Node
	keys     map[where]*yaml.Node
	patterns map[string]*regexp.Regexp
	left     int // values that may still be decoded
	open     map[*yaml.Node]bool
}

func newDecoder(file string) *decoder {
	return &decoder{
		file: file, rules: rules(), left: maxValues,
		values: map[where]*yaml.Node{}, keys: map[where]*yaml.Node{}, open: map[*yaml.Node]bool{},
		patterns: map[string]*regexp.Regexp{},
	}
}

// matches reports whether text matches a pattern, which is compiled once.
func (d *decoder) matches(pattern, text string) bool {
	if d.patterns[pattern] == nil {
		d.patterns[pattern] = regexp.MustCompile(pattern)
	}
	return d.patterns[pattern].MatchString(text)
}

func (d *decoder) problem(n *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, max(1, n.Line), max(1, n.Column), fmt.Sprintf(format, args...)})
}

// has reports whether the file has a value at p.
func (d *decoder) has(p where) bool { return d.values[p] != nil }

// node returns the value at p, or the nearest one around it.
func (d *decoder) node(p where) *yaml.Node {
	for p != "" && d.values[p] == nil {
		p = p[:strings.LastIndexByte(string(p), 0)]
	}
	if n := d.values[p]; n != nil {
		return n
	}
	return &yaml.Node{Line: 1, Column: 1}
}

// enter resolves an alias and counts the value. Nil means that the value is not
// to be decoded: it is null, or the problem is noted. A call of leave follows
// every other result.
func (d *decoder) enter(n *yaml.Node) *yaml.Node {
	if d.left--; d.left <= 0 {
		if d.left == 0 {
			d.problem(n, "more than %d values with the aliases expanded; expected fewer", maxValues)
		}
		return nil
	}
	target := n
	if n.Kind == yaml.AliasNode {
		target = n.Alias
	}
	if d.open[target] {
		d.problem(n, "the alias *%s stands inside of its own anchor; expected no cycle", n.Value)
		return nil
	}
	if target.ShortTag() == "!!null" {
		return nil
	}
	d.open[target] = true
	return target
}

func (d *decoder) leave(target *yaml.Node) { delete(d.open, target) }

// decode fills v from n. The rule is that of the field that v belongs to.
func (d *decoder) decode(p where, n *yaml.Node, v reflect.Value, r rule) {
	target := d.enter(n)
	if target == nil {
		return
	}
	defer d.leave(target)
	d.values[p] = n
	switch t := v.Type(); {
	case t == reflect.TypeFor[time.Duration](), t == reflect.TypeFor[time.Time]():
		d.scalar(n, target, v, r)
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		delete(d.open, target)
		d.left++
		d.decode(p, n, v.Elem(), r)
	case t.Kind() == reflect.Struct:
		d.structure(p, target, v)
	case t == reflect.TypeFor[map[string]any]():
		if d.kind(n, target, yaml.MappingNode, "a mapping") {
			v.Set(reflect.ValueOf(d.plain(target)))
		}
	case t.Kind() == reflect.Map:
		d.mapping(p, n, target, v, r)
	case t.Kind() == reflect.Slice:
		d.list(p, n, target, v, r)
	default:
		d.scalar(n, target, v, r)
	}
}

// kind notes a problem when target is of another kind than the expected one.
func (d *decoder) kind(n, target *yaml.Node, kind yaml.Kind, expected string) bool {
	tag := target.ShortTag()
	if target.Kind == kind && (kind == yaml.MappingNode && tag == "!!map" || kind == yaml.SequenceNode && tag == "!!seq") {
		return true
	}
	d.problem(n, "%s; expected %s", describe(target), expected)
	return false
}

// structure fills the fields of v.
func (d *decoder) structure(p where, n *yaml.Node, v reflect.Value) {
	known := keysOf(v.Type())
	if v.Type() == reflect.TypeFor[Stage]() {
		known = settings(p.last(), false)
	}
	if !d.kind(n, n, yaml.MappingNode, "a mapping with "+list(known)) {
		return
	}
	for key, value := range d.entries(n) {
		field, ok := fieldOf(v.Type(), key.Value)
		if !ok {
			d.unknown(key, known)
			continue
		}
		at := p.key(key.Value)
		d.keys[at] = key
		d.decode(at, value, v.FieldByIndex(field.Index), d.rules[ruleName(v.Type(), field)])
	}
}

// mapping fills a map with text keys.
func (d *decoder) mapping(p where, n, target *yaml.Node, v reflect.Value, r rule) {
	if !d.kind(n, target, yaml.MappingNode, "a mapping") {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for key, value := range d.entries(target) {
		at := p.key(key.Value)
		d.keys[at] = key
		d.check(key, key.Value, rule{Pattern: r.KeyPattern, Expected: r.KeyExpected})
		item := reflect.New(v.Type().Elem()).Elem()
		d.decode(at, value, item, r)
		v.SetMapIndex(reflect.ValueOf(key.Value), item)
	}
}

// list fills a slice.
func (d *decoder) list(p where, n, target *yaml.Node, v reflect.Value, r rule) {
	expected := "a list"
	if v.Type().Elem().Kind() == reflect.String && target.Kind == yaml.ScalarNode && !strings.ContainsAny(target.Value, "\n,[]{}'\"") {
		expected = "a list: [" + strings.Join(strings.Fields(target.Value), ", ") + "]"
	}
	if !d.kind(n, target, yaml.SequenceNode, expected) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(target.Content), len(target.Content)))
	for i, value := range target.Content {
		if resolved(value).ShortTag() == "!!null" {
			d.problem(value, "an empty element; expected a value")
		}
		d.decode(p.index(i), value, v.Index(i), r)
	}
}

// entries yields the keys and values of a mapping, without those whose key is
// impossible or double.
func (d *decoder) entries(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			line, double := seen[key.Value]
			switch tag := key.ShortTag(); {
			case tag == "!!merge":
				d.problem(key, "a merge key; expected the keys themselves")
				continue
			case key.Kind != yaml.ScalarNode, !slices.Contains(scalarTags(), tag), strings.ContainsRune(key.Value, 0):
				d.problem(key, "%s as a key; expected text", describe(resolved(key)))
				continue
			case double:
				d.problem(key, "the key %q is there a second time (first in line %d); expected each key once", key.Value, line)
				continue
			}
			seen[key.Value] = key.Line
			if !yield(key, n.Content[i+1]) {
				return
			}
		}
	}
}

// unknown notes an unknown key, with the known one that it may have meant.
func (d *decoder) unknown(key *yaml.Node, known []string) {
	hint := ""
	if near := nearest(key.Value, known); near != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", near)
	}
	d.problem(key, "unknown key %q%s; expected %s", key.Value, hint, list(known))
}

// keysOf returns the keys of a struct type in the order of its fields.
func keysOf(t reflect.Type) []string {
	var keys []string
	for _, f := range reflect.VisibleFields(t) {
		if key := f.Tag.Get("yaml"); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

// fieldOf returns the field of a struct type with this key.
func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for _, f := range reflect.VisibleFields(t) {
		if tag := f.Tag.Get("yaml"); tag == key && tag != "-" {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// ruleName is the name of a field's rule: "Service.name".
func ruleName(t reflect.Type, f reflect.StructField) string {
	return t.Name() + "." + f.Tag.Get("yaml")
}
