package pipeline

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/proc"
)

// keptRuns is how many finished runs a checkout remembers.
const keptRuns = 20

// Checkout is the folder .pipeline of a working copy: outputs, verdicts,
// reports and the history of runs. It ignores itself in git and may be deleted
// at any time when no run is going on.
//
//	out/SERVICE/STAGE/               outputs, exactly what the verdict lists
//	out/SERVICE/STAGE.verdict.json   the verdict they belong to
//	out/SERVICE/STAGE.findings.json  tests, coverage, issues
//	runs/ID/record.jsonl             what happened, as it happened
//	runs/ID/SERVICE/STAGE.log        logs; STAGE/ beside it: what a stage kept
//	reports/                         of the last run
type Checkout struct{ dir string }

// OpenCheckout returns the state of the working copy at root. Folders are made
// when they are needed.
func OpenCheckout(root string) *Checkout { return &Checkout{dir: filepath.Join(root, ".pipeline")} }

// Dir returns the path of the folder.
func (c *Checkout) Dir() string { return c.dir }

// Reports returns the path of the folder for reports.
func (c *Checkout) Reports() string { return filepath.Join(c.dir, "reports") }

// Out returns the folder with the outputs of a node.
func (c *Checkout) Out(node string) string {
	return filepath.Join(c.dir, "out", filepath.FromSlash(node))
}

// Verdict returns the last verdict of a node in this checkout, or nil.
func (c *Checkout) Verdict(node string) *evidence.Verdict {
	v, err := evidence.ReadVerdict(c.Out(node) + ".verdict.json")
	if err != nil || v.Stage != node {
		return nil
	}
	return v
}

// lockFile is the lock of a node in this checkout.
func (c *Checkout) lockFile(node string) string {
	return filepath.Join(c.dir, "locks", fileName(node))
}

// prepare makes the folder and lets git ignore it.
func (c *Checkout) prepare() error {
	ignore := filepath.Join(c.dir, ".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	return evidence.WriteFile(ignore, []byte("*\n"))
}

// runDir is the folder of one run; its lock is held while the run is alive.
type runDir struct {
	id   string
	dir  string
	lock *fileLock
}

// newRun makes the folder of a new run.
func (c *Checkout) newRun(now time.Time) (*runDir, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	var salt [3]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, err
	}
	id := runID(now, salt[:])
	r := &runDir{id: id, dir: filepath.Join(c.dir, "runs", id)}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := tryLock(filepath.Join(r.dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("lock the new run: %w", err)
	}
	r.lock = lock
	return r, nil
}

// runID sorts by the time, to the millisecond: two runs in one second are
// nothing unusual.
func runID(now time.Time, salt []byte) string {
	return strings.Replace(now.UTC().Format("20060102-150405.000"), ".", "", 1) + "-" + hex.EncodeToString(salt)
}

func (r *runDir) scratch() string { return filepath.Join(r.dir, "scratch") }

// finish marks the run as ended in order; what it left is no concern of the
// next one.
func (c *Checkout) finish(r *runDir) error {
	err := errors.Join(
		removeAll(r.scratch()), c.freeTemps(r),
		os.WriteFile(filepath.Join(r.dir, "finished"), nil, 0o644),
		os.Remove(filepath.Join(r.dir, "lock")))
	r.lock.release()
	return err
}

// removeAll is os.RemoveAll that also gets at folders without write permission
// (Go's module cache makes such).
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(name, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// Record returns the record of a run, or nil when it has none.
func (c *Checkout) Record(id string) *Record {
	rec, err := ReadRecord(filepath.Join(c.dir, "runs", id))
	if err != nil {
		return nil
	}
	return rec
}

// DeadRuns returns the ids of the runs that ended without a clean-up (killed,
// power cut), oldest first. The caller frees what they left and then calls
// Buried.
func (c *Checkout) DeadRuns() []string {
	var dead []string
	for _, id := range c.runs() {
		dir := filepath.Join(c.dir, "runs", id)
		if _, err := os.Stat(filepath.Join(dir, "finished")); err == nil || justMade(dir) {
			continue
		}
		if lock, err := tryLock(filepath.Join(dir, "lock")); err == nil {
			lock.release()
			dead = append(dead, id)
		}
	}
	return dead
}

// justMade reports whether a run is about to take its lock: it has no record
// yet and is younger than a minute.
func justMade(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, recordFile)); err == nil {
		return false
	}
	info, err := os.Stat(dir)
	return err == nil && time.Since(info.ModTime()) < time.Minute
}

// Bury kills what is left of the processes of a dead run, removes its
// temporary files and marks it as finished. It returns the number of processes
// killed.
func (c *Checkout) Bury(id string) (int, error) {
	killed := proc.KillStrays(id)
	r := &runDir{id: id, dir: filepath.Join(c.dir, "runs", id)}
	lock, err := tryLock(filepath.Join(r.dir, "lock"))
	if err != nil {
		return killed, err // another process buries it
	}
	r.lock = lock
	tmp, _ := filepath.Glob(filepath.Join(c.dir, "out", "*", ".new-"+id+"-*"))
	for _, t := range tmp {
		err = errors.Join(err, removeAll(t))
	}
	return killed, errors.Join(err, c.finish(r))
}

// runs returns the ids of all runs, oldest first.
func (c *Checkout) runs() []string {
	entries, _ := os.ReadDir(filepath.Join(c.dir, "runs"))
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	slices.Sort(ids)
	return ids
}

// LastRun returns the folder of the newest run that has a record, or "".
func (c *Checkout) LastRun() string {
	for _, id := range slices.Backward(c.runs()) {
		dir := filepath.Join(c.dir, "runs", id)
		if _, err := os.Stat(filepath.Join(dir, recordFile)); err == nil {
			return dir
		}
	}
	return ""
}

// prune removes the oldest finished runs.
func (c *Checkout) prune() {
	ids := c.runs()
	for i := 0; i < len(ids)-keptRuns; i++ {
		dir := filepath.Join(c.dir, "runs", ids[i])
		if _, err := os.Stat(filepath.Join(dir, "finished")); err == nil {
			_ = removeAll(dir)
		}
	}
}

// fileName makes a node's name usable as one file name.
func fileName(node string) string { return strings.ReplaceAll(node, "/", "-") }
