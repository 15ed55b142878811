package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// NoSystem says that a folder has no scs.yaml.
type NoSystem struct{ Dir string }

func (e *NoSystem) Error() string {
	return fmt.Sprintf("%s: no %s found; run in the folder of a self-contained system, or write one there", display(e.Dir), SystemName)
}

// LoadSystem reads the scs.yaml in dir. What is wrong with the content is
// Problems; a folder without the file is *NoSystem.
func LoadSystem(dir string) (*System, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, SystemName)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NoSystem{Dir: dir}
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return ParseSystem(file, data, dir)
}

// ParseSystem reads an scs.yaml of the system in dir from data. Every error is
// Problems.
func ParseSystem(file string, data []byte, dir string) (*System, error) {
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
	s := &System{Dir: dir, File: file}
	if root != nil {
		if kind := valueOf(root, "kind"); kind != nil && kind.Value == "Service" {
			d.problem(kind, "kind Service in the file of a system; expected kind: System here, and a service in %s", FileName)
			return nil, d.problems
		}
		d.decode("", root, reflect.ValueOf(s).Elem(), rule{})
	}
	systemDefaults(d, s)
	c := &systemChecker{places{d, dir, repository(dir)}, s}
	c.all()
	if problems := d.problems.sorted(); len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

func systemDefaults(d *decoder, s *System) {
	s.APIVersion = cmp.Or(s.APIVersion, APIVersion)
	s.Kind = cmp.Or(s.Kind, "System")
	if !d.has(at("name")) {
		s.Name = base(filepath.Base(s.Dir))
		d.check(d.node(at("name")), s.Name, d.rules["System.name"])
	}
	s.Branch = cmp.Or(s.Branch, "main")
	if !d.has(at("require")) {
		s.Require = []string{"unit", "container", "module", "integration"}
	}
	s.Suite = cmp.Or(s.Suite, "acceptance")
	if !d.has(at("values")) && exists(filepath.Join(s.Dir, "values.yaml")) {
		s.Values = "values.yaml"
	}
	s.Ready = cmp.Or(s.Ready, 2*time.Minute)
	s.Timeout = cmp.Or(s.Timeout, 10*time.Minute)
	s.Valid = cmp.Or(s.Valid, 90*24*time.Hour)
	s.Search.Parallel = cmp.Or(s.Search.Parallel, 2)
	s.Search.Votes = cmp.Or(s.Search.Votes, 3)
	s.Cluster.Provider = cmp.Or(s.Cluster.Provider, "kind")
	for i := range s.Environments {
		e := &s.Environments[i]
		e.Namespace = cmp.Or(e.Namespace, s.Name+"-"+e.Name)
		if len(e.Approvers) == 0 {
			e.Approvers = s.Trust
		}
	}
}

// systemChecker looks at what a single value cannot tell.
type systemChecker struct {
	places
	s *System
}

func (c *systemChecker) all() {
	c.services()
	c.environments()
	c.folder(at("suite"), c.s.Suite)
	c.path(at("values"), c.s.Values)
	c.distinct(at("trust"), c.s.Trust)
	c.distinct(at("require"), c.s.Require)
	for i, file := range c.s.Trust {
		c.path(at("trust").index(i), file)
	}
}

func (c *systemChecker) services() {
	if len(c.s.Services) == 0 {
		c.problem(c.node(at("services")), "no services; expected at least one with name and source")
	}
	var names []string
	for i, svc := range c.s.Services {
		p := at("services").index(i)
		names = append(names, svc.Name)
		c.needs(p, "name", svc.Name)
		c.needs(p, "source", svc.Source)
		if _, err := semver.NewConstraint(cmp.Or(svc.Range, "*")); err != nil {
			c.problem(c.node(p.key("range")), "%q: %s; expected versions such as \">=1.2.0 <2.0.0\" or \"^1.2\"", svc.Range, err)
		}
	}
	c.names("services", names)
}

// needs notes a key that has to be there.
func (c *systemChecker) needs(p where, key, value string) {
	if value == "" && !c.has(p.key(key)) {
		c.problem(c.node(p), "%s is missing; expected one", key)
	}
}

// names notes names that are there twice.
func (c *systemChecker) names(list string, names []string) {
	for i, name := range names {
		if name != "" && slices.Contains(names[:i], name) {
			c.problem(c.node(at(list).index(i).key("name")), "%q is there a second time; expected each once", name)
		}
	}
}

func (c *systemChecker) environments() {
	var names []string
	for i, e := range c.s.Environments {
		p := at("environments").index(i)
		c.needs(p, "name", e.Name)
		if e.After != "" && !slices.Contains(names, e.After) {
			c.problem(c.node(p.key("after")), "%q is no environment that stands above this one; expected %s", e.After, orNone(names))
		}
		names = append(names, e.Name)
		c.path(p.key("values"), e.Values)
		for j, file := range e.Approvers {
			if !c.has(p.key("approvers")) {
				break // trust, which is looked at elsewhere
			}
			c.path(p.key("approvers").index(j), file)
		}
		if e.Approve > len(e.Approvers) {
			c.problem(c.node(p.key("approve")), "%d people, but %d keys; expected a key for each of them in approvers", e.Approve, len(e.Approvers))
		}
	}
	c.names("environments", names)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none for the first"
	}
	return strings.Join(names, ", ")
}
