package config

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			f.Add(read(f, file))
		}
	}
	for _, s := range []string{"a: &a [*a]", "? [x]\n: y", "%YAML 1.1\n---\n", "{a: *b}", "\t", "stages: {a: {needs: [a], command: [x]}}", "name: \"\\0\""} {
		f.Add([]byte(s))
	}
	dir := tree(f, map[string]string{"go.mod": "module stock\n"})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("pipeline.yaml", data, dir)
		if err == nil {
			if s.Name == "" || len(s.Stages) < len(Builtin()) {
				t.Errorf("incomplete: %+v", s)
			}
			return
		}
		var problems Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		lines := bytes.Count(data, []byte("\n")) + 1
		for _, p := range problems {
			if p.File != "pipeline.yaml" || p.Line < 1 || p.Line > lines || p.Column < 1 || p.Message == "" {
				t.Errorf("%+v in a file of %d lines", p, lines)
			}
		}
	})
}

func FuzzParseSystem(f *testing.F) {
	f.Add([]byte(fullSystem))
	f.Add([]byte("services: [{name: a, source: r.io/a, range: '>1 <2 || ^3'}]"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSystem(filepath.Join(dir, SystemName), data, dir)
		var problems Problems
		if err == nil {
			if len(s.Services) == 0 {
				t.Error("a system without services")
			}
		} else if !errors.As(err, &problems) || len(problems) == 0 {
			t.Errorf("%T %v", err, err)
		}
	})
}
