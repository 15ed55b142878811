package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// The names of the files.
const (
	FileName   = "pipeline.yaml"
	SystemName = "scs.yaml"
)

// Load reads the service in dir: its pipeline.yaml when there is one, with
// defaults from go.mod and the folder. What is wrong with the content is
// Problems; a folder that is no service is *NoService.
func Load(dir string) (*Service, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, FileName)
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return nil, Problems{{display(file), 1, 1, "it is no regular file; expected YAML"}}
	}
	data, err := os.ReadFile(file)
	switch {
	case err == nil:
		return Parse(file, data, dir)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if other := filepath.Join(dir, "pipeline.yml"); exists(other) {
		return nil, Problems{{display(other), 1, 1, "the file is not read by this name; expected " + FileName}}
	}
	if !exists(filepath.Join(dir, "go.mod")) {
		return nil, &NoService{Dir: dir}
	}
	return complete(newDecoder(""), &Service{Dir: dir})
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// Parse reads a pipeline.yaml of the service in dir from data. Every error is
// Problems; positions are in file, or in the go.mod of dir.
func Parse(file string, data []byte, dir string) (*Service, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	name := display(file)
	root, problem := parseYAML(name, data)
	if problem != nil {
		return nil, Problems{*problem}
	}
	d := newDecoder(name)
	s := &Service{Dir: dir, File: file}
	if root != nil {
		if kind := valueOf(root, "kind"); kind != nil && kind.Value == "System" {
			d.problem(kind, "kind System in the file of a service; expected kind: Service here, and a system in %s", SystemName)
			return nil, d.problems
		}
		d.decode("", root, reflect.ValueOf(s).Elem(), rule{})
	}
	return complete(d, s)
}

// valueOf returns the value of a key of a mapping, nil when it is not there.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// Discover returns the services of a folder: its own when it has a
// pipeline.yaml or go.mod, otherwise those of its direct children in the order
// of their names. None is *NoService; all problems of all files are returned
// together.
func Discover(dir string) ([]*Service, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if isService(dir) {
		s, err := Load(dir)
		if err != nil {
			return nil, err
		}
		return []*Service{s}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for services: %w", err)
	}
	var services []*Service
	var problems Problems
	for _, entry := range entries {
		child := filepath.Join(dir, entry.Name())
		if entry.Name()[0] == '.' || entry.Name() == "vendor" || entry.Name() == "testdata" || !isFolder(child) || !isService(child) {
			continue
		}
		s, err := Load(child)
		var found Problems
		switch {
		case errors.As(err, &found):
			problems = append(problems, found...)
		case err != nil:
			return nil, err
		default:
			services = append(services, s)
		}
	}
	problems = append(problems, twins(services)...)
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	if len(services) == 0 {
		return nil, &NoService{Dir: dir, Below: true}
	}
	return services, nil
}

// isService reports whether a folder has a file that makes it one.
func isService(dir string) bool {
	return exists(filepath.Join(dir, FileName)) || exists(filepath.Join(dir, "pipeline.yml")) || exists(filepath.Join(dir, "go.mod"))
}

// twins returns a problem for each service whose name another has already.
func twins(services []*Service) Problems {
	var problems Problems
	first := map[string]*Service{}
	for _, s := range services {
		if other := first[s.Name]; other != nil {
			problems = append(problems, Problem{display(s.source()), 1, 1, fmt.Sprintf(
				"the service has the name %q, like the one in %s; expected the key name in %s with another", s.Name, display(other.Dir), FileName)})
			continue
		}
		first[s.Name] = s
	}
	return problems
}

// source returns the file that the service comes from.
func (s *Service) source() string {
	if s.File != "" {
		return s.File
	}
	return filepath.Join(s.Dir, "go.mod")
}
