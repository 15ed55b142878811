package scaffold

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"fmt"
	"strings"
)

// Diff returns the plan as a diff against what is there, as git apply reads it:
// every file is new. Files that are no text are in git's binary form, so that
// all of it can be shown. It is empty for an empty plan.
func (p *Plan) Diff() string {
	var b strings.Builder
	for _, f := range p.Files {
		name := quotedName("b/" + f.Path)
		fmt.Fprintf(&b, "diff --git %s %s\nnew file mode 100%o\n", quotedName("a/"+f.Path), name, f.Mode.Perm())
		switch {
		case f.Content == "":
		case f.isText():
			fmt.Fprintf(&b, "--- /dev/null\n+++ %s\n%s", name, added(f.Content))
		default:
			b.WriteString(binary(f.Content))
		}
	}
	return b.String()
}

// isText reports whether a file can be shown.
func (f File) isText() bool {
	return strings.IndexFunc(f.Content, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == '\ufffd' }) < 0
}

// added is the hunk of a new text.
func added(text string) string {
	body, ended := strings.CutSuffix(text, "\n")
	lines := strings.Split(body, "\n")
	hunk := fmt.Sprintf("@@ -0,0 +1,%d @@\n+%s\n", len(lines), strings.Join(lines, "\n+"))
	if !ended {
		hunk += "\\ No newline at end of file\n"
	}
	return hunk
}

// binary is the binary patch of a new file: its blob's name and the content,
// deflated and in lines of up to 52 bytes in base 85. Format: git's diff.c
// (emit_binary_diff_body) and base85.c.
func binary(content string) string {
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, _ = w.Write([]byte(content)) // a buffer takes everything
	_ = w.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "index %040d..%x\nGIT binary patch\nliteral %d\n", 0, sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(content), content)), len(content))
	for rest := packed.Bytes(); len(rest) > 0; {
		line := rest[:min(52, len(rest))]
		rest = rest[len(line):]
		b.WriteByte(lengthOf(len(line)))
		b.WriteString(base85(line) + "\n")
	}
	b.WriteString("\nliteral 0\nHcmV?d00001\n\n")
	return b.String()
}

// lengthOf writes how many bytes a line has: A to Z for 1 to 26, then a to z.
func lengthOf(n int) byte {
	if n <= 26 {
		return byte('A' + n - 1)
	}
	return byte('a' + n - 27)
}

// base85 writes each four bytes, the last ones filled up with zeros, as five
// digits with git's alphabet.
func base85(data []byte) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
	var out []byte
	for len(data) > 0 {
		var four [4]byte
		data = data[copy(four[:], data):]
		word := uint32(four[0])<<24 | uint32(four[1])<<16 | uint32(four[2])<<8 | uint32(four[3])
		var five [5]byte
		for i := range five {
			five[4-i] = digits[word%85]
			word /= 85
		}
		out = append(out, five[:]...)
	}
	return string(out)
}

// quotedName quotes a name as git does where it has to.
func quotedName(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' }) < 0 {
		return name
	}
	return fmt.Sprintf("%q", name)
}
