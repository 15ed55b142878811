package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file. Line and Column count from
// 1, Column in characters.
type Problem struct {
	File         string
	Line, Column int
	Message      string // "what; expected ..."
}

func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems is everything that is wrong with one or several files, sorted by
// file and position. Callers that tell wrong configuration from other failures
// branch on this type.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the problems in order, each once; nil when there are none.
func (p Problems) sorted() Problems {
	p = slices.Clone(p)
	slices.SortFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(p)
}

// NoService says that a folder has neither a pipeline.yaml nor a go.mod.
type NoService struct {
	Dir string
	// Below is whether the folders directly below were looked at too.
	Below bool
}

func (e *NoService) Error() string {
	where := e.Dir
	if e.Below {
		where += " and the folders directly below it"
	}
	return where + ": no pipeline.yaml and no go.mod found; write a pipeline.yaml or run in the folder of a Go module"
}

// display returns the path as it is printed: relative to the current folder
// when it lies below it, else absolute.
func display(file string) string {
	abs, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	cwd, err := os.Getwd()
	if err != nil {
		return abs
	}
	rel, err := filepath.Rel(cwd, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return abs
	}
	return rel
}
