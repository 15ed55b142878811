package store

import "gitlab.com/selfcontained/shop/stock/internal/stock"

// DecodeItem is for the fuzz target.
func DecodeItem(data []byte) (*stock.Item, error) { return decode[stock.Item](data) }
