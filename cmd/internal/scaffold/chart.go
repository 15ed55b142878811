package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"
)

// chartFS holds the chart for a repository without one. Its files are
// templates between [[ and ]], for they are full of Helm's own.
//
//go:embed all:chart
var chartFS embed.FS

// chartFacts is what the chart is made from.
type chartFacts struct {
	Name string
	// Port is where the program listens, 0 when that is unknown: then there is
	// no Service and no probe. ServicePort is where clients reach it.
	Port, ServicePort int
	// Probe is http, grpc or tcp; Path goes with http.
	Probe, Path string
	// Args and Env are values as they stand behind the key.
	Args, Env   string
	User, Group string
}

// PortName names the port by what is spoken there.
func (c chartFacts) PortName() string { return c.Probe }

func (t *translation) chartFacts() chartFacts {
	c := chartFacts{Name: t.name, Port: t.port, ServicePort: t.port, Probe: "tcp", User: "65532", Group: "65532"}
	if m := t.f.Manifests; m != nil && len(m.Ports) > 0 {
		c.ServicePort = m.Ports[0]
	}
	switch {
	case strings.HasPrefix(t.ready, "http:"):
		c.Probe, c.Path = "http", flow(strings.TrimPrefix(t.ready, "http:"))
	case t.ready == "grpc":
		c.Probe = "grpc"
	}
	if user := t.image.user; user != "" {
		id, group, ok := strings.Cut(user, ":")
		c.User, c.Group = id, group
		if !ok {
			c.Group = id
		}
	}
	c.Args = " []"
	if args := t.args; len(args) > 0 {
		c.Args = " " + flow(args)
	}
	c.Env = " {}"
	if w := t.workload(); w != nil && len(w.Env) > 0 {
		c.Env = ""
		for _, key := range slices.Sorted(maps.Keys(w.Env)) {
			c.Env += "\n  " + flow(key) + ": " + flow(w.Env[key])
		}
	}
	return c
}

// chartFiles returns the chart below deploy/chart.
func chartFiles(c chartFacts) []File {
	var files []File
	err := fs.WalkDir(chartFS, "chart", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || c.Port == 0 && path.Base(name) == "service.yaml" {
			return err
		}
		text, err := chartFS.ReadFile(name)
		if err != nil {
			return err
		}
		t, err := template.New(name).Delims("[[", "]]").Parse(string(text))
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := t.Execute(&out, c); err != nil {
			return err
		}
		to := strings.Replace("deploy/"+name, "/helmignore", "/.helmignore", 1)
		files = append(files, File{Path: to, Content: out.String(), Mode: 0o644})
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("the embedded chart: %v", err)) // the tests render it
	}
	return files
}
