package pipeline

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// recordFile is the name of the record in a run's folder.
const recordFile = "record.jsonl"

// recordSchema is the version of the record's format.
const recordSchema = 1

// Record is all that happened in a run. On disk it is a file of events, one
// JSON object a line, that is written as they come: plan first, so that a run
// that was killed still says what it was about.
type Record struct {
	ID      string
	Dir     string // the run's folder
	Plan    []string
	Started time.Time
	Ended   time.Time // zero when the run was killed
	Status  Status
	Results []Result // in the order in which they finished
	// Begun has the nodes that began to run, finished or not.
	Begun []string
}

// Began reports whether a stage of any service began to run.
func (r *Record) Began(kind string) bool {
	return slices.ContainsFunc(r.Begun, func(node string) bool { return strings.HasSuffix(node, "/"+kind) })
}

// Result returns the result of a node, or nil.
func (r *Record) Result(node string) *Result {
	for i := range r.Results {
		if r.Results[i].Node == node {
			return &r.Results[i]
		}
	}
	return nil
}

// apply folds one event into the record.
func (r *Record) apply(e Event) {
	switch e.Type {
	case EventRun:
		r.ID, r.Plan, r.Started = e.Run, e.Plan, e.Time
	case EventStart:
		r.Begun = append(r.Begun, e.Node)
	case EventFinish:
		r.Results = append(r.Results, *e.Result)
	case EventEnd:
		r.Ended, r.Status = e.Time, Status(e.Status)
	}
}

// ReadRecord reads the record in a run's folder. A last line that was cut off
// by a crash is ignored.
func ReadRecord(dir string) (*Record, error) {
	f, err := os.Open(filepath.Join(dir, recordFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := &Record{Dir: dir}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			break
		}
		if e.Type == EventRun && e.Schema != recordSchema {
			return nil, fmt.Errorf("record %s has schema %d, expected %d", dir, e.Schema, recordSchema)
		}
		if e.Type == EventFinish && e.Result == nil {
			break
		}
		r.apply(e)
	}
	return r, lines.Err()
}

// recorder writes events to the record and passes them to the observer.
type recorder struct {
	mu       sync.Mutex
	file     *os.File
	record   *Record
	observer Observer
	now      func() time.Time
	err      error
}

func newRecorder(run *runDir, o Observer, now func() time.Time) (*recorder, error) {
	f, err := os.OpenFile(filepath.Join(run.dir, recordFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &recorder{file: f, record: &Record{Dir: run.dir}, observer: o, now: now}, nil
}

// event stamps the event, records it and shows it. The first failure to write
// is kept for close.
func (r *recorder) event(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Time = r.now()
	line, err := json.Marshal(e)
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
	r.record.apply(e)
	if r.observer != nil {
		r.observer.Observe(e)
	}
}

func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.file.Close(); r.err == nil {
		r.err = err
	}
	if r.err != nil {
		return fmt.Errorf("write the record: %w", r.err)
	}
	return nil
}
