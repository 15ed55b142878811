package stock

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Seed is what a new shop starts with: pieces on hand for each SKU.
type Seed map[string]int64

// SKUs returns the articles in order.
func (s Seed) SKUs() []string { return slices.Sorted(maps.Keys(s)) }

// ParseSeed reads a JSON object of SKUs and pieces. Every SKU and quantity of
// what it returns is within the limits.
func ParseSeed(data []byte) (Seed, error) {
	var pieces map[string]*int64 // pointers tell null from 0
	if err := json.Unmarshal(data, &pieces); err != nil {
		return nil, fmt.Errorf("%w: %w", errSeed, err)
	}
	if pieces == nil {
		return nil, fmt.Errorf("%w: it is null", errSeed)
	}
	seed := make(Seed, len(pieces))
	for _, sku := range slices.Sorted(maps.Keys(pieces)) {
		if err := checkSeed(sku, pieces[sku]); err != nil {
			return nil, fmt.Errorf("%w: %w", errSeed, err)
		}
		seed[sku] = *pieces[sku]
	}
	return seed, nil
}

var errSeed = errors.New(`expected a JSON object of SKUs and pieces on hand, {"apple": 10} for instance`)

func checkSeed(sku string, onHand *int64) error {
	field := fmt.Sprintf("%q", sku)
	if err := CheckName(field, sku); err != nil {
		return err
	}
	if onHand == nil {
		return &InvalidError{field, "expected a number, not null"}
	}
	return CheckQuantity(field, *onHand, 0)
}
