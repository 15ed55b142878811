package report

import (
	"encoding/json"
	"io"
	"net/url"
)

const (
	// maxLink is the length of an address in bytes, maxLabel that of its text.
	maxLink  = 2000
	maxLabel = 200
)

// annotation is one element of a section of GitLab's annotations report
// (docs.gitlab.com/ci/yaml/artifacts_reports, "artifacts:reports:annotations").
type annotation struct {
	ExternalLink struct {
		Label string `json:"label"`
		URL   string `json:"url"`
	} `json:"external_link"`
}

// Annotations writes the links of the run for the page of a GitLab job.
// Without links nothing is written.
func Annotations(w io.Writer, run Run) error {
	var list []annotation
	for _, link := range run.Links {
		if address, ok := link.address(); ok {
			var a annotation
			a.ExternalLink.Label, a.ExternalLink.URL = oneLine(shorten(link.Label, maxLabel)), address
			list = append(list, a)
		}
	}
	if len(list) == 0 {
		return nil
	}
	data, err := json.MarshalIndent(map[string][]annotation{"pipeline": list}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// address returns the link's address in a form that ends no link of Markdown;
// false for one that a browser should not open, or without a text.
func (l Link) address() (string, bool) {
	u, err := url.Parse(l.URL)
	if err != nil || oneLine(l.Label) == "" || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	text := escapeMarks(u.String())
	return text, len(text) <= maxLink
}

// escapeMarks escapes what a URL may have and Markdown or HTML acts on.
func escapeMarks(text string) string {
	var b []byte
	for i := range len(text) {
		switch c := text[i]; c {
		case '(', ')', '<', '>', '\'', '"', '`', '*', '[', ']', '\\', '|', '!', '^', '{', '}', ' ':
			b = append(b, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}
