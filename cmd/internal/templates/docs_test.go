package templates

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/gitlab.md")

// table is the inputs of a component for readers, in the order of the file.
func (c *component) table() string {
	var b strings.Builder
	b.WriteString("| input | type | default | |\n|---|---|---|---|\n")
	for _, name := range c.order {
		in := c.inputs[name]
		kind := in.Type
		if len(in.Options) > 0 {
			var words []string
			for _, o := range in.Options {
				words = append(words, fmt.Sprintf("`%v`", o))
			}
			kind = strings.Join(words, ", ")
		}
		value, _ := json.Marshal(in.Default)
		shown := "`" + strings.Trim(string(value), `"`) + "`"
		if in.Default == "" {
			shown = "empty"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, kind, shown, in.Description)
	}
	return b.String()
}

// TestDocument compares the tables of docs/gitlab.md with the components.
func TestDocument(t *testing.T) {
	t.Parallel()
	file := filepath.Join(top, "docs", "gitlab.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, name := range names() {
		place := regexp.MustCompile(`(?s)(<!-- inputs of ` + name + `:[^\n]*-->\n).*?(<!-- end -->)`)
		if len(place.FindAllString(text, -1)) != 1 {
			t.Fatalf("%s has no place for the inputs of %s", file, name)
		}
		table := strings.ReplaceAll(read(t, name).table(), "$", "$$")
		text = place.ReplaceAllString(text, "${1}"+table+"${2}")
	}
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(text, string(data)); diff != "" {
		t.Errorf("%s is old, -update makes it anew: %s", file, diff)
	}
}
