package scaffold

import (
	"fmt"
	"path"
	"strings"
)

// bridge is a Go test that calls a target of the Makefile with the address of
// the service under test. It lies beside the tests that the target runs: a
// stage's verdict depends on the test files in the folders of its own tests,
// so that a change of theirs makes it run again.
type bridge struct {
	kind, target string
	to           address
	at           TestPackage
	// direct runs the package's tests by the go command, without make.
	direct bool
	// run chooses among them, as go test -run has it.
	run string
	// gopath builds them in GOPATH mode.
	gopath bool
}

func (b bridge) file() string {
	return path.Join(b.at.Folder, "pipeline_"+b.kind+"_test.go")
}

// content returns the test. It fails when nothing was tested: a target may end
// well without having run anything.
func (b bridge) content() string {
	words := b.command()
	var environment string
	if b.gopath {
		environment = "\tcmd.Env = append(os.Environ(), \"GO111MODULE=off\", \"GOPATH=\"+root, \"GOFLAGS=-buildvcs=false\")\n"
	}
	return fmt.Sprintf(bridgeText, b.kind, b.at.Package, b.title(), b.what(), b.kind, b.title(), used(words), b.setup(), words, b.directory(), environment)
}

// bridgeText: tag, package, name, what is run, stage, name, variables, set-up,
// arguments, folder, environment.
const bridgeText = `//go:build %s

package %s

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// %s runs %s against the service that the stage
// %s of the pipeline has started.
func %s(t *testing.T) {
	addr := os.Getenv("PIPELINE_ADDR")
	%s, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatalf("PIPELINE_ADDR=%%q is no address: %%v", addr, err)
	}
%s	cmd := exec.Command(%s)
	cmd.Dir = %s
%s	out, err := cmd.CombinedOutput()
	t.Logf("%%s", out)
	if err != nil {
		t.Fatal(err)
	}
	// It may end well without having run anything.
	tested := !strings.Contains(string(out), "[no test")
	for _, line := range strings.Split(string(out), "\n") {
		tested = tested || strings.HasPrefix(line, "ok ") && !strings.Contains(line, "[no test")
	}
	if !tested {
		t.Error("no test was executed")
	}
}
`

func (b bridge) title() string {
	if b.direct {
		return "Test" + strings.ToUpper(b.kind[:1]) + b.kind[1:] + "Flags"
	}
	return "TestMake" + strings.ToUpper(b.kind[:1]) + b.kind[1:]
}

// what names the command for people.
func (b bridge) what() string {
	if b.direct {
		return "the tests of this package"
	}
	return "make " + b.target
}

// setup finds the top of the repository, from the folder of the package.
func (b bridge) setup() string {
	up := strings.Repeat("../", strings.Count(b.at.Folder, "/")+1)
	if b.at.Folder == "." {
		up = "./"
	}
	return fmt.Sprintf("\troot, err := filepath.Abs(%q)\n\tif err != nil {\n\t\tt.Fatal(err)\n\t}\n", strings.TrimSuffix(up, "/"))
}

func (b bridge) directory() string {
	if b.direct {
		return fmt.Sprintf("filepath.Join(root, %q)", b.at.Folder)
	}
	return "root"
}

// command returns the arguments of exec.Command as Go code.
func (b bridge) command() string {
	if b.direct {
		words := []string{`"go"`, `"test"`, `"-count=1"`}
		if b.run != "" {
			words = append(words, fmt.Sprintf("%q", "-run="+b.run))
		}
		words = append(words, `"."`, `"-args"`)
		for _, flag := range b.at.Flags {
			words = append(words, fmt.Sprintf("%q+%s", "-"+flag+"=", valueOf(flag)))
		}
		return strings.Join(words, ", ")
	}
	words := []string{`"make"`, fmt.Sprintf("%q", b.target)}
	for _, v := range []struct{ name, value string }{{b.to.host, "host"}, {b.to.port, "port"}, {b.to.both, "addr"}} {
		if v.name != "" {
			words = append(words, fmt.Sprintf("%q+%s", v.name+"=", v.value))
		}
	}
	return strings.Join(words, ", ")
}

// used names the parts of the address that the arguments are made of.
func used(arguments string) string {
	names := []string{"_", "_"}
	for i, name := range []string{"host", "port"} {
		if strings.Contains(arguments, `"+`+name) {
			names[i] = name
		}
	}
	return strings.Join(names, ", ")
}

// valueOf names the variable that belongs to a flag.
func valueOf(flag string) string {
	switch flag {
	case "ip", "host", "hostname":
		return "host"
	case "port":
		return "port"
	}
	return "addr"
}

// bridgeModule is a go.mod for nothing but the tests that call make.
func bridgeModule(name string) string {
	return "// The code below src/ is built in GOPATH mode. This module is there for the\n" +
		"// tests by which the pipeline calls make, and for nothing else.\n" +
		"module " + name + ".pipeline\n\ngo " + oldLanguage + "\n"
}
