package interfaces

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// document is an OpenAPI document.
type document struct {
	title  string
	member string // that provides it
	// operations are "GET /carts/{}", sorted: the names of parameters in a path
	// are nobody's business but the document's.
	operations []string
}

func readDocument(data []byte) (*document, error) {
	var d struct {
		Info  struct{ Title string }
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("it is no OpenAPI document: %w", err)
	}
	if d.Info.Title == "" {
		return nil, errors.New("it is an OpenAPI document without info.title, by which it is found")
	}
	parameter := regexp.MustCompile(`\{[^}]*\}`)
	doc := &document{title: d.Info.Title}
	for path, item := range d.Paths {
		for method := range item {
			switch method {
			case "get", "put", "post", "delete", "options", "head", "patch", "trace", "query":
				doc.operations = append(doc.operations, strings.ToUpper(method)+" "+parameter.ReplaceAllString(path, "{}"))
			}
		}
	}
	slices.Sort(doc.operations)
	return doc, nil
}

// compareDocuments looks for each operation of the copy. What is sent and
// answered is not compared: inside of a system gRPC is.
func (l link) compareDocuments() []Problem {
	var problems []Problem
	for _, operation := range l.wants.operations {
		if !slices.Contains(l.has.operations, operation) {
			problems = append(problems, Problem{
				Client: l.client, Server: l.server, Rule: RuleMethod, Where: l.name + ": " + operation,
				Text:   l.server + " does not offer this operation",
				Remedy: fmt.Sprintf("renew the copy of the interface in %s, or take a version of %s that has it", l.client, l.server),
			})
		}
	}
	return problems
}
