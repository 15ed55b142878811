package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFile is the size up to which a file is read, in bytes.
	maxFile = 1 << 20
	// maxSearch is how many bytes are parsed to find the line of a syntax error.
	maxSearch = 4 << 20
)

// parseYAML returns the root of the only document of a file, nil when it is
// empty. Errors of the syntax are returned as one problem.
func parseYAML(file string, data []byte) (*yaml.Node, *Problem) {
	problem := func(line, column int, format string, args ...any) *Problem {
		return &Problem{file, line, column, fmt.Sprintf(format, args...)}
	}
	if len(data) > maxFile {
		return nil, problem(1, 1, "the file has %d bytes; expected at most %d", len(data), maxFile)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if line, column, ok := badCharacter(data); ok {
		return nil, problem(line, column, "a byte or control character that is no text; expected UTF-8")
	}
	documents, err := documentsOf(data, 2)
	if err != nil {
		line, tab := syntaxLine(data, err)
		if tab > 0 {
			return nil, problem(line, tab, "a tab in the indentation; expected spaces")
		}
		what := strings.TrimPrefix(err.Error(), "yaml: ")
		if rest, ok := strings.CutPrefix(what, "line "); ok {
			_, what, _ = strings.Cut(rest, ": ")
		}
		return nil, problem(line, indent(lineOf(data, line))+1, "%s; expected YAML", what)
	}
	if len(documents) > 1 {
		second := documents[1]
		return nil, problem(second.Line, second.Column, "a second document; expected one document in the file")
	}
	if len(documents) == 0 || len(documents[0].Content) == 0 {
		return nil, nil
	}
	return documents[0].Content[0], nil
}

// documentsOf parses at most n documents.
func documentsOf(data []byte, n int) (documents []*yaml.Node, err error) {
	// The parser panics on a few malformed inputs instead of returning an error.
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("not understood by the YAML parser")
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for len(documents) < n {
		var node yaml.Node
		switch err := decoder.Decode(&node); {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return nil, err
		}
		documents = append(documents, &node)
	}
	return documents, nil
}

// syntaxLine returns the line of a syntax error, and the column of a tab in its
// indentation if that is the reason. The parser tells the line of the context
// or none at all, so the error is looked for behind the longest beginning of
// the file that is valid: an error in line n spoils every longer beginning.
func syntaxLine(data []byte, err error) (line, tab int) {
	ends := lineEnds(data)
	last := len(ends)
	stop := max(0, last-maxSearch/(len(data)+1))
	for k := last; k > stop; k-- {
		if _, err := documentsOf(data[:ends[k-1]], 2); err == nil {
			line = min(k+1, last)
			break
		}
	}
	if line == 0 {
		line = 1
		if _, scanErr := fmt.Sscanf(err.Error(), "yaml: line %d:", &line); stop > 0 && scanErr == nil {
			line = min(max(1, line), last)
		}
	}
	text := lineOf(data, line)
	if at := bytes.IndexByte(text[:indent(text)], '\t'); at >= 0 {
		return line, at + 1
	}
	return line, 0
}

// lineEnds returns the offsets behind each line of data.
func lineEnds(data []byte) []int {
	var ends []int
	at := 0
	for line := range bytes.Lines(data) {
		at += len(line)
		ends = append(ends, at)
	}
	return ends
}

// lineOf returns the line with this number, from 1; empty when there is none.
func lineOf(data []byte, number int) []byte {
	for line := range bytes.Lines(data) {
		if number--; number == 0 {
			return line
		}
	}
	return nil
}

// indent returns the length of the white space that a line begins with.
func indent(line []byte) int {
	rest := bytes.TrimLeft(line, " \t")
	if len(bytes.TrimSpace(rest)) == 0 {
		return 0
	}
	return len(line) - len(rest)
}

// badCharacter finds the first byte that is no UTF-8, or control character that
// YAML forbids (YAML 1.2.2, section 5.1).
func badCharacter(data []byte) (line, column int, found bool) {
	line, column = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1, r < 0x20 && r != '\n' && r != '\r' && r != '\t',
			r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffe, r == 0xffff:
			return line, column, true
		case r == '\r' && !bytes.HasPrefix(data, []byte("\r\n")):
			return line, column, true
		case r == '\n':
			line, column = line+1, 0
		}
		column++
		data = data[size:]
	}
	return 0, 0, false
}
