package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

func render(t testing.TB, run Run) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// attr returns an attribute of an element, "" without it.
func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// sound parses a page and fails for everything that no page may have: links to
// nowhere, anything from elsewhere, text that acts.
func sound(t testing.TB, data []byte) *html.Node {
	t.Helper()
	if !utf8.Valid(data) {
		t.Error("the page is not UTF-8")
	}
	for _, r := range string(data) {
		if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0x202e {
			t.Fatalf("character %U", r)
		}
	}
	doc, err := html.Parse(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for n := range doc.Descendants() {
		id := attr(n, "id")
		if id != "" && ids[id] {
			t.Errorf("two elements have the id %q", id)
		}
		ids[id] = true
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			soundElement(t, n, ids)
		}
	}
	return doc
}

func soundElement(t testing.TB, n *html.Node, ids map[string]bool) {
	t.Helper()
	const known = ` html head meta title link style script body svg symbol path use rect line text a header span nav div main section h1 h2 h3
		ul li dl dt dd article p pre code button table thead tbody tr th td form input fieldset legend label output details summary b br dialog kbd `
	if !slices.Contains(strings.Fields(known), n.Data) {
		t.Errorf("element %s", n.Data)
	}
	for _, a := range n.Attr {
		switch {
		case strings.HasPrefix(a.Key, "on"), slices.Contains([]string{"style", "src", "srcset", "action", "formaction", "data", "poster", "ping", "background"}, a.Key):
			t.Errorf("attribute %s=%q of %s", a.Key, a.Val, n.Data)
		case a.Key == "href" && n.Data == "link":
			if !strings.HasPrefix(a.Val, "data:") {
				t.Errorf("link to %q", a.Val)
			}
		case a.Key == "href":
			if len(a.Val) < 2 || a.Val[0] != '#' || !ids[a.Val[1:]] {
				t.Errorf("href=%q of %s leads nowhere", a.Val, n.Data)
			}
		case a.Key == "aria-labelledby" && !ids[a.Val]:
			t.Errorf("%s=%q names nothing", a.Key, a.Val)
		case strings.Contains(a.Val, "ZgotmplZ"):
			t.Errorf("attribute %s of %s was refused", a.Key, n.Data)
		}
	}
	if slices.Contains(strings.Fields(attr(n, "class")), "scripted") && !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "hidden" }) {
		t.Errorf("a control %s is seen without the script", n.Data)
	}
}

// elements returns the elements of a name.
func elements(doc *html.Node, name string) (list []*html.Node) {
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			list = append(list, n)
		}
	}
	return list
}

// content returns the text in an element.
func content(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func TestHTMLOfSystem(t *testing.T) {
	t.Parallel()
	run := system(t)
	data := render(t, run)
	golden(t, "report-system.html", data)
	doc := sound(t, data)
	for _, id := range []string{"stages", "timeline", "failing", "tests", "coverage", "image", "events", "benchmarks", "issues", "facts", "logs"} {
		if !bytes.Contains(data, []byte(`<section id="`+id+`"`)) || !bytes.Contains(data, []byte(`<a href="#`+id+`">`)) {
			t.Errorf("no section %s, or no link to it", id)
		}
	}
	if len(data) > 300_000 {
		t.Errorf("an ordinary run takes %d bytes", len(data))
	}
	if h := elements(doc, "h1"); len(h) != 1 || strings.TrimSpace(content(h[0])) != "Failed stock, cart, web" {
		t.Errorf("%d headlines", len(h))
	}
	if !bytes.Equal(data, render(t, run)) {
		t.Error("the second time the bytes differ")
	}
}

// The page has nothing to fetch, and its policy allows exactly what is in it.
func TestHTMLIsSelfContained(t *testing.T) {
	t.Parallel()
	data := render(t, system(t))
	doc := sound(t, data)
	styles, scripts := elements(doc, "style"), elements(doc, "script")
	if len(styles) != 1 || len(scripts) != 1 {
		t.Fatalf("%d styles, %d scripts", len(styles), len(scripts))
	}
	policy := ""
	for _, m := range elements(doc, "meta") {
		if attr(m, "http-equiv") == "Content-Security-Policy" {
			policy = attr(m, "content")
		}
	}
	hash := func(n *html.Node) string {
		sum := sha256.Sum256([]byte(n.FirstChild.Data))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := "default-src 'none'; img-src data:; style-src " + hash(styles[0]) + "; script-src " + hash(scripts[0]) + "; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("policy %q, want %q", policy, want)
	}
	if m := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.]+\.[a-z]|url\(|@import|@font-face|\bfetch\(|XMLHttpRequest|import\(|WebSocket|EventSource|sendBeacon|innerHTML|eval\(`).Find(data); m != nil {
		t.Errorf("the page holds %q", m)
	}
}

func TestHTMLOfHostileText(t *testing.T) {
	t.Parallel()
	run := hostileRun()
	doc := sound(t, render(t, run))
	if n := strings.Count(content(doc), "<script>alert(1)</script>"); n < 15 {
		t.Errorf("the text is seen %d times", n)
	}
	if n := len(elements(doc, "script")); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if text := content(doc); strings.Contains(text, "[31m") {
		t.Error("a sequence for terminals is left")
	}
}

// hostileRun has hostile text wherever a run has text.
func hostileRun() Run {
	long := hostile + strings.Repeat("x", 100_000)
	f := &pipeline.Findings{
		Summary:    hostile,
		Tests:      []pipeline.Test{{Package: hostile, Name: hostile, Status: hostile, Output: long, File: hostile, Line: -1}, {Package: hostile, Name: long, Status: pipeline.TestSkipped, Output: hostile}, {}},
		Coverage:   &pipeline.Coverage{Statements: -1, Covered: 5, Files: []pipeline.FileCoverage{{Path: hostile, Package: long, Statements: 1, Covered: 9, Blocks: []pipeline.CoverageBlock{{From: -1 << 62, To: 1 << 62}}}, {}}},
		Issues:     []pipeline.Issue{{Path: hostile, Line: -5, Check: hostile, Severity: hostile, Message: long}, {}},
		Benchmarks: []pipeline.Benchmark{{Package: hostile, Name: hostile, N: -1, Values: map[string]float64{hostile: 1e300, "": -1}}, {}},
		Facts:      map[string]string{hostile: hostile, "": "", "x size": "-1"},
		Phases:     []pipeline.Phase{{Name: hostile, Start: -1, Took: 1 << 62}, {Name: long, Start: 1 << 62, Took: -1}, {}},
		Layers:     []pipeline.Layer{{Name: hostile, Platform: hostile, Digest: long, Size: -1}, {Size: 1 << 62}, {}},
		Events:     []pipeline.ClusterEvent{{Type: hostile, Object: hostile, Reason: hostile, Message: long, Count: -1}, {Type: "Normal"}},
	}
	s := Stage{Service: hostile, Kind: hostile, Status: hostile, Started: moment(0), Duration: 1 << 62, Message: long, Cause: long, Log: hostile, Root: hostile, Findings: f}
	never := Stage{Status: pipeline.Cancelled, Started: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Duration: 1<<63 - 1}
	return Run{ID: hostile, Version: hostile, Status: hostile, Started: moment(0), Duration: -1 << 63, Root: hostile, Project: hostile, Stages: []Stage{s, s, {}, never}}
}

func TestHTMLOfLittle(t *testing.T) {
	t.Parallel()
	if data := render(t, Run{ID: "x", Status: "passed"}); len(data) > 0 {
		t.Errorf("a run without stages made %d bytes", len(data))
	}
	data := render(t, Run{Stages: []Stage{{Service: "stock", Kind: "unit", Status: pipeline.Passed, UpToDate: true, Started: moment(0)}}})
	doc := sound(t, data)
	if text := content(doc); !strings.Contains(text, "Unfinished") || !strings.Contains(text, "was killed") || !strings.Contains(text, "no log of this run") {
		t.Errorf("the page of a killed run says:\n%s", text)
	}
	for _, id := range []string{"timeline", "failing", "tests", "coverage", "image", "events", "benchmarks", "issues", "facts"} {
		if bytes.Contains(data, []byte(`id="`+id+`"`)) {
			t.Errorf("a section %s about nothing", id)
		}
	}
	if bytes.Contains(data, []byte("--service")) {
		t.Error("one service needs no --service")
	}
}

func FuzzHTML(f *testing.F) {
	f.Add("message", "cause", "passed", int64(1), int64(2))
	f.Add(hostile, hostile, hostile, int64(-1), int64(1)<<62)
	f.Add("\u2028</script><!--", "]]>\x00", "ä", int64(1)<<62, int64(-1)<<63)
	f.Fuzz(func(t *testing.T, message, cause, status string, start, took int64) {
		s := Stage{
			Service: message, Kind: status, Status: pipeline.Status(status), Message: message, Cause: cause,
			Started: moment(0).Add(time.Duration(start)), Duration: time.Duration(took),
			Findings: &pipeline.Findings{
				Tests:  []pipeline.Test{{Package: message, Name: cause, Output: cause, Status: pipeline.TestStatus(status)}},
				Facts:  map[string]string{message: cause},
				Phases: []pipeline.Phase{{Name: cause, Start: time.Duration(took), Took: time.Duration(start)}},
			},
		}
		sound(t, render(t, Run{ID: cause, Version: message, Status: status, Started: moment(0), Duration: time.Duration(took), Stages: []Stage{s, {Kind: cause, Service: status}}}))
	})
}
