package gitlab

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// The last line of the notes that we write: a comment in Markdown, which is
// not shown, with the checksum of name and notes.
const (
	sealPrefix = "<!-- pipeline:notes sha256="
	sealSuffix = " -->"
)

// seal adds the line to the notes.
func seal(name, notes string) string {
	body := normal(notes)
	return body + "\n\n" + sealPrefix + textSum(name, body) + sealSuffix
}

// untouched tells whether name and notes are as we wrote them.
func untouched(name, notes string) bool {
	body, last, ok := cutLast(normal(notes), "\n\n"+sealPrefix)
	sum, whole := strings.CutSuffix(last, sealSuffix)
	return ok && whole && sum == textSum(name, body)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return "", "", false
	}
	return s[:at], s[at+len(sep):], true
}

func textSum(name, body string) string {
	sum := sha256.Sum256([]byte(name + "\x00" + body))
	return hex.EncodeToString(sum[:])
}

// normal is a text without what editors and servers change by themselves: line
// ends and space at the end.
func normal(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), " \t\n")
}
