package store

import (
	"context"
	"fmt"

	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

// Reserve stores a new reservation and sets its pieces aside, all or none. If
// the same request came before it returns the stored reservation. It fails with
// stock.ErrNotFound, ErrInsufficient, ErrKeyReused or ErrSettled.
func (db *DB) Reserve(ctx context.Context, request stock.Reservation) (stock.Reservation, error) {
	result := request
	err := db.write(ctx, func(v view) ([]record, error) {
		stored, err := v.reservation(request.Key)
		if err != nil {
			return nil, err
		}
		if stored != nil {
			result = *stored
			return nil, stored.Repeat(request)
		}
		return v.reserve(request)
	})
	return result, err
}

func (v view) reserve(request stock.Reservation) ([]record, error) {
	records := []record{{reservationBucket, request.Key, request}}
	for _, line := range request.Lines {
		item, err := v.knownItem(line.SKU)
		if err != nil {
			return nil, err
		}
		if item, err = item.Reserve(line.Quantity); err != nil {
			return nil, fmt.Errorf("article %s: %w", line.SKU, err)
		}
		records = append(records, record{itemBucket, line.SKU, item})
	}
	return records, nil
}

// Settle ends a reservation as stock.Released or stock.Committed and returns
// it; if it ended so before, nothing changes. It fails with stock.ErrNotFound
// or stock.ErrSettled.
func (db *DB) Settle(ctx context.Context, key string, outcome stock.State) (stock.Reservation, error) {
	var result stock.Reservation
	err := db.write(ctx, func(v view) ([]record, error) {
		stored, err := v.reservation(key)
		if err != nil {
			return nil, err
		}
		if stored == nil {
			return nil, fmt.Errorf("reservation: %w", stock.ErrNotFound)
		}
		if result, err = stored.Settle(outcome); err != nil || stored.State == outcome {
			return nil, err
		}
		return v.settle(result)
	})
	return result, err
}

func (v view) settle(settled stock.Reservation) ([]record, error) {
	records := []record{{reservationBucket, settled.Key, settled}}
	for _, line := range settled.Lines {
		item, err := v.knownItem(line.SKU)
		if err != nil {
			return nil, err
		}
		records = append(records, record{itemBucket, line.SKU, item.Settle(line.Quantity, settled.State)})
	}
	return records, nil
}
