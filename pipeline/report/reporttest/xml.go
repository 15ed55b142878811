package reporttest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// element is what a document type says of an element: names of attributes, those
// that may be absent with a question mark, and of the elements in it.
type element struct{ attributes, children string }

// junitType is the part of JUnit that GitLab reads, in the form of the schema of
// Jenkins' xunit plugin.
func junitType() map[string]element {
	return map[string]element{
		"": {"", "testsuites"}, "testsuites": {"", "testsuite"},
		"testsuite": {"name tests failures errors skipped time timestamp?", "testcase"},
		"testcase":  {"classname name time file?", "failure error skipped"},
		"failure":   {"message", ""}, "error": {"message", ""}, "skipped": {"message", ""},
	}
}

// coberturaType is cobertura.sourceforge.net/xml/coverage-04.dtd.
func coberturaType() map[string]element {
	const rates = "line-rate branch-rate complexity "
	return map[string]element{
		"":        {"", "coverage"},
		"sources": {"", "source"}, "source": {}, "packages": {"", "package"}, "classes": {"", "class"}, "methods": {"", "method"}, "lines": {"", "line"},
		"coverage": {rates + "lines-covered lines-valid branches-covered branches-valid version timestamp", "sources packages"},
		"package":  {rates + "name", "classes"},
		"class":    {rates + "name filename", "methods lines"},
		"line":     {"number hits branch? condition-coverage?", ""},
	}
}

// walk reads a document of a type and calls see for each element.
func walk(data []byte, types map[string]element, see func(name string, attributes map[string]string) error) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	open := []string{""}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			parent, name := open[len(open)-1], token.Name.Local
			if !slices.Contains(strings.Fields(types[parent].children), name) {
				return fmt.Errorf("element %q in %q", name, parent)
			}
			attributes, err := attributesOf(token, types[name].attributes)
			if err != nil {
				return err
			}
			if err := see(name, attributes); err != nil {
				return err
			}
			open = append(open, name)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

func attributesOf(e xml.StartElement, known string) (map[string]string, error) {
	found := map[string]string{}
	for _, a := range e.Attr {
		found[a.Name.Local] = a.Value
	}
	left := len(found)
	for _, name := range strings.Fields(known) {
		name, optional := strings.CutSuffix(name, "?")
		if _, ok := found[name]; ok {
			left--
		} else if !optional {
			return nil, fmt.Errorf("%s lacks %s", e.Name.Local, name)
		}
	}
	if left > 0 {
		return nil, fmt.Errorf("%s has one attribute too many: %v", e.Name.Local, e.Attr)
	}
	return found, nil
}

func junit(data []byte) error {
	if len(data) >= MaxJUnit {
		return fmt.Errorf("%d bytes", len(data))
	}
	seen := map[string]bool{}
	suite := ""
	err := walk(data, junitType(), func(name string, a map[string]string) error {
		switch name {
		case "testsuite":
			suite = a["name"]
		case "testcase":
			key := a["classname"] + "_" + a["name"]
			if seen[key] || a["name"] == "" || !strings.HasPrefix(a["classname"], suite) {
				return fmt.Errorf("test %q of class %q in suite %q: there twice, or without a name or its stage", a["name"], a["classname"], suite)
			}
			seen[key] = true
			return inRepository(a["file"])
		}
		return nil
	})
	if err == nil && len(seen) == 0 {
		return errors.New("no test")
	}
	return err
}

func cobertura(data []byte) error {
	if len(data) > MaxCobertura {
		return fmt.Errorf("%d bytes", len(data))
	}
	sources := 0
	return walk(data, coberturaType(), func(name string, a map[string]string) error {
		if name == "source" {
			sources++
		}
		if sources > 100 {
			return errors.New("more than 100 sources")
		}
		return inRepository(a["filename"])
	})
}

// inRepository refuses a path that GitLab would not find in the repository; ""
// is none.
func inRepository(path string) error {
	if path != "" && (!filepath.IsLocal(path) || path != filepath.ToSlash(filepath.Clean(path))) {
		return fmt.Errorf("path %q is not relative to the repository", path)
	}
	return nil
}
