package store

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

// format is increased when older programs could no longer read the records.
const format = 1

const (
	metaBucket        = "meta"
	itemBucket        = "items"
	reservationBucket = "reservations"
	formatKey         = "format"
)

// prepare creates the buckets of a new file and checks the format of an old one.
func prepare(tx *bbolt.Tx) error {
	for _, name := range []string{metaBucket, itemBucket, reservationBucket} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	found, err := load[int](tx, metaBucket, formatKey)
	switch {
	case err != nil:
		return err
	case found == nil:
		return save(tx, []record{{metaBucket, formatKey, format}})
	case *found != format:
		return fmt.Errorf("%w: format %d, expected %d", ErrFormat, *found, format)
	}
	return nil
}

// record is a value to be written.
type record struct {
	bucket string
	key    string
	value  any
}

func save(tx *bbolt.Tx, records []record) error {
	for _, r := range records {
		data, err := json.Marshal(r.value)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		if err := tx.Bucket([]byte(r.bucket)).Put([]byte(r.key), data); err != nil {
			return err
		}
	}
	return nil
}

// load returns nil if there is no such record.
func load[T any](tx *bbolt.Tx, bucket, key string) (*T, error) {
	data := tx.Bucket([]byte(bucket)).Get([]byte(key))
	if data == nil {
		return nil, nil
	}
	return decode[T](data)
}

// decode leaves the data out of its error: errors are logged, data is not.
func decode[T any](data []byte) (*T, error) {
	value := new(T)
	if err := json.Unmarshal(data, value); err != nil {
		return nil, fmt.Errorf("%w: record is no %T", ErrCorrupt, *value)
	}
	return value, nil
}

// view reads records in a transaction.
type view struct {
	tx *bbolt.Tx
}

// item returns the article or one without revision.
func (v view) item(sku string) (stock.Item, error) {
	found, err := load[stock.Item](v.tx, itemBucket, sku)
	if err != nil || found == nil {
		return stock.Item{SKU: sku}, err
	}
	return *found, nil
}

// knownItem returns the article or stock.ErrNotFound.
func (v view) knownItem(sku string) (stock.Item, error) {
	item, err := v.item(sku)
	if err == nil && item.Revision == 0 {
		err = fmt.Errorf("article %s: %w", sku, stock.ErrNotFound)
	}
	return item, err
}

// reservation returns nil if there is none.
func (v view) reservation(key string) (*stock.Reservation, error) {
	return load[stock.Reservation](v.tx, reservationBucket, key)
}
