package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

func TestJUnit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in   string
		want []pipeline.Test
	}{
		"pytest": {
			in: `<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" errors="0" failures="1" tests="3" time="0.05">
<testcase classname="tests.test_a.TestX" name="test_ok[1]" file="tests/test_a.py" line="4" time="0.001" />
<testcase classname="tests.test_a" name="test_bad" time="0.002"><failure message="assert 1 == 2">def test_bad():
&gt;   assert 1 == 2</failure></testcase>
<testcase classname="tests.test_a" name="test_skip"><skipped type="pytest.skip" message="later">tests/test_a.py:9: later</skipped></testcase>
</testsuite></testsuites>`,
			want: []pipeline.Test{
				{Package: "tests.test_a.TestX", Name: "test_ok[1]", Status: "passed", Time: time.Millisecond, File: "tests/test_a.py", Line: 4},
				{Package: "tests.test_a", Name: "test_bad", Status: "failed", Time: 2 * time.Millisecond, Output: "def test_bad():\n>   assert 1 == 2"},
				{Package: "tests.test_a", Name: "test_skip", Status: "skipped", Output: "tests/test_a.py:9: later"},
			},
		},
		"surefire": {
			in: `<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="x.xsd" name="org.x.ATest" time="1,234.5">
<properties><property name="java" value="21"/></properties>
<testcase name="flaky" classname="org.x.ATest" time="1,234.5"><flakyFailure message="once">x</flakyFailure><system-out><![CDATA[out]]></system-out></testcase>
<testcase name="broken" classname="org.x.ATest" time="0"><error type="java.lang.NPE">java.lang.NPE
	at org.x.A</error><rerunFailure message="again"/></testcase></testsuite>`,
			want: []pipeline.Test{
				{Package: "org.x.ATest", Name: "flaky", Status: "passed", Time: 1234500 * time.Millisecond},
				{Package: "org.x.ATest", Name: "broken", Status: "failed", Output: "java.lang.NPE\n\tat org.x.A"},
			},
		},
		"jest": {
			in: `<testsuites name="jest tests" tests="2"><testsuite name="sum"><testcase classname="sum adds" name="sum adds" time="0.004"></testcase>
<testcase classname="sum adds" name="sum adds" time="nonsense"><failure>Error: ` + "\x1b[2mexpect(\x1b[22m\x00\xff" + `received)</failure></testcase></testsuite></testsuites>`,
			want: []pipeline.Test{
				{Package: "sum adds", Name: "sum adds", Status: "passed", Time: 4 * time.Millisecond},
				{Package: "sum adds", Name: "sum adds #2", Status: "failed", Output: "Error: expect(\uFFFDreceived)"},
			},
		},
		"nested": {
			in: `<testsuites><testsuite name="outer"><testsuite name="inner"><testcase name="a" status="notrun"/></testsuite><testcase name="b"/></testsuite></testsuites>`,
			want: []pipeline.Test{
				{Package: "inner", Name: "a", Status: "skipped"},
				{Package: "outer", Name: "b", Status: "passed"},
			},
		},
		"twice": {
			in: `<testsuite name="s"><testcase name="a"/><testcase name="a"/></testsuite>`,
			want: []pipeline.Test{
				{Package: "s", Name: "a", Status: "passed"},
				{Package: "s", Name: "a #2", Status: "passed"},
			},
		},
		"latin 1": {
			in:   `<?xml version="1.0" encoding="ISO-8859-1"?><testsuite name="s"><testcase name="` + "\xe4" + `"/></testsuite>`,
			want: []pipeline.Test{{Package: "s", Name: "ä", Status: "passed"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f pipeline.Findings
			err := addJUnit([]byte(test.in), t.TempDir(), &f)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, f.Tests); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"bomb":      `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>`,
		"external":  `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite/>`,
		"entity":    `<testsuite><testcase name="&a;"/></testsuite>`,
		"depth":     strings.Repeat("<testsuite>", 300),
		"cut":       `<testsuite><testcase`,
		"empty":     ``,
		"not JUnit": `<coverage/>`,
		"encoding":  `<?xml version="1.0" encoding="EBCDIC"?><testsuite/>`,
	} {
		var f pipeline.Findings
		if err := addJUnit([]byte(in), t.TempDir(), &f); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCobertura(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "src/app/a.py", "x\n")
	in := `<?xml version="1.0" ?>
<!DOCTYPE coverage SYSTEM "https://raw.githubusercontent.com/cobertura/web/master/htdocs/xml/coverage-04.dtd">
<coverage line-rate="0.5"><sources><source>` + filepath.Join(dir, "src") + `</source></sources><packages><package name="app"><classes>
<class name="A" filename="app/a.py"><methods><method name="m"><lines><line number="1" hits="9"/></lines></method></methods>
<lines><line number="1" hits="1"/><line number="2" hits="1"/><line number="3" hits="0"/><line number="7" hits="0"/></lines></class>
<class name="B" filename="app/a.py"><methods/><lines><line number="3" hits="1e+00"/><line number="x" hits="1"/></lines></class>
<class name="C" filename="/usr/lib/c.py"><lines><line number="3" hits="1"/></lines></class>
</classes></package></packages></coverage>`
	want := &pipeline.Coverage{Statements: 4, Covered: 3, Files: []pipeline.FileCoverage{{
		Path: "src/app/a.py", Package: "app", Statements: 4, Covered: 3,
		Blocks: []pipeline.CoverageBlock{{From: 1, To: 3, Statements: 3, Hits: 1}, {From: 7, To: 7, Statements: 1}},
	}}}
	var f pipeline.Findings
	for range 2 { // a second report of the same run changes nothing
		if err := addCobertura([]byte(in), dir, &f); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, f.Coverage); diff != "" {
			t.Error(diff)
		}
	}
}

func TestCodeQuality(t *testing.T) {
	t.Parallel()
	const in = `[
{"description":"unused","check_name":"F401","fingerprint":"x","severity":"MAJOR","location":{"path":"src/a.py","lines":{"begin":3}}},
{"type":"issue","description":"long","severity":"weird","location":{"path":"./src/b.py","positions":{"begin":{"line":"4","column":2}}}},
{"type":"measurement","description":"x","location":{"path":"src/a.py"}},
{"description":"outside","location":{"path":"../a.py","lines":{"begin":1}}}]`
	want := []pipeline.Issue{
		{Path: "src/a.py", Line: 3, Check: "F401", Severity: "major", Message: "unused"},
		{Path: "src/b.py", Line: 4, Column: 2, Check: "issue", Severity: "minor", Message: "long"},
	}
	var f pipeline.Findings
	if err := addCodeQuality([]byte(in), t.TempDir(), &f); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, f.Issues); diff != "" {
		t.Error(diff)
	}
}

func TestReportsStayInside(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	secret := filepath.Join(t.TempDir(), "j.xml")
	if err := os.WriteFile(secret, []byte("<testsuite/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(out, "j.xml")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(out)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	job := &pipeline.Job{Dir: t.TempDir(), Findings: &pipeline.Findings{}}
	for _, pattern := range []string{"j.xml", "../*/j.xml"} {
		if err := readPattern(root, pattern, job, addJUnit); err == nil {
			t.Errorf("%s is read", pattern)
		}
	}
}

func FuzzReports(f *testing.F) {
	f.Add([]byte(`<testsuites><testsuite name="a"><testcase name="b" classname="c" time="1" file="x" line="2"><failure message="m">t</failure></testcase></testsuite></testsuites>`))
	f.Add([]byte(`<coverage><sources><source>/x</source></sources><packages><package name="p"><classes><class filename="a"><lines><line number="1" hits="2"/></lines></class></classes></package></packages></coverage>`))
	f.Add([]byte(`[{"description":"d","location":{"path":"a","lines":{"begin":{"line":2}}}}]`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, add := range []reader{addJUnit, addCobertura, addCodeQuality} {
			var found pipeline.Findings
			if add(data, dir, &found) != nil {
				continue
			}
			if c := found.Coverage; c != nil && (c.Covered > c.Statements || c.Covered < 0) {
				t.Errorf("coverage %d of %d", c.Covered, c.Statements)
			}
			for _, i := range found.Issues {
				if i.Line < 1 || !filepath.IsLocal(i.Path) {
					t.Errorf("%+v", i)
				}
			}
			for _, test := range found.Tests {
				if test.Time < 0 || test.Name == "" {
					t.Errorf("%+v", test)
				}
			}
		}
	})
}
