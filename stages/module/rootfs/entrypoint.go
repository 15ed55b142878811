package rootfs

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// CheckEntrypoint says why the program argv0 of the image in dir cannot be
// started, in terms of the image and not of an errno: it is not there, it is
// not executable, it is for another processor, it needs an interpreter that
// the image lacks. env is the image's environment (its PATH counts), workdir
// its working directory. The processor is Go's name for it, "amd64".
func CheckEntrypoint(dir, argv0 string, env []string, workdir, arch string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	name, err := lookPath(root, argv0, env, workdir)
	if err != nil {
		return err
	}
	inside, err := resolve(root, name)
	if err != nil {
		return err
	}
	info, err := root.Stat(inside)
	switch {
	case err != nil:
		return fmt.Errorf("%s: no such file in the image", argv0)
	case info.IsDir():
		return fmt.Errorf("%s: is a folder", argv0)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s: is not executable (mode %v)", argv0, info.Mode())
	}
	f, err := root.Open(inside)
	if err != nil {
		return fmt.Errorf("%s: %w", argv0, err)
	}
	defer f.Close()
	return checkFormat(root, "/"+name, f, arch)
}

// lookPath finds a program as execvp(3) does, relative to the root.
func lookPath(root *os.Root, argv0 string, env []string, workdir string) (string, error) {
	if strings.Contains(argv0, "/") {
		if !path.IsAbs(argv0) {
			argv0 = path.Join("/", workdir, argv0)
		}
		return path.Clean(argv0)[1:], nil
	}
	for dir := range strings.SplitSeq(PathOf(env), ":") {
		name := path.Join("/", dir, argv0)[1:]
		if inside, err := resolve(root, name); err == nil {
			if info, err := root.Stat(inside); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("%s: no such program in the image's PATH (%s)", argv0, PathOf(env))
}

// defaultPath is what engines set when the image says nothing.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// PathOf returns the PATH in an environment, or the one that engines set.
func PathOf(env []string) string {
	found := defaultPath
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			found = value
		}
	}
	return found
}

// checkFormat knows the two formats that the kernel starts by itself.
func checkFormat(root *os.Root, name string, f *os.File, arch string) error {
	head := make([]byte, 256)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return fmt.Errorf("%s: %w", name, err)
	}
	head = head[:n]
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		words := strings.Fields(string(line))
		if len(words) == 0 {
			return fmt.Errorf("%s: its first line names no interpreter", name)
		}
		return needs(root, name, words[0])
	}
	if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return fmt.Errorf("%s: is neither an ELF program nor a script", name)
	}
	return checkELF(root, name, f, arch)
}

func checkELF(root *os.Root, name string, f *os.File, arch string) error {
	file, err := elf.NewFile(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if want, ok := machine(arch); ok && file.Machine != want {
		return fmt.Errorf("%s: is for another processor (%v, the image is for %s)", name, file.Machine, arch)
	}
	for _, prog := range file.Progs {
		if prog.Type != elf.PT_INTERP || prog.Filesz > 4096 {
			continue
		}
		data := make([]byte, prog.Filesz)
		if _, err := prog.ReadAt(data, 0); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return needs(root, name, string(bytes.TrimRight(data, "\x00")))
	}
	return nil
}

func machine(arch string) (elf.Machine, bool) {
	switch arch {
	case "amd64":
		return elf.EM_X86_64, true
	case "arm64":
		return elf.EM_AARCH64, true
	}
	return 0, false
}

func needs(root *os.Root, name, interpreter string) error {
	inside, err := resolve(root, strings.TrimPrefix(interpreter, "/"))
	if err == nil {
		_, err = root.Stat(inside)
	}
	if err != nil {
		return fmt.Errorf("%s: needs the interpreter %s, which the image lacks (build it with CGO_ENABLED=0, or use a base image that has it)", name, interpreter)
	}
	return nil
}
