package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

const (
	// maxDotenv is the size of the file in bytes: GitLab takes less than 5 KB.
	maxDotenv = 4900
	// maxVariables is how many a self-managed GitLab takes.
	maxVariables = 20
)

// variable is one line of a dotenv file.
type variable struct{ name, value string }

// Dotenv writes what later jobs may want to know as GitLab's dotenv report:
// lines of NAME=VALUE, at most 20 of them in less than 5 KB, without quotes,
// comments and empty lines (docs.gitlab.com/ci/yaml/artifacts_reports,
// "artifacts:reports:dotenv"). GitLab puts these above all other variables of
// later jobs, hence the prefix:
//
//	PIPELINE_STATUS      passed, failed, not-tested or cancelled
//	PIPELINE_RUN_ID      the id of the run
//	PIPELINE_SERVICE     the name of the service
//	PIPELINE_VERSION     its version
//	PIPELINE_DIGEST      the digest of its bundle, sha256:...
//	PIPELINE_COVERAGE    covered statements in percent, such as 86.2
//	PIPELINE_IMAGE_SIZE  bytes that a pull of its largest image transfers
//
// A run of several services has PIPELINE_SERVICES, their number, and the last
// four with the service's name in between, in capitals and with _ for what is
// no letter or digit: PIPELINE_CART_VERSION. What is not known has no line, nor
// has what is beyond the limits; the services come in the order of the run.
// Without stages nothing is written.
func Dotenv(w io.Writer, run Run) error {
	if len(run.Stages) == 0 {
		return nil
	}
	list := []variable{{"PIPELINE_STATUS", strings.ReplaceAll(run.Status, " ", "-")}, {"PIPELINE_RUN_ID", run.ID}}
	services := run.services()
	if len(services) == 1 {
		list = append(list, variable{"PIPELINE_SERVICE", services[0]})
		list = append(list, figuresOf(run.Stages).variables("PIPELINE_")...)
	} else {
		list = append(list, variable{"PIPELINE_SERVICES", fmt.Sprint(len(services))})
		stages := run.byService()
		for _, name := range services {
			list = append(list, figuresOf(stages[name]).variables("PIPELINE_"+variableName(name)+"_")...)
		}
	}
	_, err := io.WriteString(w, dotenv(list))
	return err
}

// variables returns what is known of a service.
func (f ServiceFigures) variables(prefix string) []variable {
	list := []variable{{prefix + "VERSION", f.Version}, {prefix + "DIGEST", f.Bundle}}
	if f.Coverage != nil {
		list = append(list, variable{prefix + "COVERAGE", fmt.Sprintf("%.1f", f.Coverage.Percent())})
	}
	if f.Image > 0 {
		list = append(list, variable{prefix + "IMAGE_SIZE", fmt.Sprint(f.Image)})
	}
	return list
}

// dotenv writes the variables that fit, the first ones first. A name that two
// services make belongs to neither.
func dotenv(list []variable) string {
	seen := map[string]int{}
	for _, v := range list {
		seen[v.name]++
	}
	// One bad line makes GitLab refuse the file.
	plain := regexp.MustCompile(`^[A-Za-z0-9._:+/@-]{1,256}$`)
	var b strings.Builder
	lines := 0
	for _, v := range list {
		line := v.name + "=" + v.value + "\n"
		if seen[v.name] > 1 || !plain.MatchString(v.value) || lines == maxVariables || b.Len()+len(line) > maxDotenv {
			continue
		}
		b.WriteString(line)
		lines++
	}
	return b.String()
}

// variableName returns a service's name as part of a variable's.
func variableName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}
