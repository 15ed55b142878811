package chart

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

const ignoreFile = ".helmignore"

// ignore holds the rules of a .helmignore, with the meaning that Helm 3 gives
// them, "!" included: such a rule drops everything that it does not match.
type ignore []rule

type rule struct {
	pattern string
	negated bool // "!pattern"
	folder  bool // "pattern/"
	whole   bool // has a slash: matches the whole path, else the last element
}

// readIgnore reads the rules; a missing file has only Helm's built-in one.
func readIgnore(root *os.Root, name string) (ignore, error) {
	data, err := root.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read chart: %w", err)
	}
	var rules ignore
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.Contains(line, "**") {
			return nil, problem(name, number, "Helm does not know `**`")
		}
		if _, err := path.Match(line, ""); err != nil {
			return nil, problem(name, number, "not a pattern: "+line)
		}
		rules = append(rules, parseRule(line))
	}
	return append(rules, parseRule("templates/.?*")), nil
}

func parseRule(line string) rule {
	var r rule
	line, r.negated = strings.CutPrefix(line, "!")
	line, r.folder = strings.CutSuffix(line, "/")
	r.whole = strings.Contains(line, "/")
	r.pattern = strings.TrimPrefix(line, "/")
	return r
}

// matches reports whether the file, or a folder that it lies in, is ignored.
func (rules ignore) matches(file string) bool {
	for i, c := range file {
		if c == '/' && rules.drops(file[:i], true) {
			return true
		}
	}
	return rules.drops(file, false)
}

func (rules ignore) drops(name string, folder bool) bool {
	for _, r := range rules {
		if r.negated {
			if r.folder && !folder || !r.matches(name) {
				return true
			}
			continue
		}
		if (folder || !r.folder) && r.matches(name) {
			return true
		}
	}
	return false
}

func (r rule) matches(name string) bool {
	if !r.whole {
		name = path.Base(name)
	}
	ok, _ := path.Match(r.pattern, name)
	return ok
}
