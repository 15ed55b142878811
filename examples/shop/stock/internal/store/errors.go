package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"
)

// Reasons why a database cannot be opened or read; compare with errors.Is.
var (
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("locked by another process")
	// ErrCorrupt: the file is damaged or no database at all.
	ErrCorrupt = errors.New("damaged or not a database; restore it from a backup or move it away")
	// ErrFormat: the file was written by a version with another format.
	ErrFormat = errors.New("written in a format that this version does not know")
)

// explain says in the user's terms why bbolt did not open a file. What the
// operating system did not refuse, bbolt refused because of the content.
func explain(err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrLocked
	case errors.As(err, new(*fs.PathError)), errors.As(err, new(syscall.Errno)):
		return err
	}
	return fmt.Errorf("%w (%w)", ErrCorrupt, err)
}
