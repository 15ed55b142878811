package scaffold

import (
	"regexp"
	"slices"
	"strings"
)

// parseMakefile reads the rules of a Makefile as far as their names and
// recipes go. Included files, conditionals and functions are not followed: a
// recipe is looked at as it is written.
func parseMakefile(name, text string) *Makefile {
	m := &Makefile{Path: name, Targets: map[string]Target{}, variables: map[string]string{}}
	var current []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimRight(line, "\r\n")
		if recipe, ok := strings.CutPrefix(line, "\t"); ok {
			m.add(current, strings.TrimSpace(recipe))
			continue
		}
		names, ok := ruleOf(line)
		if ok {
			current = names
			m.add(current, recipeBehind(line))
		} else if s := strings.TrimSpace(line); s != "" && s[0] != '#' {
			current = nil
			m.variable(s)
		}
	}
	for name, t := range m.Targets {
		t.expanded = m.expand(strings.Join(t.Recipe, "\n"))
		m.Targets[name] = t
	}
	return m
}

// setting matches the assignment of a variable; the value of "!=" is known to
// nobody.
var setting = pattern(`^(?:export\s+|override\s+)*([A-Za-z_]\w*)\s*(:{0,3}|\?)=\s*(.*)$`)

// variable notes an assignment.
func (m *Makefile) variable(line string) {
	if match := setting().FindStringSubmatch(line); match != nil {
		m.variables[match[1]] = match[3]
	}
}

// expand replaces variables that the Makefile sets to plain text, by each other
// too as far as that ends.
func (m *Makefile) expand(text string) string {
	for range 5 {
		text = variable().ReplaceAllStringFunc(text, func(v string) string {
			if value, ok := m.variables[strings.Trim(v, "$(){}")]; ok {
				return value
			}
			return v
		})
		if len(text) > maxFile {
			break // variables that double each other
		}
	}
	return text
}

// rule matches "names: prerequisites"; "X := y" and "X ::= y" are none.
var rule = pattern(`^([A-Za-z0-9_./ -]+?)\s*::?([^:=].*)?$`)

func ruleOf(line string) (names []string, ok bool) {
	match := rule().FindStringSubmatch(line)
	if match == nil || assignment().MatchString(match[2]) {
		return nil, false
	}
	return strings.Fields(match[1]), true
}

// assignment matches a variable of a target: "utest: FLAGS = -short".
var assignment = pattern(`^\s*[A-Za-z_][A-Za-z0-9_]*\s*[:+?]?=`)

// recipeBehind returns the recipe in the line of the rule: "test: ; go test".
func recipeBehind(line string) string {
	_, recipe, _ := strings.Cut(line, ";")
	return strings.TrimSpace(recipe)
}

func (m *Makefile) add(names []string, recipe string) {
	for _, name := range names {
		if name[0] == '.' {
			continue // .PHONY and its kind are no targets
		}
		t := m.Targets[name]
		if recipe != "" {
			t.Recipe = append(t.Recipe, strings.TrimLeft(recipe, "@-+ "))
		}
		m.Targets[name] = t
	}
}

// target returns a rule; a Makefile that is not there has none.
func (m *Makefile) target(name string) (Target, bool) {
	if m == nil {
		return Target{}, false
	}
	t, ok := m.Targets[name]
	return t, ok
}

// text is the whole recipe, with the Makefile's own variables filled in.
func (t Target) text() string { return t.expanded }

// uses reports whether one of the programs is called.
func (t Target) uses(programs ...string) string {
	for _, p := range programs {
		if regexp.MustCompile(`(^|[\s;&|(/@])` + regexp.QuoteMeta(p) + `($|[\s;&|)])`).MatchString(t.text()) {
			return p
		}
	}
	return ""
}

// callsPipeline reports whether the recipe runs this very tool: a stage that
// calls it would never end.
func (t Target) callsPipeline() bool {
	return t.uses("pipeline", "$(PIPELINE)", "${PIPELINE}") != ""
}

// addressFlag matches a flag of a test binary that takes a variable of make.
var addressFlag = pattern(`--?(ip|host|hostname|addr|address|endpoint|target|port)[= ]\s*["']?((?:\$[({]\w+[)}]:?)+)["']?`)

// variable matches a variable of make.
var variable = pattern(`\$[({](\w+)[)}]`)

// address is how a recipe is told where the service is: the names of variables
// of make, each empty when there is none.
type address struct{ host, port, both string }

func (a address) empty() bool { return a == address{} }

// address reads the flags of a recipe.
func (t Target) address() (a address) {
	for _, match := range addressFlag().FindAllStringSubmatch(strings.Join(t.Recipe, "\n"), -1) {
		names := variable().FindAllStringSubmatch(match[2], -1)
		switch {
		case len(names) == 2:
			a.host, a.port = names[0][1], names[1][1]
		case match[1] == "port":
			a.port = names[0][1]
		case slices.Contains([]string{"ip", "host", "hostname"}, match[1]):
			a.host = names[0][1]
		default:
			a.both = names[0][1]
		}
	}
	return a
}
