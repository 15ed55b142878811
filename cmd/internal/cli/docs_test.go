package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const top = "../../.."

// documents are the texts whose commands and links are checked.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			texts[f] = string(data)
		}
	}
	return texts
}

// TestEveryCommandInTheDocsIsInAScript finds each command line of the documents
// in a script of testdata, where it is run.
func TestEveryCommandInTheDocsIsInAScript(t *testing.T) {
	t.Parallel()
	var scripts strings.Builder
	files, _ := filepath.Glob("testdata/*/*.txtar")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(data)
	}
	command := regexp.MustCompile(`(?m)^(?:    |\$ )(pipeline [^#\n]*[^#\s])`)
	found := 0
	for file, text := range documents(t) {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			found++
			line := regexp.MustCompile(`(?m)^exits \d+ ` + regexp.QuoteMeta(m[1]) + `( -C \S+)?$`)
			if !line.MatchString(scripts.String()) {
				t.Errorf("%s shows %q, which no script runs", file, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d commands were found in the documents", found)
	}
}

func TestRelativeLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#\s]+)\)`)
	for file, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
}
