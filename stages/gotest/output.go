package gotest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var (
	// logged is what testing.T.Error writes: "    name_test.go:12: text".
	logged = regexp.MustCompile(`(?m)^\s+([^\s:]+\.go):(\d+): `)
	// compiled is a line of the compiler: "dir/name.go:12:3: text".
	compiled = regexp.MustCompile(`(?m)^(?:vet: )?([^\s:]+\.go):(\d+):(?:\d+:)? `)
	// frame is a line of a stack: "\t/path/name.go:12 +0x28".
	frame     = regexp.MustCompile(`^\s+(\S+\.go):(\d+)(?: \+0x[0-9a-f]+)?$`)
	goroutine = regexp.MustCompile(`^goroutine \d+ .*:$`)
	raced     = regexp.MustCompile(`^(?:WARNING: DATA RACE|Previous (?:write|read) at |(?:Write|Read) at |Goroutine \d+ \()`)
	// verdict is the line that repeats a test's result.
	verdict = regexp.MustCompile(`^\s*--- (?:FAIL|PASS|SKIP): .* \([0-9.]+s\)$`)
)

// location returns the first place in the user's code that output names.
func location(output string) (file string, line int) {
	for _, re := range []*regexp.Regexp{compiled, logged} {
		// What a test logs before or after a race does not tell where it is.
		if m := re.FindStringSubmatch(output); m != nil && !strings.Contains(output, "WARNING: DATA RACE\n") {
			n, _ := strconv.Atoi(m[2])
			return m[1], n
		}
	}
	for l := range strings.Lines(output) {
		if m := frame.FindStringSubmatch(strings.TrimRight(l, "\n")); m != nil && !foreign(m[1]) {
			n, _ := strconv.Atoi(m[2])
			return m[1], n
		}
	}
	return "", 0
}

// foreign reports whether a file of a stack belongs to Go or to a module in
// the module cache.
func foreign(file string) bool {
	if file == "_testmain.go" || strings.Contains(file, "/pkg/mod/") {
		return true
	}
	for _, dir := range []string{"/src/runtime/", "/src/testing/", "/src/time/", "/src/sync/", "/src/internal/", "/src/net/", "/src/os/"} {
		if strings.Contains(file, dir) && strings.Contains(file, "/go") {
			return true
		}
	}
	return false
}

// relevant returns the lines of output that a person needs: without repeated
// verdicts and without the frames of a stack that are not the user's.
func relevant(output string) []string {
	var lines []string
	stack, function := false, ""
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case goroutine.MatchString(line), raced.MatchString(line):
			stack, function = true, ""
			if !strings.HasPrefix(line, "goroutine ") {
				lines = append(lines, line)
			}
		case strings.TrimSpace(line) == "", verdict.MatchString(line), line == "FAIL", line == "==================":
		case !stack:
			lines = append(lines, line)
		case frame.MatchString(line):
			if m := frame.FindStringSubmatch(line); !foreign(m[1]) {
				lines = append(lines, function, line)
			}
			function = ""
		default:
			if function != "" {
				lines = append(lines, function)
			}
			function = line
		}
	}
	if stack && logged.MatchString(function) { // text behind a race report
		lines = append(lines, function)
	}
	return lines
}

// compilerLines drops the "# package" titles.
func compilerLines(lines []string) []string {
	var out []string
	for _, line := range lines {
		if !strings.HasPrefix(line, "# ") {
			out = append(out, line)
		}
	}
	return out
}

// locate makes the files of failed tests relative to the module at dir.
func (r *Result) locate(dir, module string) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
	}
	for i := range r.Tests {
		t := &r.Tests[i]
		switch {
		case t.File == "":
		case filepath.IsAbs(t.File):
			t.File = below(t.File, dir, real)
		case t.Name != buildTest:
			t.File = inPackage(t.File, dir, module, t.Package)
		default:
			t.File = path.Clean(filepath.ToSlash(t.File))
		}
		if t.File == "" {
			t.Line = 0
		}
	}
}

// below returns file relative to the first of dirs that it is in, else "".
func below(file string, dirs ...string) string {
	for _, dir := range dirs {
		if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return ""
}

// inPackage returns the path of a file that a test named by its base name. It
// is empty when the package has no such file: a helper elsewhere logged.
func inPackage(base, dir, module, pkg string) string {
	rel, ok := strings.CutPrefix(pkg+"/", module+"/")
	if !ok {
		return ""
	}
	file := path.Join(rel, filepath.ToSlash(base))
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(file))); err != nil {
		return ""
	}
	return file
}
