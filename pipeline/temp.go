package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// tempList is the file of a run that names its nodes' folders for temporary
// files: lines of node, space and path.
const tempList = "tmpdirs"

// takeTemp makes an empty TMPDIR for a node's commands and returns its path.
// Whoever calls has the node's lock in this checkout. The folder is theirs and
// not the system's, so that what a killed one leaves is found; it is in the
// system's, because the paths of sockets must be short; and each run has the
// same, because Go believes the result of an earlier test only if it would see
// the same TMPDIR now.
func (c *Checkout) takeTemp(run *runDir, node string) (string, error) {
	dir := filepath.Join(os.TempDir(), c.tempName(node))
	if err := run.noteTemp(node, dir); err != nil {
		return "", err
	}
	if err := errors.Join(removeAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return "", fmt.Errorf("make the folder for temporary files (remove what is there, or set TMPDIR to another folder): %w", err)
	}
	return dir, nil
}

// tempName is the name of a node's folder; each user has others.
func (c *Checkout) tempName(node string) string {
	return "pipeline-" + evidence.Sum(fmt.Appendf(nil, "%d\x00%s\x00%s", os.Getuid(), c.dir, node)).Short()
}

// noteTemp remembers the folder before it is made.
func (r *runDir) noteTemp(node, dir string) error {
	f, err := os.OpenFile(filepath.Join(r.dir, tempList), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s\n", node, dir)
	return errors.Join(err, f.Close())
}

// freeTemps removes the folders of a run whose commands have ended. A folder
// that another run has taken over meanwhile is that run's, and what the list
// names but is no such folder is nobody's: a repository may bring a list along.
func (c *Checkout) freeTemps(r *runDir) error {
	data, err := os.ReadFile(filepath.Join(r.dir, tempList))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		node, dir, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if filepath.Base(dir) != c.tempName(node) {
			continue
		}
		lock, lockErr := tryLock(c.lockFile(node))
		if lockErr != nil {
			continue
		}
		err = errors.Join(err, removeAll(dir))
		lock.release()
	}
	return err
}
