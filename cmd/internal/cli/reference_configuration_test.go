package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

const configurationIntroduction = `# Configuration

Generated from the JSON schemas that ` + "`pipeline schema` and `pipeline schema system`" + ` print; how an editor uses them:
[configuration in an editor](../how-to/editor.md).

Both files are read strictly: an unknown key, a wrong type or an impossible value is an error with file, line and column, and all errors are
reported at once, with exit code 2. Every key may be left out unless it is marked *required*; an empty value is the same as no value, but an
empty text turns the default of a path off: ` + "`chart: \"\"`" + ` is a service without a chart even if ` + "`deploy/chart`" + ` is there.
A *duration* is written as in Go: ` + "`90s`, `2m`, `1h30m`" + `. Paths are relative to the file.
`

// schema is the part of a JSON schema that a reader wants to know.
type schema struct {
	Ref         string             `json:"$ref"`
	AnyOf       []schema           `json:"anyOf"`
	OneOf       []schema           `json:"oneOf"`
	Type        any                `json:"type"`
	Description string             `json:"description"`
	Default     any                `json:"default"`
	Enum        []any              `json:"enum"`
	Pattern     string             `json:"pattern"`
	Minimum     *float64           `json:"minimum"`
	Maximum     *float64           `json:"maximum"`
	Items       *schema            `json:"items"`
	Required    []string           `json:"required"`
	Properties  map[string]*schema `json:"properties"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	Defs        map[string]*schema `json:"$defs"`
}

// configurationReference describes all keys of both files, as Markdown.
func configurationReference(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(configurationIntroduction)
	for _, file := range []struct {
		name string
		data []byte
	}{{config.FileName, config.Schema()}, {config.SystemName, config.SystemSchema()}} {
		var root schema
		if err := json.Unmarshal(file.data, &root); err != nil {
			t.Fatal(err)
		}
		r := &referenceWriter{b: &b, defs: root.Defs, file: file.name}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", file.name, root.Description)
		r.object("", &root)
	}
	return b.Bytes()
}

// referenceWriter writes one section for each object of a file.
type referenceWriter struct {
	b    *bytes.Buffer
	defs map[string]*schema
	file string
}

// object writes the table of an object's keys, then its objects.
func (r *referenceWriter) object(path string, s *schema) {
	if len(s.Properties) == 0 {
		return
	}
	keys := slices.Sorted(maps.Keys(s.Properties))
	r.b.WriteString("\n| key | type | default | meaning |\n|---|---|---|---|\n")
	for _, key := range keys {
		p := s.Properties[key]
		name := "`" + key + "`"
		if slices.Contains(s.Required, key) {
			name += " *required*"
		}
		meaning, standard := r.meaning(p)
		fmt.Fprintf(r.b, "| %s | %s | %s | %s |\n", name, r.linked(path+"."+key, p), standard, meaning)
	}
	if len(s.OneOf) > 0 {
		r.b.WriteString("\n" + oneOf(s.OneOf) + "\n")
	}
	for _, key := range keys {
		r.child(strings.TrimPrefix(path+"."+key, "."), s.Properties[key])
	}
}

// child writes the section of a key whose values are objects.
func (r *referenceWriter) child(path string, p *schema) {
	if strings.HasSuffix(path, "stages") {
		r.stages(path, p)
		return
	}
	target, suffix := r.target(p), ""
	if p.Items != nil {
		target, suffix = r.target(p.Items), "[]"
	}
	if target == nil || len(target.Properties) == 0 {
		return
	}
	fmt.Fprintf(r.b, "\n### %s\n\n%s\n", path+suffix, p.Description)
	r.object(path+suffix, target)
}

// stages writes what all stages have in common, and what each has of its own.
func (r *referenceWriter) stages(path string, p *schema) {
	common := r.defs["Stage"]
	fmt.Fprintf(r.b, "\n### %s.NAME\n\n%s Keys that every stage has; a stage of your own needs `command`.\n", path, p.Description)
	r.object(path+".NAME", &schema{Properties: common.Properties})
	for _, name := range config.Builtin() {
		own := map[string]*schema{}
		for key, s := range r.defs["Stage."+name].Properties {
			if common.Properties[key] == nil {
				own[key] = s
			}
		}
		if len(own) == 0 {
			continue
		}
		fmt.Fprintf(r.b, "\n### %s.%s\n\nKeys of the stage %s beside those of every stage.\n", path, name, name)
		r.object(path+"."+name, &schema{Properties: own})
	}
}

// target follows a reference, also one that may be null.
func (r *referenceWriter) target(p *schema) *schema {
	if p.Ref != "" {
		return r.defs[strings.TrimPrefix(p.Ref, "#/$defs/")]
	}
	for i := range p.AnyOf {
		if t := r.target(&p.AnyOf[i]); t != nil {
			return t
		}
	}
	return nil
}

// meaning splits a description into what a key means and its default.
func (r *referenceWriter) meaning(p *schema) (meaning, standard string) {
	meaning, standard, found := strings.Cut(p.Description, " Default: ")
	if found {
		standard = strings.TrimSuffix(standard, ".")
	}
	if p.Default != nil {
		standard = fmt.Sprintf("`%v`", p.Default)
	}
	return cell(meaning), strings.ReplaceAll(standard, "|", `\|`)
}

// typeOf says in words what a value looks like.
func (r *referenceWriter) typeOf(p *schema) string {
	if r.target(p) != nil {
		return "object"
	}
	switch kindOf(p.Type) {
	case "array":
		if r.target(p.Items) != nil {
			return "list of objects"
		}
		return "list of " + strings.Replace(r.typeOf(p.Items), "number", "numbers", 1)
	case "object":
		if additional := p.additional(); additional != nil && r.target(additional) == nil {
			return "mapping to " + r.typeOf(additional)
		}
		return "mapping"
	case "boolean":
		return "`true`, `false`"
	case "integer":
		return "whole number" + p.limits()
	case "number":
		return "number" + p.limits()
	}
	return p.textType()
}

// linked is the type, with a link to the section of an object.
func (r *referenceWriter) linked(path string, p *schema) string {
	kind := r.typeOf(p)
	if strings.HasSuffix(kind, "object") || strings.HasSuffix(kind, "objects") || strings.HasSuffix(path, ".stages") {
		return "[" + kind + "](#" + anchor(strings.TrimPrefix(strings.Replace(path, ".stages", ".stages.NAME", 1), ".")) + ")"
	}
	return kind
}

// textType names the kinds of text that have a form of their own.
func (p *schema) textType() string {
	if len(p.Enum) > 0 {
		var words []string
		for _, w := range p.Enum {
			if w != nil {
				words = append(words, fmt.Sprintf("`%v`", w))
			}
		}
		return strings.Join(words, ", ")
	}
	form := regexp.MustCompile(p.Pattern)
	switch {
	case form.MatchString("text"):
		return "text"
	case form.MatchString("1h30m") && form.MatchString("10x"):
		return "duration or count"
	case form.MatchString("1h30m"):
		return "duration"
	case form.MatchString("2026-12-31"):
		return "date"
	}
	return "text"
}

func (p *schema) limits() string {
	if p.Minimum == nil || p.Maximum == nil {
		return ""
	}
	return fmt.Sprintf(", %v to %v", *p.Minimum, *p.Maximum)
}

// additional is what the values of a mapping look like, nil when anything may
// stand there or nothing.
func (p *schema) additional() *schema {
	var s schema
	if json.Unmarshal(p.Additional, &s) != nil {
		return nil
	}
	return &s
}

// kindOf is the type beside null.
func kindOf(t any) string {
	switch t := t.(type) {
	case string:
		return t
	case []any:
		for _, k := range t {
			if k != "null" {
				return fmt.Sprint(k)
			}
		}
	}
	return ""
}

// oneOf says which keys exclude each other.
func oneOf(alternatives []schema) string {
	var keys []string
	for _, a := range alternatives {
		keys = append(keys, "`"+strings.Join(a.Required, "`, `")+"`")
	}
	return "Exactly one of " + strings.Join(keys, ", ") + " is there."
}
