package gitlab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// maxJobFile bounds a file that is read of a job's artifacts, in bytes.
const maxJobFile = 16 << 20

// JobFile reads one file of the artifacts that a job of a name left in the newest
// successful pipeline of a branch or tag: path is relative to the top of the
// checkout, with slashes. Nil is for a pipeline, a job, artifacts or a file that
// is not there, which GitLab does not tell apart from a token without the right.
// A job token may read those of its own project.
// Source: doc/api/job_artifacts.md, "Download a single artifact file by reference
// name".
func (c *Client) JobFile(ctx context.Context, ref, job, path string) ([]byte, error) {
	op := fmt.Sprintf("read %s of job %s on %s", path, job, ref)
	options := &api.DownloadArtifactsFileOptions{Job: &job}
	content, _, err := c.api.Jobs.DownloadSingleArtifactsFileByTagOrBranch(c.project, ref, escaped(path), options, api.WithContext(ctx))
	if err = c.failed(op, err); status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, hinted(err, "the token needs the role Reporter ("+settingMember+")")
	}
	data, err := io.ReadAll(io.LimitReader(content, maxJobFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if len(data) > maxJobFile {
		return nil, fmt.Errorf("%s: it has more than %d bytes", op, maxJobFile)
	}
	return data, nil
}

// escaped escapes the segments of a path; the slashes stay.
func escaped(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}
