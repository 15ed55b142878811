package app

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
)

// logFile is the name of the log inside --logdir.
const logFile = "web.log"

// openLog returns a log of JSON lines to stderr and, if dir is not empty, to a
// file in dir as well, which is appended to. The caller calls the function when
// nothing is logged any more.
func openLog(stderr io.Writer, dir string, level slog.Level) (*slog.Logger, func() error, error) {
	if dir == "" {
		return newLog(stderr, level), func() error { return nil }, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, nil, fmt.Errorf("create log folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	return newLog(io.MultiWriter(stderr, file), level), file.Close, nil
}

func newLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}
