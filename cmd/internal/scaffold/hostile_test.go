package scaffold_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/tools/txtar"

	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

// TestHostileRepository must make a plan that can be read, whatever the names
// and contents of a repository are.
func TestHostileRepository(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "-rf ☃: #{}")
	for name, content := range map[string]string{
		"cmd/a b\n- c/main.go":       "package main\n\nfunc main() {}\n",
		"cmd/e\x1b[2J\u202e/main.go": "package main\n\nfunc main() {}\n",
		"cmd/x: y #z/main.go":        "package main\n\nfunc main() {}\n",
		"Makefile":                   "utest mtest:\n\tgo test -short ./...\nitest:\n\tgo test -ip $(IP\"\\\n) -port $(PORT)\nA = $(B)$(B)\nB = $(A)$(A)\nlint:\n\t$(A)\n",
		"Dockerfile":                 "FROM x\nENV A='\": {}' B=\"a\\tb\" C= \nEXPOSE 1 99999x 8080/udp 70\nCMD [\"/x\", \"\\n- evil: true\", \"{{.}}\", \"null\", \"[[.Name]]\"]\nCOPY \"we ird: #\" /etc/\n",
		"we ird: #":                  "",
		"deploy/k8s/a.yaml":          "apiVersion: v1\nkind: Service\nmetadata: {name: [}\n",
		"api/\"quoted\", [x].binpb":  "",
		"api/& *anchor: - yes.binpb": "",
		"go.mod":                     "module ???\n",
	} {
		write(t, filepath.Join(dir, name), content)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, ".gitlab-ci.yml"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "GNUmakefile")); err != nil {
		t.Fatal(err)
	}
	p := plan(t, dir, scaffold.Options{})
	if err := scaffold.Write(p, dir); err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Files {
		check(t, f)
		if f.Path != "pipeline.yaml" {
			continue
		}
		if err := os.Remove(filepath.Join(dir, "go.mod")); err != nil { // what is wrong with it is no concern here
			t.Fatal(err)
		}
		s, err := config.Parse(filepath.Join(dir, f.Path), []byte(f.Content), dir)
		if err != nil {
			t.Fatalf("%v\n%s", err, f.Content)
		}
		if got := fmt.Sprintf("%q", s.Stages["module"].Args); got != `["\n- evil: true" "{{.}}" "null" "[[.Name]]"]` {
			t.Errorf("arguments %s", got)
		}
	}
}

// FuzzPlan makes plans from files of any content; each pipeline.yaml must be
// one, and a second plan empty.
func FuzzPlan(f *testing.F) {
	archives, err := filepath.Glob("testdata/plans/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var makefile, dockerfile, manifest string
		for _, file := range a.Files {
			switch {
			case file.Name == "Makefile":
				makefile = string(file.Data)
			case strings.HasSuffix(file.Name, "Dockerfile"):
				dockerfile = string(file.Data)
			case strings.HasPrefix(file.Name, "deploy/k8s/"):
				manifest = string(file.Data)
			}
		}
		f.Add(makefile, dockerfile, manifest)
	}
	f.Fuzz(func(t *testing.T, makefile, dockerfile, manifest string) {
		dir := repository(t, &txtar.Archive{Files: []txtar.File{
			{Name: "go.mod", Data: []byte("module gitlab.com/shop/fuzz\n\ngo 1.26\n")},
			{Name: "main.go", Data: []byte("package main\n\nfunc main() {}\n")},
			{Name: "Makefile", Data: []byte(makefile)},
			{Name: "Dockerfile", Data: []byte(dockerfile)},
			{Name: "deploy/k8s/a.yaml", Data: []byte(manifest)},
		}})
		try(t, dir, plan(t, dir, scaffold.Options{}))
	})
}
