package main

import (
	"path/filepath"
	"strings"
)

// target returns the file to edit for a runtime call, and the key below which
// the process object lies in it ("" when the file is the object itself). The
// path is empty when the call starts nothing.
func target(args []string) (path, key string) {
	verb, rest := command(args)
	switch verb {
	case "create", "run", "restore":
		dir := option(rest, "--bundle", "-b")
		return filepath.Join(dir, "config.json"), "process"
	case "exec":
		return option(rest, "--process", "-p"), ""
	}
	return "", ""
}

// command splits off runc's global options, which come before the verb.
func command(args []string) (verb string, rest []string) {
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case globalWithValue(a):
			i++
		case !strings.HasPrefix(a, "-"):
			return a, args[i+1:]
		}
	}
	return "", nil
}

func globalWithValue(arg string) bool {
	switch strings.TrimLeft(arg, "-") {
	case "log", "log-format", "root", "criu", "rootless":
		return strings.HasPrefix(arg, "-")
	}
	return false
}

// option returns the value of an option in either form, "--name value" and
// "--name=value".
func option(args []string, names ...string) string {
	for i, a := range args {
		for _, n := range names {
			if a == n && i+1 < len(args) {
				return args[i+1]
			}
			if v, ok := strings.CutPrefix(a, n+"="); ok {
				return v
			}
		}
	}
	return ""
}
