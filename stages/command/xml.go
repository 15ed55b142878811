package command

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of elements.
const maxDepth = 200

// handler is told of the elements of a document. Text is what stands directly
// in an element; it comes with the end.
type handler interface {
	start(name string, attr map[string]string) error
	end(name, text string) error
}

// walkXML reads a document. Names come without name space. A document type is
// passed over unless it has a body: entities are of no use in a report, and of
// much use to who wants to fill the memory.
func walkXML(data []byte, h handler) error {
	d := xml.NewDecoder(bytes.NewReader(legal(data)))
	d.CharsetReader = charset
	var texts [][]byte // of the open elements
	seen := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(texts) == 0 && seen {
			return nil
		}
		if err != nil {
			return fmt.Errorf("malformed XML: %w", err)
		}
		switch t := token.(type) {
		case xml.Directive:
			if bytes.ContainsAny(t, "[") || bytes.Contains(bytes.ToUpper(t), []byte("ENTITY")) {
				return errors.New("XML with a document type of its own is refused: it may declare entities")
			}
		case xml.StartElement:
			seen = true
			if texts = append(texts, nil); len(texts) > maxDepth {
				return fmt.Errorf("XML is nested deeper than %d elements", maxDepth)
			}
			err = h.start(t.Name.Local, attributes(t))
		case xml.CharData:
			if n := len(texts); n > 0 && len(texts[n-1]) < maxText {
				texts[n-1] = append(texts[n-1], t...)
			}
		case xml.EndElement:
			text := string(texts[len(texts)-1])
			texts = texts[:len(texts)-1]
			err = h.end(t.Name.Local, text)
		}
		if err != nil {
			return err
		}
	}
}

// legal removes what XML forbids and writers let through all the same: colours
// and other control characters in the output of a test, and broken UTF-8.
func legal(data []byte) []byte {
	data = escape.ReplaceAll(data, nil)
	declaration, _, _ := bytes.Cut(data[:min(len(data), 200)], []byte("?>"))
	if !bytes.Contains(declaration, []byte("encoding=")) || bytes.Contains(bytes.ToLower(declaration), []byte("utf-8")) {
		data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	}
	return slices.DeleteFunc(data, func(b byte) bool { // data is a copy
		return b < ' ' && b != '\t' && b != '\n' && b != '\r'
	})
}

func attributes(t xml.StartElement) map[string]string {
	m := make(map[string]string, len(t.Attr))
	for _, a := range t.Attr {
		m[a.Name.Local] = a.Value
	}
	return m
}

// charset reads what writers declare beside UTF-8: ASCII is part of it, and
// Latin-1 is the code points up to 255.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "us-ascii", "ascii", "utf8":
		return in, nil
	case "iso-8859-1", "latin1", "windows-1252":
		data, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		out := make([]byte, 0, len(data))
		for _, b := range data {
			out = utf8.AppendRune(out, rune(b))
		}
		return bytes.NewReader(out), nil
	}
	return nil, fmt.Errorf("encoding %q is not supported; write UTF-8", label)
}
