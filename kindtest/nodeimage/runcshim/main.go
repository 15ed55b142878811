// Command runcshim is an OCI runtime that asks for no more than the host can
// give and then becomes runc.
//
// A container engine asks for every capability when a container is privileged,
// for rlimits above its own, and for an OOM score below its own. Where this
// process lacks CAP_SYS_RESOURCE or any other capability (a build machine that
// is a container itself), runc fails on that with "operation not permitted",
// and so does every kind node. The shim edits what runc is about to read, the
// bundle's config.json for create, run and restore and the file given with
// --process for exec (OCI runtime specification, "process"):
//
//   - capability sets are cut down to this process's own bounding set;
//   - without CAP_SYS_RESOURCE, oomScoreAdj and the rlimits are kept within
//     what this process has itself.
//
// With every capability there it changes nothing. It replaces itself by runc,
// so that exit code, signals and files are runc's own. The variable
// RUNC_SHIM_REAL names another runtime than the runc that is found.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

func main() {
	args := os.Args[1:]
	if err := prepare(args); err != nil {
		fatal(err)
	}
	runtime := realRuntime(os.Getenv("RUNC_SHIM_REAL"), exists)
	err := syscall.Exec(runtime, append([]string{runtime}, args...), os.Environ())
	fatal(fmt.Errorf("cannot start %s: %w; install runc or set RUNC_SHIM_REAL", runtime, err))
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "runc-shim:", err)
	os.Exit(1)
}

// prepare edits the file that the runtime call refers to, if any.
func prepare(args []string) error {
	path, key := target(args)
	if path == "" {
		return nil
	}
	own, err := ownLimits()
	if err != nil {
		return err
	}
	return own.rewrite(path, key)
}

// rewrite edits the file in place, keeping mode and owner: it was written for
// this one call. A file that asks for nothing too much is not touched.
func (l limits) rewrite(path, key string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	out, changed, err := l.cut(raw, key)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !changed {
		return nil
	}
	return os.WriteFile(path, out, 0o600)
}

// realRuntime returns the runtime to become: the given one, else the first
// runc there is.
func realRuntime(given string, exists func(string) bool) string {
	if given != "" {
		return given
	}
	places := []string{"/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc", "/usr/local/bin/runc"}
	for _, p := range places {
		if exists(p) {
			return p
		}
	}
	return places[0]
}

func exists(path string) bool {
	_, err := os.Stat(filepath.Clean(path))
	return err == nil
}
