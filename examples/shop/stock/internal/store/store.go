// Package store keeps articles and reservations in one bbolt file.
//
// Every change is a function that reads, decides and names the records to
// write. They are written in the same transaction, and only if the function
// did not refuse; so a refusal can share a transaction with the successes of
// other clients, and many clients share one flush to the disk.
//
// Records are JSON: they can be read without this program, and a field that a
// newer version adds is no change of format. The format's number is stored too,
// and a file of another format is refused instead of misread.
package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// FileName is the name of the database inside the data folder.
const FileName = "stock.db"

const (
	// lockTimeout is long enough for the end of a process that is being
	// replaced, and short enough not to look like a hanging start.
	lockTimeout = time.Second
	// batchDelay is how long a change waits for others to share its flush.
	// Flushing takes longer than this on ordinary disks.
	batchDelay = 500 * time.Microsecond
)

// DB is an open database; it is safe for concurrent use. Only one process at a
// time can have a file open.
type DB struct {
	bolt *bbolt.DB
}

// Open opens the database in folder dir and creates both if they do not exist.
// The caller closes it.
func Open(dir string) (*DB, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	path := filepath.Join(dir, FileName)
	bolt, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return &DB{bolt: bolt}, nil
}

// Close waits for running transactions and closes the file.
func (db *DB) Close() error { return db.bolt.Close() }

// openFile turns bbolt's panics over damaged pages into errors.
func openFile(path string) (bolt *bbolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, p)
		}
	}()
	bolt, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return nil, explain(err)
	}
	bolt.MaxBatchDelay = batchDelay
	if err := bolt.Update(prepare); err != nil {
		return nil, closeAfter(bolt, err)
	}
	return bolt, nil
}

func closeAfter(bolt *bbolt.DB, err error) error {
	if closing := bolt.Close(); closing != nil {
		return fmt.Errorf("%w (closing: %w)", err, closing)
	}
	return err
}

// read runs fn in a read transaction.
func (db *DB) read(ctx context.Context, fn func(view) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.bolt.View(func(tx *bbolt.Tx) error { return fn(view{tx}) })
}

// write runs decide in a write transaction and writes the records it returns.
// decide may be called more than once, and not at all after ctx ended.
func (db *DB) write(ctx context.Context, decide func(view) ([]record, error)) error {
	var refusal error
	err := db.bolt.Batch(func(tx *bbolt.Tx) error {
		if refusal = ctx.Err(); refusal != nil {
			return nil
		}
		var records []record
		if records, refusal = decide(view{tx}); refusal != nil {
			return nil
		}
		return save(tx, records)
	})
	if err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	return refusal
}
