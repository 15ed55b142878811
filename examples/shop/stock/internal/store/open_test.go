package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"gitlab.com/selfcontained/shop/stock/internal/store"
)

func TestOpenLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir)
	_, err := store.Open(dir)
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), filepath.Join(dir, store.FileName)) {
		t.Errorf("error %v, want one that names the file and says that it is locked", err)
	}
}

func TestOpenWithoutFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(file); err == nil || !strings.Contains(err.Error(), "create data folder") {
		t.Errorf("error %v", err)
	}
}

// damage closes a good database, lets f change its bytes and opens it again.
func damage(t *testing.T, f func([]byte) []byte) error {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "a", 1)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, store.FileName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(data), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err = store.Open(dir)
	if err == nil {
		db.Close()
	}
	return err
}

func TestOpenDamaged(t *testing.T) {
	t.Parallel()
	page := os.Getpagesize()
	for name, f := range map[string]func([]byte) []byte{
		"text":       func([]byte) []byte { return bytes.Repeat([]byte("no database\n"), 2000) },
		"zeros":      func(d []byte) []byte { return make([]byte, len(d)) },
		"truncated":  func(d []byte) []byte { return d[:page] },
		"data pages": func(d []byte) []byte { return append(d[:2*page:2*page], bytes.Repeat([]byte{0xff}, len(d)-2*page)...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := damage(t, f); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("error %v, want %v", err, store.ErrCorrupt)
			}
		})
	}
}

func TestOpenOtherFormat(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]error{"2": store.ErrFormat, "x": store.ErrCorrupt} {
		dir := t.TempDir()
		write(t, dir, "meta", "format", value)
		if _, err := store.Open(dir); !errors.Is(err, want) {
			t.Errorf("format %s: error %v, want %v", value, err, want)
		}
	}
}

func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "items", "a", "{secret")
	write(t, dir, "reservations", "k", "{secret")
	db := open(t, dir)
	_, item := db.Item(t.Context(), "a")
	_, items := db.Items(t.Context(), "", 1)
	_, putting := db.Put(t.Context(), "a", 1, nil)
	_, reserving := db.Reserve(t.Context(), request("k"))
	_, settling := db.Settle(t.Context(), "k", 2)
	for _, err := range []error{item, items, putting, reserving, settling} {
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("error %v, want %v", err, store.ErrCorrupt)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("error %q tells data", err)
		}
	}
}

// write puts a raw record into a database that is not open.
func write(t *testing.T, dir, bucket, key, value string) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, store.FileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(bucket))
		if err != nil {
			return err
		}
		return b.Put([]byte(key), []byte(value))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzStoredItem: whatever bytes a record has, reading it neither panics nor
// returns an item together with an error.
func FuzzStoredItem(f *testing.F) {
	f.Add([]byte(`{"sku":"a","on_hand":3,"reserved":1,"revision":2}`))
	f.Add([]byte(`{"sku":1}`))
	f.Add([]byte(``))
	f.Add(binary.BigEndian.AppendUint64(nil, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		item, err := store.DecodeItem(data)
		if (item == nil) == (err == nil) {
			t.Errorf("item %v, error %v", item, err)
		}
	})
}
