package changelog

import (
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// shown is what a Markdown reader sees of one list item.
type shown struct {
	texts []string // outside of code and links: where a forge looks for mentions
	all   strings.Builder
	bad   []string
}

// readItems parses notes like a GitLab does (CommonMark with tables, tasks,
// strike-through and links) and returns the items of its outer lists. What can
// only be there because a text became more than text is in bad.
func readItems(t *testing.T, notes string) []*shown {
	t.Helper()
	source := []byte(notes)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList)).Parser().Parse(text.NewReader(source))
	var items []*shown
	for block := doc.FirstChild(); block != nil; block = block.NextSibling() {
		switch block.Kind() {
		case ast.KindList:
			for item := block.FirstChild(); item != nil; item = item.NextSibling() {
				items = append(items, readItem(item, source))
			}
		case ast.KindHeading, ast.KindParagraph:
		default:
			t.Errorf("a block of kind %v", block.Kind())
		}
	}
	return items
}

func readItem(item ast.Node, source []byte) *shown {
	s := &shown{}
	_ = ast.Walk(item, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			value := string(unescape(n.Segment.Value(source)))
			s.all.WriteString(value)
			if !inside(n, ast.KindCodeSpan) && !inside(n, ast.KindLink) {
				s.texts = append(s.texts, value)
			}
			if n.HardLineBreak() {
				s.bad = append(s.bad, "a line break")
			}
		case *ast.AutoLink:
			s.all.Write(n.Label(source))
		case *ast.Link:
			if !strings.HasPrefix(string(n.Destination), "https://gitlab.example.com/") {
				s.bad = append(s.bad, "a link to "+string(n.Destination))
			}
		case *ast.Emphasis:
			if n.Level != 2 || n.PreviousSibling() != nil {
				s.bad = append(s.bad, "an emphasis")
			}
		case *ast.ListItem, *ast.List, *ast.TextBlock, *ast.CodeSpan:
		default:
			s.bad = append(s.bad, n.Kind().String())
		}
		return ast.WalkContinue, nil
	})
	return s
}

func inside(n ast.Node, kind ast.NodeKind) bool {
	for n = n.Parent(); n != nil; n = n.Parent() {
		if n.Kind() == kind {
			return true
		}
	}
	return false
}

// unescape does what a renderer does with a text node.
func unescape(b []byte) []byte {
	s := regexp.MustCompile(`\\([!-/:-@\[-`+"`"+`{-~])`).ReplaceAllString(string(b), "$1")
	return []byte(strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s))
}

var mention = regexp.MustCompile(`@[A-Za-z0-9_]`)

// checkText tells one text and looks whether readers see that text, no more.
func checkText(t *testing.T, subject string) {
	t.Helper()
	c := Commit{Hash: hash(1), Type: "fix", Subject: subject, Breaking: []string{subject + " "}}
	scoped := Commit{Hash: hash(2), Type: "fix", Scope: subject, Subject: subject}
	other := Commit{Hash: hash(3), Type: "fix", Subject: "zzz other"}
	notes := Notes(Release{Tag: "v2", Previous: "v1", Forge: gitlab(t), Commits: []Commit{c, scoped, other}})
	items := readItems(t, notes)
	if len(items) != 3 {
		t.Fatalf("%q makes %d items, want 3:\n%s", subject, len(items), notes)
	}
	for line := range strings.Lines(notes) {
		if strings.HasPrefix(strings.TrimSpace(line), "/") {
			t.Errorf("a line begins with a slash: %q", line)
		}
	}
	for _, item := range items {
		if len(item.bad) > 0 {
			t.Errorf("%q becomes %v:\n%s", subject, item.bad, notes)
		}
		for _, text := range item.texts {
			if mention.MatchString(text) {
				t.Errorf("%q mentions in %q:\n%s", subject, text, notes)
			}
		}
		seen := visible(item.all.String())
		if !strings.Contains(seen, "zzzother") && !strings.Contains(seen, visible(plain(subject))) {
			t.Errorf("%q is shown as %q:\n%s", subject, seen, notes)
		}
	}
}

// visible leaves out what code spans may change: backticks and spaces.
func visible(s string) string {
	return strings.NewReplacer("`", "", " ", "", "\n", "").Replace(s)
}

func TestTextStaysText(t *testing.T) {
	t.Parallel()
	for _, c := range hostile() {
		checkText(t, c.Subject)
		checkText(t, "words before "+c.Subject)
		checkText(t, c.Scope)
	}
}

func FuzzText(f *testing.F) {
	for _, c := range hostile() {
		f.Add(c.Subject)
	}
	f.Fuzz(checkText)
}
