package cli

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/report"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

// findingsFile is where a run keeps the findings of a node, beside its log. The
// store has those of stages that passed, but only on this machine.
func findingsFile(run, node string) string {
	return filepath.Join(run, filepath.FromSlash(node)+".findings.json")
}

// keepFindings writes the findings of a run into its folder: those that the
// store will not have when a report is made, because the stage did not pass or
// because another machine makes the report.
func keepFindings(rec *pipeline.Record) error {
	elsewhere := os.Getenv("GITLAB_CI") != ""
	for _, r := range rec.Results {
		if r.Findings == nil || r.Status == pipeline.Passed && !elsewhere {
			continue
		}
		data, err := json.Marshal(r.Findings)
		if err == nil {
			err = evidence.WriteFile(findingsFile(rec.Dir, r.Node), data)
		}
		if err != nil {
			return fmt.Errorf("keep the findings of %s: %w", r.Node, err)
		}
	}
	return nil
}

// loadFindings brings back the findings of a result that was read from disk; nil
// when they are lost.
func (sess *session) loadFindings(run string, r pipeline.Result) *pipeline.Findings {
	f := &pipeline.Findings{}
	if data, err := os.ReadFile(findingsFile(run, r.Node)); err == nil && json.Unmarshal(data, f) == nil {
		return f
	}
	v := sess.checkout.Verdict(r.Node)
	if v == nil || r.Status != pipeline.Passed || v.Findings == "" || sess.store.GetJSON(v.Findings, f) != nil {
		return nil
	}
	return f
}

// loadLog returns where the log of a result is by now: a job of GitLab may have
// another folder than the one that ran the stage.
func loadLog(run string, r pipeline.Result) string {
	here := filepath.Join(run, filepath.FromSlash(r.Node)+".log")
	if _, err := os.Stat(here); err == nil && r.Log != "" {
		return here
	}
	return r.Log
}

// addBundle adds what the outputs of the container stage tell: the bill of
// materials and, where the findings are lost, digest and size of the bundle.
func (sess *session) addBundle(stage *report.Stage, node string) {
	if stage.Kind != "container" || stage.Status != pipeline.Passed {
		return
	}
	out := sess.checkout.Out(node)
	if info, err := os.Stat(filepath.Join(out, sbomFile)); err == nil && info.Mode().Type() == fs.FileMode(0) {
		stage.SBOM = filepath.Join(out, sbomFile)
	}
	if stage.Findings != nil {
		return
	}
	if bundle, err := container.ReadBundle(out); err == nil {
		var size int64
		for _, image := range bundle.Images {
			size = max(size, image.Size)
		}
		stage.Findings = &pipeline.Findings{Facts: map[string]string{"bundle": string(bundle.Digest), "image size": strconv.FormatInt(size, 10)}}
	}
}

// sbomFile is the bill of materials in the outputs of the container stage.
const sbomFile = "sbom.cdx.json"
