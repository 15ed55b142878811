package stock

import (
	"fmt"
	"strings"
)

// nameCharacters may occur in SKUs and idempotency keys. They need no escaping
// anywhere: in logs, in URLs, in file names.
const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// CheckName checks an SKU or an idempotency key; field names it in the error,
// which is an *InvalidError.
func CheckName(field, name string) error {
	if name == "" || len(name) > MaxName || strings.Trim(name, nameCharacters) != "" {
		return &InvalidError{field, fmt.Sprintf("expected 1 to %d characters out of A-Z a-z 0-9 . _ -", MaxName)}
	}
	return nil
}

// CheckQuantity checks that least <= quantity <= MaxQuantity.
func CheckQuantity(field string, quantity, least int64) error {
	if quantity < least || quantity > MaxQuantity {
		return &InvalidError{field, fmt.Sprintf("expected %d to %d", least, int64(MaxQuantity))}
	}
	return nil
}

// CheckLines checks the lines of a reservation.
func CheckLines(lines []Line) error {
	if len(lines) == 0 || len(lines) > MaxLines {
		return &InvalidError{"lines", fmt.Sprintf("expected 1 to %d lines", MaxLines)}
	}
	seen := make(map[string]bool, len(lines))
	for i, line := range lines {
		if err := checkLine(i, line); err != nil {
			return err
		}
		if seen[line.SKU] {
			return &InvalidError{fmt.Sprintf("lines[%d].sku", i), "expected each SKU once"}
		}
		seen[line.SKU] = true
	}
	return nil
}

func checkLine(i int, line Line) error {
	if err := CheckName(fmt.Sprintf("lines[%d].sku", i), line.SKU); err != nil {
		return err
	}
	return CheckQuantity(fmt.Sprintf("lines[%d].quantity", i), line.Quantity, 1)
}
