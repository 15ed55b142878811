package scaffold

import (
	"encoding/json"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// parseDockerfile reads what the last stage of a Dockerfile says. Instructions
// of other stages count only where they tell the import path of the sources.
// Format: docs.docker.com/reference/dockerfile.
func parseDockerfile(name, text string) *Dockerfile {
	p := &dockerParser{file: &Dockerfile{Path: name}, args: map[string]string{}, stages: map[string]bool{}}
	escaped := regexp.MustCompile(`\\[ \t]*\r?\n(\s*#.*\n)*`).ReplaceAllString(text, " ")
	for line := range strings.Lines(escaped) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		instruction, rest, _ := strings.Cut(line, " ")
		p.instruction(strings.ToUpper(instruction), strings.TrimSpace(rest))
	}
	return p.file
}

// dockerParser is the state between instructions.
type dockerParser struct {
	file    *Dockerfile
	args    map[string]string
	stages  map[string]bool // by name
	workdir string
}

func (p *dockerParser) instruction(name, rest string) {
	rest = p.expand(rest)
	switch name {
	case "FROM":
		p.from(strings.Fields(rest))
	case "ARG":
		key, value, _ := strings.Cut(rest, "=")
		p.args[key] = unquote(value)
	case "ENV":
		p.env(rest)
	case "EXPOSE":
		for _, word := range strings.Fields(rest) {
			number, protocol, _ := strings.Cut(word, "/")
			if n, err := strconv.Atoi(number); err == nil && protocol != "udp" {
				p.file.Ports = append(p.file.Ports, n)
			}
		}
	case "ENTRYPOINT":
		p.file.Entrypoint = command(rest)
	case "CMD":
		p.file.Cmd = command(rest)
	case "USER":
		p.file.User = rest
	case "WORKDIR":
		p.workdir = path.Join(p.workdir, rest)
		if path.IsAbs(rest) {
			p.workdir = rest
		}
		p.importPath(p.workdir)
	case "RUN":
		p.file.Runs = append(p.file.Runs, rest)
	case "COPY", "ADD":
		p.copy(rest)
	}
}

// from begins a stage: what the one before said of its image does not count.
func (p *dockerParser) from(words []string) {
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	p.file = &Dockerfile{Path: p.file.Path, Base: words[0], ImportPath: p.file.ImportPath}
	p.workdir = "/"
	if len(words) == 3 {
		p.stages[words[2]] = true
	}
}

func (p *dockerParser) env(rest string) {
	set := func(key, value string) {
		if p.file.Env == nil {
			p.file.Env = map[string]string{}
		}
		p.file.Env[key] = unquote(value)
		p.args[key] = unquote(value)
	}
	pairs := regexp.MustCompile(`([A-Za-z_]\w*)=("[^"]*"|'[^']*'|\S*)`).FindAllStringSubmatch(rest, -1)
	if key, value, ok := strings.Cut(rest, " "); ok && !strings.Contains(key, "=") {
		set(key, strings.TrimSpace(value))
		return
	}
	for _, pair := range pairs {
		set(pair[1], pair[2])
	}
}

// copy notes what comes from the repository; what another stage has made is
// the program, or is made by it.
func (p *dockerParser) copy(rest string) {
	words := strings.Fields(rest)
	if strings.HasPrefix(rest, "[") {
		words = command(rest)
	}
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		if strings.HasPrefix(words[0], "--from=") {
			return
		}
		words = words[1:]
	}
	if len(words) < 2 {
		return
	}
	to := words[len(words)-1]
	if !path.IsAbs(to) {
		to = path.Join(p.workdir, to) + strings.Repeat("/", strings.Count(to[len(to)-1:], "/"))
	}
	p.importPath(to)
	for _, from := range words[:len(words)-1] {
		p.file.Copies = append(p.file.Copies, Copy{From: path.Clean(strings.TrimPrefix(from, "/")), To: to})
	}
}

// importPath notes a folder below the src of a GOPATH.
func (p *dockerParser) importPath(dir string) {
	if _, rest, ok := strings.Cut(path.Clean(dir)+"/", "/go/src/"); ok && rest != "" && p.file.ImportPath == "" {
		p.file.ImportPath = strings.TrimSuffix(rest, "/")
	}
}

// dockerVariable matches $NAME and ${NAME}.
var dockerVariable = pattern(`\$(\{(\w+)\}|(\w+))`)

func (p *dockerParser) expand(text string) string {
	return dockerVariable().ReplaceAllStringFunc(text, func(v string) string {
		if value, ok := p.args[strings.Trim(v, "${}")]; ok {
			return value
		}
		return v
	})
}

// command reads the exec form, and the shell form word by word where it needs
// no shell.
func command(text string) []string {
	var words []string
	if json.Unmarshal([]byte(text), &words) == nil {
		return words
	}
	if strings.ContainsAny(text, `$"'|&;<>()*`+"`") {
		return []string{"/bin/sh", "-c", text}
	}
	words = strings.Fields(text)
	if len(words) > 0 && words[0] == "exec" {
		words = words[1:]
	}
	return words
}

func unquote(value string) string {
	if n := len(value); n > 1 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
		return value[1 : n-1]
	}
	return value
}
