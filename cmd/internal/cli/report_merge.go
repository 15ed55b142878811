package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

// newest is the newest result of a node and the run that it is of.
type newest struct {
	pipeline.Result
	run *pipeline.Record
}

// merge picks the newest result of each node out of the records, oldest first.
// A node that began and has no result did not end: it is not tested.
//
// With jobs, the records are those of jobs that each ran some stages: there a
// stage is up to date because another job ran it, whose result counts, and one
// that was only looked for in vain says nothing about itself.
func merge(records []*pipeline.Record, jobs bool) []newest {
	found := map[string]newest{}
	for _, rec := range records {
		for _, r := range resultsOf(rec) {
			old, known := found[r.Node]
			if known && jobs && (r.LookedFor || r.UpToDate && old.Status.Opens()) {
				continue
			}
			found[r.Node] = newest{r, rec}
		}
	}
	list := make([]newest, 0, len(found))
	for _, n := range found {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b newest) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.Node, b.Node))
	})
	return list
}

// resultsOf are the results of a record, and one for each node that began and
// did not end.
func resultsOf(rec *pipeline.Record) []pipeline.Result {
	list := slices.Clone(rec.Results)
	for _, node := range rec.Begun {
		if rec.Result(node) != nil || slices.ContainsFunc(list, func(r pipeline.Result) bool { return r.Node == node }) {
			continue
		}
		r := resultOf(node)
		r.Started, r.Message = rec.Started, "it did not end: the run is going on, or was killed"
		r.Log = filepath.Join(rec.Dir, filepath.FromSlash(node)+".log")
		list = append(list, r)
	}
	return list
}

// resultOf is that of a node that is not tested.
func resultOf(node string) pipeline.Result {
	service, kind, _ := strings.Cut(node, "/")
	return pipeline.Result{Node: node, Service: service, Kind: kind, Status: pipeline.Untested}
}

// records reads the records of all runs, oldest first. What cannot be read is
// left out, unless that is all there is.
func (sess *session) records() ([]*pipeline.Record, error) {
	dir := filepath.Join(sess.checkout.Dir(), "runs")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var records []*pipeline.Record
	var broken error
	for _, e := range entries {
		rec, err := pipeline.ReadRecord(filepath.Join(dir, e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist): // a run that is about to begin
		case err != nil:
			broken = errors.Join(broken, err)
		case rec.ID != "":
			records = append(records, rec)
		}
	}
	if len(records) == 0 {
		return nil, broken
	}
	slices.SortStableFunc(records, func(a, b *pipeline.Record) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.ID, b.ID))
	})
	return records, nil
}

// mergedRecord makes one record of the newest results, with their findings.
// earlier has the nodes whose result is of a run before the last; asked are the
// nodes that must be there.
func (sess *session) mergedRecord(records []*pipeline.Record, jobs bool, known, asked []string) (rec *pipeline.Record, earlier map[string]bool) {
	last := records[len(records)-1]
	rec = &pipeline.Record{ID: last.ID, Dir: last.Dir, Started: last.Started, Ended: last.Ended}
	earlier = map[string]bool{}
	for _, n := range merge(records, jobs) {
		if !slices.Contains(known, n.Node) {
			continue // of a stage or service that is no more
		}
		n.Findings, n.Log = sess.loadFindings(n.run.Dir, n.Result), loadLog(n.run.Dir, n.Result)
		rec.Results = append(rec.Results, n.Result)
		earlier[n.Node] = n.run != last && !jobs
		if jobs {
			rec.Started, rec.Ended = before(rec.Started, n.run.Started), after(rec.Ended, n.run.Ended)
		}
	}
	for _, node := range asked {
		if rec.Result(node) == nil {
			r := resultOf(node)
			r.Message = "no run has a result of it"
			rec.Results = append(rec.Results, r)
		}
	}
	rec.Status = statusOf(rec.Results)
	return rec, earlier
}

func before(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func after(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
