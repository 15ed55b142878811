package reporttest_test

import (
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/report/reporttest"
)

// What GitLab refuses is refused: a check that takes everything is none.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	const quality = `[{"description":"d","check_name":"c","fingerprint":"f","severity":"major","location":{"path":"a.go","lines":{"begin":1}}}]`
	const suite = `<testsuites><testsuite name="s/unit" tests="1" failures="0" errors="0" skipped="0" time="1">CASES</testsuite></testsuites>`
	const one = `<testcase classname="s/unit:p" name="TestA" time="0"></testcase>`
	for _, test := range []struct{ name, good, old, bad string }{
		{"codequality.json", quality, "major", "strange"}, {"codequality.json", quality, "a.go", "./a.go"}, {"codequality.json", quality, "[{", "\ufeff[{"},
		{"codequality.json", quality, `"begin":1`, `"begin":0`}, {"codequality.json", quality, "]", "]x"},
		{"junit-s-unit.xml", strings.Replace(suite, "CASES", one, 1), one, one + one},
		{"junit-s-unit.xml", strings.Replace(suite, "CASES", one, 1), "s/unit:p", "p"},
		{"junit-s-unit.xml", strings.Replace(suite, "CASES", one, 1), "TestA", "Test\x00"},
		{"pipeline.env", "PIPELINE_A=1\n", "\n", "\n\n"}, {"pipeline.env", "PIPELINE_A=1\n", "1", "a b"}, {"pipeline.env", "PIPELINE_A=1\n", "PIPELINE_", ""},
		{"pipeline.env", "PIPELINE_A=1\n", "1", strings.Repeat("x", 5000)},
		{"metrics.txt", "# TYPE a gauge\na{b=\"c\"} 1\n# EOF\n", "# EOF\n", ""}, {"metrics.txt", "# TYPE a gauge\na{b=\"c\"} 1\n# EOF\n", "c\"", "c\"\""},
		{"metrics.txt", "# TYPE a gauge\na{b=\"c\"} 1\n# EOF\n", "} 1\n", "} 1\na{b=\"c\"} 2\n"},
		{"annotations.json", `{"p":[{"external_link":{"label":"l","url":"https://x.example.com"}}]}`, "https:", "javascript:"},
		{"s.cdx.json", `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"metadata":{"component":{"type":"application","name":"s"}}}`, `"1.6"`, `"1.7"`},
	} {
		if err := reporttest.Check(test.name, []byte(test.good)); err != nil {
			t.Errorf("good: %v", err)
		}
		bad := strings.Replace(test.good, test.old, test.bad, 1)
		if err := reporttest.Check(test.name, []byte(bad)); err == nil {
			t.Errorf("%s: nothing is wrong with %.300q", test.name, bad)
		}
	}
}
