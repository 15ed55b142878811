package chart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
	"go.yaml.in/yaml/v3"
)

// Stamp returns a Chart.yaml with version and appVersion set to version, a
// semantic version, and nothing else changed: comments, order, quotes and line
// ends stay. A missing appVersion is added below version. The name is for
// errors, which are *Error.
func Stamp(name string, data []byte, version string) ([]byte, error) {
	if _, err := semver.StrictNewVersion(version); err != nil {
		return nil, fmt.Errorf("chart version %q is not a semantic version as Helm asks for: %w", version, err)
	}
	root, err := mapping(name, data)
	if err != nil {
		return nil, err
	}
	old := lookUp(root, "version")
	if old == nil {
		return nil, problem(name, 1, "has no version")
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	done := replace(lines, old, version)
	if app := lookUp(root, "appVersion"); app != nil {
		done = done && replace(lines, app, version)
	} else if done {
		lines = slices.Insert(lines, old.Line, appVersionLine(lines[old.Line-1], version)...)
	}
	stamped := bytes.Join(lines, nil)
	if !done || !same(data, stamped, version) {
		return nil, problem(name, old.Line, "version and appVersion must each stand on a line of their own, like `version: 1.2.3`")
	}
	return stamped, nil
}

// mapping parses a file whose content is a YAML mapping.
func mapping(name string, data []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, yamlProblem(name, err)
	}
	var values map[string]any // finds duplicate keys
	if err := doc.Decode(&values); err != nil {
		return nil, yamlProblem(name, err)
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, problem(name, 1, "is not a mapping")
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// yamlProblem takes the line out of an error of the YAML package.
func yamlProblem(name string, err error) *Error {
	what := strings.TrimPrefix(err.Error(), "yaml: ")
	what = strings.TrimSpace(strings.TrimPrefix(what, "unmarshal errors:\n"))
	line := 1
	if m := yamlLine.FindStringSubmatchIndex(what); m != nil {
		_, _ = fmt.Sscan(what[m[2]:m[3]], &line)
		what = what[:m[0]] + what[m[1]:]
	}
	return problem(name, line, "is not valid YAML: "+what)
}

func lookUp(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// replace puts value in the place of a scalar that ends on the line on which
// it begins, in the quotes that it has. It reports whether it found one.
func replace(lines [][]byte, scalar *yaml.Node, value string) bool {
	if scalar.Line < 1 || scalar.Line > len(lines) {
		return false
	}
	line := lines[scalar.Line-1]
	at := offset(line, scalar.Column-1)
	rest := line[at:]
	end := len(plainScalar.Find(rest))
	if scalar.Style&yaml.DoubleQuotedStyle != 0 {
		value, end = `"`+value+`"`, len(doubleQuoted.Find(rest))
	} else if scalar.Style&yaml.SingleQuotedStyle != 0 {
		value, end = `'`+value+`'`, len(singleQuoted.Find(rest))
	}
	if end == 0 {
		return false
	}
	lines[scalar.Line-1] = slices.Concat(line[:at], []byte(value), rest[end:])
	return true
}

var (
	plainScalar  = regexp.MustCompile(`^[^\s#](?:[^\s]|[ \t]+[^\s#])*`)
	doubleQuoted = regexp.MustCompile(`^"(?:[^"\\]|\\.)*"`)
	singleQuoted = regexp.MustCompile(`^'(?:[^']|'')*'`)
)

// offset returns the byte at which the character with this number begins.
func offset(line []byte, characters int) int {
	at := 0
	for ; characters > 0 && at < len(line); characters-- {
		_, size := utf8.DecodeRune(line[at:])
		at += size
	}
	return at
}

// appVersionLine returns the line to insert below the one of version.
func appVersionLine(above []byte, version string) [][]byte {
	text := `appVersion: "` + version + `"`
	switch {
	case bytes.HasSuffix(above, []byte("\r\n")):
		return [][]byte{[]byte(text + "\r\n")}
	case bytes.HasSuffix(above, []byte("\n")):
		return [][]byte{[]byte(text + "\n")}
	}
	return [][]byte{[]byte("\n" + text)}
}

// same reports whether after is before with the version in its two places.
func same(before, after []byte, version string) bool {
	var a, b map[string]any
	if yaml.Unmarshal(before, &a) != nil || yaml.Unmarshal(after, &b) != nil {
		return false
	}
	a["version"], a["appVersion"] = version, version
	return reflect.DeepEqual(a, b)
}

// metadata returns the chart's name and Chart.yaml as JSON.
func metadata(name string, data []byte) (chart string, config []byte, err error) {
	var values map[string]any
	if err := yaml.Unmarshal(data, &values); err != nil {
		return "", nil, yamlProblem(name, err)
	}
	config, err = json.Marshal(values)
	if err != nil {
		return "", nil, problem(name, 1, "has something that JSON cannot hold: "+err.Error())
	}
	chart, _ = values["name"].(string)
	return chart, config, nil
}
