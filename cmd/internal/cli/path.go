package cli

import (
	"os"
	"path/filepath"
	"strings"
)

// relative returns the path as seen from the working directory, where that is
// below it.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return rel
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
