package scaffold

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// note leaves something to a person, in a comment of pipeline.yaml.
func (t *translation) note(key, format string, args ...any) {
	t.notes[key] = append(t.notes[key], fmt.Sprintf(format, args...))
}

// start finds out how the program is started: arguments, port, readiness. What
// the manifests say counts more than the Dockerfile, as it does in a cluster.
func (t *translation) start() {
	if t.main == "" && (t.f.isGo() || t.f.Dockerfile == nil) {
		return
	}
	var ports []int
	if d := t.f.Dockerfile; d != nil {
		if t.main != "" { // an image of its own has arguments of its own
			t.args = t.dockerArgs(d)
		}
		ports = d.Ports
		t.found("%s: from %s%s", d.Path, d.Base, portText(ports))
	}
	if w := t.workload(); w != nil {
		if len(w.Args) > 0 {
			t.args = w.Args
		}
		if len(w.Ports) > 0 {
			ports = w.Ports
		}
		if w.ReadyPort != 0 {
			ports = append([]int{w.ReadyPort}, slices.DeleteFunc(slices.Clone(ports), func(n int) bool { return n == w.ReadyPort })...)
		}
		t.ready = w.Ready
	}
	if len(ports) == 0 {
		t.missing("a port", "neither a Dockerfile nor manifests name one: readiness is not checked; set stages.module.port if the program listens")
		return
	}
	t.port = ports[0]
	if t.ready == "" && t.f.GRPCHealth {
		t.ready = "grpc"
	}
	t.stages["module"] = &stage{args: t.args, port: t.port, ready: t.ready}
	if t.ready == "tcp" {
		t.stages["module"].ready = "" // the default
	}
	if len(ports) > 1 {
		t.note("stages.module", "Several ports were found: %s. At which one do the tests reach the service?", numbers(ports))
	}
}

func (t *translation) workload() *Workload {
	if t.f.Manifests == nil {
		return nil
	}
	return t.f.Manifests.Workload
}

// dockerArgs returns the arguments that the image gives to its program.
func (t *translation) dockerArgs(d *Dockerfile) []string {
	argv := slices.Concat(d.Entrypoint, d.Cmd)
	if len(argv) == 0 {
		return nil
	}
	switch base := path.Base(argv[0]); {
	case base == "sh" || base == "bash" || strings.HasSuffix(base, ".sh"):
		t.note("stages.module", "The Dockerfile starts the program through %s; here it is started itself. Which arguments does it need?", base)
		return nil
	case base == "tini" || base == "dumb-init":
		for i, word := range argv[1:] {
			if !strings.HasPrefix(word, "-") {
				return argv[i+2:]
			}
		}
		return nil
	}
	return argv[1:]
}

func portText(ports []int) string {
	if len(ports) == 0 {
		return ""
	}
	return ", port " + numbers(ports)
}

func numbers(list []int) string {
	var words []string
	for _, n := range list {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ", ")
}

// image is the key image: what the Dockerfile puts beside the program.
type image struct {
	files map[string]string
	env   map[string]string
	user  string
	ports []int
	// builder is the command that makes the image of what is no Go.
	builder []string
}

// imageOf translates the Dockerfile.
func (t *translation) imageOf() image {
	i := image{files: map[string]string{}, env: map[string]string{}}
	d := t.f.Dockerfile
	if d == nil || t.main == "" {
		return i
	}
	for key, value := range d.Env {
		if key != "PATH" && !strings.HasPrefix(key, "GO") && !strings.HasPrefix(key, "CGO") {
			i.env[key] = value
		}
	}
	if numericUser().MatchString(d.User) && !strings.HasPrefix(d.User, "0") && d.User != "65532:65532" {
		i.user = d.User
	}
	if len(d.Ports) > 1 {
		i.ports = d.Ports
	}
	t.files(d, i.files)
	if run := baseCommand(d); run != "" {
		t.note("image", "%s starts from %s and runs %q there. A static Go program needs no base image; if this one does: base: %s",
			d.Path, d.Base, run, d.Base)
	}
	return i
}

// baseCommand returns the first command by which the last stage changes its
// base, the usual ones excepted that the built-in base makes unnecessary.
func baseCommand(d *Dockerfile) string {
	if strings.HasPrefix(path.Base(d.Base), "golang") {
		return ""
	}
	i := slices.IndexFunc(d.Runs, func(run string) bool {
		return !strings.Contains(run, "ca-certificates") && !strings.Contains(run, "adduser") && !strings.Contains(run, "useradd")
	})
	if i < 0 {
		return ""
	}
	return d.Runs[i]
}

// files adds what the last stage copies from the repository; what lies on
// golang is source, and what is not there is made by a build.
func (t *translation) files(d *Dockerfile, files map[string]string) {
	if strings.HasPrefix(path.Base(d.Base), "golang") {
		return
	}
	for _, c := range d.Copies {
		isFile, isFolder := t.f.has(c.From), len(t.f.below(c.From)) > 0
		switch {
		case c.From == "." || strings.HasPrefix(path.Dir(c.To), "/etc/ssl"):
		case !isFile && !isFolder && strings.HasPrefix(c.From, ".."):
		case !isFile && !isFolder:
			if !isProgram(d, c) {
				t.missing(c.From, "%s copies it, and it is not in the repository: if the program needs it, name it under image.files once it is made", d.Path)
			}
		case strings.ContainsAny(c.To, "$"):
			t.note("image", "%s copies %s to %s. Where does the program look for it?", d.Path, c.From, c.To)
		default:
			to := c.To
			if isFile && strings.HasSuffix(to, "/") {
				to += path.Base(c.From)
			}
			files[path.Clean(to)] = c.From
		}
	}
}

// isProgram reports whether a copied file is what the image starts.
func isProgram(d *Dockerfile, c Copy) bool {
	argv := slices.Concat(d.Entrypoint, d.Cmd)
	return len(argv) > 0 && (path.Base(argv[0]) == path.Base(c.From) || path.Base(argv[0]) == path.Base(c.To))
}

// foreign wires a service of another language: what is built and how, only its
// Makefile and its Dockerfile know.
func (t *translation) foreign() {
	if t.f.isGo() || t.f.Dockerfile == nil {
		return
	}
	t.image.builder = []string{"sh", "-ec", "docker buildx build -f " + shellWord(t.f.Dockerfile.Path) + ` -o "type=oci,tar=false,dest=$PIPELINE_OUT/oci" .`}
	t.stages["build"] = &stage{command: []string{"true"}}
	if _, ok := t.f.Makefile.target("build"); ok {
		t.stages["build"] = t.make("build")
	}
	for _, kind := range []string{"unit", "lint"} {
		if t.stages[kind] == nil {
			t.note("stages."+kind, "Which command is the stage %s? The built-in one is for Go.", kind)
			t.stages[kind] = &stage{command: []string{"false"}}
		}
	}
	t.missing("Go tests", "integration tests are Go tests with the tag integration, whatever the service is written in: they need a go.mod beside it")
}
