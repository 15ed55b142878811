package store

import (
	"context"
	"fmt"

	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

// Put sets the pieces on hand of an article and returns it. expected, unless
// nil, is the revision that the article must have. It fails with
// stock.ErrRevision or stock.ErrInsufficient.
func (db *DB) Put(ctx context.Context, sku string, onHand int64, expected *int64) (stock.Item, error) {
	var item stock.Item
	err := db.write(ctx, func(v view) ([]record, error) {
		old, err := v.item(sku)
		if err != nil {
			return nil, err
		}
		if expected != nil && *expected != old.Revision {
			return nil, fmt.Errorf("article %s: %w", sku, stock.ErrRevision)
		}
		if item, err = old.Put(onHand); err != nil {
			return nil, fmt.Errorf("article %s: %w", sku, err)
		}
		return []record{{itemBucket, sku, item}}, nil
	})
	return item, err
}

// Item returns an article or fails with stock.ErrNotFound.
func (db *DB) Item(ctx context.Context, sku string) (stock.Item, error) {
	var item stock.Item
	err := db.read(ctx, func(v view) (err error) {
		item, err = v.knownItem(sku)
		return err
	})
	return item, err
}

// Items returns up to limit articles whose SKU is above after, in order.
func (db *DB) Items(ctx context.Context, after string, limit int) ([]stock.Item, error) {
	var items []stock.Item
	err := db.read(ctx, func(v view) error {
		cursor := v.tx.Bucket([]byte(itemBucket)).Cursor()
		// The zero byte makes the first key that is greater than after.
		key, data := cursor.Seek([]byte(after + "\x00"))
		for ; key != nil && len(items) < limit; key, data = cursor.Next() {
			item, err := decode[stock.Item](data)
			if err != nil {
				return err
			}
			items = append(items, *item)
		}
		return nil
	})
	return items, err
}

// Seed creates the articles that do not exist yet, all or none, and returns how
// many these are; it leaves the others alone.
func (db *DB) Seed(ctx context.Context, seed stock.Seed) (created int, err error) {
	err = db.write(ctx, func(v view) ([]record, error) {
		var records []record
		for _, sku := range seed.SKUs() {
			old, err := v.item(sku)
			if err != nil {
				return nil, err
			}
			if old.Revision > 0 {
				continue
			}
			item, err := old.Put(seed[sku])
			if err != nil {
				return nil, fmt.Errorf("article %s: %w", sku, err)
			}
			records = append(records, record{itemBucket, sku, item})
		}
		created = len(records)
		return records, nil
	})
	return created, err
}
