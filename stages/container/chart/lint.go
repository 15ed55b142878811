package chart

import (
	"encoding/json"
	"path"
	"regexp"
	"strconv"
	"strings"
	"text/template/parse"

	"go.yaml.in/yaml/v3"
)

// lint returns an *Error with everything that Helm would refuse and that can
// be seen without rendering, or nil.
func (c *Chart) lint(dir string) error {
	l := &linter{chart: c, dir: dir}
	l.chartYAML()
	l.values()
	for _, f := range c.Files {
		if isTemplate(f.Name) {
			l.template(f)
		}
	}
	if len(l.problems) > 0 {
		return &Error{Problems: l.problems}
	}
	return nil
}

type linter struct {
	chart    *Chart
	dir      string
	problems []Problem
}

func (l *linter) add(file string, line int, what string) {
	l.problems = append(l.problems, Problem{File: path.Join(l.dir, file), Line: line, What: what})
}

func (l *linter) addAll(err error) {
	if e, ok := err.(*Error); ok {
		l.problems = append(l.problems, e.Problems...)
	}
}

// chartName is Helm's rule for names.
var chartName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

func (l *linter) chartYAML() {
	i := l.chart.index(chartFile)
	if i < 0 {
		l.add(chartFile, 0, "is missing: every chart needs one")
		return
	}
	root, err := mapping(path.Join(l.dir, chartFile), l.chart.Files[i].Data)
	if err != nil {
		l.addAll(err)
		return
	}
	l.text(root, "apiVersion", func(v string) bool { return v == "v2" }, "v2")
	l.text(root, "name", chartName.MatchString, "letters, digits, `.`, `_` and `-`")
	l.text(root, "version", func(v string) bool { return v != "" }, "a semantic version")
	if kind := lookUp(root, "type"); kind == nil || kind.Value != "library" {
		l.templates()
	}
	l.dependencies(root)
}

// text checks a key that must be there.
func (l *linter) text(root *yaml.Node, key string, valid func(string) bool, expected string) {
	switch node := lookUp(root, key); {
	case node == nil:
		l.add(chartFile, 1, "has no "+key+"; expected "+expected)
	case node.Kind != yaml.ScalarNode || !valid(node.Value):
		l.add(chartFile, node.Line, key+" is "+strconv.Quote(node.Value)+"; expected "+expected)
	}
}

func (l *linter) templates() {
	for _, f := range l.chart.Files {
		if strings.HasPrefix(f.Name, "templates/") {
			return
		}
	}
	l.add("templates", 0, "is missing or empty: the chart would install nothing")
}

// dependencies checks that what Chart.yaml names lies in charts/: an
// installation fetches nothing.
func (l *linter) dependencies(root *yaml.Node) {
	list := lookUp(root, "dependencies")
	if list == nil {
		return
	}
	for _, d := range list.Content {
		name := lookUp(d, "name")
		if name == nil {
			l.add(chartFile, d.Line, "dependency without a name")
		} else if !l.vendored(name.Value) {
			l.add(chartFile, name.Line, "dependency "+name.Value+" is not in charts/; run `helm dependency update "+l.dir+"`")
		}
	}
}

func (l *linter) vendored(name string) bool {
	for _, f := range l.chart.Files {
		rest, ok := strings.CutPrefix(f.Name, "charts/"+name)
		if ok && (rest == "/"+chartFile || strings.HasPrefix(rest, "-") && strings.HasSuffix(rest, ".tgz")) {
			return true
		}
	}
	return false
}

func (l *linter) values() {
	if i := l.chart.index("values.yaml"); i >= 0 {
		name := path.Join(l.dir, "values.yaml")
		var values map[string]any
		if err := yaml.Unmarshal(l.chart.Files[i].Data, &values); err != nil {
			l.addAll(yamlProblem(name, err))
		}
	}
	if i := l.chart.index("values.schema.json"); i >= 0 && !json.Valid(l.chart.Files[i].Data) {
		l.add("values.schema.json", 0, "is not valid JSON")
	}
}

func isTemplate(name string) bool {
	if !strings.HasPrefix(name, "templates/") {
		return false
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".tpl", ".txt", ".json":
		return true
	}
	return false
}

var templateLine = regexp.MustCompile(`^template: .*?:(\d+)(?::\d+)?: (.*)$`)

// template checks the syntax; which functions there are is Helm's business.
func (l *linter) template(f File) {
	t := parse.New(f.Name)
	t.Mode = parse.SkipFuncCheck
	_, err := t.Parse(string(f.Data), "", "", map[string]*parse.Tree{})
	if err == nil {
		return
	}
	line, what := 0, err.Error()
	if m := templateLine.FindStringSubmatch(what); m != nil {
		line, _ = strconv.Atoi(m[1])
		what = m[2]
	}
	l.add(f.Name, line, "template: "+what)
}
