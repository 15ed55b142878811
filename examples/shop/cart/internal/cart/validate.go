package cart

import (
	"fmt"
	"strings"
)

// nameCharacters may occur in cart ids and SKUs. They need no escaping
// anywhere: in logs, in URLs, in file names.
const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// CheckID checks the id of a cart. The error is an *InvalidError.
func CheckID(id string) error { return checkName("cart_id", id, MaxID) }

// CheckLine checks a line before it is set; quantity 0 is allowed. The error is
// an *InvalidError.
func CheckLine(line Line) error {
	if err := checkName("sku", line.SKU, MaxSKU); err != nil {
		return err
	}
	if line.Quantity < 0 || line.Quantity > MaxQuantity {
		return &InvalidError{"quantity", fmt.Sprintf("expected 0 to %d", MaxQuantity)}
	}
	return nil
}

func checkName(field, name string, most int) error {
	if name == "" || len(name) > most || strings.Trim(name, nameCharacters) != "" {
		return &InvalidError{field, fmt.Sprintf("expected 1 to %d characters out of A-Z a-z 0-9 . _ -", most)}
	}
	return nil
}
