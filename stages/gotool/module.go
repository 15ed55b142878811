package gotool

import (
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

// Module returns the path of the module at dir, "" when there is no go.mod
// that says it.
func Module(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return ""
	}
	return modfile.ModulePath(data)
}

// HasTool reports whether go.mod at dir names the package with a tool
// directive.
func HasTool(dir, pkg string) bool {
	name := filepath.Join(dir, "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		return false
	}
	mod, err := modfile.Parse(name, data, nil)
	if err != nil {
		return false
	}
	for _, tool := range mod.Tool {
		if tool.Path == pkg {
			return true
		}
	}
	return false
}
