package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// scalarTags are the tags that a key may have: its text counts.
func scalarTags() []string { return []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"} }

// resolved returns what an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// describe says what a value is, in a few words.
func describe(n *yaml.Node) string {
	value := n.Value
	if runes := []rune(value); len(runes) > 60 {
		value = string(runes[:60]) + "..."
	}
	switch tag := n.ShortTag(); {
	case n.Kind == yaml.MappingNode && tag == "!!map":
		return "a mapping"
	case n.Kind == yaml.SequenceNode && tag == "!!seq":
		return "a list"
	case tag == "!!str":
		return fmt.Sprintf("the text %q", value)
	case tag == "!!int", tag == "!!float":
		return fmt.Sprintf("the number %q", value)
	case tag == "!!bool":
		return fmt.Sprintf("the truth value %q", value)
	case tag == "!!timestamp":
		return fmt.Sprintf("the date %q", value)
	case tag == "!!null":
		return "nothing"
	default:
		return fmt.Sprintf("a value with the tag %q", tag)
	}
}

// scalar fills a text, a number, a truth value, a duration or a date.
func (d *decoder) scalar(n, target *yaml.Node, v reflect.Value, r rule) {
	value, expected := scalarOf(target, v.Type())
	if value == nil {
		if r.Expected != "" {
			expected = r.Expected
		}
		if v.Kind() == reflect.String && target.Kind == yaml.ScalarNode && slices.Contains(scalarTags(), target.ShortTag()) {
			expected = fmt.Sprintf("text: put it in quotes, %q", target.Value)
		}
		d.problem(n, "%s; expected %s", describe(target), expected)
		return
	}
	v.Set(reflect.ValueOf(value))
	d.check(n, value, r)
}

// scalarOf returns the value of a scalar as type t, or nil and what is
// expected.
func scalarOf(n *yaml.Node, t reflect.Type) (value any, expected string) {
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode {
		tag = ""
	}
	switch t {
	case reflect.TypeFor[string]():
		if tag == "!!str" {
			return n.Value, ""
		}
		return nil, "text"
	case reflect.TypeFor[time.Duration]():
		if v, err := time.ParseDuration(n.Value); err == nil && tag == "!!str" && v > 0 {
			return v, ""
		}
		return nil, `a positive duration with a unit such as 90s, 5m or 1h30m`
	case reflect.TypeFor[time.Time]():
		if v, ok := dateOf(n.Value); ok && (tag == "!!str" || tag == "!!timestamp") {
			return v, ""
		}
		return nil, `a date such as 2026-12-31 or 2026-12-31T18:00:00Z`
	case reflect.TypeFor[int]():
		var v int
		if tag == "!!int" && n.Decode(&v) == nil {
			return v, ""
		}
		return nil, "a whole number"
	case reflect.TypeFor[float64]():
		var v float64
		if (tag == "!!int" || tag == "!!float") && n.Decode(&v) == nil && !math.IsInf(v, 0) && !math.IsNaN(v) {
			return v, ""
		}
		return nil, "a number"
	default:
		var v bool
		if tag == "!!bool" && n.Decode(&v) == nil {
			return v, ""
		}
		return nil, "true or false"
	}
}

// dateOf reads a date, or a date with time as in RFC 3339.
func dateOf(s string) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// check notes a problem when a value breaks its rule.
func (d *decoder) check(n *yaml.Node, value any, r rule) {
	ok := true
	switch v := value.(type) {
	case string:
		switch {
		case len(r.Enum) > 0:
			ok = slices.Contains(r.Enum, v)
		case r.Pattern != "":
			ok = d.matches(r.Pattern, v)
		}
		ok = ok && !strings.ContainsRune(v, 0)
	case int:
		ok = r.allows(float64(v))
	case float64:
		ok = r.allows(v)
	}
	if ok {
		return
	}
	hint := ""
	if s, isText := value.(string); isText {
		if near := nearest(s, r.Enum); near != "" {
			hint = fmt.Sprintf(" (did you mean %q?)", near)
		}
	}
	d.problem(n, "%q%s; expected %s", fmt.Sprint(value), hint, r.expected())
}

// plain returns a free value as encoding/json would: maps with text keys,
// lists, text, numbers, truth values and nil. Dates are text.
func (d *decoder) plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for key, value := range d.entries(n) {
			m[key.Value] = d.plainValue(value)
		}
		return m
	case yaml.SequenceNode:
		l := make([]any, len(n.Content))
		for i, value := range n.Content {
			l[i] = d.plainValue(value)
		}
		return l
	}
	var v any
	switch tag := n.ShortTag(); {
	case tag == "!!str", tag == "!!timestamp":
		return n.Value
	case slices.Contains(scalarTags(), tag) && n.Decode(&v) == nil:
		if f, ok := v.(float64); !ok || !math.IsInf(f, 0) && !math.IsNaN(f) {
			return v
		}
	}
	d.problem(n, "%s; expected a value that JSON has", describe(n))
	return nil
}

func (d *decoder) plainValue(n *yaml.Node) any {
	target := d.enter(n)
	if target == nil {
		return nil
	}
	defer d.leave(target)
	return d.plain(target)
}
