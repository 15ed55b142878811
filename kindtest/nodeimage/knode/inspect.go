//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// journalctl prints the log of the unit given with -u, or of all.
func journalctl(args []string, folder string, stdout, stderr io.Writer) int {
	units := []string{"containerd", "kubelet"}
	for i, a := range args {
		switch v, joined := strings.CutPrefix(a, "--unit="); {
		case joined:
			units = []string{strings.TrimSuffix(v, ".service")}
		case (a == "-u" || a == "--unit") && i+1 < len(args):
			units = []string{strings.TrimSuffix(args[i+1], ".service")}
		}
	}
	for _, u := range units {
		if err := cat(filepath.Join(folder, u+".log"), stdout); err != nil {
			fmt.Fprintln(stderr, "journalctl:", err)
			return 1
		}
	}
	return 0
}

func cat(path string, w io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.Copy(w, f)
	return err
}

// pgrep prints the ids of the processes with exactly one of the names. The
// exit code is 1 when there is none.
func pgrep(args []string, procfs string, stdout io.Writer) int {
	code := 1
	files, _ := filepath.Glob(filepath.Join(procfs, "[0-9]*", "comm"))
	for _, name := range args {
		if strings.HasPrefix(name, "-") {
			continue
		}
		for _, f := range files {
			if raw, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(raw)) == name {
				fmt.Fprintln(stdout, filepath.Base(filepath.Dir(f)))
				code = 0
			}
		}
	}
	return code
}
