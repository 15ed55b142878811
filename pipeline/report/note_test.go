package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// before is what the target branch measured for shop.
func before() *Figures {
	return &Figures{Schema: 1, Services: map[string]ServiceFigures{
		"stock": {Coverage: &CoverageFigures{Statements: 10, Covered: 8}},
		"cart": {Image: 11_345_678, Benchmarks: map[string]float64{
			"example.com/cart BenchmarkAdd-8 ns/op": 1000, "example.com/cart BenchmarkAdd-8 B/op": 64,
		}},
	}}
}

func about() About {
	return About{Before: before(), Ref: "main", Next: []Next{
		{Service: "stock", Last: "1.3.2", Version: "1.4.0", Reasons: []string{"minor: commit 0123abcd: feat: sell @all <b>", "patch: commit 4567cdef: fix: #12"}},
		{Service: "cart", Last: "1.4.9"},
	}}
}

func noteOf(t *testing.T, run Run, about About) string {
	t.Helper()
	var b bytes.Buffer
	if err := Note(&b, run, about); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestNoteGolden(t *testing.T) {
	t.Parallel()
	golden(t, "note.md", []byte(noteOf(t, shop(), about())))
	one := of(shop(), "stock")
	one.Links = nil
	golden(t, "note-service.md", []byte(noteOf(t, one, About{})))
}

// passive renders a note as GitHub-flavoured Markdown, which GitLab's is built
// on, and fails for everything that the note did not make itself: HTML, links,
// images, marks; and for text outside of code that GitLab acts on by itself.
func passive(t *testing.T, doc string, links ...Link) {
	t.Helper()
	allowed := map[string]bool{}
	for _, l := range links {
		if address, ok := l.address(); ok {
			allowed[address] = true
		}
	}
	source := []byte(doc)
	acts := regexp.MustCompile("[<>@~!$&\\[\\]`\\\\^{}\"']|://|#|(?i:www\\.)|%[A-Za-z0-9]|\\b[0-9a-f]{7,40}\\b|\\b[A-Z][A-Z0-9_]*-[0-9]")
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err := ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Document, *ast.Paragraph, *ast.TextBlock, *east.Table, *east.TableHeader, *east.TableRow, *east.TableCell, *ast.List, *ast.ListItem, *ast.Emphasis:
		case *ast.Heading:
			if n.Level != 3 {
				t.Errorf("heading of level %d", n.Level)
			}
		case *ast.FencedCodeBlock:
			if string(n.Language(source)) != "text" {
				t.Errorf("block of %s", n.Language(source))
			}
		case *ast.CodeSpan:
			return ast.WalkSkipChildren, nil
		case *ast.Link:
			if !allowed[string(n.Destination)] {
				t.Errorf("link to %q", n.Destination)
			}
		case *ast.Text:
			if m := acts.Find(n.Value(source)); m != nil {
				t.Errorf("%q stands outside of code in %q", m, n.Value(source))
			}
		default:
			t.Errorf("there is a %s", n.Kind())
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?m)^[\s\x{200b}]*/.*$`).FindString(doc); m != "" {
		t.Errorf("the line %q is a quick action", m)
	}
	if n := strings.Count(doc, "\n```"); n%2 != 0 {
		t.Errorf("%d lines begin with a fence", n)
	}
	for _, r := range doc {
		if r < 0x20 && r != '\n' && r != '\t' {
			t.Errorf("character %U", r)
		}
	}
}

func TestNoteIsPassive(t *testing.T) {
	t.Parallel()
	passive(t, noteOf(t, shop(), about()), shop().Links...)
	passive(t, noteOf(t, Run{Status: hostile, Links: []Link{{hostile, "https://x.example.com/" + hostile}}, Stages: []Stage{
		{Service: hostile, Kind: hostile, Version: hostile, Status: pipeline.Failed, Message: hostile, Cause: hostile},
	}}, About{Before: &Figures{}, Ref: hostile, Next: []Next{{hostile, hostile, hostile, []string{hostile}}}}))
}

// The whole of a note is bounded; what is red comes before what is cut.
func TestNoteIsBounded(t *testing.T) {
	t.Parallel()
	run := Run{Status: "failed", Links: shop().Links}
	for i := range 30 {
		run.Stages = append(run.Stages, Stage{Service: fmt.Sprintf("red%d", i), Kind: "unit", Status: pipeline.Failed, Cause: strings.Repeat("why\n", 500)})
	}
	for i := range 1500 {
		run.Stages = append(run.Stages, Stage{Service: fmt.Sprintf("service%d", i), Kind: "bench", Status: pipeline.Passed, Findings: &pipeline.Findings{
			Benchmarks: []pipeline.Benchmark{{Package: "p", Name: "BenchmarkX", Values: map[string]float64{"ns/op": 1}}},
		}})
	}
	const limit = 30_000
	var b bytes.Buffer
	if err := run.note(&b, about(), limit); err != nil {
		t.Fatal(err)
	}
	doc := b.String()
	passive(t, doc, run.Links...)
	for _, want := range []string{"red9/unit", "20 more stages are not green", "[485 more lines]", "services are left out here", "[report]("} {
		if !strings.Contains(doc, want) {
			t.Errorf("the note lacks %q", want)
		}
	}
	if len(doc) > limit || strings.Contains(doc, "red10/unit") {
		t.Errorf("%d bytes", len(doc))
	}
	began := time.Now()
	all := noteOf(t, run, about())
	t.Logf("a note of %d stages has %d bytes and took %v", len(run.Stages), len(all), time.Since(began).Round(time.Millisecond))
	if !strings.Contains(all, "benchmarks are in the report") || strings.Contains(all, "left out here") {
		t.Error("what has room is left out")
	}
}

func TestNoteOfNothing(t *testing.T) {
	t.Parallel()
	if got := noteOf(t, Run{Links: shop().Links}, about()); got != "" {
		t.Errorf("wrote %q", got)
	}
}

func FuzzNote(f *testing.F) {
	f.Add("message", "cause", "main", "https://gitlab.example.com/a")
	f.Add(hostile, hostile, hostile, hostile)
	f.Add("/merge", "\n\n/merge\r/close\u2028/approve", "`", "javascript:alert(1)")
	f.Add("``` ` ``", "````\n~~~\n> x\n</details>", "a|b", "https://x/)[y](z)")
	f.Add("deadbeef ABC-1 %1 WWW.x", "- [ ] x", "%{x}", "https://x/*_~!@")
	f.Fuzz(func(t *testing.T, message, cause, name, address string) {
		link := Link{message, address}
		one := Stage{Service: name, Kind: message, Version: cause, Status: pipeline.Failed, Message: message, Cause: cause, Findings: &pipeline.Findings{
			Benchmarks: []pipeline.Benchmark{{Package: name, Name: cause, Values: map[string]float64{message: 1}}},
		}}
		run := Run{Status: message, Links: []Link{link}, Stages: []Stage{one}}
		more := About{Before: &Figures{}, Ref: name, Next: []Next{{name, message, cause, []string{message, cause}}}}
		passive(t, noteOf(t, run, more), link)
		other := one
		other.Service, other.Status = cause, pipeline.Status(name)
		run.Stages = append(run.Stages, other)
		passive(t, noteOf(t, run, more), link)
	})
}
