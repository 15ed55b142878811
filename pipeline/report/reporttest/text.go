package reporttest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

func text(data []byte) error {
	if len(data) == 0 || !utf8.Valid(data) {
		return errors.New("empty, or not UTF-8")
	}
	return nil
}

// dotenv is app/services/ci/parse_dotenv_artifact_service.rb: one bad line makes
// GitLab refuse the file.
func dotenv(data []byte) error {
	if len(data) >= MaxDotenv || !utf8.Valid(data) || !strings.HasSuffix(string(data), "\n") {
		return fmt.Errorf("%d bytes, not UTF-8, or without an end of the last line", len(data))
	}
	line := regexp.MustCompile(`^(PIPELINE_[A-Z0-9_]+)=([^\s"'$#\\]+)$`)
	seen := map[string]bool{}
	for text := range strings.Lines(string(data)) {
		m := line.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if m == nil || seen[m[1]] {
			return fmt.Errorf("line %q is none, or there twice", text)
		}
		seen[m[1]] = true
	}
	if len(seen) > 20 {
		return fmt.Errorf("%d variables", len(seen))
	}
	return nil
}

// metrics is the grammar of OpenMetrics 1.0, "Text format", for gauges.
func metrics(data []byte) error {
	body, ended := strings.CutSuffix(string(data), "# EOF\n")
	if !ended || !utf8.Valid(data) {
		return errors.New("does not end with # EOF")
	}
	const name, label = `[a-zA-Z_:][a-zA-Z0-9_:]*`, `[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`
	descriptor := regexp.MustCompile(`^# (TYPE|UNIT|HELP) (` + name + `) ([^\n]+)$`)
	sample := regexp.MustCompile(`^(` + name + `)\{(` + label + `(?:,` + label + `)*)\} (\S+)$`)
	family, seen := "", map[string]bool{}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if m := descriptor.FindStringSubmatch(line); m != nil {
			if m[1] == "TYPE" {
				family = m[2]
			}
			if seen[m[1]+m[2]] || m[2] != family || m[1] == "TYPE" && m[3] != "gauge" || m[1] == "UNIT" && !strings.HasSuffix(m[2], "_"+m[3]) {
				return fmt.Errorf("%q in family %s", line, family)
			}
			seen[m[1]+m[2]] = true
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || m[1] != family || seen[m[1]+m[2]] {
			return fmt.Errorf("%q in family %s is no sample, or there twice", line, family)
		}
		seen[m[1]+m[2]] = true
		if _, err := strconv.ParseFloat(m[3], 64); err != nil || strings.ContainsAny(m[2], "{}") {
			return fmt.Errorf("sample %q: a value that is no number, or braces in a label", line)
		}
	}
	return nil
}
