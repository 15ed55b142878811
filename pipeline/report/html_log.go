package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"
)

// logView is the end of a stage's log.
type logView struct {
	Path, Note string
	Cut        string // what is left out, "" for nothing
	Text       string
}

// logs reads the logs of the stages, those of red stages first, until maxLogs
// is used up.
func (run Run) logs(views []*stageView) {
	budget := int64(maxLogs)
	for _, red := range []bool{true, false} {
		for i, v := range views {
			s := run.Stages[i]
			if v.Mark.red != red {
				continue
			}
			var used int64
			v.Log, used = run.log(s, min(maxLog, budget))
			budget -= used
		}
	}
}

// log reads the last limit bytes of a log and returns how many it took.
func (run Run) log(s Stage, limit int64) (logView, int64) {
	if s.Log == "" {
		note := "no log"
		if s.UpToDate {
			note = "up to date: no log of this run"
		}
		return logView{Note: note}, 0
	}
	v := logView{Path: oneLine(bound(run.logPath(s.Log)))}
	data, size, err := tail(s.Log, limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.Note = "the log is not there any more"
		return v, 0
	case err != nil:
		v.Note = "the log could not be read"
		return v, 0
	case size == 0:
		v.Note = "the log is empty"
		return v, 0
	}
	v.Note = Amount(size)
	if left := size - int64(len(data)); left > 0 {
		v.Note = "the last " + Amount(int64(len(data))) + " of " + Amount(size)
		v.Cut = fmt.Sprintf("The first %s bytes are left out here.", grouped(float64(left)))
	}
	// A carriage return begins a line anew: what it would hide is kept.
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
	v.Text = strings.Trim(clean(text), "\n")
	return v, int64(len(data))
}

// tail returns the last limit bytes of a file, less what stands before the
// first whole line of them, and the size of the file.
func tail(path string, limit int64) ([]byte, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	size := info.Size()
	start := max(0, size-limit)
	data, err := io.ReadAll(io.NewSectionReader(f, start, size-start))
	if err != nil || start == 0 {
		return data, size, err
	}
	if i := bytes.IndexByte(data, '\n'); i >= 0 && i+1 < len(data) {
		return data[i+1:], size, nil
	}
	for len(data) > 0 && !utf8.RuneStart(data[0]) {
		data = data[1:]
	}
	return data, size, nil
}
