package gitlabtest

import (
	"net/http"
	"slices"
)

// jobFile is one file of the artifacts of a job in the newest successful
// pipeline of a branch.
type jobFile struct {
	Ref     string `json:"ref"`
	Job     string `json:"job"`
	Path    string `json:"path"`
	Content []byte `json:"content"`
}

// JobFile makes a file of the artifacts that a job left in the newest successful
// pipeline of a branch; it replaces the one of an older pipeline.
func (p *Project) JobFile(ref, job, path, content string) {
	p.home.edit(func(*state) {
		p.JobFiles = slices.DeleteFunc(p.JobFiles, func(f *jobFile) bool { return f.Ref == ref && f.Job == job && f.Path == path })
		p.JobFiles = append(p.JobFiles, &jobFile{ref, job, path, []byte(content)})
	})
}

// getJobFile serves a single file of the artifacts of a job by the name of a
// branch. Source: lib/api/ci/job_artifacts.rb, doc/api/job_artifacts.md.
func (c *call) getJobFile() {
	if !c.need("job") {
		return
	}
	for _, f := range c.project.JobFiles {
		if f.Ref == c.segment["ref_name"] && f.Job == c.str("job") && f.Path == c.segment["artifact_path"] {
			c.status, c.out = http.StatusOK, f.Content
			c.header.Set("Content-Type", "application/octet-stream")
			return
		}
	}
	c.fail("job_file_none")
}
