package config

import (
	"encoding/json"
	"reflect"
	"time"
)

// object is a JSON object of the schema; encoding/json sorts its keys.
type object = map[string]any

// Schema returns the JSON Schema (draft 2020-12) of a pipeline.yaml of kind
// Service, for editors. It is generated from the types and their rules; what
// depends on several keys or on the file system is checked by Load alone.
func Schema() []byte {
	return schemaOf(reflect.TypeFor[Service](), FileName, "How the pipeline builds, tests and releases a service. Every key has a default.")
}

// SystemSchema is what Schema is, of an scs.yaml.
func SystemSchema() []byte {
	return schemaOf(reflect.TypeFor[System](), SystemName, "Which services make a self-contained system, and how it is tested and promoted.")
}

func schemaOf(t reflect.Type, title, description string) []byte {
	g := &generator{rules: rules(), defs: object{}}
	schema := g.structure(t, "")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = title
	schema["description"] = description
	schema["$defs"] = g.defs
	data, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // maps of text, numbers and lists can always be written
	}
	return append(data, '\n')
}

// generator collects the definitions of the struct types.
type generator struct {
	rules map[string]rule
	defs  object
}

// structure returns the schema of a struct. The stage leaves out the settings
// that belong to another built-in stage.
func (g *generator) structure(t reflect.Type, stage string) object {
	properties := object{}
	for _, f := range reflect.VisibleFields(t) {
		key := f.Tag.Get("yaml")
		if owner := f.Tag.Get("stage"); key == "-" || owner != "" && owner != stage {
			continue
		}
		r := g.rules[ruleName(t, f)]
		property := g.value(f.Type, r)
		property["description"] = r.Doc
		if r.Default != nil {
			property["default"] = r.Default
		}
		properties[key] = nullable(property)
	}
	schema := object{"type": "object", "additionalProperties": false, "properties": properties}
	switch t {
	case reflect.TypeFor[With]():
		schema["oneOf"] = []object{{"required": []string{"chart"}}, {"required": []string{"manifests"}}, {"required": []string{"service"}}}
	case reflect.TypeFor[Waive]():
		schema["required"] = []string{"reason", "until"}
	case reflect.TypeFor[System]():
		schema["required"] = []string{"services"}
	case reflect.TypeFor[SystemService]():
		schema["required"] = []string{"name", "source"}
	case reflect.TypeFor[Environment]():
		schema["required"] = []string{"name"}
	}
	return schema
}

// nullable lets a key stand without a value, which is the same as leaving it
// out.
func nullable(property object) object {
	if one, ok := property["type"].(string); ok {
		property["type"] = []string{one, "null"}
		if enum, ok := property["enum"].([]any); ok {
			property["enum"] = append(enum, nil)
		}
		return property
	}
	ref := property["$ref"]
	delete(property, "$ref")
	property["anyOf"] = []object{{"$ref": ref}, {"type": "null"}}
	return property
}

// value returns the schema of a Go type.
func (g *generator) value(t reflect.Type, r rule) object {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return object{"type": "string", "pattern": durationPattern}
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "pattern": datePattern}
	case t == reflect.TypeFor[map[string]any]():
		return object{"type": "object"}
	case t == reflect.TypeFor[map[string]Stage]():
		return g.stages(r)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.value(t.Elem(), r)
	case reflect.Struct:
		return g.reference(t)
	case reflect.Slice:
		return object{"type": "array", "items": g.value(t.Elem(), r)}
	case reflect.Map:
		schema := object{"type": "object", "additionalProperties": g.value(t.Elem(), r)}
		if r.KeyPattern != "" {
			schema["propertyNames"] = object{"pattern": r.KeyPattern}
		}
		return schema
	default:
		return scalarSchema(t.Kind(), r)
	}
}

func scalarSchema(kind reflect.Kind, r rule) object {
	names := map[reflect.Kind]string{
		reflect.String: "string", reflect.Int: "integer", reflect.Float64: "number", reflect.Bool: "boolean",
	}
	schema := object{"type": names[kind]}
	if r.Pattern != "" {
		schema["pattern"] = r.Pattern
	}
	if len(r.Enum) > 0 {
		var enum []any
		for _, word := range r.Enum {
			enum = append(enum, word)
		}
		schema["enum"] = enum
	}
	if r.Max != 0 {
		schema["minimum"], schema["maximum"] = r.Min, r.Max
	}
	return schema
}

// reference returns a reference to the definition of a struct.
func (g *generator) reference(t reflect.Type) object {
	if _, ok := g.defs[t.Name()]; !ok {
		g.defs[t.Name()] = g.structure(t, "")
	}
	return object{"$ref": "#/$defs/" + t.Name()}
}

// stages returns the schema of the mapping of stages: each built-in one with
// its own settings, any other with a command.
func (g *generator) stages(r rule) object {
	t := reflect.TypeFor[Stage]()
	properties := object{}
	for _, name := range Builtin() {
		def := "Stage." + name
		g.defs[def] = g.structure(t, name)
		properties[name] = object{"anyOf": []object{{"$ref": "#/$defs/" + def}, {"type": "null"}}}
	}
	other := g.structure(t, "")
	other["required"] = []string{"command"}
	g.defs["Stage"] = other
	return object{
		"type": "object", "properties": properties, "additionalProperties": object{"$ref": "#/$defs/Stage"},
		"propertyNames": object{"pattern": r.KeyPattern},
	}
}
