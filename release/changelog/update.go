package changelog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// header begins a file that did not exist.
const header = `# Changelog

All notable changes to this project are documented in this file.

The format is that of [Keep a Changelog](https://keepachangelog.com/en/1.1.0/),
and versions follow [Semantic Versioning](https://semver.org/spec/v2.0.0.html).

## [Unreleased]
`

// Update returns a changelog with a section for a release: below "Unreleased",
// whose entries by people move into it, and above all versions. Older sections
// stay as they are to the byte; the links at the end are kept up; the file's
// line ends and its way to write headings are followed. A file that has the
// version already is returned as it is, an empty one begins with a header. A
// file in another form is a *FormatError.
func Update(data []byte, r Release) ([]byte, error) {
	if _, err := semver.StrictNewVersion(r.Version); err != nil {
		return nil, fmt.Errorf("changelog: %q is no semantic version", r.Version)
	}
	if r.Date.IsZero() {
		return nil, errors.New("changelog: the release has no date")
	}
	content := data
	if len(strings.TrimSpace(string(data))) == 0 {
		content = []byte(header)
	}
	f, err := parse(content)
	if err != nil {
		return nil, err
	}
	if f.has(r.Version) {
		return data, nil
	}
	return []byte(f.with(r)), nil
}

// Unreleased returns what people wrote below "Unreleased": Markdown for
// Release.Written, "" for nothing. Headings without entries are left out.
func Unreleased(data []byte) (string, error) {
	if len(strings.TrimSpace(string(data))) == 0 {
		return "", nil
	}
	f, err := parse(data)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(strings.Join(merge(f.written(), nil, Forge{}), "\n")), nil
}

func (f *file) has(version string) bool {
	return slices.ContainsFunc(f.headings, func(h heading) bool { return h.level == 2 && versionOf(h.text) == version })
}

// with returns the file with a section for a release.
func (f *file) with(r Release) string {
	label, title := f.heading(r)
	lines := append([]string{"## " + title, ""}, f.body(r)...)
	at, next := f.place()
	var b strings.Builder
	f.copy(&b, 0, at)
	if at > 0 && strings.TrimSpace(f.text(at-1)) != "" {
		lines = append([]string{""}, lines...)
	}
	for _, line := range lines {
		f.write(&b, line+f.eol)
	}
	if next < len(f.lines) {
		b.WriteString(f.eol)
	}
	f.copy(&b, next, f.links)
	for _, line := range f.linked(r, label) {
		f.write(&b, line)
	}
	return b.String()
}

// copy writes lines as they are. Only the last line of a file may lack an end,
// and gets one when something follows.
func (f *file) copy(b *strings.Builder, from, to int) {
	for _, line := range f.lines[from:max(from, to)] {
		f.write(b, line)
	}
}

func (f *file) write(b *strings.Builder, line string) {
	if s := b.String(); s != "" && s[len(s)-1] != '\n' {
		b.WriteString(f.eol)
	}
	b.WriteString(line)
}

// place returns the line before which the section comes, and the first line
// after the unreleased part, which it replaces.
func (f *file) place() (at, next int) {
	next = f.links
	if f.first >= 0 {
		next = f.headings[f.first].line
	}
	if f.unreleased >= 0 {
		return f.headings[f.unreleased].line + 1, next
	}
	return next, next
}

// heading returns the label of a version's link, "" where headings have none,
// and the text of the heading, in the way of the file's others.
func (f *file) heading(r Release) (label, text string) {
	label, brackets := r.Version, true
	if f.first >= 0 {
		newest := f.headings[f.first].text
		brackets = bracketed(newest)
		if strings.HasPrefix(strings.TrimPrefix(newest, "["), "v") {
			label = "v" + label
		}
	} else if f.unreleased >= 0 {
		brackets = bracketed(f.headings[f.unreleased].text)
	}
	date := r.Date.Format(" - 2006-01-02")
	if !brackets {
		return "", label + date
	}
	return label, "[" + label + "]" + date
}

// written returns the lines below "Unreleased", without their ends.
func (f *file) written() []string {
	if f.unreleased < 0 {
		return nil
	}
	var lines []string
	at, next := f.place()
	for i := at; i < next; i++ {
		if label, _, ok := definition(f.text(i)); !ok || !strings.EqualFold(label, "unreleased") {
			lines = append(lines, f.text(i))
		}
	}
	return lines
}

// body returns the lines of a section below its heading.
func (f *file) body(r Release) []string {
	lines := merge(f.written(), r.sections(), r.Forge)
	if len(lines) == 0 {
		return []string{nothing}
	}
	return lines
}
