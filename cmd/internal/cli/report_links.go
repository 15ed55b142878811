package cli

import (
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/report"
)

// jobLinks returns addresses for people out of the variables of a GitLab job:
// report, bundles, job, pipeline and environment. Elsewhere there are none. page
// is the path of the report from the top of the checkout.
func jobLinks(getenv func(string) string, page string) []report.Link {
	job := strings.TrimRight(getenv("CI_JOB_URL"), "/")
	if getenv("GITLAB_CI") == "" {
		return nil
	}
	var links []report.Link
	add := func(label, base, path string) {
		if base != "" {
			links = append(links, report.Link{Label: label, URL: base + path})
		}
	}
	add("report", job, "/artifacts/file/"+page)
	add("files", job, "/artifacts/browse")
	add("job", job, "")
	add("pipeline", getenv("CI_PIPELINE_URL"), "")
	add("environment", getenv("CI_ENVIRONMENT_URL"), "")
	return links
}
