package scaffold

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// config writes pipeline.yaml: what differs from the defaults, and comments
// where a person has to decide.
func (t *translation) config() string {
	w := &writer{notes: t.notes}
	w.line(0, "apiVersion: pipeline/v1")
	w.line(0, "kind: Service")
	if t.defaultIsOther() {
		w.value(0, "name", t.name)
	}
	t.writeMain(w)
	t.writeAPI(w)
	t.writeImage(w, t.image)
	w.comments(0, "chart")
	if t.chart != "" {
		w.value(0, "chart", t.chart)
	}
	if t.usesManifests() && t.f.Manifests.Dir != "deploy/k8s" {
		w.value(0, "manifests", t.f.Manifests.Dir)
	}
	t.writeStages(w)
	return w.String()
}

// defaultIsOther reports whether the pipeline would call the service otherwise:
// it takes the last element of the module path, or of the folder's.
func (t *translation) defaultIsOther() bool {
	module := t.f.Module
	if t.goMod != "" && t.f.Legacy.Layout == Package {
		module = t.f.Legacy.ImportPath
	}
	if module == "" {
		return true // the folder is called as people like
	}
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(lastElement(module))) != t.name
}

// writeMain: the root, cmd/NAME and the only one are found without being named.
func (t *translation) writeMain(w *writer) {
	w.comments(0, "main")
	workspace := t.f.Legacy != nil && t.f.Legacy.Layout == Workspace
	alone := len(t.f.Mains) == 1 && !workspace
	if t.main != "" && t.main != "." && !alone && (workspace || path.Base(t.main) != t.name || path.Dir(t.main) != "cmd") {
		w.value(0, "main", goFolderPath(t.main))
	}
	if t.main == "" && len(t.f.Mains) > 0 {
		w.value(0, "main", "")
	}
}

// writeAPI: a descriptor with the service's name is what it provides, others
// are copies of what its neighbours do.
func (t *translation) writeAPI(w *writer) {
	var provides, uses []string
	for _, d := range t.f.Descriptors {
		base, _, _ := strings.Cut(path.Base(d), ".")
		if base == t.name || len(t.f.Descriptors) == 1 {
			provides = append(provides, d)
		} else {
			uses = append(uses, d)
		}
	}
	if len(t.f.Descriptors) == 0 {
		return
	}
	w.line(0, "api:")
	if len(provides) > 0 {
		w.value(1, "provides", provides)
	}
	if len(uses) > 0 {
		w.line(1, "# Does the service call these, or does it offer them (provides)?")
		w.value(1, "uses", uses)
	}
}

func (t *translation) writeImage(w *writer, i image) {
	w.comments(0, "image")
	if len(i.files)+len(i.env)+len(i.ports)+len(i.builder) == 0 && i.user == "" {
		return
	}
	w.line(0, "image:")
	w.mapping(1, "files", i.files)
	w.mapping(1, "env", i.env)
	if i.user != "" {
		w.value(1, "user", i.user)
	}
	if len(i.ports) > 0 {
		w.value(1, "ports", i.ports)
	}
	if len(i.builder) > 0 {
		w.value(1, "builder", i.builder)
	}
}

// writeStages writes the entries in the order in which stages are shown.
func (t *translation) writeStages(w *writer) {
	names := slices.Sorted(maps.Keys(t.stages))
	order := []string{"build", "unit", "lint", "container", "module", "integration", "bench"}
	slices.SortStableFunc(names, func(a, b string) int { return place(order, a) - place(order, b) })
	begun := false
	for _, name := range names {
		s := t.stages[name]
		if s.empty() && len(t.notes["stages."+name]) == 0 {
			continue
		}
		if !begun {
			w.line(0, "stages:")
			begun = true
		}
		w.comments(1, "stages."+name)
		if s.empty() {
			continue
		}
		w.line(1, name+":")
		s.write(w)
	}
}

func place(order []string, name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

func (s *stage) empty() bool {
	return len(s.command)+len(s.args)+len(s.script)+s.port == 0 && s.ready == "" && !s.race
}

func (s *stage) write(w *writer) {
	switch {
	case s.script != "":
		w.line(2, "command:")
		w.line(3, "- sh")
		w.line(3, "- -ec")
		w.line(3, "- |")
		for line := range strings.Lines(s.script) {
			w.line(4, strings.TrimSuffix(line, "\n"))
		}
	case len(s.command) > 0:
		w.value(2, "command", s.command)
	}
	for _, list := range []struct {
		key    string
		values []string
	}{{"inputs", s.inputs}, {"outputs", s.outputs}, {"after", s.after}, {"args", s.args}} {
		if len(list.values) > 0 {
			w.value(2, list.key, list.values)
		}
	}
	if s.race {
		w.value(2, "race", true)
	}
	if s.port != 0 {
		w.value(2, "port", s.port)
	}
	if s.ready != "" {
		w.value(2, "ready", s.ready)
	}
}

// writer writes YAML line by line, values quoted where YAML wants that.
type writer struct {
	strings.Builder
	notes map[string][]string
}

func (w *writer) line(depth int, text string) {
	w.WriteString(strings.Repeat("  ", depth) + text + "\n")
}

// comments writes what a person has to decide about a key.
func (w *writer) comments(depth int, key string) {
	for _, note := range w.notes[key] {
		for _, line := range wrap(note, 100) {
			w.line(depth, "# "+line)
		}
	}
}

func (w *writer) value(depth int, key string, v any) { w.line(depth, key+": "+flow(v)) }

func (w *writer) mapping(depth int, key string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	w.line(depth, key+":")
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.line(depth+1, flow(k)+": "+flow(m[k]))
	}
}

// flow writes a value in one line.
func flow(v any) string {
	switch v := v.(type) {
	case []string:
		return flowList(v)
	case []int:
		return flowList(v)
	case string:
		return scalar(v)
	}
	return fmt.Sprint(v)
}

func flowList[E any](list []E) string {
	words := make([]string, len(list))
	for i, e := range list {
		words[i] = flow(e)
		// In a list these would end the element.
		if s, ok := any(e).(string); ok && words[i] == s && strings.ContainsAny(s, ",[]{}") {
			words[i] = quoted(s)
		}
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// scalar writes a text: as it is where YAML reads the same text back.
func scalar(s string) string {
	var back any
	plain := s != "" && strings.TrimSpace(s) == s && !strings.ContainsAny(s, "\n\r\t#{}[]\"'\\") && !strings.ContainsAny(s[:1], "-?:,&*!|>%@`")
	if plain && yaml.Unmarshal([]byte(s), &back) == nil && back == s {
		return s
	}
	return quoted(s)
}

// quoted is a double-quoted scalar; JSON's form is one of YAML's.
func quoted(s string) string {
	n := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
	out, err := yaml.Marshal(&n)
	if err != nil || strings.Count(string(out), "\n") > 1 {
		return fmt.Sprintf("%q", s)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// wrap breaks text into lines of at most width bytes, at spaces. Line breaks
// become spaces, for a comment must not end early, and characters that YAML
// does not take become question marks.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}
